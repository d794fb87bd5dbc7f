"""Intervals of shares, for arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_Z = 1.959963984540054  # the 97.5 % point of the normal distribution


def wilson_bounds(hits: FloatArray, count: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """95 % bounds of ``hits / count`` (Wilson 1927), elementwise; NumPy only, for `present`."""
    n = count.astype(np.float64)
    share = hits / n
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return np.maximum(0, middle - half), np.minimum(1, middle + half)
