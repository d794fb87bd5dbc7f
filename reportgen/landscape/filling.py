"""Filling a grid: what the cells that were not measured must be, and how sure that is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reportgen.landscape.grid import (
    CENSORED,
    INTERPOLATED,
    MEASURED,
    NOT_FINITE,
    FloatArray,
    Grid,
)
from reportgen.landscape.interpolation import fill

Prediction = tuple[FloatArray, FloatArray]


def interpolate(grid: Grid, found: Prediction | None = None) -> Grid:
    """Fill what was not measured between measured cells; they are marked.

    Args:
        found: loss everywhere and the doubt about it; None: see `predict`.
    """
    todo = ~grid.settled
    if not todo.any():
        return grid
    found = found or predict(grid)
    if found is None:
        return grid
    loss, doubt = (part.reshape(grid.state.shape) for part in found)
    # Beyond the measured part of the plane nothing is known.
    todo &= _inside(grid) & ~beside_broken(grid)
    known = (grid.state == MEASURED).ravel()
    other = {
        name: _fill_plain(grid, getattr(grid, name), known)
        for name in ("accuracy", "penalty", "error")
    }
    with np.errstate(over="ignore"):
        error = np.hypot(other["error"], loss * np.expm1(np.minimum(doubt, 20.0)))
    return replace(
        grid,
        loss=np.where(todo, loss, grid.loss),
        accuracy=np.where(todo, np.clip(other["accuracy"], 0, 1), grid.accuracy),
        penalty=np.where(todo, other["penalty"], grid.penalty),
        error=np.where(todo, error, grid.error),
        state=np.where(todo, INTERPOLATED, grid.state).astype(np.uint8),
    )


def _span_a_plane(places: FloatArray) -> bool:
    """Whether these are enough to interpolate from, and not all in a line."""
    return len(places) >= 10 and np.linalg.matrix_rank(places - places[0]) == 2


def _fill_plain(grid: Grid, values: FloatArray, known: NDArray[np.bool_]) -> FloatArray:
    usable = known & np.isfinite(values.ravel())
    if not _span_a_plane(grid.steps[usable]):
        return np.full(grid.state.shape, np.nan)
    return fill(grid.steps, usable, values.ravel()).values.reshape(grid.state.shape)


def predict(grid: Grid) -> Prediction | None:
    """Loss everywhere ``(cells,)`` and the doubt about it, relative; None: too little is known."""
    known = np.isin(grid.state, (MEASURED, CENSORED)).ravel() & np.isfinite(grid.loss.ravel())
    if not _span_a_plane(grid.steps[known]):
        return None
    values = grid.loss.ravel()
    if (values[known] > 0).all():
        # Losses span orders of magnitude, so an error must be relative: by the logarithm.
        logs = np.log(np.where(known, values, 1.0))
        made = fill(grid.steps, known, logs)
        return np.exp(np.clip(made.values, -700, 700)), made.doubt
    made = fill(grid.steps, known, values)
    spread = float(np.ptp(values[known])) or 1.0
    return made.values, made.doubt / spread


def distance(grid: Grid, cells: NDArray[np.int64], predicted: FloatArray) -> float | None:
    """The largest relative difference between what was measured and what had been predicted; None
    if none of these cells could be measured."""
    loss = grid.loss.ravel()
    usable = cells[(grid.state.ravel()[cells] == MEASURED)]
    if not len(usable):
        return None
    low = np.abs(loss[usable])
    positive = (loss[np.isfinite(loss)] > 0).all()
    unit = low if positive else np.full(len(low), np.ptp(loss[np.isfinite(loss)]) or 1.0)
    return float(np.max(np.abs(predicted[usable] - loss[usable]) / np.maximum(unit, 1e-300)))


def beside_broken(grid: Grid) -> NDArray[np.bool_]:
    """Cells near one that is not finite: nothing may be interpolated across its border."""
    from scipy.ndimage import binary_dilation

    broken = grid.state == NOT_FINITE
    around = np.ones((3, 3), bool)
    return np.asarray(binary_dilation(broken, around, 2) if broken.any() else broken, bool)


def _inside(grid: Grid) -> NDArray[np.bool_]:
    """Cells between those that were measured: within their convex hull."""
    from scipy.spatial import ConvexHull

    unit = grid.steps / np.ptp(grid.steps, axis=0)
    # One row a side of the hull: its normal, outwards, and its offset.
    sides = ConvexHull(unit[grid.settled.ravel()]).equations
    outside = unit @ sides[:, :2].T + sides[:, 2] > 1e-9
    return np.asarray(~outside.any(axis=1)).reshape(grid.state.shape)
