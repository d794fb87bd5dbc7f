"""The verdicts on units that answer to no picture, or less to one than to a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reportgen.analyses.optvis.causes import STARTS, UNRESPONSIVE, UNTOLD
from reportgen.report.checks import Check
from reportgen.report.findings import Finding
from reportgen.report.levels import Level

if TYPE_CHECKING:
    from reportgen.analyses.optvis.compute import OptvisResult, PaintedLayer

UNRESPONSIVE_UNITS = Check(
    id="optvis.unresponsive_units",
    title="Units that no image excites",
    meaning=(
        "Units that no sample changes and that a search from many random pictures does not change "
        "either. It warns where those found make up more of a layer than the bar, or where a class "
        "is among them."
    ),
    levels=("note", "warn"),
    unit="share of a layer",
    better="lower",
    bar="unresponsive_share",
    advice=("If there are many, train again with a lower learning rate or another initialiser."),
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


@dataclass(frozen=True)
class _Lost:
    """Units of one layer that no picture excites.

    channels: those found. searched: channels that no sample changes and of which it is known
    whether a picture does. untold: units of which nothing is known. tried: all units, painted or
    searched for. width: of the layer.
    """

    address: str
    channels: frozenset[int]
    searched: frozenset[int]
    untold: frozenset[int]
    tried: frozenset[int]
    width: int

    @property
    def share(self) -> float:
        """Of the layer, at least: silent channels that were not tried are not counted."""
        return len(self.channels) / self.width


def _count_lost(layer: PaintedLayer) -> _Lost:
    raw = layer.raw
    causes = dict(zip(raw.silent, raw.causes, strict=True))
    causes |= {c: judged.cause for c, judged in zip(raw.channels, layer.judged, strict=True)}
    lost = frozenset(c for c, cause in causes.items() if cause in UNRESPONSIVE)
    untold = frozenset(c for c, cause in causes.items() if cause in UNTOLD)
    searched = frozenset(raw.silent) - untold | lost
    address = raw.excited.address
    return _Lost(address, lost, searched, untold, frozenset(causes), raw.width)


def _unresponsive(result: OptvisResult) -> Finding:
    layers = [_count_lost(layer) for layer in result.layers]
    classes = result.classes.judged if result.classes else ()
    names = result.classes.names if result.classes else ()
    untold = sum(len(layer.untold) for layer in layers)
    untold += sum(judged.cause in UNTOLD for judged in classes)
    tried = sum(len(layer.tried) for layer in layers) + len(classes)
    if not tried:
        return UNRESPONSIVE_UNITS.not_checked(
            "No unit was painted. Raise optvis.layers or optvis.classes."
        )
    lost_classes = [n for n, j in zip(names, classes, strict=True) if j.cause in UNRESPONSIVE]
    worst = max(layers, key=lambda layer: layer.share, default=None)
    share = worst.share if worst else 0.0
    most = result.options.unresponsive_share
    level: Level = "note" if untold or share else "pass"
    said = [_say_answered(tried, untold)]
    if share:
        level = "warn" if share > most else "note"
        said = [_say_lost([layer for layer in layers if layer.channels])]
    if lost_classes:
        level = "warn"
        named = ", ".join(lost_classes[:_MOST_NAMED])
        said = [f"No picture raises the score of {named}{_more(lost_classes, 'classes')}."] + (
            said if share else []
        )
    only_classes = bool(lost_classes) and share <= most
    return UNRESPONSIVE_UNITS.finding(
        level,
        " ".join(said),
        value=float(len(lost_classes) if only_classes else share),
        unit="classes" if only_classes else "share of a layer",
        threshold=0.0 if only_classes else most,
        evidence="optvis-silent"
        if any(layer.raw.silent for layer in result.layers)
        else "optvis-layers",
        # That no sample changes these channels is that finding's; here stands what pictures do.
        cause="features.dead_channels" if share and not lost_classes else None,
    )


def _say_answered(tried: int, untold: int) -> str:
    """Units whose pictures did not rise are not among them, though it is not known why."""
    if not untold:
        return f"All {tried:,} units that were tried answer to a picture."
    return (
        f"{tried - untold:,} of {tried:,} units that were tried answer to a picture. Of the other "
        f"{untold:,} it cannot be told. Give more time with optvis.seconds, or read what the "
        "feature maps say of channels that never change."
    )


def _say_lost(layers: list[_Lost]) -> str:
    count = sum(len(layer.channels) for layer in layers)
    named = ", ".join(
        f"{layer.address} ({len(layer.channels)} of {len(layer.searched)} searched for; the "
        f"layer has {layer.width:,})"
        for layer in layers[:_MOST_NAMED]
    )
    return (
        f"A search from {STARTS} random pictures found none that changes {count:,} of the channels "
        f"that no sample changes: {named}{_more(layers, 'layers')}. That is no proof that there is "
        "none. If there are many, train again with a lower learning rate or another initialiser."
    )


def _more(named: Sequence[object], what: str) -> str:
    left = len(named) - _MOST_NAMED
    return f" and {left:,} more {what}" if left > 0 else ""


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
        f"In {len(below)} of {len(units):,} cases none of the pictures excites its unit "
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
