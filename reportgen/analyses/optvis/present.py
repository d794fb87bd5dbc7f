"""Optimised images as blocks."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from reportgen.analyses.optvis.compute import OptvisResult
from reportgen.analyses.optvis.findings import judge
from reportgen.analyses.optvis.grids import draw_classes, draw_dreams, draw_layers
from reportgen.analyses.optvis.records import keep_numbers
from reportgen.analyses.optvis.tables import (
    draw_progress,
    table_layers,
    table_silent,
    table_units,
)
from reportgen.analyses.records import SAID
from reportgen.report.blocks import Block, Text
from reportgen.report.sections import SectionBody

_ALONE = (
    "There are no samples: the channels that vary most over 48 random pictures were chosen, and "
    "nothing is said of samples. "
)


_CHOSEN = (
    "Layers and units are chosen as in the feature maps: spread over the depth; half of the units "
    "tell a class apart most clearly, the others vary most. "
)


def present(result: OptvisResult) -> SectionBody:
    """The worth of the pictures, the pictures, the numbers behind; the findings."""
    arrays: dict[str, NDArray[Any]] = {}
    blocks: list[Block] = [
        *table_layers(result),
        *draw_classes(result, arrays),
        *draw_layers(result, arrays),
        *draw_dreams(result, arrays),
        *table_silent(result),
        *draw_progress(result),
        *table_units(result),
    ]
    if result.absences:
        blocks.append(
            Text(
                id="optvis-absent",
                title="Layers without pictures",
                caption="These layers could not be painted.",
                paragraphs=result.absences,
            )
        )
    if not blocks:
        blocks.append(Text(id="optvis-none", caption="There is no unit or class to paint."))
    arrays |= keep_numbers(result)
    method = (*_method(result), SAID.format(section="optvis"))
    return SectionBody(judge(result), tuple(blocks), method, arrays)


def _method(result: OptvisResult) -> tuple[str, ...]:
    options = result.options
    lines = [
        f"Recipe {options.recipe} ({result.source}). Every picture is a valid input under the "
        f"declared scaling; {options.variants} seeds a unit. A unit's objective is the mean of its "
        f"channel over the map, a class' its score before softmax or sigmoid. "
        f"{'' if result.alone else _CHOSEN}Units that see a small part of the input are painted on "
        "a canvas of about two such parts a side; their means are over that map.",
        _say_compared(result),
    ]
    if result.dreams:
        lines.append(
            "DeepDream: gradients divided by their deviation, octaves of 1.4, mean of squares "
            "(Mordvintsev et al. 2015)."
        )
    lines += _say_precision(result)
    if not result.exact_scaling:
        lines.append(
            "Your preprocessing could not be written as a formula of each pixel. Pictures stay "
            "within the range that it made of the samples."
        )
    if result.hurried:
        lines.append(
            f"The time budget of {options.seconds:g} seconds ended some pictures early; a repeat "
            "may differ. Raise optvis.seconds."
        )
    return tuple(lines)


def _say_compared(result: OptvisResult) -> str:
    random = (
        f"{result.options.noise} random pictures (half of them with the spectrum of photographs)"
    )
    seeds = (
        "Seeds: correlation of what the unit's layer and the one before say to the pictures, what "
        "all pictures share taken away."
    )
    if result.alone:
        return f"{_ALONE}Compared with {random}. {seeds}"
    return (
        f"Compared with {result.samples:,} samples and {random}. Path: Spearman's correlation of "
        "channel means at the layers below with the unit's strongest samples, scaled to theirs "
        f"(after Geirhos et al. 2023). {seeds}"
    )


def _say_precision(result: OptvisResult) -> list[str]:
    paintings = [(layer.raw.excited.address, layer.raw.painting) for layer in result.layers]
    if result.classes is not None:
        paintings.append(("classes", result.classes.painting))
    fast = [f"{name} ({p.precision_reason})" for name, p in paintings if p.precision != "float32"]
    if not fast:
        return ["The model computed in its own precision."] if paintings else []
    return [
        f"The model computed in bfloat16, which is shorter than float32, at {', '.join(fast)}. "
        "Scores are of the finished picture in the model's own precision."
    ]
