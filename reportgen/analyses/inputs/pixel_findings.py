"""The verdicts on how samples are scaled and resized, and on what BatchNormalization has stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reportgen.analyses.inputs.wording import LATE, say_left
from reportgen.report.checks import Check
from reportgen.report.findings import Finding

if TYPE_CHECKING:
    from reportgen.analyses.inputs.batchnorm import StoredStatistics
    from reportgen.analyses.inputs.compute import InputsResult
    from reportgen.analyses.inputs.paired import Paired
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
    follows=("weights.non_finite", "features.non_finite"),
)


_AS_CLOSE = 0.01  # of a distance, which two draws of samples differ by


def judge_scaling(result: InputsResult) -> Finding:
    """The declared scaling against the other usual ones."""
    found = result.scalings
    if found.missing:
        return SCALING.not_checked(found.missing)
    if found.fits:
        return _fitting(result)
    if not found.tried:
        return SCALING.not_checked(LATE)
    tried = len(found.tried)
    if not found.perhaps:
        best = max(found.tried, key=lambda one: one.paired.after)
        return SCALING.finding(
            "pass",
            f"None of {tried} other scalings and colour orders does better beyond chance on "
            f"{best.paired.samples:,}{_say_of(result)} samples; the best, {best.name} "
            f"({best.words}), is right for {best.paired.say(best.paired.after)}, the declared one "
            f"for {best.paired.say(best.paired.before)}.{say_left(found.left)}",
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
        f"{_say_command(result, best)}{say_left(found.left)}",
        value=float(paired.after - paired.before),
        threshold=0.0,
        evidence="inputs-scaling",
        cause=BATCHNORM_STALE.id if _is_rather_stale(result, paired) else None,
    )


def _is_rather_stale(result: InputsResult, by_scaling: Paired) -> bool:
    """Whether BatchNormalization by the samples' own statistics does better than the scaling.

    Another scaling makes up for a part of what stale statistics spoil, and the other way round.
    """
    own = result.statistics.paired
    return own is not None and own.is_better(1) and own.after > by_scaling.after


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
    if closer is None and best.distance < found.own - _AS_CLOSE:
        return SCALING.not_checked(
            "There are no labels, and what BatchNormalization has stored does not tell: the "
            f"declared scaling fits ({found.own:.2f}), {best.name} too ({best.distance:.2f}). Give "
            "labels to find out."
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


def _say_of(result: InputsResult) -> str:
    return f" of {result.of:,}" if result.of > result.samples else ""


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
    other = (
        " Or these samples are darker, lighter or flatter than those of the training, which it "
        "evens out: look at them first."
        if best.name.startswith("standardize")
        else ""
    )
    return f"Audit again with --preprocessing {best.name}, and feed the model so.{other}"


def judge_resizing(result: InputsResult) -> Finding:
    """The declared rule of resizing against others."""
    found = result.resizings
    if found.missing:
        return RESIZING.not_checked(found.missing)
    if not found.tried:
        return RESIZING.not_checked(LATE)
    bar = result.options.resizing_gain
    if not found.better:
        best = max(found.tried, key=lambda one: one.paired.after)
        paired = best.paired
        return RESIZING.finding(
            "pass",
            f"None of {len(found.tried)} other rules does better beyond chance; the best, "
            f"{best.rule.words}, is right for {paired.say(paired.after)}, the declared one for "
            f"{paired.say(paired.before)}.{say_left(found.left)}",
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
        f"resize so.{say_left(found.left)}",
        value=gain,
        threshold=bar,
        evidence="inputs-resizing",
    )


def _say_shared(found: StoredStatistics) -> str:
    """One layer that is called at several places cannot describe them all."""
    shared = [layer.address for layer in found.layers if "#" in layer.address]
    if not shared:
        return ""
    name = shared[0].split("#")[0]
    return f" {name} is called at several places and stores one mean: give each its own layer."


def judge_batchnorm(result: InputsResult) -> Finding:
    """Stored statistics against those of the samples."""
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
            f"ones {paired.say(paired.before)}: no more than chance.",
            value=(paired.after - paired.before) / paired.samples,
            threshold=paired.least_share,
            evidence="inputs-batchnorm",
        )
    if result.scalings.better and result.scalings.better[0].paired.after >= paired.after:
        return BATCHNORM_STALE.finding(
            "warn",
            f"By the statistics of the samples {paired.say(paired.after)} are right, by the stored "
            f"ones {paired.say(paired.before)}: so it would be where samples are scaled wrongly. "
            "Mend the scaling first.",
            value=(paired.after - paired.before) / paired.samples,
            threshold=0.0,
            evidence="inputs-batchnorm",
            cause=SCALING.id,
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
        f"and save; or train longer, or with a lower momentum.{_say_shared(found)} Unless these "
        "samples are unlike those of the training (darker, another camera): then that is the "
        "cause.",
        value=(paired.after - paired.before) / paired.samples,
        threshold=0.0,
        evidence="inputs-batchnorm",
    )
