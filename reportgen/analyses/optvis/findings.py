"""The verdicts on units that answer to no picture, or less to one than to a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from reportgen.analyses.optvis.causes import UNRESPONSIVE, UNTOLD
from reportgen.report.checks import Check
from reportgen.report.findings import Finding

if TYPE_CHECKING:
    from reportgen.analyses.optvis.compute import OptvisResult, PaintedLayer

UNRESPONSIVE_UNITS = Check(
    id="optvis.unresponsive_units",
    title="Units that no image excites",
    meaning=(
        "Units that no optimised picture raises (dead, without a gradient, or saturated). It "
        "warns where they make up more of a layer than the bar, or where a class is among them."
    ),
    levels=("note", "warn"),
    unit="share of a layer",
    better="lower",
    bar="unresponsive_share",
    advice=(
        "The layer can be smaller. If there are many, train again with a lower learning rate or "
        "another initialiser."
    ),
)
BELOW_NATURAL = Check(
    id="optvis.below_natural",
    title="Pictures weaker than a sample",
    meaning=(
        "Units whose optimised picture excites them less than the share that the bar names of "
        "what the strongest real sample does. Such pictures do not show what the unit wants most."
    ),
    levels=("note",),
    unit="units",
    better="lower",
    bar="natural_share",
    advice="Trust the samples beside these pictures.",
)
_MOST_NAMED = 6


def judge(result: OptvisResult) -> tuple[Finding, ...]:
    """A finding for each check of this section."""
    return tuple(answer(result) for answer in _ANSWERS.values())


def _unresponsive(result: OptvisResult) -> Finding:
    tried = sum(len(layer.judged) + len(layer.raw.silent) for layer in result.layers)
    classes = result.classes.judged if result.classes else ()
    tried += len(classes)
    if not tried:
        return UNRESPONSIVE_UNITS.not_checked(
            "No unit was painted. Raise optvis.layers or optvis.classes."
        )
    by_layer = {layer.raw.excited.address: _count_silent(layer) for layer in result.layers}
    lost = [
        result.classes.names[i]
        for i, judged in enumerate(classes)
        if judged.cause in UNRESPONSIVE and result.classes
    ]
    count = sum(by_layer.values()) + len(lost)
    if not count:
        return UNRESPONSIVE_UNITS.finding(
            "note" if _count_untold(result) else "pass",
            _say_answered(result, tried),
            value=0.0,
            threshold=result.options.unresponsive_share,
            evidence="optvis-layers",
        )
    shares = {layer.raw.excited.address: _share(layer) for layer in result.layers}
    worst = max(shares, key=lambda address: shares[address], default="")
    share = shares.get(worst, 0.0)
    most = result.options.unresponsive_share
    only_classes = bool(lost) and share <= most
    return UNRESPONSIVE_UNITS.finding(
        "warn" if lost or share > most else "note",
        _say_unresponsive(by_layer, lost, count, tried, worst, share),
        value=float(len(lost) if only_classes else share),
        unit="classes" if only_classes else "share of a layer",
        threshold=0.0 if only_classes else most,
        evidence="optvis-silent"
        if any(layer.raw.silent for layer in result.layers)
        else "optvis-layers",
    )


def _say_answered(result: OptvisResult, tried: int) -> str:
    """Units whose pictures did not rise are not among them, though it is not known why."""
    untold = _count_untold(result)
    if not untold:
        return f"All {tried:,} units that were tried answer to a picture."
    return (
        f"{tried - untold:,} of {tried:,} units that were tried answer to a picture. Of the other "
        f"{untold:,} it cannot be told. Give more time with optvis.seconds, or read what the "
        "feature maps say of channels that never change."
    )


def _count_untold(result: OptvisResult) -> int:
    causes = [cause for layer in result.layers for cause in layer.raw.causes]
    causes += [judged.cause for layer in result.layers for judged in layer.judged]
    causes += [judged.cause for judged in (result.classes.judged if result.classes else ())]
    return sum(cause in UNTOLD for cause in causes)


def _count_silent(layer: PaintedLayer) -> int:
    shown = sum(judged.cause in UNRESPONSIVE for judged in layer.judged)
    return shown + sum(cause in UNRESPONSIVE for cause in layer.raw.causes)


def _share(layer: PaintedLayer) -> float:
    """Of the whole layer: what was found among the tried, carried over to all silent channels."""
    raw = layer.raw
    shown = sum(judged.cause in UNRESPONSIVE for judged in layer.judged)
    tried = sum(cause not in UNTOLD for cause in raw.causes)
    dead = sum(cause in UNRESPONSIVE for cause in raw.causes)
    silent = raw.silent_count * dead / tried if tried else 0.0
    return (silent + shown) / raw.width


def _say_unresponsive(
    by_layer: dict[str, int], lost: list[str], count: int, tried: int, worst: str, share: float
) -> str:
    named = [f"{address} ({n})" for address, n in by_layer.items() if n]
    more = f" and {len(named) - _MOST_NAMED} more layers" * (len(named) > _MOST_NAMED)
    where = f" in {', '.join(named[:_MOST_NAMED])}{more}" if named else ""
    classes = f" No picture raises the score of {', '.join(lost[:_MOST_NAMED])}." if lost else ""
    largest = f" In {worst} that makes about {share:.0%} of the layer." if share else ""
    advice = (
        " No sample needs them: the layer can be smaller. If there are many, train again with a "
        "lower learning rate or another initialiser."
    ) * bool(named)
    return (
        f"{count} of {tried:,} units that were tried answer to no picture{where}.{largest}{classes}"
        f"{advice}"
    )


def _say_share(result: OptvisResult) -> str:
    share = result.options.natural_share
    return "as much as" if share == 1 else f"{share:.0%} as much as"


def _below(result: OptvisResult) -> Finding:
    units = [
        (f"{layer.raw.excited.address} unit {channel}", judged)
        for layer in result.layers
        for channel, judged in zip(layer.raw.channels, layer.judged, strict=True)
    ]
    if result.classes is not None:
        units += [
            (name, judged)
            for name, judged in zip(result.classes.names, result.classes.judged, strict=True)
        ]
    if result.alone:
        return BELOW_NATURAL.not_checked(
            "There are no samples to compare the pictures with. Give --images FOLDER or --data "
            "FILE.npz."
        )
    units = [(name, judged) for name, judged in units if judged.cause in (None, "noise")]
    if not units:
        return BELOW_NATURAL.not_checked("There is no picture to compare with the samples.")
    below = [name for name, judged in units if judged.is_weak(result.options.natural_share)]
    if not below:
        return BELOW_NATURAL.finding(
            "pass",
            f"In all {len(units):,} cases the best picture excites its unit "
            f"{_say_share(result)} the strongest of {result.samples:,} samples, or more.",
            value=0.0,
            threshold=0.0,
            evidence="optvis-layers",
        )
    more = f" and {len(below) - _MOST_NAMED} more" * (len(below) > _MOST_NAMED)
    hurried = " Time ran out before some were finished: raise optvis.seconds." * result.hurried
    return BELOW_NATURAL.finding(
        "note",
        f"In {len(below)} of {len(units):,} cases no picture excites its unit "
        f"{_say_share(result)} the strongest sample: {', '.join(below[:_MOST_NAMED])}{more}."
        f"{hurried} Such pictures do not show what the unit wants most. Trust the samples "
        "beside them.",
        value=float(len(below)),
        threshold=0.0,
        evidence="optvis-numbers",
    )


_ANSWERS: Mapping[Check, Callable[[OptvisResult], Finding]] = {
    UNRESPONSIVE_UNITS: _unresponsive,
    BELOW_NATURAL: _below,
}
CHECKS = tuple(_ANSWERS)
