"""Does a stated probability come true as often as it says?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_NOISE_DRAWS = 200
# Hits are drawn so often for each of so many sizes of the error, from none to twice what was seen.
_DRAWS, _SIZES, _LARGEST = 1000, 21, 2.0
# Two tests share the lower 2.5 % of the interval, and the upper end takes as little: that is what
# brings its coverage to 95 % (docs/figures.md).
_TAIL = 0.0125
_NEIGHBOURS = 5  # bins over which the shape of the gaps is averaged


@dataclass(frozen=True)
class Bins:
    """Samples of like confidence, in increasing order of it.

    confidence, accuracy: their means in each bin ``(bins,)``. count: samples.
    """

    confidence: FloatArray
    accuracy: FloatArray
    count: NDArray[np.int64]

    @property
    def weights(self) -> FloatArray:
        """Share of the samples in each bin."""
        return np.asarray(self.count / self.count.sum())

    @property
    def gaps(self) -> FloatArray:
        """Accuracy less confidence."""
        return self.accuracy - self.confidence

    @property
    def gap(self) -> float:
        """Mean confidence less accuracy: above zero where the model is more sure than right."""
        return float(-(self.gaps * self.weights).sum())

    @property
    def error(self) -> float:
        """Plain expected calibration error: the mean size of the gaps."""
        return float((np.abs(self.gaps) * self.weights).sum())


@dataclass(frozen=True)
class Calibration:
    """Top-label calibration.

    error: expected calibration error, debiased, in 0..1. low, high: its 95 % interval.
    gap_low, gap_high: 95 % interval of ``bins.gap``.
    """

    bins: Bins
    error: float
    low: float
    high: float
    gap_low: float
    gap_high: float


def measure_calibration(
    confidence: FloatArray, correct: NDArray[np.bool_], *, bins: int, rng: np.random.Generator
) -> Calibration:
    """Expected calibration error with bins of equal mass, corrected for its upward bias.

    A plain error of a perfectly calibrated model is above zero, because each bin's accuracy is a
    noisy estimate. The correction subtracts what this noise adds, by drawing the accuracies once
    more around those seen (Kumar, Liang & Ma 2019, "Verified Uncertainty Calibration",
    arXiv:1909.10155, appendix on the L1 calibration error). The mean size of gaps is never below
    the size of their mean, so neither is the estimate.

    The interval holds the sizes of error under which the plain error seen is not among the
    extremes. Under each size, accuracies differ from confidences as the smoothed gaps do, times a
    factor, and hits are binomial. Its lower end is at least that of the mean gap.

    Args:
        confidence: probability of the predicted class, ``(n,)``.
        correct: whether the prediction was right, ``(n,)``.
        bins: at most so many.
    """
    hits = correct.astype(np.float64)
    order = np.argsort(confidence, kind="stable")
    parts = _equal_mass(confidence[order], bins)
    count = np.diff(parts)
    seen = Bins(
        np.add.reduceat(confidence[order], parts[:-1]) / count,
        np.add.reduceat(hits[order], parts[:-1]) / count,
        count,
    )
    error = max(_debias(seen, rng), abs(seen.gap))
    low, high = _invert(seen, rng)
    gap_low, gap_high = _bound_mean(confidence - hits)
    return Calibration(seen, error, min(low, error), max(high, error), gap_low, gap_high)


def _equal_mass(ordered: FloatArray, bins: int) -> NDArray[np.int64]:
    """Boundaries of at most ``bins`` parts of equal size that never split equal confidences."""
    n = len(ordered)
    wanted = np.linspace(0, n, min(bins, n) + 1).round().astype(np.int64)
    moved = np.searchsorted(ordered, ordered[np.minimum(wanted, n - 1)], side="left")
    inner = moved[1:-1]
    return np.unique(np.concatenate([[0], inner, [n]]))


def _debias(seen: Bins, rng: np.random.Generator) -> float:
    spread = np.sqrt(seen.accuracy * (1 - seen.accuracy) / seen.count)
    again = seen.gaps + spread * rng.standard_normal((_NOISE_DRAWS, len(spread)))
    added = float((np.abs(again) * seen.weights).sum(axis=1).mean()) - seen.error
    return max(0.0, seen.error - added)


def _invert(seen: Bins, rng: np.random.Generator) -> tuple[float, float]:
    """Errors under which the plain error that was seen is no surprise."""
    from scipy.stats import norm

    shape = _smooth(seen)
    size = float((np.abs(shape) * seen.weights).sum())
    reach = _LARGEST * seen.error / size if size > 0 else 0.0
    true, lowest, highest = np.zeros((3, _SIZES))
    for i, factor in enumerate(np.linspace(0, reach, _SIZES)):
        accuracy = np.clip(seen.confidence + factor * shape, 0, 1)
        true[i] = (np.abs(accuracy - seen.confidence) * seen.weights).sum()
        drawn = rng.binomial(seen.count, accuracy, (_DRAWS, len(shape))) / seen.count
        errors = (np.abs(drawn - seen.confidence) * seen.weights).sum(axis=1)
        lowest[i], highest[i] = np.quantile(errors, (_TAIL, 1 - _TAIL))
    lowest, highest = np.maximum.accumulate(lowest), np.maximum.accumulate(highest)
    low = float(np.interp(seen.error, highest, true)) if seen.error > highest[0] else 0.0
    high = float(np.interp(seen.error, lowest, true)) if seen.error > lowest[0] else 0.0
    # Where all gaps have one sign, their mean tells more than their sizes.
    sure = np.clip(seen.confidence, 0, 1)
    deviation = np.sqrt((sure * (1 - sure) * seen.weights).sum() / seen.count.sum())
    return max(low, abs(seen.gap) - float(norm.ppf(1 - _TAIL)) * deviation), high


def _smooth(seen: Bins) -> FloatArray:
    """The gaps, each the mean of its neighbours: those of single bins are mostly noise."""
    if len(seen.count) < _NEIGHBOURS:
        return np.full(len(seen.count), -seen.gap)
    window = np.ones(_NEIGHBOURS)
    weights = np.convolve(seen.count, window, "same")
    return np.asarray(np.convolve(seen.gaps * seen.count, window, "same") / weights)


def _bound_mean(values: FloatArray) -> tuple[float, float]:
    """95 % interval of a mean (Student)."""
    from scipy.stats import t

    if len(values) < 2:
        return -1.0, 1.0
    half = float(t.ppf(0.975, len(values) - 1)) * float(values.std(ddof=1)) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)
