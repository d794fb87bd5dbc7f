"""Small maps as large as the picture, each cell where it belongs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def enlarge(maps: FloatArray, side: tuple[int, int]) -> FloatArray:
    """``(n, a, b)`` -> ``(n, *side)``, half-pixel bilinear.

    The middle of cell i of a lies at ``(i + .5) / a`` of the side. Tools that align the corners put
    it at ``i / (a - 1)``, up to half a cell beside.
    """
    import tensorflow as tf

    if maps.shape[1:] == tuple(side):
        return maps
    made = tf.image.resize(maps[..., None], side, method="bilinear")
    return np.asarray(made[..., 0], np.float32)
