"""Singular values of every kernel beside those of random matrices of the same shape.

A kernel is read as the matrix filters x inputs (depthwise: filters x window). Nothing here is a
verdict: a spectrum tells structure from noise, not good from bad.

Sources: Marchenko and Pastur 1967 (edges); Dumitriu and Edelman 2002, "Matrix models for beta
ensembles" (drawing the singular values of a Gaussian matrix without the matrix); Clauset, Shalizi
and Newman 2009, "Power-law distributions in empirical data" (exponent); Martin and Mahoney 2021
(the exponent of a layer's eigenvalues, WeightWatcher).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Interval = tuple[float, float]
MIN_EIGENVALUES = 50
_MIN_TAIL = 10
_CANDIDATES = 60
_BELOW_NOISE = 1e-10  # of the largest eigenvalue: what double precision leaves of zero


@dataclass(frozen=True)
class Null:
    """Random Gaussian matrices of one shape, scaled to the Frobenius norm 1.

    low, high: 95 % of the draws of each singular value, the largest first. most: the largest
    singular value of any draw. draws: how many. stable_rank, exponent: 95 % intervals; exponent is
    None below `MIN_EIGENVALUES`.
    """

    low: FloatArray
    high: FloatArray
    most: float
    draws: int
    stable_rank: Interval
    exponent: Interval | None


@dataclass(frozen=True)
class Spectrum:
    """One kernel. values: singular values, the largest first. shape: (filters, inputs).

    exponent, exponent_interval: of the tail of the eigenvalues (squared singular values) and where
    95 % of its bootstrap lie, which takes eigenvalues as independent; None below
    `MIN_EIGENVALUES`. tail: how many eigenvalues it is of.
    """

    address: str
    label: str
    shape: tuple[int, int]
    values: FloatArray
    null: Null
    exponent: float | None
    exponent_interval: Interval | None
    tail: int

    @property
    def size(self) -> float:
        """Frobenius norm."""
        return float(np.sqrt((self.values**2).sum()))

    @property
    def stable_rank(self) -> float:
        """||W||_F^2 / ||W||_2^2: 1 for rank one, n for an orthogonal n x n matrix."""
        return stable_rank(self.values)

    @property
    def above(self) -> int:
        """Singular values above the largest of all draws: by chance in 1 of draws + 1 kernels."""
        return int((self.values > self.size * self.null.most).sum())

    @property
    def unlikeness(self) -> float:
        """Share of the squared singular values that lies at other ranks than in random matrices:
        0 for their mean spectrum, towards 1 for rank one."""
        own, usual = self.values**2, (self.null.low + self.null.high) ** 2
        return float(np.abs(own / own.sum() - usual / usual.sum()).sum() / 2)

    @property
    def like_random(self) -> bool | None:
        """Whether the exponent's interval overlaps that of random matrices; None without."""
        if self.exponent_interval is None or self.null.exponent is None:
            return None
        (low, high), (null_low, null_high) = self.exponent_interval, self.null.exponent
        return low <= null_high and null_low <= high


def singular_values(matrix: NDArray[Any]) -> FloatArray:
    """All singular values, the largest first, by the Gram matrix of the smaller side in float64.

    Fast where one side is short; values below 1e-8 of the largest are rounding.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide.astype(np.float64)
    eigenvalues = np.linalg.eigvalsh(wide @ wide.T)[::-1]
    return np.asarray(np.sqrt(np.maximum(eigenvalues, 0)))


def stable_rank(values: FloatArray) -> float:
    """Sum of the squared singular values over the largest of them."""
    return float((values**2).sum() / values[0] ** 2)


def marchenko_pastur(rows: int, columns: int, deviation: float) -> Interval:
    """Where the singular values of a large Gaussian matrix end: deviation |sqrt(n) -+ sqrt(m)|."""
    a, b = np.sqrt(rows), np.sqrt(columns)
    return float(deviation * abs(a - b)), float(deviation * (a + b))


def draw_null(rows: int, columns: int, draws: int, rng: np.random.Generator) -> Null:
    """Spectra of ``draws`` Gaussian matrices of this shape."""
    values = np.stack([_draw_gaussian(rows, columns, rng) for _ in range(draws)])
    low, high = _middle_of(values)
    low_rank, high_rank = _middle_of(1 / values[:, 0] ** 2)
    most = float(values[:, 0].max())
    return Null(low, high, most, draws, (float(low_rank), float(high_rank)), _null_exponent(values))


def _null_exponent(values: FloatArray) -> Interval | None:
    eigenvalues = np.sort(values**2, axis=1)
    eigenvalues = eigenvalues[:, (eigenvalues > eigenvalues[:, -1:] * _BELOW_NOISE).all(axis=0)]
    if eigenvalues.shape[1] < MIN_EIGENVALUES:
        return None
    low, high = _middle_of(fit_exponents(eigenvalues)[0])
    return float(low), float(high)


def _middle_of(draws: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Between which a further draw lies with 95 %: ``(...)`` each of draws ``(n, ...)``.

    The quantile at rank p (n + 1) (Weibull): the usual one at 1 + p (n - 1) lies too far inside
    where draws are few.
    """
    low, high = np.quantile(draws, (0.025, 0.975), axis=0, method="weibull")
    return low, high


def _draw_gaussian(rows: int, columns: int, rng: np.random.Generator) -> FloatArray:
    """Singular values, the largest first, of one Gaussian matrix of Frobenius norm 1.

    They are those of a bidiagonal matrix of chi variables (Dumitriu and Edelman 2002), which
    costs m^2 instead of m^2 n.
    """
    from scipy.linalg import eigvalsh_tridiagonal

    small, large = min(rows, columns), max(rows, columns)
    diagonal = np.sqrt(rng.chisquare(large - np.arange(small)))
    below = np.sqrt(rng.chisquare(small - 1 - np.arange(small - 1)))
    squares = diagonal**2
    squares[1:] += below**2
    found = eigvalsh_tridiagonal(squares, diagonal[:-1] * below, lapack_driver="sterf")
    return np.asarray(np.sqrt(np.maximum(found[::-1], 0) / squares.sum()))


def _middle(values: FloatArray) -> Interval:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def fit_exponents(samples: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
    """Power-law exponent of the tail of each row, and how many values that tail has.

    The exponent for a tail from x_min is 1 + n / sum(log(x / x_min)) (Clauset et al. 2009, equation
    3.1); x_min is the one whose fit has the smallest Kolmogorov-Smirnov distance, among at most 60
    spread over the ranks, with at least 10 values left.

    Args:
        samples: ``(rows, n)``, rising, positive.
    """
    logs = np.log(samples)
    rows, count = logs.shape
    starts = np.unique(np.linspace(0, count - _MIN_TAIL, _CANDIDATES).astype(int))
    best = np.full(rows, np.inf)
    exponents, tails = np.full(rows, np.nan), np.zeros(rows, np.int64)
    for start in starts:
        exponent, distance = _fit_tail(logs[:, start:])
        better = distance < best
        best[better], exponents[better] = distance[better], exponent[better]
        tails[better] = count - start
    return exponents, tails


def _fit_tail(logs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Exponent and Kolmogorov-Smirnov distance for tails that start at the first column."""
    above = logs - logs[:, :1]
    count = logs.shape[1]
    sums = above.sum(axis=1)
    slope = count / np.where(sums > 0, sums, np.nan)  # equal values have no exponent
    fitted = 1 - np.exp(-slope[:, None] * above)
    ranks = np.arange(count) / count
    distance = np.maximum(fitted - ranks, ranks + 1 / count - fitted).max(axis=1)
    return 1 + slope, np.where(np.isfinite(distance), distance, np.inf)


def measure_spectrum(
    address: str,
    label: str,
    filters: NDArray[Any],
    null: Null,
    resamples: int,
    rng: np.random.Generator,
) -> Spectrum:
    """The spectrum of a kernel ``(filters, fan_in)`` that is finite and not zero."""
    values = singular_values(filters)
    eigenvalues = np.sort(values**2)
    eigenvalues = eigenvalues[eigenvalues > eigenvalues[-1] * _BELOW_NOISE]
    exponent, interval, tail = None, None, 0
    if len(eigenvalues) >= MIN_EIGENVALUES:
        found, tails = fit_exponents(eigenvalues[None])
        exponent, tail = float(found[0]), int(tails[0])
        interval = _middle(fit_exponents(resample(eigenvalues, resamples, rng))[0])
    shape = (filters.shape[0], filters.shape[1])
    return Spectrum(address, label, shape, values, null, exponent, interval, tail)


def resample(values: FloatArray, times: int, rng: np.random.Generator) -> FloatArray:
    """Bootstrap samples ``(times, n)``, rising, of rising positive values.

    Drawn from the logarithms with straight lines between them: the ties of the plain bootstrap
    look like steps to the Kolmogorov-Smirnov distance, which then prefers longer tails, and the
    interval can miss the estimate.
    """
    count = len(values)
    places = np.sort(rng.uniform(0, count - 1, (times, count)), axis=1)
    return np.asarray(np.exp(np.interp(places, np.arange(count), np.log(values))))


def count_work(rows: int, columns: int) -> float:
    """Multiplications, in thousand millions, of `singular_values`."""
    small, large = min(rows, columns), max(rows, columns)
    return (small**2 * large + 3 * small**3) / 1e9
