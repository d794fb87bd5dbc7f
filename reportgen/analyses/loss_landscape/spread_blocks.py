"""How much a random plane owes to the draw of its directions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.loss_landscape.results import LandscapeResult, Plane, Profile
from reportgen.analyses.loss_landscape.wording import digits, plane_name
from reportgen.landscape.grid import INTERPOLATED, MEASURED
from reportgen.report.blocks import (
    Block,
    ColourScale,
    ImageGrid,
    Lines,
    Panel,
    Series,
    Table,
    TileLabel,
    as_finite,
)

_RINGS = 8


def spread_blocks(result: LandscapeResult, arrays: dict[str, NDArray[Any]]) -> list[Block]:
    """Loss by distance for each random plane, the further planes as pictures, and the profile."""
    planes = [plane for plane in result.planes if plane.id.startswith("random")]
    blocks: list[Block] = []
    if len(planes) > 1:
        blocks += [_rings(result, planes), _pictures(planes[1:], arrays)]
    if result.profile is not None:
        blocks.append(_profile(result, result.profile))
    if result.planes:
        blocks.append(_ledger(result))
    return blocks


def _rings(result: LandscapeResult, planes: list[Plane]) -> Lines:
    series = []
    for plane in planes:
        distances, means, lows, highs = _by_distance(plane, result.options.reach)
        series.append(
            Series(
                name=plane_name(plane.id),
                x=tuple(distances),
                y=as_finite(means),
                low=as_finite(lows),
                high=as_finite(highs),
            )
        )
    return Lines(
        id="landscape-spread",
        title="The same from other random draws",
        caption=(
            "Mean loss of the measured cells at each distance from the model, in planes of "
            "different seeds; the band reaches from the lowest to the highest. Curves that lie "
            "together: the picture does not hang on the draw. Curves apart: believe none of them "
            "alone."
        ),
        alt="Loss by distance from the model in several random planes.",
        series=tuple(series),
        x_label="distance from the model, in units of the axes",
        y_label=result.facts.loss_name,
        y_log=all(v > 0 for one in series for v in (*one.y, *one.low) if v is not None),
    )


def _by_distance(
    plane: Plane, reach: float
) -> tuple[list[float], list[float], list[float], list[float]]:
    grid = plane.grid
    away = np.hypot(*np.meshgrid(grid.x, grid.y))
    known = (grid.state == MEASURED) & np.isfinite(grid.loss)
    edges = np.linspace(0, reach, _RINGS + 1)
    found: tuple[list[float], list[float], list[float], list[float]] = ([], [], [], [])
    for low, high in itertools.pairwise(edges):
        values = grid.loss[known & (away > low) & (away <= high)]
        if len(values):
            for part, value in zip(
                found, ((low + high) / 2, values.mean(), values.min(), values.max()), strict=True
            ):
                part.append(float(value))
    return found


def _pictures(planes: list[Plane], arrays: dict[str, NDArray[Any]]) -> ImageGrid:
    tiles = np.stack([_as_picture(plane) for plane in planes])
    arrays["further_planes"] = tiles
    finite = tiles[np.isfinite(tiles)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return ImageGrid(
        id="landscape-further",
        title="Further random planes",
        caption=(
            "The loss in planes of other random directions, as its logarithm to base 10 where it "
            "is positive; the model is in the middle of each, and all share one scale."
        ),
        alt="Loss in further random planes, one picture a plane.",
        panels=(
            Panel(
                tiles="loss_landscape/further_planes",
                columns=min(4, len(planes)),
                scale=ColourScale(low=low, high=high, map="magma", unit="log10 of the loss"),
                labels=tuple(
                    TileLabel(text=plane_name(plane.id), detail=_say_known(plane))
                    for plane in planes
                ),
            ),
        ),
    )


def _say_known(plane: Plane) -> str:
    grid = plane.grid
    said = f"cosine of directions {digits(plane.cosine)}"
    if not grid.count(INTERPOLATED):
        return said
    return f"{said}; {grid.measured} of {grid.state.size} cells measured"


def _as_picture(plane: Plane) -> NDArray[np.float32]:
    """Row 0 of a picture is its top, which is the last y."""
    loss = plane.grid.loss[::-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        shown = np.log10(loss) if np.nanmin(loss) > 0 else loss
    return np.asarray(shown, np.float32)


def _profile(result: LandscapeResult, profile: Profile) -> Lines:
    x = tuple(profile.steps.tolist())
    series = [_series("audited samples", x, profile.losses, profile.errors)]
    both = profile.train_losses.size > 0
    if both:
        series.append(_series("training samples", x, profile.train_losses, profile.train_errors))
    beside = (
        "The two minima need not lie at the same place; how far the curves are apart at 0 is the "
        "gap between training and other samples."
        if both
        else "With --train the training samples stand beside them."
    )
    return Lines(
        id="landscape-profile",
        title="Loss along the first random direction",
        caption=(
            "A cut through the middle of the first plane; the band is two standard errors of the "
            f"difference to the model. {beside}"
        ),
        alt="Loss along a random direction through the model.",
        series=tuple(series),
        x_label="first random direction",
        y_label=result.facts.loss_name,
        y_log=all(v > 0 for one in series for v in (*one.y, *one.low) if v is not None),
    )


def _series(name: str, x: tuple[float, ...], losses: NDArray[Any], errors: NDArray[Any]) -> Series:
    return Series(
        name=name,
        x=x,
        y=as_finite(losses),
        low=as_finite(losses - 2 * errors),
        high=as_finite(losses + 2 * errors),
    )


def _ledger(result: LandscapeResult) -> Table:
    rows = []
    for plane in result.planes:
        grid = plane.grid
        counts = [grid.count(state) for state in range(5)]
        off = float(100 * grid.off) if np.isfinite(grid.off) else None
        rows.append((plane_name(plane.id), grid.state.size, *counts, off, plane.cosine))
    return Table(
        id="landscape-ledger",
        title="What was computed and what was not",
        caption=(
            "Cells of every plane. Interpolated: filled in between measured ones. Not finite: the "
            "loss is no number there; such cells are left empty. Beyond: given up, as they lie "
            "above the colour scale for certain. Missing: time ran out. Within %: how well the "
            "cells that were measured last had been predicted by the others. Cosine: between the "
            "two directions; 0 is a right angle."
        ),
        header=(
            "Plane",
            "Cells",
            "Measured",
            "Interpolated",
            "Not finite",
            "Beyond",
            "Missing",
            "Within %",
            "Cosine",
        ),
        rows=tuple(rows),
    )
