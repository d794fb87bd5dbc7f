"""Numbers beside the pictures: by layer, by unit, step by step, and of silent channels."""

from __future__ import annotations

from collections import Counter
from typing import TypeVar

import numpy as np

from reportgen.analyses.optvis.causes import STARTS, UNRESPONSIVE
from reportgen.analyses.optvis.compute import OptvisResult, PaintedLayer
from reportgen.analyses.optvis.judging import Judged
from reportgen.analyses.optvis.units import Painting
from reportgen.analyses.optvis.wording import say_factor, say_remark
from reportgen.report.blocks import Block, Cell, Lines, Series, Table, as_finite

_MOST_CURVES = 8
_NO_SAMPLES = (
    "There were no samples to compare with, so whether real pictures excite a unit alike is not "
    "known: give --images FOLDER. Under another scaling than that of the training pictures show "
    "little: state it with --preprocessing. "
)
_COMPARED = (
    "Strength: the best picture of a unit against its strongest sample, the middle of the units "
    "whose values never go below zero; of others a factor means nothing. "
    "Natural: a picture excites the layers below as the unit's samples do; own way: it does not, "
    "and is no guide to what the unit means. "
)
_OF_LAYERS = (
    "Layer",
    "Units",
    "No picture",
    "Strength",
    "Natural",
    "Own way",
    "Stable",
    "Many-faceted",
    "Steps",
    "Settled",
)
_NUMBERS_ALONE = (
    "Best picture, best of random pictures: the mean over the map, or the score of a class. Seeds: "
    "correlation of the unit's pictures; in "
    "brackets, below which 95 % of pairs of other units lie."
)
T = TypeVar("T")


def table_layers(result: OptvisResult) -> list[Block]:
    """One row a layer: what its pictures are worth."""
    rows = [
        _layer_row(layer.raw.excited.address, layer.judged, layer.raw.painting)
        for layer in result.layers
    ]
    if result.classes is not None:
        rows.append(_layer_row("classes", result.classes.judged, result.classes.painting))
    if not rows:
        return []
    return [
        Table(
            id="optvis-layers",
            title="What the pictures are worth",
            caption=(
                f"{_NO_SAMPLES if result.alone else _COMPARED}Stable: all seeds show the same; "
                "many-faceted: they do not. Counts are of units; the rest is unclear."
            ),
            header=_select(_OF_LAYERS, result),
            rows=tuple(_select(row, result) for row in rows),
        )
    ]


def _select(row: tuple[T, ...], result: OptvisResult) -> tuple[T, ...]:
    """Without the columns that compare with samples, where there are none."""
    return (*row[:3], *row[6:]) if result.alone else row


def _layer_row(name: str, judged: tuple[Judged, ...], painting: Painting) -> tuple[Cell, ...]:
    shown = [unit for unit in judged if unit.cause is None]
    ratios = [unit.ratio for unit in shown if np.isfinite(unit.ratio)]
    marks = Counter(unit.trust.mark for unit in shown)
    labels = Counter(unit.agreement.label for unit in shown)
    return (
        name,
        len(judged),
        len(judged) - len(shown),
        _say_strength(ratios, len(shown)),
        marks["natural"],
        marks["own way"],
        labels["stable"],
        labels["many-faceted"],
        int(painting.steps.max()),
        f"{painting.settled.mean():.0%}",
    )


def _say_strength(ratios: list[float], shown: int) -> str | None:
    if not ratios:
        return None
    middle = say_factor(float(np.median(ratios)))
    return middle if len(ratios) == shown else f"{middle} ({len(ratios)} of {shown} units)"


def table_units(result: OptvisResult) -> list[Block]:
    """Every number that a picture is judged by."""
    rows: list[tuple[Cell, ...]] = []
    for layer in result.layers:
        channels = layer.raw.channels
        for channel, judged in zip(channels, layer.judged, strict=True):
            rows.append(_unit_row(layer.raw.excited.address, f"{channel}", judged))
    if result.classes is not None:
        for name, judged in zip(result.classes.names, result.classes.judged, strict=True):
            rows.append(_unit_row("class", name, judged))
    if not rows:
        return []
    return [
        Table(
            id="optvis-numbers",
            title="The numbers behind the marks",
            caption=_NUMBERS_ALONE
            if result.alone
            else (
                "Best picture, strongest sample, best of random pictures: the mean over the map, "
                "or the score of a class. Path: 1 is as like the unit's strongest samples as these "
                "are to each other, 0 as other samples are; 95 % interval, and how many layers "
                "below tell, of those that were read. Seeds: correlation of the unit's pictures; "
                "in brackets, below which 95 % of pairs of other units lie."
            ),
            header=(
                "Layer",
                "Unit",
                "Picture",
                "Sample",
                "Random",
                "Path",
                "Seeds",
                "Remark",
            ),
            rows=tuple(rows),
        )
    ]


def _unit_row(layer: str, unit: str, judged: Judged) -> tuple[Cell, ...]:
    trust, agreement = judged.trust, judged.agreement
    # Far from any sample: how far says nothing.
    interval = f"{trust.low:.2f} to {trust.high:.2f}; " if trust.value >= -1 else ""
    value = f"{trust.value:.2f}" if interval else "below −1"
    told, read = sum(layer.told for layer in trust.layers), len(trust.layers)
    path = f"{value} ({interval}{told} of {read} layer{'s' if read > 1 else ''})"
    seeds = f"{agreement.similarity:.2f} ({agreement.chance:.2f})"
    return (
        layer,
        unit,
        _number(judged.best),
        _number(judged.natural),
        _number(judged.noise),
        path if np.isfinite(trust.value) else None,
        seeds if np.isfinite(agreement.similarity) else None,
        say_remark(judged),
    )


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def draw_progress(result: OptvisResult) -> list[Block]:
    """How the objectives rose, step by step."""
    named = [(layer.raw.excited.address, layer.raw.painting) for layer in result.layers]
    if result.classes is not None:
        named.append(("classes", result.classes.painting))
    if not named:
        return []
    shown = named[:_MOST_CURVES]
    return [
        Lines(
            id="optvis-progress",
            title="How the pictures came about",
            caption=(
                "The objective under transforms, as a part of its best, mean over the units. A "
                "curve that is flat at its end has settled; one that still rises was stopped."
            ),
            alt=f"Progress of {len(shown)} optimisations over the steps.",
            series=tuple(
                Series(
                    name=name,
                    x=tuple(float(i) for i in range(1, len(painting.progress) + 1)),
                    y=as_finite(painting.progress),
                )
                for name, painting in shown
            ),
            x_label="step",
            y_label="part of its best",
        )
    ]


def table_silent(result: OptvisResult) -> list[Block]:
    """Channels that no sample changes: can a picture?"""
    rows = [_silent_row(layer) for layer in result.layers if layer.raw.silent]
    if not rows:
        return []
    return [
        Table(
            id="optvis-silent",
            title="Channels that no sample changes",
            caption=(
                f"A search from {STARTS} random pictures tried to change their value in the middle "
                "of the map. A channel that a picture excites is not dead: these samples do not "
                "hold what it looks for. Where none does, the search found none; that is no proof. "
                "Cannot be told: time ran out before the search ended (optvis.seconds)."
            ),
            header=(
                "Layer",
                "Never change",
                "Tried",
                "A picture excites",
                "None does",
                "Cannot be told",
                "Which none excites",
            ),
            rows=tuple(rows),
        )
    ]


def _silent_row(layer: PaintedLayer) -> tuple[Cell, ...]:
    raw = layer.raw
    pairs = list(zip(raw.silent, raw.causes, strict=True))
    still = [channel for channel, cause in pairs if cause in UNRESPONSIVE]
    excited = sum(cause is None for cause in raw.causes)
    return (
        raw.excited.address,
        raw.silent_count,
        len(raw.silent),
        excited,
        len(still),
        len(raw.silent) - len(still) - excited,
        ", ".join(map(str, still)),
    )
