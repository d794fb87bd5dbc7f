"""The verdicts on how the samples reach the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from reportgen.report.checks import Check
from reportgen.report.findings import Finding

if TYPE_CHECKING:
    from reportgen.analyses.inputs.class_order import Moved
    from reportgen.analyses.inputs.compute import InputsResult
    from reportgen.analyses.inputs.scaling import Fit, Scaled

SCALING = Check(
    id="inputs.scaling",
    title="Scaling of the pixels",
    meaning=(
        "Whether the same samples are answered rightly more often by another usual scaling, by the "
        "other order of the colours, or scaled twice. It warns where that is no accident (exact "
        "McNemar test, p < 0.001 over all that are tried), and notes below 0.01. Without labels it "
        "compares with what BatchNormalization has stored."
    ),
    levels=("note", "warn"),
    unit="more right answers",
    better="lower",
    advice="Audit again with the scaling that the message names, and feed the model so.",
    follows=("weights.non_finite", "features.non_finite"),
)
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
RESIZING = Check(
    id="inputs.resizing",
    title="Resizing of the images",
    meaning=(
        "Whether the same files are answered rightly more often when they are brought to the "
        "size of the input by another rule: interpolation, cropping, padding. It warns where that "
        "is no accident (exact McNemar test, p < 0.001 over all that are tried) and more than the "
        "bar, and notes where it is less."
    ),
    levels=("note", "warn"),
    unit="share of right answers gained",
    better="lower",
    bar="resizing_gain",
    advice="Audit again with the rule that the message names, and resize so.",
    follows=("weights.non_finite", "features.non_finite"),
)
BATCHNORM_STALE = Check(
    id="weights.batchnorm_stale",
    title="Stored statistics of BatchNorm",
    meaning=(
        "Whether the samples are answered rightly more often where each BatchNormalization uses "
        "the mean and variance of a batch of them in place of those that it has stored. It warns "
        "where that is no accident (exact McNemar test, p < 0.001), and names the first layer that "
        "has stored something else."
    ),
    levels=("warn",),
    unit="share of right answers gained",
    better="lower",
    advice=(
        "Pass training samples through the model once more with training=True, without changing "
        "weights, so that the moving statistics follow."
    ),
    follows=("weights.non_finite", "features.non_finite", "inputs.scaling"),
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
UNSTABLE = Check(
    id="predictions.unstable",
    title="Answers that flip",
    meaning=(
        "Answers that change when a picture moves by one pixel (of 16 or more), gets a little "
        "brighter, or is stored as JPEG once more. It warns where the low end of the 95 % interval "
        "of their share is above the bar. Noise, blur, contrast and mirrored pictures are shown, "
        "not judged."
    ),
    levels=("warn",),
    unit="share of answers",
    better="lower",
    bar="max_flips",
    advice="Train with shifted, brightened and compressed pictures (augmentation).",
    follows=(
        "weights.non_finite",
        "features.non_finite",
        "inputs.scaling",
        "weights.batchnorm_stale",
        "features.dead_channels",
        "features.saturated",
    ),
)
DUPLICATES = Check(
    id="inputs.duplicates",
    title="Copies among the samples",
    meaning=(
        "Samples that are the same to the last byte as the model sees them, and pictures that are "
        "the same but for a resave. It warns where identical ones are more than the bar, and "
        "whenever copies have different labels; copies that are nearly the same are a note."
    ),
    levels=("note", "warn"),
    unit="share",
    better="lower",
    bar="max_duplicate_share",
    advice="Decide which label is right, then remove the copies.",
)
LEAK = Check(
    id="inputs.leak",
    title="Samples of the training",
    meaning=(
        "Audited samples that are among those of the training (`--train`), to the last byte or "
        "nearly. It warns of any: they are answered from memory."
    ),
    levels=("warn",),
    unit="share",
    better="lower",
    advice="Remove them from the audited samples, and audit again.",
)
BLANK_ANSWER = Check(
    id="inputs.blank_answer",
    title="Answers to nothing",
    meaning=(
        "What the model answers to black, white, the mean of the samples, noise and even colours. "
        "It notes where one of them gets a class with at least the probability that the bar says."
    ),
    levels=("note",),
    unit="probability",
    better="lower",
    bar="blank_confidence",
    advice="Do not trust its confidence on pictures of other things; train with such pictures.",
)
SUSPECTS_FILE = "inputs-suspect-labels.csv"
_MOST_NAMED = 5
ORDER_FILE = "inputs-classes.txt"


def judge(result: InputsResult) -> tuple[Finding, ...]:
    """A finding for each check of this section."""
    return tuple(answer(result) for answer in _ANSWERS.values())


def _scaling(result: InputsResult) -> Finding:
    found = result.scalings
    if found.missing:
        return SCALING.not_checked(found.missing)
    if found.fits:
        return _fitting(result)
    if not found.tried:
        return SCALING.not_checked("No time was left to try another one. Raise inputs.seconds.")
    tried = len(found.tried)
    if not found.perhaps:
        best = max(found.tried, key=lambda one: one.paired.after)
        return SCALING.finding(
            "pass",
            f"None of {tried} other scalings and colour orders does better beyond chance; the "
            f"best, {best.name}, is right for {best.paired.say(best.paired.after)}, the declared "
            f"one for {best.paired.say(best.paired.before)}.{_say_left(found.left)}",
            value=0.0,
            threshold=0.0,
            evidence="inputs-scaling",
        )
    best = found.perhaps[0]
    paired = best.paired
    sure = best in found.better
    chance = "no accident" if sure else "hardly an accident, though these samples are few"
    return SCALING.finding(
        "warn" if sure else "note",
        f"By {best.name} ({best.words}) {paired.say(paired.after)} of {paired.samples:,} samples "
        f"are right, by {found.declared}, as declared, {paired.say(paired.before)} (95 % "
        "intervals)."
        f"{_say_twice(result, best)} That is {chance}: {_say_gain(best)}. "
        f"{_say_command(result, best)}{_say_left(found.left)}",
        value=float(paired.after - paired.before),
        threshold=0.0,
        evidence="inputs-scaling",
    )


def _fitting(result: InputsResult) -> Finding:
    """Without labels: by the statistics that BatchNormalization has stored."""
    found, closer = result.scalings, result.scalings.closer
    best = found.fits[0]
    if found.fits_none:
        return SCALING.finding(
            "note",
            "There are no labels, and no usual scaling makes of the samples what "
            f"BatchNormalization has stored (the declared one: distance {found.own:.2f}; "
            f"{best.name}: {best.distance:.2f}). It was stored of other data, or too early. Give "
            "labels to find out.",
            value=found.own,
            threshold=0.0,
            unit="distance to the stored statistics",
            evidence="inputs-scaling",
        )
    if closer is None:
        return SCALING.finding(
            "pass",
            "There are no labels. By what BatchNormalization has stored the declared scaling fits "
            f"(distance {found.own:.2f}; the best of {len(found.fits)} others, {best.name}: "
            f"{best.distance:.2f}). The order of the colours cannot be told so.",
            value=0.0,
            threshold=0.0,
            evidence="inputs-scaling",
        )
    return SCALING.finding(
        "warn",
        f"There are no labels. By {found.declared}, as declared, the samples are not what "
        f"BatchNormalization has stored (distance {found.own:.2f}), by {closer.name} "
        f"({closer.words}) they are ({closer.distance:.2f}).{_say_twice(result, closer)} "
        f"{_say_command(result, closer)}",
        value=found.own - closer.distance,
        threshold=0.0,
        unit="distance to the stored statistics",
        evidence="inputs-scaling",
    )


def _say_gain(best: Scaled) -> str:
    paired = best.paired
    return (
        f"{paired.gained:,} samples are right only by it, {paired.lost:,} only by the declared one"
    )


def _say_twice(result: InputsResult, best: Scaled | Fit) -> str:
    found = result.scalings
    if found.inner and best.name in ("none", "none-bgr"):
        return f" The model scales its input itself (layer {found.inner}): pixels are scaled twice."
    return ""


def _say_command(result: InputsResult, best: Scaled | Fit) -> str:
    if result.scalings.fractions:
        return (
            "Your samples are from 0 to 1: multiply them by 255, then audit again with "
            f"--preprocessing {best.name}, and feed the model so."
        )
    return f"Audit again with --preprocessing {best.name}, and feed the model so."


def _say_left(left: int) -> str:
    return f" No time was left to try {left} more: raise inputs.seconds." if left else ""


def _class_order(result: InputsResult) -> Finding:
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
        f"Audit again with --classes and the file data/{ORDER_FILE} of this report.",
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
    longer = len(names) > _MOST_NAMED + 1
    shown = [*names[: _MOST_NAMED + 1], "…" if longer else names[0]]
    return f"{' → '.join(shown)} (what has a name is of the class behind it)"


def _resizing(result: InputsResult) -> Finding:
    found = result.resizings
    if found.missing:
        return RESIZING.not_checked(found.missing)
    if not found.tried:
        return RESIZING.not_checked("No time was left to try another rule. Raise inputs.seconds.")
    bar = result.options.resizing_gain
    if not found.better:
        best = max(found.tried, key=lambda one: one.paired.after)
        paired = best.paired
        return RESIZING.finding(
            "pass",
            f"None of {len(found.tried)} other rules does better beyond chance; the best, "
            f"{best.rule.words}, is right for {paired.say(paired.after)}, the declared one for "
            f"{paired.say(paired.before)}.{_say_left(found.left)}",
            value=0.0,
            threshold=bar,
            evidence="inputs-resizing",
        )
    best = found.better[0]
    paired = best.paired
    gain = (paired.after - paired.before) / paired.samples
    return RESIZING.finding(
        "warn" if gain > bar else "note",
        f"With {best.rule.words} {paired.say(paired.after)} of {paired.samples:,} samples are "
        f"right, with {found.declared.words}, as declared, {paired.say(paired.before)} (95 % "
        "intervals). The training will have resized so: audit again with these options, and "
        f"resize so.{_say_left(found.left)}",
        value=gain,
        threshold=bar,
        evidence="inputs-resizing",
    )


def _batchnorm(result: InputsResult) -> Finding:
    found = result.statistics
    if found.missing:
        return BATCHNORM_STALE.not_checked(found.missing)
    paired, first = found.paired, found.first
    if paired is None:
        return BATCHNORM_STALE.not_checked(result.unlabelled)
    if not paired.is_better(1):
        return BATCHNORM_STALE.finding(
            "pass",
            f"By the statistics of the samples {paired.say(paired.after)} are right, by the stored "
            f"ones {paired.say(paired.before)}.",
            value=(paired.after - paired.before) / paired.samples,
            threshold=0.0,
            evidence="inputs-batchnorm",
        )
    where = (
        f" The first that has stored something else is {first.address}: what reaches it is "
        f"{first.distance:.1f} deviations away."
        if first
        else f" None alone is far; the farthest is {found.farthest.address} "
        f"({found.farthest.distance:.1f} deviations)."
    )
    return BATCHNORM_STALE.finding(
        "warn",
        f"By the statistics of the samples {paired.say(paired.after)} of {paired.samples:,} are "
        f"right, by those that BatchNormalization has stored {paired.say(paired.before)} (95 % "
        f"intervals).{where} The weights are good, their moving means and variances are not: pass "
        "training samples through once more with model(x, training=True), a few hundred batches, "
        "and save; or train longer, or with a lower momentum.",
        value=(paired.after - paired.before) / paired.samples,
        threshold=0.0,
        evidence="inputs-batchnorm",
    )


def _suspects(result: InputsResult) -> Finding:
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
    many = count > found.usual
    said = (
        f"{count} of {found.samples:,} labels {'is' if count == 1 else 'are'} contradicted by the "
        "model with confidence; "
        f"{'at most' if many else 'up to'} {found.usual:.0f} are usual for a model that is as "
        "unsure as this one."
    )
    if many:
        said += f" About {found.share:.1%} of all labels are wrong, by that."
    first = found.found[0]
    said += (
        f" The first: {first.name}, labelled {first.given}, looks like {first.suggested} "
        f"({first.sure:.0%}). Look at them: in well-known test sets about half of such labels were "
        f"wrong. data/{SUSPECTS_FILE} lists all."
    )
    return SUSPECT_LABELS.finding(
        "warn" if many else "note",
        said,
        value=float(count),
        threshold=found.usual,
        evidence="inputs-suspects",
    )


def say_change(kind: str, strength: float) -> str:
    """A change in words."""
    return {
        "shift": f"moved by {strength:.0f} pixel{'s' if strength != 1 else ''}",
        "mirror": "mirrored",
        "brightness": f"brighter by {strength:.0%}",
        "JPEG": f"stored as JPEG of quality {strength:.0f}",
        "noise": f"with noise of {strength:.0%}",
        "blur": f"blurred by {strength:g} pixel{'s' if strength != 1 else ''}",
        "contrast": f"with {strength:.0%} of their contrast",
    }[kind]


def _unstable(result: InputsResult) -> Finding:
    found, bar = result.stability, result.options.max_flips
    if found.missing:
        return UNSTABLE.not_checked(found.missing)
    worst = found.worst
    if worst is None:
        return UNSTABLE.not_checked("No time was left to try it. Raise inputs.seconds.")
    flips, samples = worst.flips[0], found.samples
    low, high = found.bound(flips)
    said = (
        f"{flips / samples:.1%} of {samples:,} answers ({low:.1%} to {high:.1%}) flip when "
        f"pictures are {say_change(worst.kind, worst.strengths[0])}; the other mild changes flip "
        "fewer."
    )
    fires = low > bar
    if fires:
        said += f" {UNSTABLE.advice} Until then average the answers to a few shifted copies."
    return UNSTABLE.finding(
        "warn" if fires else "pass",
        said + _say_left(found.left),
        value=flips / samples,
        threshold=bar,
        evidence="inputs-flips",
    )


def _duplicates(result: InputsResult) -> Finding:
    found, bar = result.copies, result.options.max_duplicate_share
    if found.samples < 2:
        return DUPLICATES.not_checked("There is only one sample to compare. Audit more.")
    share = found.repeats / found.samples
    near = [group for group in found.groups if not group.identical]
    clashing = sum(group.conflicting for group in found.groups)
    if not found.groups:
        also = " or nearly so" if found.near else ""
        return DUPLICATES.finding(
            "pass",
            f"No two samples are identical{also}.",
            value=0.0,
            threshold=bar,
            evidence="inputs-copies",
        )
    parts = []
    if found.repeats:
        verb = "sample repeats" if found.repeats == 1 else "samples repeat"
        parts.append(f"{found.repeats:,} {verb} another one ({share:.1%}).")
    if near:
        count = sum(len(group.names) for group in near)
        parts.append(
            f"{count:,} pictures in {len(near):,} group{'s' if len(near) > 1 else ''} are nearly "
            "the same, as after a resave or as frames of one film."
        )
    if clashing:
        parts.append(
            f"Copies have different labels in {clashing:,} group{'s' if clashing > 1 else ''}. "
            f"{DUPLICATES.advice}"
        )
    else:
        parts.append("They count twice: remove the copies, or read intervals as too narrow.")
    return DUPLICATES.finding(
        "warn" if clashing or share > bar else "note",
        " ".join(parts),
        value=share,
        threshold=bar,
        evidence="inputs-copies",
    )


def _leak(result: InputsResult) -> Finding:
    found = result.copies
    if not found.training:
        return LEAK.not_checked(
            "There are no training samples to compare with. Give them with --train."
        )
    count = len(found.leaks)
    if not count:
        return LEAK.finding(
            "pass",
            f"None of {found.samples:,} samples is among the {found.training:,} of the training.",
            value=0.0,
            threshold=0.0,
            evidence="inputs-copies",
        )
    same = sum(leak.identical for leak in found.leaks)
    return LEAK.finding(
        "warn",
        f"{count:,} of {found.samples:,} samples ({count / found.samples:.1%}) are among the "
        f"{found.training:,} of the training, {same:,} to the last byte. Answers to them are from "
        f"memory. {LEAK.advice} The first: {found.leaks[0].name} is {found.leaks[0].training}.",
        value=count / found.samples,
        threshold=0.0,
        evidence="inputs-copies",
    )


def _blank(result: InputsResult) -> Finding:
    found, bar = result.blanks, result.options.blank_confidence
    if found.missing:
        return BLANK_ANSWER.not_checked(found.missing)
    surest = found.surest
    if surest is None:
        return BLANK_ANSWER.not_checked("Every answer to them is NaN or infinite.")
    fires = surest.confidence >= bar
    return BLANK_ANSWER.finding(
        "note" if fires else "pass",
        f"{surest.name[:1].upper()}{surest.name[1:]} is answered with {surest.answer}, "
        f"{surest.confidence:.0%} sure; no empty picture more so."
        + (f" {BLANK_ANSWER.advice}" if fires else ""),
        value=surest.confidence,
        threshold=bar,
        evidence="inputs-blanks",
    )


_ANSWERS: Mapping[Check, Callable[[InputsResult], Finding]] = {
    SCALING: _scaling,
    CLASS_ORDER: _class_order,
    RESIZING: _resizing,
    BATCHNORM_STALE: _batchnorm,
    SUSPECT_LABELS: _suspects,
    UNSTABLE: _unstable,
    DUPLICATES: _duplicates,
    LEAK: _leak,
    BLANK_ANSWER: _blank,
}
CHECKS = tuple(_ANSWERS)
