"""Does a stated probability come true as often as it says?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_NOISE_DRAWS = 200
# Hits are drawn so often for each of so many sizes of the error, from none to what was seen and so
# many standard deviations of the mean gap.
_DRAWS, _SIZES, _REACH = 1000, 21, 5.0
# Of each of the two tests that share the lower end, which is above zero where either of them says
# so. Of the upper end, which both have to lie below, 2.5 % (docs/figures.md has the coverage).
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

    error: expected calibration error, debiased, in 0..1. low, high: an interval that holds it with
    at least 95 %.
    gap_low, gap_high: 95 % interval of ``bins.gap``, see `bound_gap`.
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
    factor, and hits are binomial. Both ends allow for what the mean gap alone tells.

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
    # Where all gaps have one sign, their mean tells more than their sizes; and it may be larger.
    gap_low, gap_high = bound_gap(confidence, hits, _TAIL)
    low = max(low, gap_low, -gap_high)
    gap_low, gap_high = bound_gap(confidence, hits, 0.05)
    high = max(high, -gap_low, gap_high)
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
    shape = _smooth(seen)
    size = float((np.abs(shape) * seen.weights).sum())
    sure = np.clip(seen.confidence, 0, 1)
    deviation = np.sqrt((sure * (1 - sure) * seen.weights).sum() / seen.count.sum())
    largest = seen.error + _REACH * float(deviation)
    true, lowest, highest = np.zeros((3, _SIZES))
    for i, factor in enumerate(np.linspace(0, largest / size if size > 0 else 0.0, _SIZES)):
        accuracy = np.clip(seen.confidence + factor * shape, 0, 1)
        true[i] = (np.abs(accuracy - seen.confidence) * seen.weights).sum()
        drawn = rng.binomial(seen.count, accuracy, (_DRAWS, len(shape))) / seen.count
        errors = (np.abs(drawn - seen.confidence) * seen.weights).sum(axis=1)
        lowest[i], highest[i] = np.quantile(errors, (0.025, 1 - _TAIL))
    lowest, highest = np.maximum.accumulate(lowest), np.maximum.accumulate(highest)
    low = float(np.interp(seen.error, highest, true)) if seen.error > highest[0] else 0.0
    high = float(np.interp(seen.error, lowest, true)) if seen.error > lowest[0] else 0.0
    return low, high


def _smooth(seen: Bins) -> FloatArray:
    """The gaps, each the mean of its neighbours: those of single bins are mostly noise."""
    if len(seen.count) < _NEIGHBOURS:
        return np.full(len(seen.count), -seen.gap)
    window = np.ones(_NEIGHBOURS)
    weights = np.convolve(seen.count, window, "same")
    return np.asarray(np.convolve(seen.gaps * seen.count, window, "same") / weights)


def bound_gap(confidence: FloatArray, hits: FloatArray, tail: float) -> tuple[float, float]:
    """Interval of the mean confidence less accuracy, missed with probability ``tail``.

    It holds the shifts d for which so many hits are no surprise if each answer is right with
    probability confidence - d (the score test inverted, as Wilson's interval does for one share).
    Student's interval misses more often where nearly all answers are right.
    """
    from scipy.stats import norm

    reach, accuracy = float(norm.ppf(1 - tail / 2)), float(hits.mean())

    def expect(shift: float) -> tuple[float, float]:
        """The share that is right, and the deviation of what is seen of it."""
        right = np.clip(confidence - shift, 0, 1)
        return float(right.mean()), float(np.sqrt((right * (1 - right)).mean() / len(right)))

    def is_surprise(shift: float) -> bool:
        share, deviation = expect(shift)
        return abs(share - accuracy) > reach * deviation

    seen = _bisect(lambda shift: expect(shift)[0] < accuracy, -1.0, 1.0)
    low, high = (_bisect(is_surprise, seen, end) for end in (-1.0, 1.0))
    middle = float(confidence.mean())
    return middle - expect(low)[0], middle - expect(high)[0]


def _bisect(over: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where ``over`` begins to hold on the way from ``inside``; ``outside`` if it never does."""
    if not over(outside):
        return outside
    for _ in range(50):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if over(middle) else (middle, outside)
    return inside
