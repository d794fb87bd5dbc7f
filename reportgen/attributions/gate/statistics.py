"""Is one mean above another, over the same pictures?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_DRAWS = 4000
_TINY = 1e-9


def p_above(differences: FloatArray, rng: np.random.Generator) -> float:
    """One-sided p that the mean of paired differences ``(n,)`` is above zero.

    Bootstrap of Student's t (Efron and Tibshirani 1993, section 16.4): with few pictures the
    bootstrap of the mean itself is too sure. 1 where fewer than three pictures, or all alike.
    """
    values = np.asarray(differences, np.float64)
    if not np.isfinite(values).all():  # scores of covered pictures overflow
        return 1.0
    count, mean = len(values), float(values.mean()) if len(values) else 0.0
    scale = max(float(np.abs(values).max(initial=0)), _TINY)
    error = float(values.std(ddof=1)) / np.sqrt(count) if count > 1 else 0.0
    if count < 3 or mean <= 0 or error < 1e-7 * scale:
        return 1.0 if count < 3 or mean <= _TINY else 1.0 / _DRAWS
    drawn = (values - mean)[rng.integers(0, count, (_DRAWS, count))]
    errors = np.maximum(drawn.std(axis=1, ddof=1) / np.sqrt(count), 1e-7 * scale)
    return float((1 + (drawn.mean(axis=1) / errors >= mean / error).sum()) / (1 + _DRAWS))


def correct(values: Sequence[float]) -> list[float]:
    """p-values after Holm 1979, in the same order."""
    order = np.argsort(values, kind="stable")
    made, highest = np.ones(len(values)), 0.0
    for place, i in enumerate(order):
        highest = max(highest, min(1.0, values[i] * (len(values) - place)))
        made[i] = highest
    return [float(p) for p in made]


def bound_ratio(
    above: FloatArray, below: FloatArray, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Mean of ``above`` over mean of ``below``, with its 95 % interval over pictures (bootstrap).

    NaN where the mean below is not clearly above zero: then there is nothing to measure by.
    """
    if not (np.isfinite(above).all() and np.isfinite(below).all()):
        return float("nan"), float("nan"), float("nan")
    drawn = rng.integers(0, len(above), (_DRAWS, len(above)))
    bottoms = below[drawn].mean(axis=1)
    if np.quantile(bottoms, 0.025) <= _TINY:
        return float("nan"), float("nan"), float("nan")
    ratios = above[drawn].mean(axis=1) / bottoms
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(above.mean() / below.mean()), float(low), float(high)
