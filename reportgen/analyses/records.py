"""Arrays beside the report that nothing shows: what a reader needs to compute a number again.

They stand in ``data/<section>.npz`` under names that begin with ``record_``; docs/recompute.md says
what is done with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

PREFIX = "record_"
SAID = (
    "What it takes to compute these numbers again stands in data/{section}.npz, in arrays that "
    "begin with record_ (docs/recompute.md)."
)
# Of one array. Larger ones, such as directions through millions of weights, are left out; the
# documentation says by which rule they are drawn.
_MOST_BYTES = 16 * 2**20


def keep_records(found: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Named arrays as records; what is None, or too large, is left out."""
    kept = {
        PREFIX + name: np.asarray(values) for name, values in found.items() if values is not None
    }
    return {name: array for name, array in kept.items() if array.nbytes <= _MOST_BYTES}
