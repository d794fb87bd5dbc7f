"""The loss over a plane: all cells, or as many as it takes to know the others.

A coarse grid comes first. Then cells are added where two interpolants disagree most, until what
was just measured had been predicted well enough. Interpolated cells are marked as such. Whenever
time runs out there is a valid grid: the cells that are left are interpolated, or, before the
coarse grid is whole, missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reportgen.landscape.evaluator import Evaluator, Group
from reportgen.landscape.filling import (
    Prediction,
    beside_broken,
    distance,
    interpolate,
    predict,
)
from reportgen.landscape.grid import (
    CENSORED,
    MEASURED,
    NOT_FINITE,
    FloatArray,
    Grid,
    empty,
    join,
)
from reportgen.landscape.interpolation import pick_doubtful, spread
from reportgen.landscape.parameters import Point
from reportgen.landscape.uncertainty import PairedBootstrap
from reportgen.progress import tell

_ADDED = 20  # cells a round: the interpolants are cheap, but not free
_SMALL = 300  # cells; below it refinement has nothing to save
_COARSEST = 6  # rows and columns between measured ones


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    every: of the coarse grid; 1 measures all cells. Where time is short it is made coarser.
    off: refine until no cell of a round was off by more than this from what had been predicted,
        relative. most: share of cells, at most. ceiling: cells above it for certain are given up.
    deadline: of `time.monotonic`.
    """

    every: int = 3
    off: float = 0.04
    most: float = 1.0
    ceiling: float = np.inf
    deadline: float = np.inf

    @property
    def expired(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self.deadline


class Surveyor:
    """Fills the cells of one plane."""

    def __init__(
        self,
        evaluator: Evaluator,
        point: Point,
        directions: Sequence[Point],
        bootstrap: PairedBootstrap,
        effort: Effort,
        keep: Callable[[Grid], None] | None = None,
        label: str = "loss in a plane",
    ) -> None:
        self._evaluator = evaluator
        self._point, self._directions = point, directions
        self._bootstrap = bootstrap
        self._effort = effort
        self._keep = keep
        self._label = label
        self._answers: dict[int, NDArray[np.float32]] = {}

    def survey(self, x: FloatArray, y: FloatArray, known: Grid | None = None) -> Grid:
        """Measure, refine, interpolate.

        Args:
            known: what an earlier run found of the same plane; it is not measured again.
        """
        blank = empty(x, y)
        grid = blank if known is None else join([blank, known])
        all_cells = np.ones(grid.state.shape, bool)
        every = self._choose_every(grid)
        if every <= 1:
            return self.measure(grid, all_cells)
        grid = self.measure(grid, _coarse(grid, every))
        if not self._effort.expired:
            grid = self._refine(grid)
        return interpolate(grid, self._predict(grid))

    def _choose_every(self, grid: Grid) -> int:
        """As is asked for, or as coarse as it takes to see the whole plane in time."""
        affordable = np.inf
        if self._evaluator.seconds_a_point:
            left = self._effort.deadline - time.monotonic()
            affordable = left / self._evaluator.seconds_a_point
        small = grid.state.size <= min(_SMALL, affordable)
        if small or 1 in grid.state.shape or self._effort.every <= 1:
            return 1
        steps = range(self._effort.every, _COARSEST)
        return next((e for e in steps if _coarse(grid, e).sum() <= affordable), _COARSEST)

    def measure(self, grid: Grid, wanted: NDArray[np.bool_]) -> Grid:
        """Measure these cells, as long as there is time."""
        cells = _from_the_middle(grid, wanted & ~grid.settled)
        if not len(cells):
            return grid
        already = int(grid.settled.sum())
        steps = grid.steps[cells]
        for group in self._evaluator.points(
            self._point, self._directions, steps, self._effort.ceiling
        ):
            size = len(group.whole)
            grid = self._enter(grid, cells[group.start : group.start + size], group)
            done = group.start + size
            tell(already + done, already + len(cells), self._label)
            if self._keep is not None:
                self._keep(grid)
            if self._effort.expired:
                break
        return grid

    def _enter(self, grid: Grid, cells: NDArray[np.int64], group: Group) -> Grid:
        arrays = {
            name: getattr(grid, name).copy()
            for name in ("loss", "accuracy", "penalty", "error", "state")
        }
        flat = {name: array.reshape(-1) for name, array in arrays.items()}
        with np.errstate(invalid="ignore", over="ignore"):
            counted = np.where(np.isnan(group.right), 0, 1).sum(axis=1)
            loss = (
                np.nansum(np.where(np.isnan(group.right), np.nan, group.losses), axis=1) / counted
            )
            broken = ~np.isfinite(np.where(np.isnan(group.right), 0, group.losses)).all(axis=1)
        state = np.where(broken, NOT_FINITE, np.where(group.whole, MEASURED, CENSORED))
        flat["loss"][cells] = np.where(broken, np.nan, loss)
        flat["penalty"][cells] = group.penalties
        flat["state"][cells] = state
        has_answers = self._evaluator.model.loss.right is not None
        accuracy = np.nansum(group.right, axis=1) / counted if has_answers else np.nan
        flat["accuracy"][cells] = np.where(broken, np.nan, accuracy)
        flat["error"][cells] = self._bootstrap.error(np.asarray(group.losses))
        if group.answers is not None:
            self._answers.update(zip(cells.tolist(), group.answers, strict=True))
        return replace(grid, **arrays)

    def _predict(self, grid: Grid) -> Prediction | None:
        """Loss everywhere and the doubt about it.

        Where the answers of all measured cells are known they are interpolated, sample by sample,
        and the loss is computed from them: scores are smoother than the loss, which turns where a
        sample's answer does. The interpolated loss itself is the second opinion then.
        """
        plain = predict(grid)
        known = (grid.state == MEASURED).ravel()
        cells = np.flatnonzero(known).tolist()
        whole = grid.count(CENSORED) == 0 and all(cell in self._answers for cell in cells)
        if plain is None or not whole or known.all():
            return plain
        if not (grid.loss.ravel()[known] > 0).all():
            return plain
        values, doubt = plain[0].copy(), np.zeros(len(known))
        answers = np.stack([self._answers[cell] for cell in cells])
        made = spread(grid.steps, known, answers)
        losses = self._evaluator.losses_of(made).mean(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = np.abs(np.log(losses / values[~known]))
        usable = np.isfinite(apart)
        values[~known] = np.where(usable, losses, values[~known])
        doubt[~known] = np.where(usable, apart, plain[1][~known])
        return values, doubt

    def _refine(self, grid: Grid) -> Grid:
        most = max(int(self._effort.most * grid.state.size), 1)
        apart = 1.2 * float(np.median(np.diff(grid.x)))
        scaled = grid.steps * (1, _aspect(grid))
        quiet = 0
        while not self._effort.expired:
            grid = self._surround_broken(grid)
            found = self._predict(grid)
            if found is None or grid.settled.sum() >= most or self._effort.expired:
                break
            predicted, doubt = found
            # Beyond the colour scale it does not matter how far; what is not finite stays so.
            beyond = predicted * np.exp(-doubt) > self._effort.ceiling
            doubt = np.where(beyond | grid.settled.ravel(), 0, doubt)
            room = min(_ADDED, most - int(grid.settled.sum()))
            chosen = pick_doubtful(scaled, doubt, room, apart)
            if not chosen:
                break
            mask = np.zeros(grid.state.size, bool)
            mask[chosen] = True
            grid = self.measure(grid, mask.reshape(grid.state.shape))
            off = distance(grid, np.array(chosen), predicted)
            if off is None:
                continue
            grid = replace(grid, off=off)
            # Twice in a row, since a round that happens to be easy proves little.
            quiet = quiet + 1 if off <= self._effort.off else 0
            if quiet == 2:
                break
        return self._surround_broken(grid)

    def _surround_broken(self, grid: Grid) -> Grid:
        """Measure until no cell is left near one that is not finite, unless time runs out."""
        while not self._effort.expired:
            near = beside_broken(grid) & ~grid.settled
            if not near.any():
                break
            grid = self.measure(grid, near)
        return grid


def _coarse(grid: Grid, every: int) -> NDArray[np.bool_]:
    """Every so many rows and columns, the borders and the centre."""
    rows, columns = grid.state.shape
    mask = np.zeros(grid.state.shape, bool)
    mask[np.ix_(_thinned(rows, every), _thinned(columns, every))] = True
    mask[grid.centre] = True
    return mask


def _thinned(count: int, every: int) -> NDArray[np.int64]:
    parts = max(1, round((count - 1) / every))
    return np.unique(np.round(np.linspace(0, count - 1, parts + 1)).astype(int))


def _from_the_middle(grid: Grid, wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Positions of these cells, those near the centre first: they are looked at most."""
    cells = np.flatnonzero(wanted.ravel())
    reach = np.array([np.ptp(grid.x) or 1, np.ptp(grid.y) or 1])
    distance = ((grid.steps[cells] / reach) ** 2).sum(axis=1)
    return cells[np.argsort(distance, kind="stable")]


def _aspect(grid: Grid) -> float:
    """What makes steps along y as long as those along x."""
    across, up = float(np.median(np.diff(grid.x))), float(np.median(np.diff(grid.y)))
    return across / up if up else 1.0
