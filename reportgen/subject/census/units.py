"""Units: what each channel at the end of a layer answers to, over all samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.census.tallies import Associations, Extremes, Similarities
from reportgen.subject.limits import SAMPLES_KEPT

FloatArray = NDArray[np.float64]
_SHUFFLES = 20
_MOST_COLUMNS = 400  # classes times shuffles: more classes make do with fewer shuffles
_MOST_COMPARED = 4096  # channels of a layer; the table of pairs grows with the square


@dataclass(frozen=True)
class Selectivity:
    """How much a unit's mean response to a sample tells about one class.

    best: the class, ``(channels,)``. r: correlation of the response with "the sample is of this
    class" (point-biserial). deviation: standard deviation of ``atanh r``, ``(channels,)``. low,
    high: an interval that holds r with at least 95 %, though it is the best of ``classes`` (see
    `bounds`). chance: the 95 % point of the same number under shuffled labels, over the channels
    of the layer. samples: that it is of.
    """

    best: NDArray[np.int64]
    r: FloatArray
    deviation: FloatArray
    chance: float
    samples: int
    classes: int

    @cached_property
    def low(self) -> FloatArray:
        """Lower ends, ``(channels,)``."""
        return r_bounds(self.r, self.deviation, self.classes)[0]

    @cached_property
    def high(self) -> FloatArray:
        """Upper ends, ``(channels,)``."""
        return r_bounds(self.r, self.deviation, self.classes)[1]

    def bounds(self, channel: int) -> tuple[float, float]:
        """The interval of a channel that is the best of all channels and classes."""
        choices = self.classes * len(self.r)
        low, high = r_bounds(self.r[channel], self.deviation[channel], choices)
        return float(low), float(high)

    @property
    def clear(self) -> NDArray[np.bool_]:
        """Units whose interval lies above chance, ``(channels,)``."""
        return np.asarray(self.low > self.chance)


@dataclass(frozen=True)
class UnitCensus:
    """One layer's units. A response is the mean over positions, a peak their maximum.

    head: address of the layer whose filters these are. most, least: rows of the samples with the
    highest and the lowest peak, ``(channels, k)``, -1 where there are fewer; most_values,
    least_values: their peaks. silent: samples whose peak is not above zero, ``(channels,)``.
    nearest: the other channel whose responses correlate most (in size) over the samples,
    ``(channels,)``, -1 if none was compared; likeness: that correlation.
    """

    head: str
    samples: int
    selectivity: Selectivity | None
    most: NDArray[np.int64]
    most_values: FloatArray
    least: NDArray[np.int64]
    least_values: FloatArray
    silent: NDArray[np.int64]
    nearest: NDArray[np.int64]
    likeness: FloatArray


@dataclass(frozen=True)
class Targets:
    """Which class each sample is of, and the same shuffled: ``(samples, columns)`` one-hot.

    classes: the class of each of the first columns; the others repeat them for shuffled labels.
    """

    labels: NDArray[np.int64]
    classes: NDArray[np.int64]
    shuffled: NDArray[np.int64]

    def columns(self, rows: NDArray[np.int64]) -> FloatArray:
        """One-hot columns of these rows, true labels first."""
        every = np.concatenate([self.labels[None], self.shuffled])[:, rows]
        return np.concatenate(
            [(labels[:, None] == self.classes).astype(np.float64) for labels in every], axis=1
        )


def make_targets(labels: NDArray[np.int64] | None, rng: np.random.Generator) -> Targets | None:
    """Targets of the known labels (-1: unknown); None with fewer than two classes."""
    if labels is None or labels.dtype.kind != "i" or labels.ndim != 1:
        return None
    known = labels >= 0
    classes = np.unique(labels[known])
    if len(classes) < 2:
        return None
    shuffles = int(np.clip(_MOST_COLUMNS // len(classes), 1, _SHUFFLES))
    shuffled = np.full((shuffles, len(labels)), -1, np.int64)
    for row in shuffled:
        row[known] = rng.permutation(labels[known])
    return Targets(labels.astype(np.int64), classes.astype(np.int64), shuffled)


class UnitTally:
    """Adds up one layer, batch by batch."""

    def __init__(self, head: str, channels: int, targets: Targets | None) -> None:
        self._head = head
        self._targets = targets
        self._samples = 0
        self._silent = np.zeros(channels, np.int64)
        self._most = Extremes(SAMPLES_KEPT, channels, 1.0)
        self._least = Extremes(SAMPLES_KEPT, channels, -1.0)
        self._pairs = Similarities(channels) if 1 < channels <= _MOST_COMPARED else None
        self._classes: Associations | None = None
        if targets is not None:
            columns = len(targets.classes) * (1 + len(targets.shuffled))
            self._classes = Associations(columns, channels, sure=len(targets.classes))

    def add(
        self,
        responses: FloatArray,
        peaks: FloatArray,
        rows: NDArray[np.int64],
        columns: FloatArray | None,
    ) -> None:
        """responses, peaks: ``(samples, channels)``. columns: targets of the rows."""
        self._samples += len(rows)
        self._silent += (peaks <= 0).sum(axis=0)
        self._most.add(peaks, rows)
        self._least.add(peaks, rows)
        if self._pairs is not None:
            self._pairs.add(responses)
        if self._classes is not None and self._targets is not None and columns is not None:
            known = self._targets.labels[rows] >= 0
            self._classes.add(responses[known], columns[known])

    def finish(self) -> UnitCensus:
        """What was seen."""
        nearest, likeness = self._find_nearest()
        return UnitCensus(
            self._head,
            self._samples,
            self._judge_classes(),
            self._most.rows,
            self._most.values,
            self._least.rows,
            self._least.values,
            self._silent,
            nearest,
            likeness,
        )

    def _find_nearest(self) -> tuple[NDArray[np.int64], FloatArray]:
        channels = len(self._silent)
        if self._pairs is None:
            return np.full(channels, -1), np.zeros(channels)
        r = self._pairs.correlations()
        nearest = np.abs(r).argmax(axis=1)
        likeness = r[np.arange(channels), nearest]
        return np.where(likeness == 0, -1, nearest), likeness

    def _judge_classes(self) -> Selectivity | None:
        if self._classes is None or self._targets is None or self._classes.count < 4:
            return None
        count = len(self._targets.classes)
        r = self._classes.correlations().reshape(-1, count, len(self._silent))
        best = r[0].argmax(axis=0)
        found = r[0].max(axis=0)
        chance = float(np.quantile(r[1:].max(axis=1), 0.95))
        samples = self._classes.count
        measured = self._classes.deviations()[best, np.arange(len(best))]
        # Where few samples excite a unit, few say how much it varies: never below Fisher's.
        deviation = np.fmax(fisher_deviation(samples), measured)
        return Selectivity(self._targets.classes[best], found, deviation, chance, samples, count)


def fisher_deviation(count: int) -> float:
    """Standard deviation of ``atanh r`` over ``count`` pairs of Gaussian numbers (Fisher 1921)."""
    return float(1 / np.sqrt(max(count - 3, 1)))


def r_bounds(
    r: FloatArray, deviation: FloatArray | float, choices: int = 1
) -> tuple[FloatArray, FloatArray]:
    """95 % interval of correlations, by the standard deviation of ``atanh r``.

    Args:
        choices: among how many each was chosen as the largest. Then it is too large by itself; the
            interval is that of all of them together (Bonferroni), which holds whatever the choice.
    """
    from scipy.stats import norm

    half = float(norm.ppf(1 - 0.025 / choices)) * deviation
    z = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12))
    return np.tanh(z - half), np.tanh(z + half)
