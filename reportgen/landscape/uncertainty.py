"""How sure the loss of a cell is, beside the loss of the model itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
RESAMPLES = 200


class PairedBootstrap:
    """Standard errors of differences to one point, over the same samples.

    All cells share the resamples, as they share the samples: an error common to a cell and the
    centre (hard samples are hard for both) cancels out (Efron & Tibshirani 1993, chapter 8).
    """

    def __init__(
        self, centre: FloatArray, rng: np.random.Generator, resamples: int = RESAMPLES
    ) -> None:
        """centre: losses at the centre, ``(n,)``."""
        count = len(centre)
        self.centre = centre
        self._weights = rng.multinomial(count, np.full(count, 1 / count), resamples) / count

    def error(self, losses: FloatArray) -> FloatArray:
        """Of the mean of each row of ``losses`` ``(cells, n)`` less the centre's; NaN where a loss
        is not finite."""
        with np.errstate(invalid="ignore", over="ignore"):
            return self.spread(losses - self.centre)

    def spread(self, values: FloatArray) -> FloatArray:
        """Standard error of the mean over the last axis of any values of the samples."""
        with np.errstate(invalid="ignore", over="ignore"):
            rows = np.atleast_2d(values)
            # One by one: the sum of a row must not hang on how many rows there are.
            means = np.stack([self._weights @ row for row in rows]).reshape(*values.shape[:-1], -1)
            return np.asarray(np.where(np.isfinite(means).all(axis=-1), means.std(axis=-1), np.nan))

    def own_error(self) -> float:
        """Of the mean loss at the centre itself."""
        return float(self.spread(self.centre))


def choose_levels(
    loss: FloatArray, error: FloatArray, centre: float, ceiling: float, count: int = 12
) -> tuple[tuple[float, ...], int]:
    """Contour levels, spaced evenly by the logarithm, and how many were left out as noise.

    A level stays if it lies at least two standard errors (of the cells that have about this loss)
    above the level before it, the first one above the model's own loss: what lies closer may be the
    samples' doing.

    Args:
        loss, error: of cells, any shape. ceiling: highest level.
    """
    usable = np.isfinite(loss) & np.isfinite(error)
    values, errors = loss[usable], error[usable]
    if not len(values):
        return (), 0
    low, high = float(values.min()), min(float(values.max()), ceiling)
    if not high > low:
        return (), 0
    if low > 0 and high / low > 2:
        wanted = np.geomspace(low, high, count + 2)[1:-1]
    else:
        wanted = np.linspace(low, high, count + 2)[1:-1]
    kept: list[float] = []
    for level in wanted:
        noise = float(errors[np.abs(values - level).argsort()[:5]].mean())
        nearest = min((abs(level - other) for other in (centre, *kept)), default=np.inf)
        if nearest >= 2 * noise:
            kept.append(float(level))
    return tuple(kept), len(wanted) - len(kept)
