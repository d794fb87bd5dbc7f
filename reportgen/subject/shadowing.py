"""Changes to layers that last for a while and leave no trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras


@contextmanager
def shadowed(part: Any, name: str, value: Any) -> Iterator[None]:
    """An entry in the instance's dictionary, for a while; Keras' tracking does not see it."""
    missing = object()
    before = part.__dict__.get(name, missing)
    part.__dict__[name] = value
    try:
        yield
    finally:
        if before is missing:
            del part.__dict__[name]
        else:
            part.__dict__[name] = before


@contextmanager
def computing_in(model: keras.Model, policy: str, *, instead_of: str = "float32") -> Iterator[None]:
    """Let layers that compute in ``instead_of`` compute in another precision; weights stay.

    Args:
        policy: of Keras, such as ``mixed_bfloat16`` or ``float32``.
        instead_of: the dtype that a layer computes in now; layers of another one are left alone.
    """
    wanted = keras.dtype_policies.get(policy)
    with ExitStack() as stack:
        for part in model._flatten_layers():
            now = getattr(part, "dtype_policy", None)
            if now and now.compute_dtype == instead_of:
                stack.enter_context(shadowed(part, "_dtype_policy", wanted))
        yield
