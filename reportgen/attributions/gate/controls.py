"""Maps that know nothing of the score, as smooth as the maps that are held against them.

A smooth map scores better than a rough one whatever it shows: neighbouring cells fall together
(Rong et al. 2022; arXiv 2304.13836). So each method meets controls of its own smoothness.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reportgen.attributions.case import Case
from reportgen.attributions.cells import Grid

FloatArray = NDArray[np.float32]
Ints = NDArray[np.int64]
# Deviations of a blur, in cells. Methods that are about as smooth share their controls.
BLURS = (0.0, 0.6, 0.9, 1.3, 1.9)
_TRIALS = 300


def find_partners(case: Case) -> Ints:
    """For each picture another one, of another score where there is one, ``(n,)``."""
    count = len(case)
    partners = (np.arange(count) + 1) % count
    for i in range(count):
        for step in range(1, count):
            j = (i + step) % count
            if not np.array_equal(case.directions[i], case.directions[j]):
                partners[i] = j
                break
    return partners


def find_other_classes(case: Case) -> FloatArray | None:
    """For each picture the direction of a class that is not explained, ``(n, units)``.

    A map that is the same for every class knows the picture and not the score. None where there is
    one score only.
    """
    units = case.network.units
    task = case.network.reading.task
    if task in ("binary", "binary_logit"):
        other: FloatArray = np.negative(case.directions)
        return other
    if units < 2 or task not in ("softmax", "logits", "independent"):
        return None
    rng = np.random.default_rng([case.seed, 9])
    chosen = (case.directions.argmax(axis=1) + rng.integers(1, units, len(case))) % units
    made: FloatArray = np.eye(units, dtype=np.float32)[chosen]
    return made


def find_blur(maps: FloatArray) -> float:
    """The blur of `BLURS` that makes noise as smooth as maps on cells ``(n, rows, columns)``."""
    wanted = measure_smoothness(maps)
    made = [_smoothness_of_noise(maps.shape[1], maps.shape[2], blur) for blur in BLURS]
    return BLURS[int(np.abs(np.array(made) - wanted).argmin())]


@lru_cache(maxsize=64)
def _smoothness_of_noise(rows: int, columns: int, blur: float) -> float:
    """Measured, as it depends on the size of the grid."""
    grid = Grid(rows, columns, rows, columns)
    return measure_smoothness(draw_noise(_TRIALS, grid, blur, np.random.default_rng(0)))


def measure_smoothness(maps: FloatArray) -> float:
    """Correlation between neighbouring cells, over all maps; each map counts alike."""
    wide = maps.astype(np.float64)
    centred = wide - wide.mean(axis=(1, 2), keepdims=True)
    power = (centred**2).mean(axis=(1, 2), keepdims=True)
    flat = power[:, 0, 0] < 1e-30
    scaled = centred / np.sqrt(np.maximum(power, 1e-30))
    if flat.all():
        return 0.0
    down = (scaled[:, 1:] * scaled[:, :-1])[~flat]
    across = (scaled[:, :, 1:] * scaled[:, :, :-1])[~flat]
    return float(np.mean([part.mean() for part in (down, across) if part.size] or [0.0]))


def draw_noise(count: int, grid: Grid, blur: float, rng: np.random.Generator) -> FloatArray:
    """Noise on cells ``(n, rows, columns)``."""
    from scipy.ndimage import gaussian_filter

    values = rng.standard_normal((count, grid.rows, grid.columns))
    if blur:
        values = gaussian_filter(values, (0, blur, blur), mode="wrap")
    return np.asarray(values, np.float32)


def find_edges(pictures: FloatArray, grid: Grid, blur: float) -> FloatArray:
    """Edges of pictures ``(n, h, w, c)`` on cells: the length of Sobel's gradient, blurred."""
    from scipy.ndimage import gaussian_filter

    values = sobel(pictures)
    cells = grid.average(values)
    if blur:
        cells = gaussian_filter(cells, (0, blur, blur), mode="nearest")
    return np.asarray(cells, np.float32)


def sobel(pictures: FloatArray) -> FloatArray:
    """Length of Sobel's gradient of the mean of the channels, ``(n, h, w)``."""
    from scipy import ndimage

    grey = pictures.mean(axis=-1)
    both = (ndimage.sobel(grey, axis=axis) for axis in (1, 2))
    return np.asarray(np.hypot(*both), np.float32)
