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
    """Correlation of each channel with columns of zeros and ones, from running sums.

    sure: how many columns, the first ones, also get the deviation of their correlation.
    """

    def __init__(self, columns: int, channels: int, sure: int = 0) -> None:
        self.count = 0
        self._x, self._xx = np.zeros(channels), np.zeros(channels)
        self._y, self._yx = np.zeros(columns), np.zeros((columns, channels))
        self._cubes, self._fourths = np.zeros(channels), np.zeros(channels)
        self._yxx, self._yxxx = np.zeros((2, sure, channels))
        self._shift: FloatArray | None = None

    def add(self, values: FloatArray, columns: FloatArray) -> None:
        """values: ``(samples, channels)``. columns: ``(samples, columns)``, zeros and ones."""
        if not len(values):
            return
        if self._shift is None:  # differences of large sums would lose digits
            self._shift = values.mean(axis=0)
        values = values - self._shift
        self.count += len(values)
        self._x += values.sum(axis=0)
        squares, sure = values**2, columns[:, : len(self._yxx)]
        cubes = squares * values
        self._xx += squares.sum(axis=0)
        self._cubes += cubes.sum(axis=0)
        self._fourths += (squares**2).sum(axis=0)
        self._y += columns.sum(axis=0)
        self._yx += columns.T @ values
        self._yxx += sure.T @ squares
        self._yxxx += sure.T @ cubes

    def correlations(self) -> FloatArray:
        """Pearson's r, ``(columns, channels)``; 0 where one of the two never varies."""
        n = max(self.count, 1)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            spread_x = np.sqrt(np.maximum(self._xx - self._x**2 / n, 0))
            spread_y = np.sqrt(np.maximum(self._y - self._y**2 / n, 0))  # the square of 1 is 1
            flat = spread_x <= 1e-6 * np.sqrt(self._xx)  # rounding, not variation
            both = np.outer(spread_y, spread_x)
            r = (self._yx - np.outer(self._y, self._x) / n) / both
        r = np.where(np.isfinite(r) & ~flat, r, 0.0)
        return np.asarray(np.clip(r, -1, 1))

    def deviations(self) -> FloatArray:
        """Standard deviation of ``atanh r`` of the sure columns, ``(sure, channels)``.

        By the influence of each sample on r (delta method), so for responses of any distribution:
        that of a unit silent on most samples is far wider than Fisher's, which takes both as
        Gaussian. Source: Devlin, Gnanadesikan & Kettenring 1975, "Robust estimation and outlier
        detection with correlation coefficients". NaN where r is 0 for want of variation, or +-1.
        """
        n, sure = max(self.count, 1), len(self._yxx)
        r, share = self.correlations()[:sure], self._y[:sure, None] / n
        mean = self._x / n
        # Sums of powers of x less its mean: over all samples, and over those of each column.
        squares = self._xx - n * mean**2
        cubes = self._cubes - 3 * mean * self._xx + 2 * n * mean**3
        fourths = self._fourths - 4 * mean * self._cubes + 6 * mean**2 * self._xx - 3 * n * mean**4
        ones, lifted = self._y[:sure, None], self._yx[:sure]
        squares_1 = self._yxx - 2 * mean * lifted + mean**2 * ones
        cubes_1 = self._yxxx - 3 * mean * self._yxx + 3 * mean**2 * lifted - mean**3 * ones
        sums_1 = lifted - mean * ones
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            scale = np.sqrt(squares / n)
            one, zero = np.sqrt(1 / share - 1), -np.sqrt(share / (1 - share))  # y, standardised

            def mixed(power: int, all_sums: FloatArray | float, sums: FloatArray) -> FloatArray:
                """Mean of y to a power times what was summed."""
                return np.asarray((one**power * sums + zero**power * (all_sums - sums)) / n)

            xx_yy = mixed(2, squares, squares_1) / scale**2
            xxx_y = mixed(1, cubes, cubes_1) / scale**3
            x_yyy = mixed(3, 0.0, sums_1) / scale
            xxxx, yyyy = fourths / n / scale**4, share * one**4 + (1 - share) * zero**4
            # Of psi = x y - r (x^2 + y^2) / 2, the influence of a sample on r.
            square = xx_yy - r * (xxx_y + x_yyy) + r**2 / 4 * (xxxx + 2 * xx_yy + yyyy)
            return np.asarray(np.sqrt(np.maximum(square, 0) / n) / (1 - r**2))


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
