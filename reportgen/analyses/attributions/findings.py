"""The verdicts on the methods that explain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from reportgen.report.checks import Check
from reportgen.report.findings import Finding

if TYPE_CHECKING:
    from reportgen.analyses.attributions.compute import AttributionsResult
    from reportgen.analyses.attributions.transplant import Shortcut, Shortcuts
    from reportgen.attributions.gate.faithfulness import Faithfulness, Verdict

FAITHFULNESS = Check(
    id="attributions.faithfulness",
    title="Maps that are better than guesses",
    meaning=(
        "Whether the cells that a method marks change the score more than those that the same "
        "method marks on another picture, or for another class, and than equally smooth noise and "
        "edges, by two ways of replacing pixels (paired bootstrap over samples, p < 0.05 after "
        "Holm). It notes methods that are not, and warns where none is, of 20 samples or more."
    ),
    levels=("note", "warn"),
    unit="methods",
    better="lower",
    advice="Read only the maps of methods that pass.",
    follows=("weights.non_finite", "features.non_finite", "inputs.scaling"),
)
SANITY = Check(
    id="attributions.sanity",
    title="Maps that depend on the weights",
    meaning=(
        "Whether maps change when all weights are shuffled: a method alarms where its maps are "
        "then more alike than 95 % of its maps of different samples. It notes such methods, and "
        "warns where all alarm. That a method passes proves nothing."
    ),
    levels=("note", "warn"),
    unit="methods",
    better="lower",
    advice="Do not read these maps as reasons of the model: they show the picture.",
    follows=("weights.non_finite", "features.non_finite"),
)
SHORTCUT = Check(
    id="attributions.shortcut",
    title="A mark in place of the thing",
    meaning=(
        "Whether a place or colour that one class has and others do not, or that carries its "
        "lead, pasted into pictures of other classes makes these that class: on samples "
        "that did not propose it, against the same place of other pictures (exact McNemar test, p "
        "< 0.001 over all that are tried), and for more of them than the bar and the share of "
        "other samples that have it anyway. It sees marks that stay in one place of an 8 x 8 grid, "
        "frames and casts of colour; marks that move, textures and backgrounds it does not."
    ),
    levels=("warn",),
    unit="share of pictures",
    better="lower",
    bar="converted",
    advice=(
        "Look at where the mark comes from, take it out of the training pictures or put it into "
        "all classes, and train again."
    ),
    follows=(
        "weights.non_finite",
        "features.non_finite",
        "inputs.scaling",
        "inputs.class_order",
        "weights.batchnorm_stale",
        "features.dead_channels",
        "features.saturated",
        "predictions.class_collapse",
    ),
)
CHECKS = (FAITHFULNESS, SANITY, SHORTCUT)
_NOT_LOOKED_FOR = "Marks that move, textures and backgrounds were not looked for."
ENOUGH = 20  # samples; of fewer a method that is true may go unproved
REASONS = {
    "another picture": "no better than its own map of another picture",
    "another class": "much the same for another class",
    "noise": "no better than equally smooth noise",
    "edges": "no better than the edges of the picture",
}


def judge(result: AttributionsResult) -> tuple[Finding, ...]:
    """A finding for each check of this section."""
    return _faithfulness(result), _sanity(result), _shortcut(result)


def explain_failure(one: Verdict) -> str:
    """Why a method does not pass; empty where it does."""
    if one.passes:
        return ""
    if one.depends:
        return "depends on what replaces the pixels"
    return REASONS[one.weakest]


def _faithfulness(result: AttributionsResult) -> Finding:
    found = result.faithfulness
    if result.missing:
        return FAITHFULNESS.not_checked(result.missing)
    if found is None:
        return FAITHFULNESS.not_checked(_say_missing(result, "faithfulness"))
    titles = {one.name: one.title for one in result.methods}
    failed = [one for one in found.verdicts if not one.passes]
    passed = [one for one in found.verdicts if one.passes]
    parts = []
    if passed:
        verb = "passes" if len(passed) == 1 else "pass"
        parts.append(f"{_list(titles[one.method] for one in passed)} {verb}.")
    if failed:
        said = "; ".join(f"{titles[one.method]} ({explain_failure(one)})" for one in failed)
        parts.append(f"Not proved: {said}.")
    parts.append(say_fifth(found, passed or list(found.verdicts), titles))
    if failed and passed:
        parts.append(FAITHFULNESS.advice)
    few = found.pictures < ENOUGH
    if not passed:
        parts.append("Do not give reasons for this model's answers by these maps.")
    if failed and few:
        parts.append(f"{found.pictures} samples prove little: give {ENOUGH} or more.")
    return FAITHFULNESS.finding(
        "pass" if not failed else "note" if passed or few else "warn",
        " ".join(parts),
        value=float(len(failed)),
        threshold=0.0,
        evidence="attributions-proof",
    )


def say_fifth(found: Faithfulness, among: list[Verdict], titles: dict[str, str]) -> str:
    """What covering the marked fifth does, by the method that does best."""
    best = max(among, key=lambda one: one.area)
    return (
        f"Covering the fifth of a picture that {titles[best.method]} marks changes the answer on "
        f"{best.flips['mean']} of {found.pictures} samples, a random fifth on "
        f"{found.random['mean']:.0f}."
    )


def _say_missing(result: AttributionsResult, part: str) -> str:
    if part in result.left_out or not result.methods:
        return "No time was left. Raise attributions.seconds."
    if all(one.missing for one in result.methods):
        return "No method could be asked about this model."
    return (
        f"{len(result.chosen.rows)} samples are too few to tell a method from a guess: 8 or more."
    )


def _sanity(result: AttributionsResult) -> Finding:
    if result.missing:
        return SANITY.not_checked(result.missing)
    if not result.options.randomised:
        return SANITY.not_checked("Left out: attributions.randomised is 0.")
    if not result.sanity and "random weights" not in result.left_out:
        return SANITY.not_checked("It takes two samples: see attributions.randomised.")
    if not result.sanity:
        return SANITY.not_checked(_say_missing(result, "random weights"))
    titles = {one.name: one.title for one in result.methods}
    alarms = [one for one in result.sanity if one.alarm]
    if not alarms:
        return SANITY.finding(
            "pass",
            f"Maps of {_list(titles[one.method] for one in result.sanity)} become others when the "
            "weights are shuffled.",
            value=0.0,
            threshold=0.0,
            evidence="attributions-proof",
        )
    return SANITY.finding(
        "warn" if len(alarms) == len(result.sanity) else "note",
        f"Maps of {_list(titles[one.method] for one in alarms)} stay much the same when all "
        f"weights are shuffled. {SANITY.advice}",
        value=float(len(alarms)),
        threshold=0.0,
        evidence="attributions-proof",
    )


def _list(names: Iterable[str]) -> str:
    words = list(names)
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def say_covered(found: Shortcuts) -> str:
    """How a sentence ends on what covering gave."""
    if not found.covered:
        return ". No place was covered: too few samples are right, or the model is too large."
    return f", and covering none takes it away from {found.covered} samples."


def say_untried(found: Shortcuts) -> str:
    """What was found and not asked about; empty where all was."""
    if not found.untried:
        return ""
    verb = "was" if found.untried == 1 else "were"
    return f" {found.untried} more {verb} found and not tried: raise attributions.work or seconds."


def _say_source(one: Shortcut) -> str:
    if one.share is None or one.others is None:
        return ""
    if one.by == "covering":
        return (
            f" Covered, it takes {one.share:.0%} of the lead of its class, any other place "
            f"{one.others:.0%}."
        )
    return f" {one.share:.0%} of {one.name} have that colour there, {one.others:.0%} of the others."


def _shortcut(result: AttributionsResult) -> Finding:
    found, bar = result.shortcuts, result.options.converted
    if found.missing:
        return SHORTCUT.not_checked(found.missing)
    if not found.asked:
        return SHORTCUT.finding(
            "pass",
            "No place and no cast of colour goes with one class beyond chance"
            f"{say_covered(found)} {_NOT_LOOKED_FOR}",
            value=0.0,
            threshold=bar,
            evidence="attributions-shortcuts",
        )
    first = found.asked[0]
    if not first.is_one(bar):
        return SHORTCUT.finding(
            "pass",
            f"{len(found.asked)} places and colours were tried. Pasted into other pictures none "
            f"makes many of them its class (the most: {first.became} of {first.asked} become "
            f"{first.name}, {first.control} by the same place of others)."
            f"{say_untried(found)} {_NOT_LOOKED_FOR}",
            value=first.excess,
            threshold=bar,
            evidence="attributions-shortcuts",
        )
    all_ = [one for one in found.asked if one.is_one(bar)]
    more = f" {len(all_) - 1} more stand in the table." if len(all_) > 1 else ""
    return SHORTCUT.finding(
        "warn",
        f"{first.place[:1].upper()}{first.place[1:]}: taken from pictures of {first.name} and "
        f"pasted into {first.asked} of other classes it makes {first.became} of them {first.name}; "
        f"taken from other pictures {first.control}.{_say_source(first)}{more} "
        "The model does not need the thing to see it. "
        f"{SHORTCUT.advice}",
        value=first.excess,
        threshold=bar,
        evidence="attributions-shortcuts",
    )
