"""Planes as contours and surfaces."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.loss_landscape.results import LandscapeResult, Plane
from reportgen.landscape.grid import INTERPOLATED, MEASURED, Grid
from reportgen.landscape.uncertainty import choose_levels
from reportgen.report.blocks import (
    Block,
    ColourScale,
    Contour,
    PlaneMark,
    PlanePath,
    Surface,
    Text,
)

Arrays = dict[str, NDArray[Any]]
_SURE = 0.1  # relative: beyond it an interpolated plane is told to be a sketch
_FEWEST_DRAWN = 9  # measured cells of a plane that is shown
_LOG_FROM = 3.0  # times, between lowest and highest


class Painter:
    """Makes the pictures of planes; puts their numbers into ``arrays``."""

    def __init__(self, result: LandscapeResult, arrays: Arrays) -> None:
        self._result = result
        self._arrays = arrays

    def loss(
        self,
        plane: Plane,
        title: str,
        caption: str,
        labels: tuple[str, str],
        path: PlanePath | None = None,
        *,
        equal: bool = False,
    ) -> Contour:
        """The loss of a plane, with contours where they mean something."""
        grid = plane.grid
        scale, log = self._scale(grid)
        centre = float(grid.loss[grid.centre])
        centre = centre if np.isfinite(centre) else self._result.facts.loss
        levels, dropped = choose_levels(grid.loss, grid.error, centre, scale.high)
        key = self._keep(plane, "loss", grid.loss)
        noise = (
            f" {dropped} contour line{'s are' if dropped > 1 else ' is'} left out: the loss there "
            "cannot be told from that of the line before, given so many samples."
            if dropped
            else ""
        )
        return Contour(
            id=f"landscape-{plane.id}",
            title=title,
            caption=f"{caption}{_say_guess(grid)}{noise}",
            alt=f"{title}: {_say_range(grid, scale)} over two directions.",
            values=key,
            states=self._states(plane),
            x=_list(grid.x),
            y=_list(grid.y),
            scale=scale,
            log=log,
            levels=levels,
            paths=(path,) if path else (),
            marks=self._marks(grid, path),
            x_label=labels[0],
            y_label=labels[1],
            equal=equal,
        )

    def surface(self, plane: Plane, title: str, caption: str, labels: tuple[str, str]) -> Surface:
        """The same in perspective."""
        scale, log = self._scale(plane.grid)
        return Surface(
            id=f"landscape-{plane.id}-surface",
            title=title,
            caption=f"{caption}{_say_guess(plane.grid)}",
            alt=f"{title}, in perspective: {_say_range(plane.grid, scale)}.",
            values=self._keep(plane, "loss", plane.grid.loss),
            x=_list(plane.grid.x),
            y=_list(plane.grid.y),
            scale=scale,
            log=log,
            x_label=labels[0],
            y_label=labels[1],
            z_label=self._result.facts.loss_name,
        )

    def accuracy(self, plane: Plane, title: str, labels: tuple[str, str]) -> Contour | None:
        """Share of right answers; None for numbers."""
        grid = plane.grid
        if not np.isfinite(grid.accuracy).any():
            return None
        low = float(np.nanmin(grid.accuracy))
        return Contour(
            id=f"landscape-{plane.id}-accuracy",
            title=title,
            caption=(
                "The same cells, counted by right answers. Where accuracy stays while the loss "
                "rises, the model only becomes less sure of itself."
            ),
            alt=f"{title}: from {low:.0%} to {float(np.nanmax(grid.accuracy)):.0%}.",
            values=self._keep(plane, "accuracy", grid.accuracy),
            states=self._states(plane),
            x=_list(grid.x),
            y=_list(grid.y),
            scale=ColourScale(low=0.0, high=1.0, map="viridis", unit="share of right answers"),
            levels=tuple(level for level in (0.25, 0.5, 0.75, 0.9) if level > low),
            marks=self._marks(grid, None),
            x_label=labels[0],
            y_label=labels[1],
        )

    def error(self, plane: Plane, title: str, labels: tuple[str, str]) -> Contour | None:
        """The standard error of each cell; None if there is none."""
        grid = plane.grid
        usable = grid.error[np.isfinite(grid.error) & (grid.error > 0)]
        if not usable.size:
            return None
        high = float(usable.max())
        low = max(float(usable.min()), high / 1e4)
        return Contour(
            id=f"landscape-{plane.id}-error",
            title=title,
            caption=(
                "Standard error of each cell's loss less the model's own, by paired bootstrap over "
                "the same samples; of interpolated cells also what the interpolation leaves open. "
                "Differences below two of these may be the samples' doing."
            ),
            alt=f"{title}: from {float(usable.min()):.2g} to {high:.2g}.",
            values=self._keep(plane, "error", np.where(grid.error > 0, grid.error, low)),
            states=self._states(plane),
            x=_list(grid.x),
            y=_list(grid.y),
            scale=ColourScale(low=low, high=high, map="viridis", unit="standard error"),
            log=high > _LOG_FROM * low,
            x_label=labels[0],
            y_label=labels[1],
        )

    def _scale(self, grid: Grid) -> tuple[ColourScale, bool]:
        facts = self._result.facts
        known = np.isin(grid.state, (MEASURED, INTERPOLATED)) & np.isfinite(grid.loss)
        values = grid.loss[known] if known.any() else np.array([facts.loss])
        low, high = float(values.min()), float(values.max())
        if facts.ceiling is not None:
            high = min(high, facts.ceiling)
        high = high if high > low else low + max(abs(low), 1.0) * 1e-3
        unit = facts.loss_name
        return (
            ColourScale(low=low, high=high, map="magma", unit=unit),
            low > 0 and high > _LOG_FROM * low,
        )

    def _keep(self, plane: Plane, name: str, values: NDArray[Any]) -> str:
        key = f"{plane.id}_{name}"
        self._arrays[key] = np.asarray(values, np.float32)
        return f"loss_landscape/{key}"

    def _states(self, plane: Plane) -> str:
        key = f"{plane.id}_states"
        self._arrays[key] = np.asarray(plane.grid.state, np.uint8)
        return f"loss_landscape/{key}"

    def _marks(self, grid: Grid, path: PlanePath | None) -> tuple[PlaneMark, ...]:
        marks = [] if path else [PlaneMark(x=0.0, y=0.0, text="this model")]
        place = grid.lowest
        if place and place != grid.centre:
            marks.append(
                PlaneMark(x=float(grid.x[place[1]]), y=float(grid.y[place[0]]), text="lowest")
            )
        return tuple(marks)


def main_blocks(result: LandscapeResult, painter: Painter) -> list[Block]:
    """The random plane: loss, surface, accuracy, standard errors."""
    if not result.planes:
        return []
    plane, options = result.planes[0], result.options
    measured, cells = plane.grid.measured, plane.grid.state.size
    if measured < _FEWEST_DRAWN:
        return [
            Text(
                id="landscape-random",
                title="Loss in a random plane",
                caption=f"Not drawn: there was time for {measured} of {cells:,} cells. Raise "
                "loss_landscape.seconds, or lower loss_landscape.samples.",
            )
        ]
    unit = {
        "filter": "1 = filter length",
        "layer": "1 = layer length",
        "tensor": "1 = tensor length",
        "none": "not normalised",
    }[options.normalisation]
    labels = (f"first direction ({unit})", "second direction")
    caption = (
        f"Mean loss of the same {result.facts.samples:,} samples in every cell; the model is in "
        f"the middle.{_say_spacing(result)} A round bowl: weights may err alike in all "
        "directions. A second valley or a plateau at the middle: look at the other planes before "
        "you believe it. Random planes seldom show saddles."
    )
    blocks: list[Block] = [painter.loss(plane, "Loss in a random plane", caption, labels)]
    blocks.append(
        painter.surface(
            plane,
            "The same plane as a surface",
            "The same numbers. Heights are the logarithm where the colours are.",
            labels,
        )
    )
    blocks += [
        painter.loss(
            other,
            "The same plane, on the training samples",
            "The same directions, with cells farther apart and a scale of its own. Training went "
            "down here: where the lowest place of this picture and of the one above lie apart, the "
            "model fits its training samples better than the audited ones.",
            labels,
        )
        for other in result.planes
        if other.id == "train"
    ]
    blocks += [
        block
        for block in (
            painter.accuracy(plane, "Accuracy in the same plane", labels),
            painter.error(plane, "How sure each cell is", labels),
        )
        if block
    ]
    return blocks


def _say_range(grid: Grid, scale: ColourScale) -> str:
    """Lowest and highest measured loss, and where the colours end below it."""
    measured = grid.loss[grid.state == MEASURED]
    if not measured.size:
        return "no cell was measured"
    high = float(measured.max())
    said = f"measured loss from {float(measured.min()):.3g} to {high:.3g}"
    return said if high <= scale.high else f"{said} (colours up to {scale.high:.3g})"


def _say_guess(grid: Grid) -> str:
    """Where most is guessed, and not well: time was short, or the surface is rough."""
    if not grid.count(INTERPOLATED) or grid.off <= _SURE:
        return ""
    known = f" Only {grid.measured:,} of {grid.state.size:,} cells are measured (dots), "
    if np.isfinite(grid.off):
        known += f"and the last of them were up to {grid.off:.0%} off what had been predicted. "
    else:
        known += "too few to tell how well the others are known. "
    return f"{known}Between the dots this is a sketch: more loss_landscape.seconds make it sharper."


def _say_spacing(result: LandscapeResult) -> str:
    if result.options.spacing == "cubic":
        return " Cells are spaced by the cube, dense in the middle."
    return ""


def _list(values: NDArray[Any]) -> tuple[float, ...]:
    return tuple(np.asarray(values, float).tolist())
