"""The verdicts on copies among the samples, and on answers to changed and to empty pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reportgen.analyses.inputs.wording import COPIES_FILE, LATE, MORE_TIME, say_change, say_left
from reportgen.report.checks import Check
from reportgen.report.findings import Finding

if TYPE_CHECKING:
    from reportgen.analyses.inputs.compute import InputsResult
    from reportgen.analyses.inputs.copies import Copies

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


def judge_stability(result: InputsResult) -> Finding:
    """Answers that flip under mild changes."""
    found, bar = result.stability, result.options.max_flips
    if found.missing:
        return UNSTABLE.not_checked(found.missing)
    if result.scalings.better:
        return UNSTABLE.not_checked(
            "Samples are not scaled as the model takes them (inputs.scaling): what flips then says "
            "nothing of the model. Mend that first."
        )
    worst = found.worst
    if worst is None:
        return UNSTABLE.not_checked(LATE)
    flips, samples = worst.flips[0], found.samples
    low, high = found.bound(flips)
    said = (
        f"{flips / samples:.1%} of {samples:,} answers ({low:.1%} to {high:.1%}) flip when "
        f"pictures are {say_change(worst.kind, worst.strengths[0])}; no other mild change that was "
        "tried flips more."
    )
    fires = low > bar
    if fires:
        said += f" {UNSTABLE.advice} Until then average the answers to a few shifted copies."
    return UNSTABLE.finding(
        "warn" if fires else "pass",
        said + say_left(found.left),
        value=flips / samples,
        threshold=bar,
        evidence="inputs-flips",
    )


def _say_drawn(compared: int, of: int) -> str:
    """That only a part was read; empty if all was."""
    return f" Only {compared:,} of {of:,} were read: raise --max-samples." if of > compared else ""


def _say_cut(found: Copies) -> str:
    return "" if found.whole else f" Nearly identical ones were not all looked for. {MORE_TIME}"


def judge_duplicates(result: InputsResult) -> Finding:
    """Copies among the samples."""
    found, bar = result.copies, result.options.max_duplicate_share
    if found.missing:
        return DUPLICATES.not_checked(found.missing)
    if found.samples < 2:
        return DUPLICATES.not_checked("There is only one sample to compare. Audit more.")
    share = found.repeats / found.samples
    near = [group for group in found.groups if not group.identical]
    clashing = sum(group.conflicting for group in found.groups)
    if not found.groups:
        also = " or nearly so" if found.near else ""
        return DUPLICATES.finding(
            "pass",
            f"No two of {found.samples:,} samples are identical{also}."
            f"{_say_drawn(found.samples, found.of)}{_say_cut(found)}",
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
            "the same: resaved, or frames of one film."
        )
    if clashing:
        parts.append(
            f"Copies have different labels in {clashing:,} group{'s' if clashing > 1 else ''}. "
            f"{DUPLICATES.advice}"
        )
    else:
        parts.append("They count twice: remove the copies, or read intervals as too narrow.")
    parts.append(
        f"data/{COPIES_FILE} lists all.{_say_drawn(found.samples, found.of)}{_say_cut(found)}"
    )
    return DUPLICATES.finding(
        "warn" if clashing or share > bar else "note",
        " ".join(parts),
        value=share,
        threshold=bar,
        evidence="inputs-copies",
    )


def judge_leak(result: InputsResult) -> Finding:
    """Samples that are among those of the training."""
    found = result.copies
    if found.missing:
        return LEAK.not_checked(found.missing)
    if result.of_training:
        return LEAK.not_checked("The samples are those of the training (--split train).")
    if not found.training:
        return LEAK.not_checked(
            "There are no training samples to compare with. Give them with --train."
        )
    count = len(found.leaks)
    drawn = _say_drawn(found.training, found.of_training)
    if not count and (drawn or not found.whole):
        return LEAK.not_checked(
            f"None of {found.samples:,} samples was found among {found.training:,} of the "
            f"training, but not all were compared.{drawn}{_say_cut(found)}"
        )
    if not count:
        return LEAK.finding(
            "pass",
            f"None of {found.samples:,} samples is among the {found.training:,} of the training.",
            value=0.0,
            threshold=0.0,
            evidence="inputs-copies",
        )
    same = sum(leak.identical for leak in found.leaks)
    likely = "" if same == count else " (the others nearly: resaved, or frames of one film)"
    return LEAK.finding(
        "warn",
        f"{count:,} of {found.samples:,} samples ({count / found.samples:.1%}) are among the "
        f"{found.training:,} of the training, {same:,} to the last number{likely}. What the model "
        f"answers to them may be from memory. {LEAK.advice} data/{COPIES_FILE} lists all; the "
        f"first: {found.leaks[0].name} is {found.leaks[0].training}.{drawn}{_say_cut(found)}",
        value=count / found.samples,
        threshold=0.0,
        evidence="inputs-copies",
    )


def judge_blanks(result: InputsResult) -> Finding:
    """Answers to empty pictures and noise."""
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
