"""Gradient, eigenvalues and sharpness as blocks."""

from __future__ import annotations

import numpy as np

from reportgen import text
from reportgen.analyses.loss_landscape.plane_blocks import Painter
from reportgen.analyses.loss_landscape.results import Bends, LandscapeResult
from reportgen.analyses.loss_landscape.wording import plane_name, say_source
from reportgen.landscape.spectrum import Trace
from reportgen.report.blocks import Block, KeyValues, Lines, Series, Table, Text, as_finite

_ROUGH = 0.05  # residual beside the eigenvalue from which a direction is called rough


def curvature_blocks(result: LandscapeResult, painter: Painter) -> list[Block]:
    """Eigenvalues, their spread, the plane of the outermost two, sharpness, lower places."""
    blocks: list[Block] = []
    bends = result.bends
    if bends is not None and bends.top:
        blocks.append(_eigenvalues(bends))
        blocks += [
            painter.loss(
                plane,
                "Loss in the plane of the outermost curvatures",
                "Along the direction in which the loss bends up most, and along the one in which "
                "it bends up least or bends down. This is where a saddle shows: the loss falls to "
                f"both sides along the vertical axis.{_say_rough(bends)}",
                (
                    f"{_name_direction('top', bends.top)} "
                    f"(1 = {plane.lengths[0]:.2g} in the weights)",
                    f"{_name_direction('bottom', bends.bottom)} "
                    f"(1 = {plane.lengths[1]:.2g} in the weights)",
                ),
            )
            for plane in result.planes
            if plane.id == "hessian"
        ]
    if bends is not None and bends.density.size:
        blocks.append(_density(bends))
    if bends is not None:
        blocks.append(_sums(result, bends))
    if bends is not None and bends.worst:
        blocks.append(_sharpness(result, bends))
    if result.finite:
        blocks.append(_lower(result))
    return blocks


def _name_direction(end: str, pairs: tuple[tuple[float, float], ...]) -> str:
    return f"{end} eigenvector{', roughly' if _is_rough(pairs) else ''}"


def _is_rough(pairs: tuple[tuple[float, float], ...]) -> bool:
    """Whether the direction that was found turns noticeably under the Hessian."""
    return bool(pairs) and pairs[0][1] > _ROUGH * abs(pairs[0][0])


def _say_rough(bends: Bends) -> str:
    said = [
        f" The {axis} direction is not yet an eigenvector: its residual is "
        f"{pairs[0][1] / abs(pairs[0][0]):.0%} of its curvature, so another run may find another."
        for axis, pairs in (("horizontal", bends.top), ("vertical", bends.bottom))
        if _is_rough(pairs)
    ]
    return "".join(said)


def _eigenvalues(bends: Bends) -> Table:
    largest = abs(bends.top[0][0]) or 1.0
    rows = [
        (end, number + 1, value, residual, value / largest)
        for end, pairs in (("largest", bends.top), ("smallest", bends.bottom))
        for number, (value, residual) in enumerate(pairs)
    ]
    ran_out = "" if bends.complete else " Time or iterations ran out before all were found."
    return Table(
        id="landscape-eigenvalues",
        title="Outermost eigenvalues of the Hessian",
        caption=(
            "The Hessian holds the second derivatives of the loss by all pairs of weights; an "
            "eigenvalue says how much the loss bends in one direction. Residual: some eigenvalue "
            "lies within so much of the number, not always the one of that place, which may lie "
            "farther out. A clearly negative one: a direction that leads down, so no "
            "minimum. The largest limits the learning rate of plain gradient descent to 2 / "
            f"{bends.top[0][0]:.3g} = {2 / largest:.2g}.{ran_out}"
        ),
        header=("End", "No.", "Eigenvalue", "Residual", "Beside the largest"),
        rows=tuple(rows),
    )


def _density(bends: Bends) -> Lines:
    usable = bends.density > 0
    floor = float(bends.density[usable].max()) * 1e-6
    return Lines(
        id="landscape-density",
        title="How all eigenvalues are spread",
        caption=(
            "Share of the eigenvalues at each value, smoothed; on a logarithmic axis, as nearly "
            "all of them are close to zero. A few to the far right: stiff directions, often as "
            "many as there are classes. What lies left of zero bends down."
        ),
        alt="Density of the eigenvalues of the Hessian.",
        series=(
            Series(
                name="",
                x=tuple(bends.places.tolist()),
                y=as_finite(np.where(bends.density > floor, bends.density, np.nan)),
            ),
        ),
        x_label="eigenvalue",
        y_label="share a unit",
        y_log=True,
    )


def _sums(result: LandscapeResult, bends: Bends) -> KeyValues:
    rows = [("Weights that move", f"{bends.size:,}")]
    descent = result.descent
    if descent is not None:
        rows += [
            (
                "Length of the gradient",
                f"{descent.gradient:.3g}, of which the draw of the samples explains about "
                f"{descent.noise:.3g}",
            ),
            (
                "Loss along the gradient, other half of the samples",
                f"{-descent.fall:+.3g} ± {descent.error:.2g} (standard error), after a step of "
                f"{descent.step:.2g} of the weights' length",
            ),
        ]
    # Where the outermost eigenvalues are not taken out, draws are too skewed for an interval.
    sure = bool(bends.top)
    rows += [
        ("Sum of all eigenvalues, by random signs", _say_mean(bends.trace, 1, sure=sure)),
        ("The same from their spread", _say_mean(bends.density_trace, 1, sure=False)),
    ]
    if bends.trace is not None:
        words = "Mean curvature of a random direction"
        rows.append((words, _say_mean(bends.trace, bends.size, sure=sure)))
    rows.append(("Products with the Hessian", f"{bends.products:,}"))
    if bends.source is not None and (bends.products or bends.source.kind == "none"):
        rows.append(("How they were made", say_source(bends.source)))
    return KeyValues(
        id="landscape-curvature",
        title="Gradient and curvature in numbers",
        caption=(
            "A gradient no longer than what the draw of the samples explains cannot be told from "
            "zero. The two sums are of different random draws, so they differ by chance."
        ),
        rows=tuple(rows),
    )


def _say_mean(trace: Trace | None, size: int, *, sure: bool) -> str:
    """The mean of the draws divided by ``size``, with its interval or, if not sure, its error."""
    if trace is None:
        return "no time"
    value, low, high = (text.number(n / size, 3) for n in (trace.value, trace.low, trace.high))
    if sure:
        return f"{value}, 95 % interval {low} to {high} ({trace.draws} draws)"
    error = text.number(trace.error / size, 2)
    return f"roughly {value} (standard error {error}, of {trace.draws} draws)"


def _sharpness(result: LandscapeResult, bends: Bends) -> Table:
    largest = bends.largest
    kinds = ("in the weights", "relative to each weight's size")
    rows = []
    for kind, worst, average in zip(kinds, bends.worst, bends.average, strict=True):
        quadratic = None
        if largest is not None and kind == kinds[0]:
            quadratic = largest * worst.radius**2 / 2
        value = worst.value if worst.tried else np.nan  # the start alone is not the worst place
        error = average.error * (_student(average.tried) if bends.top else 1)
        values = as_finite([value, quadratic or np.nan, average.value, error])
        rows.append((kind, worst.radius, *values[:2], worst.tried, *values[2:]))
    return Table(
        id="landscape-sharpness",
        title="Sharpness",
        caption=(
            "How much the loss rises within a small ball around the weights: at the worst place "
            f"that up to {result.options.ascents} steps of gradient ascent from each of three "
            "starts find (Steps: of all of them; they end where nothing more is gained, or time "
            "runs out), and on average. A search: there may be a worse place. "
            "Quadratic: what the largest eigenvalue alone would make of it. Sharp is not the same "
            "as bad: sharpness says little about how well a model generalises, so it is no verdict "
            "(Andriushchenko et al. 2023)."
        ),
        header=(
            "Ball",
            "Radius",
            "Worst rise",
            "Quadratic",
            "Steps",
            "Average rise",
            "± (95 %)" if bends.top else "± (standard error)",
        ),
        rows=tuple(rows),
    )


def _student(draws: int) -> float:
    """Half a 95 % interval of a mean of so many draws, in standard errors."""
    from scipy.stats import t

    return float(t.ppf(0.975, draws - 1)) if draws > 1 else float("nan")


def _lower(result: LandscapeResult) -> Block:
    if not result.lower:
        return Text(
            id="landscape-lower",
            title="Places of lower loss",
            caption="No plane has a measured cell below the model.",
        )
    rows = [
        (
            plane_name(place.plane),
            "training" if place.on_training else "audited",
            place.x,
            place.y,
            place.fall,
            place.error,
            place.score,
            place.cells,
        )
        for place in result.lower
    ]
    return Table(
        id="landscape-lower",
        title="Places of lower loss",
        caption=(
            "The lowest measured cell of each plane that has one below the model. It is the lowest "
            "of many, so a few standard errors are chance: from four on it counts as clearly lower."
        ),
        header=(
            "Plane",
            "Samples",
            "x",
            "y",
            "Lower by",
            "± standard error",
            "In errors",
            "Of cells",
        ),
        rows=tuple(rows),
    )
