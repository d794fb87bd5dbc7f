"""The verdicts on the order of the classes and on the labels of the samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reportgen.analyses.inputs.wording import ORDER_FILE, SUSPECTS_FILE
from reportgen.report.checks import Check
from reportgen.report.findings import Finding

if TYPE_CHECKING:
    from reportgen.analyses.inputs.class_order import Moved
    from reportgen.analyses.inputs.compute import InputsResult

CLASS_ORDER = Check(
    id="inputs.class_order",
    title="Order of the classes",
    meaning=(
        "Whether the outputs stand in another order than the class names: the order that fits one "
        "half of the samples best, held against the other half, both ways. It warns where that is "
        "no accident (exact McNemar test, p < 0.001) and every class that is moved is then "
        "answered rightly at least every second time."
    ),
    levels=("warn",),
    unit="classes",
    better="lower",
    advice="Audit again with the file that the report wrote: --classes.",
    follows=("weights.non_finite", "features.non_finite"),
)
SUSPECT_LABELS = Check(
    id="predictions.suspect_labels",
    title="Labels that the model contradicts",
    meaning=(
        "Samples whose label the model contradicts with more confidence than it usually has "
        "(confident learning). It warns where there are more than 99 % of the draws give in which "
        "every label comes from the model's own calibrated probabilities, and notes below that. "
        "Of such flags about half were wrong labels where people looked."
    ),
    levels=("note", "warn"),
    unit="samples",
    better="lower",
    advice="Look at the listed samples, the first ones first, and mend the labels that are wrong.",
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
_MOST_NAMED = 5
_SOME, _BOUND = 0.005, 0.45  # of all labels; beyond, the share is no estimate but a limit


def judge_class_order(result: InputsResult) -> Finding:
    """The declared order of the classes against the one that fits best."""
    found = result.order
    if found.missing or found.paired is None:
        return CLASS_ORDER.not_checked(found.missing)
    paired = found.paired
    if not found.moved:
        return CLASS_ORDER.finding(
            "pass",
            f"No other order of the {len(found.names):,} classes does better on samples that it "
            f"was not fitted on.{_say_lost(result)}",
            value=0.0,
            threshold=0.0,
            evidence="inputs-order",
        )
    count = sum(len(one.outputs) for one in found.moved)
    cause = f" It looks as if {found.cause}." if found.cause else ""
    by = f" (with samples scaled by {found.scaling})" if found.scaling else ""
    return CLASS_ORDER.finding(
        "warn",
        f"{count} of {len(found.names)} outputs are of another class than their name says: "
        f"{_list_moves(result)}{by}. With their names moved {paired.say(paired.after)} of "
        f"{paired.samples:,} samples are right, as they are {paired.say(paired.before)}.{cause} "
        f"Copy data/{ORDER_FILE} out of this report, and audit again with --classes and that file.",
        value=float(count),
        threshold=0.0,
        evidence="inputs-order",
    )


def _say_lost(result: InputsResult) -> str:
    """Where the network knows the classes and its answers do not, and nothing was found yet."""
    found = result.labels
    if not found.lost or found.told is None:
        return ""
    return (
        f" Yet the layer before the output tells classes apart ({found.told / found.samples:.1%} "
        "of the samples lie among their own), and the answers do not "
        f"({found.right / found.samples:.1%}): look at the last layer, at the order of the "
        "classes, and at what BatchNormalization has stored."
    )


def _list_moves(result: InputsResult) -> str:
    said = [_say_cycle(result, one) for one in result.order.moved[:_MOST_NAMED]]
    left = len(result.order.moved) - _MOST_NAMED
    return "; ".join(said) + (f" and {left} more groups" if left > 0 else "")


def _say_cycle(result: InputsResult, one: Moved) -> str:
    names = [result.classes[i] for i in one.outputs]
    if len(names) == 2:
        return f"{names[0]} and {names[1]} are exchanged"
    said = [f"{a} answers for {b}" for a, b in zip(names, [*names[1:], names[0]], strict=True)]
    left = len(said) - _MOST_NAMED
    return ", ".join(said[:_MOST_NAMED]) + (f" and {left} more" if left > 0 else "")


def _explain_otherwise(result: InputsResult) -> str:
    """What may make the model contradict labels that are right; empty if nothing is known."""
    if result.scalings.perhaps:
        return f"Another scaling does better ({result.scalings.perhaps[0].name}): mend that first."
    if result.order.moved:
        return "The classes stand in another order: mend that first."
    return ""


def judge_suspects(result: InputsResult) -> Finding:
    """Labels that the model contradicts against what is usual for it."""
    found = result.labels
    if found.missing:
        return SUSPECT_LABELS.not_checked(found.missing)
    count = len(found.found)
    if not count:
        return SUSPECT_LABELS.finding(
            "pass",
            f"The model contradicts none of {found.samples:,} labels with confidence.",
            value=0.0,
            threshold=found.usual,
            evidence="inputs-suspects",
        )
    # Where no label is wrong by the fit, more flags than usual are a model that is wrongly sure.
    many = count > found.usual and found.share > _SOME
    said = (
        f"{count} of {found.samples:,} labels {'is' if count == 1 else 'are'} contradicted by the "
        "model with confidence; "
        f"{'at most' if many else 'up to'} {found.usual:.0f} are usual for a model that is as "
        "unsure as this one."
    )
    if count > found.usual and not many:
        said += " By their spread no label needs to be wrong: the model is wrongly sure."
    reason = _explain_otherwise(result)
    if reason:
        said += f" {reason}"
    elif many and found.share < _BOUND:
        said += f" About {found.share:.1%} of all labels are wrong, by that."
    first = found.found[0]
    said += (
        f" The first: {first.name}, labelled {first.given}, looks like {first.suggested} "
        f"({first.sure:.0%}). Look at them: in well-known test sets about half of such labels were "
        f"wrong. data/{SUSPECTS_FILE} lists all."
    )
    return SUSPECT_LABELS.finding(
        "warn" if many and not reason else "note",
        said,
        value=float(count),
        threshold=found.usual,
        evidence="inputs-suspects",
    )
