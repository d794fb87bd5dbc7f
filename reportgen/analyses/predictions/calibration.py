"""Does a stated probability come true as often as it says?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_NOISE_DRAWS = 200
_NULL_DRAWS = 1000
_BOOTSTRAPS = 300


@dataclass(frozen=True)
class Calibration:
    """Top-label calibration.

    confidence, accuracy, count: of each bin; bins hold equally many samples.
    error: expected calibration error, debiased, in 0..1. low, high: its 95 % interval.
    raw_error: the same without the correction.
    """

    confidence: FloatArray
    accuracy: FloatArray
    count: NDArray[np.int64]
    error: float
    low: float
    high: float
    raw_error: float


def measure_calibration(
    confidence: FloatArray, correct: NDArray[np.bool_], *, bins: int, rng: np.random.Generator
) -> Calibration:
    """Expected calibration error with bins of equal mass, corrected for its upward bias.

    A plain ECE of a perfectly calibrated model is above zero, because each bin's accuracy is
    a noisy estimate. The correction subtracts the error that this noise alone would add, by
    resampling bin accuracies (Kumar, Liang & Ma 2019, "Verified Uncertainty Calibration",
    section 4 and appendix; the L1 form). The interval reaches down to zero if a calibrated
    model would show as large a plain error in more than 1 of 40 cases (consistency resampling,
    Broecker & Smith 2007).

    Args:
        confidence: probability of the predicted class, ``(n,)``.
        correct: whether the prediction was right, ``(n,)``.
        bins: at most so many.

    Returns: bins in increasing order of confidence, the error, and its percentile interval
        over resampled samples.
    """
    hits = correct.astype(np.float64)
    order = np.argsort(confidence, kind="stable")
    parts = _equal_mass(confidence[order], bins)
    count = np.diff(parts)
    mean = np.add.reduceat(confidence[order], parts[:-1]) / count
    accuracy = np.add.reduceat(hits[order], parts[:-1]) / count
    estimates = [
        _debiased(*_resample(confidence, hits, bins, rng), rng) for _ in range(_BOOTSTRAPS)
    ]
    error = _debiased(mean, accuracy, count, rng)
    # Resampling adds its own noise to every bin, which lifts all estimates alike: centre them.
    centred = np.array(estimates) - np.mean(estimates) + error
    low, high = np.clip(np.quantile(centred, (0.025, 0.975)), 0, 1)
    raw_error = _plain(mean, accuracy, count)
    if raw_error <= _calibrated_error(mean, count, rng):
        low = 0.0
    return Calibration(
        mean,
        accuracy,
        count,
        error,
        low=float(min(low, error)),
        high=float(max(high, error, raw_error)),
        raw_error=raw_error,
    )


def _calibrated_error(
    mean: FloatArray, count: NDArray[np.int64], rng: np.random.Generator
) -> float:
    """The plain error that a calibrated model exceeds in 1 of 40 cases."""
    share = np.clip(mean, 0, 1)
    accuracy = rng.binomial(count, share, (_NULL_DRAWS, len(count))) / count
    errors = np.average(np.abs(mean - accuracy), weights=count, axis=1)
    return float(np.quantile(errors, 0.975))


def _equal_mass(ordered: FloatArray, bins: int) -> NDArray[np.int64]:
    """Borders of bins of nearly equal size that never split equal confidences."""
    n = len(ordered)
    wanted = np.linspace(0, n, min(bins, n) + 1).round().astype(np.int64)
    moved = np.searchsorted(ordered, ordered[np.minimum(wanted, n - 1)], side="left")
    inner = moved[1:-1]
    return np.unique(np.concatenate([[0], inner, [n]]))


def _resample(
    confidence: FloatArray, hits: FloatArray, bins: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    rows = rng.integers(0, len(hits), len(hits))
    rows = rows[np.argsort(confidence[rows], kind="stable")]
    parts = _equal_mass(confidence[rows], bins)
    count = np.diff(parts)
    mean = np.add.reduceat(confidence[rows], parts[:-1]) / count
    return mean, np.add.reduceat(hits[rows], parts[:-1]) / count, count


def _plain(mean: FloatArray, accuracy: FloatArray, count: NDArray[np.int64]) -> float:
    return float(np.average(np.abs(mean - accuracy), weights=count))


def _debiased(
    mean: FloatArray, accuracy: FloatArray, count: NDArray[np.int64], rng: np.random.Generator
) -> float:
    # Two samples' worth of the stated confidence: a bin that is all right is not free of noise.
    smooth = (accuracy * count + 2 * np.clip(mean, 0, 1)) / (count + 2)
    spread = np.sqrt(smooth * (1 - smooth) / count)
    gap = accuracy - mean
    # Part of the gaps is noise already. Without taking it out first, the correction would leave
    # half of the bias of a calibrated model.
    seen = float(np.average(gap**2, weights=count))
    noise = float(np.average(spread**2, weights=count))
    shrunk = gap * np.sqrt(max(0.0, 1 - noise / seen)) if seen > 0 else gap
    noisy = shrunk + spread * rng.standard_normal((_NOISE_DRAWS, len(count)))
    lifted = float(np.average(np.abs(noisy), weights=count, axis=1).mean())
    added = lifted - float(np.average(np.abs(shrunk), weights=count))
    return max(0.0, _plain(mean, accuracy, count) - added)
