"""How well the model predicts numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float64]
_POINTS = 400
_BOOTSTRAPS = 500


@dataclass(frozen=True)
class Regression:
    """Errors of each target, and what is drawn.

    mae, rmse, r2: ``(targets,)``. r2_interval: ``(targets, 2)``, 95 %, bootstrap over samples.
    spread: deviation of the targets. actual, predicted: ``(points, targets)`` of a draw.
    x: the input of those points ``(points,)`` if it is one number, sorted; else None.
    curve_x, curve_y: the fitted function over the range of x, ``(n,)``; empty without.
    """

    mae: FloatArray
    rmse: FloatArray
    r2: FloatArray
    r2_interval: FloatArray
    spread: FloatArray
    actual: FloatArray
    predicted: FloatArray
    x: FloatArray | None
    curve_x: FloatArray
    curve_y: FloatArray


def measure_regression(
    subject: Subject, finite: NDArray[np.bool_], rng: np.random.Generator
) -> Regression:
    """Errors by scikit-learn; one-dimensional inputs also get the fitted curve."""
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    values = subject.labels.values
    assert values is not None
    actual = values[finite]
    predicted = subject.raw_outputs[finite].reshape(len(actual), -1).astype(np.float64)
    rows = np.sort(rng.permutation(len(actual))[:_POINTS])
    x, curve_x, curve_y = _curve(subject, np.flatnonzero(finite)[rows])
    raw = {"multioutput": "raw_values"}
    return Regression(
        mae=mean_absolute_error(actual, predicted, **raw),
        rmse=root_mean_squared_error(actual, predicted, **raw),
        r2=r2_score(actual, predicted, **raw) if len(actual) > 1 else np.zeros(actual.shape[1]),
        r2_interval=_r2_interval(actual, predicted, rng),
        spread=actual.std(axis=0),
        actual=actual[rows],
        predicted=predicted[rows],
        x=x,
        curve_x=curve_x,
        curve_y=curve_y,
    )


def _r2_interval(actual: FloatArray, predicted: FloatArray, rng: np.random.Generator) -> FloatArray:
    squares = (actual - predicted) ** 2
    estimates = []
    for _ in range(_BOOTSTRAPS):
        rows = rng.integers(0, len(actual), len(actual))
        spread = actual[rows].var(axis=0)
        spread[spread == 0] = np.nan
        estimates.append(1 - squares[rows].mean(axis=0) / spread)
    # A target that never varies has no R2: nothing is explained.
    table = np.array(estimates)
    table[:, np.isnan(table).all(axis=0)] = 0
    return np.asarray(np.nanquantile(table, (0.025, 0.975), axis=0).T)


def _curve(
    subject: Subject, rows: NDArray[np.int64]
) -> tuple[FloatArray | None, FloatArray, FloatArray]:
    empty = np.empty(0)
    if subject.input.shape != (1,):
        return None, empty, empty
    x = subject.samples.pixels[rows].reshape(-1).astype(np.float64)
    all_x = subject.samples.pixels.reshape(-1)
    grid = np.linspace(float(all_x.min()), float(all_x.max()), 200)
    scaled = subject.preprocess(grid[:, None].astype(np.float32))
    outputs = subject.probe.predict(lambda r: scaled[r], len(grid), "fitted curve")
    return x, grid, outputs[subject.reading.output.index][:, 0].astype(np.float64)
