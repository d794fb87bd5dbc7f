"""Numbers a channel, added up batch by batch in float64; memory does not grow with samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass
class Moments:
    """Count, sum, sum of squares and extremes of each channel, over samples and positions.

    total, squares: of the differences to ``shift``; sums of large numbers would lose digits.
    """

    count: int = 0
    shift: FloatArray = field(default_factory=lambda: np.zeros(()))
    total: FloatArray = field(default_factory=lambda: np.zeros(()))
    squares: FloatArray = field(default_factory=lambda: np.zeros(()))
    low: FloatArray = field(default_factory=lambda: np.full((), np.inf))
    high: FloatArray = field(default_factory=lambda: np.full((), -np.inf))
    positive: FloatArray | None = None
    pinned: FloatArray | None = None
    bad: NDArray[Any] = field(default_factory=lambda: np.zeros((), np.int64))

    def add(self, seen: dict[str, NDArray[Any]]) -> None:
        """Take in what `readings.make_reducer` says of one batch."""
        if "values" in seen:
            self._add_values(seen["values"].astype(np.float64))
        else:
            self._add_sums(seen)
        self.count += int(seen["count"])
        self.bad = self.bad + seen.get("bad", 0)
        for name in ("positive", "pinned"):
            if name in seen:
                so_far = getattr(self, name)
                more = seen[name].sum(axis=0, dtype=np.float64)
                setattr(self, name, more if so_far is None else so_far + more)

    def _add_values(self, values: FloatArray) -> None:
        finite = np.isfinite(values)
        if not self.count and len(values):
            seen = np.where(finite, values, 0).sum(axis=0)
            self.shift = seen / np.maximum(finite.sum(axis=0), 1)
        differences = np.where(finite, values, self.shift) - self.shift
        self.total = self.total + differences.sum(axis=0)
        self.squares = self.squares + (differences**2).sum(axis=0)
        low, high = np.where(finite, values, np.inf), np.where(finite, values, -np.inf)
        self.low = np.minimum(self.low, low.min(axis=0, initial=np.inf))
        self.high = np.maximum(self.high, high.max(axis=0, initial=-np.inf))

    def _add_sums(self, seen: dict[str, NDArray[Any]]) -> None:
        unit = "sums" in seen
        total = seen["sums" if unit else "sum"].sum(axis=0, dtype=np.float64)
        self.total = self.total + total
        self.squares = self.squares + (seen["norm"].astype(np.float64) ** 2).sum(axis=0)
        self.low = np.minimum(self.low, seen.get("low", np.inf))
        self.high = np.maximum(self.high, seen["peaks"].max(axis=0) if unit else seen["high"])

    @property
    def mean(self) -> FloatArray:
        """Of the finite values, ``(channels,)``."""
        return np.asarray(self.shift + self.total / self._finite)

    @property
    def _finite(self) -> FloatArray:
        return np.asarray(np.maximum(self.count - self.bad, 1), np.float64)

    @property
    def spread(self) -> FloatArray:
        """Standard deviation, ``(channels,)``.

        A difference of large float32 sums can exceed what the extremes allow: a deviation is at
        most half the range (Popoviciu 1935), and zero if there is no range.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            mean = self.total / self._finite
            variance = np.maximum(self.squares / self._finite - mean**2, 0)
            return np.fmin(np.sqrt(variance), np.maximum(self.high - self.low, 0) / 2)

    def share(self, name: str) -> FloatArray | None:
        """A count as a share of the values, ``(channels,)``; None if it was not counted."""
        counted = getattr(self, name)
        return None if counted is None else np.asarray(counted / max(self.count, 1))


class Associations:
    """Correlation of each channel with columns of numbers, from running sums."""

    def __init__(self, columns: int, channels: int) -> None:
        self.count = 0
        self._x, self._xx = np.zeros(channels), np.zeros(channels)
        self._y, self._yy = np.zeros(columns), np.zeros(columns)
        self._yx = np.zeros((columns, channels))
        self._shift: FloatArray | None = None

    def add(self, values: FloatArray, columns: FloatArray) -> None:
        """values: ``(samples, channels)``. columns: ``(samples, columns)``."""
        if not len(values):
            return
        if self._shift is None:  # differences of large sums would lose digits
            self._shift = values.mean(axis=0)
        values = values - self._shift
        self.count += len(values)
        self._x += values.sum(axis=0)
        self._xx += (values**2).sum(axis=0)
        self._y += columns.sum(axis=0)
        self._yy += (columns**2).sum(axis=0)
        self._yx += columns.T @ values

    def correlations(self) -> FloatArray:
        """Pearson's r, ``(columns, channels)``; 0 where one of the two never varies."""
        n = max(self.count, 1)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            spread_x = np.sqrt(np.maximum(self._xx - self._x**2 / n, 0))
            spread_y = np.sqrt(np.maximum(self._yy - self._y**2 / n, 0))
            flat = spread_x <= 1e-6 * np.sqrt(self._xx)  # rounding, not variation
            both = np.outer(spread_y, spread_x)
            r = (self._yx - np.outer(self._y, self._x) / n) / both
        r = np.where(np.isfinite(r) & ~flat, r, 0.0)
        return np.asarray(np.clip(r, -1, 1))


class Similarities:
    """Correlation of each channel with each other one of its layer, from running sums."""

    def __init__(self, channels: int) -> None:
        self.count = 0
        self._sum = np.zeros(channels)
        self._products = np.zeros((channels, channels))
        self._shift: FloatArray | None = None

    def add(self, values: FloatArray) -> None:
        """values: ``(samples, channels)``."""
        if not len(values):
            return
        if self._shift is None:
            self._shift = values.mean(axis=0)
        values = values - self._shift
        self.count += len(values)
        self._sum += values.sum(axis=0)
        self._products += values.T @ values

    def correlations(self) -> FloatArray:
        """Pearson's r, ``(channels, channels)``, zero on the diagonal and for flat channels."""
        n = max(self.count, 1)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            cross = self._products - np.outer(self._sum, self._sum) / n
            spread = np.sqrt(np.maximum(np.diag(cross), 0))
            flat = spread <= 1e-6 * np.sqrt(np.diag(self._products))
            r = cross / np.outer(spread, spread)
        usable = np.isfinite(r) & ~flat & ~flat[:, None]
        np.fill_diagonal(usable, False)
        return np.asarray(np.clip(np.where(usable, r, 0.0), -1, 1))


class Extremes:
    """The samples that excite each channel most and least.

    Equal values keep the order of the samples, so that the answer does not depend on batches.
    """

    def __init__(self, most: int, channels: int, sign: float) -> None:
        self._sign = sign
        self._values = np.full((most, channels), -np.inf)
        self._rows = np.full((most, channels), -1, np.int64)

    def add(self, values: FloatArray, rows: NDArray[np.int64]) -> None:
        """values: ``(samples, channels)``. rows: ``(samples,)``, rising over the calls."""
        values = self._sign * values
        better = np.flatnonzero(values.max(axis=0, initial=-np.inf) > self._values[-1])
        if not len(better):
            return
        both = np.concatenate([self._values[:, better], values[:, better]])
        named = np.broadcast_to(rows[:, None], (len(rows), len(better)))
        names = np.concatenate([self._rows[:, better], named])
        order = np.argsort(-both, axis=0, kind="stable")[: len(self._values)]
        self._values[:, better] = np.take_along_axis(both, order, axis=0)
        self._rows[:, better] = np.take_along_axis(names, order, axis=0)

    @property
    def rows(self) -> NDArray[np.int64]:
        """``(channels, most)``; -1 where there are fewer samples."""
        return self._rows.T.copy()

    @property
    def values(self) -> FloatArray:
        """``(channels, most)``, the extreme first."""
        return self._sign * self._values.T
