"""Maps over the pictures that they explain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reportgen import theme
from reportgen.attributions.enlarging import enlarge

Pictures = NDArray[np.uint8]
FloatArray = NDArray[np.float32]
_PALE = 0.55  # of the picture's own contrast that is left beneath
_STRONGEST = 0.9  # of the colour, where a map is largest
_TOP = (
    0.995  # quantile of a map's sizes that gets the full colour: one pixel must not pale the rest
)
_LEAST = 192  # pixels a side, so that the cells of a small picture can be told apart


def lay_over(maps: FloatArray, pictures: Pictures) -> Pictures:
    """Red speaks for the score, blue against; each map by its own largest value.

    Args:
        maps: ``(n, a, b)``, of pixels or smaller. pictures: as people see them, ``(n, h, w, 3)``.

    Returns: ``(n, H, W, 3)``, enlarged by whole steps where pictures are small.
    """
    times = _count_times(pictures)
    large = enlarge_pictures(pictures)
    values = _enlarge(maps, (pictures.shape[1], pictures.shape[2]), times)
    sizes = np.abs(values).reshape(len(values), -1)
    top = np.quantile(sizes, _TOP, axis=1)
    top = np.where(top > 0, top, sizes.max(axis=1))
    strength = np.clip(values / np.maximum(top, 1e-30)[:, None, None], -1, 1)
    grey = large.mean(axis=-1, keepdims=True)
    beneath = 255 - _PALE * (255 - grey)
    opaque = _STRONGEST * np.abs(strength)[..., None]
    colours = np.where(strength[..., None] > 0, _read(theme.FOR), _read(theme.AGAINST))
    return np.asarray(np.rint(beneath * (1 - opaque) + colours * opaque), np.uint8)


def enlarge_pictures(pictures: Pictures) -> Pictures:
    """By whole steps, so that the cells of small pictures can be told apart."""
    times = _count_times(pictures)
    return np.repeat(np.repeat(pictures, times, axis=1), times, axis=2)


def _count_times(pictures: Pictures) -> int:
    return max(1, -(-_LEAST // int(max(pictures.shape[1:3]))))


def _enlarge(maps: FloatArray, side: tuple[int, int], times: int) -> FloatArray:
    """To the size of the enlarged pictures: pixels as squares, the rest half-pixel bilinear."""
    if maps.shape[1:] == side:
        return np.repeat(np.repeat(maps, times, axis=1), times, axis=2)
    return enlarge(maps, (side[0] * times, side[1] * times))


def _read(colour: str) -> NDArray[np.float64]:
    return np.array(list(bytes.fromhex(colour[1:])), np.float64)
