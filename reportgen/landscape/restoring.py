"""Weights that are lent for a while and come back, whatever happens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from reportgen.errors import ReportgenError


@contextmanager
def restoring(variables: Sequence[Any]) -> Iterator[None]:
    """Within the context these variables may be assigned; after it they are what they were.

    Also after an exception, an interrupt or the end of a generator; proved by a hash.

    Raises:
        ReportgenError: they could not be restored.
    """
    kept = [variable.numpy() for variable in variables]
    before = hash_arrays(kept)
    try:
        yield
    finally:
        for variable, values in zip(variables, kept, strict=True):
            variable.assign(values)
        if hash_arrays([variable.numpy() for variable in variables]) != before:
            raise ReportgenError("The weights differ after they were moved and put back.")


def hash_arrays(arrays: Sequence[Any]) -> str:
    """SHA-256 over their bytes, shapes and types."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
