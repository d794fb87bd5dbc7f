"""What stands in place of pixels that are taken away.

The choice decides what a map shows and which method looks best (Sturmfels et al. 2020, "Visualizing
the impact of feature attribution baselines"; arXiv 2512.11433), so every measure uses two.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Fill = Literal["mean", "blurred"]
FILLS: tuple[Fill, ...] = ("mean", "blurred")
# The deviation of the blur, in sides of a picture: that of a cell, so a cell's own look is gone.
BLUR = 1 / 8


def make_fill(which: Fill, pictures: FloatArray, reference: FloatArray) -> FloatArray:
    """Pixels in place of those of ``pictures``, ``(n, h, w, c)``.

    "mean": the mean colour of ``reference``, the same everywhere. "blurred": the picture itself,
    blurred so far that nothing as small as an eighth of it is left.
    """
    if which == "mean":
        colour = reference.mean(axis=(0, 1, 2), dtype=np.float64).astype(np.float32)
        return np.broadcast_to(colour, pictures.shape).astype(np.float32)
    return blur(pictures, (pictures.shape[1] * BLUR, pictures.shape[2] * BLUR))


def blur(pictures: FloatArray, deviations: tuple[float, float]) -> FloatArray:
    """Gaussian blur along height and width, the border repeated."""
    from scipy.ndimage import gaussian_filter

    sigma = (0, *deviations, 0)
    return np.asarray(gaussian_filter(pictures.astype(np.float32), sigma, mode="nearest"))
