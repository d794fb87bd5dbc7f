"""The verdicts on predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from reportgen.report.checks import Check
from reportgen.report.findings import Finding
from reportgen.report.levels import Level

if TYPE_CHECKING:
    from reportgen.analyses.predictions.calibration import Calibration
    from reportgen.analyses.predictions.compute import PredictionsResult, Scores
    from reportgen.analyses.predictions.regression import Regression

# A network that is broken or fed in one of these ways answers badly because of it. Of a few dead
# filters that cannot be said.
DAMAGE = (
    "weights.non_finite",
    "features.non_finite",
    "inputs.scaling",
    "inputs.class_order",
    "weights.batchnorm_stale",
    "features.dead_channels",
    "features.saturated",
)
ACCURACY = Check(
    id="predictions.accuracy",
    title="Accuracy",
    meaning=(
        "How many answers are right, with a 95 % interval, against always answering the most "
        "frequent class (R2 for regression). It warns where the interval holds chance, and fails "
        "below a bar of your own. Without a bar it is a note: better than chance is not yet good."
    ),
    levels=("note", "warn", "fail"),
    unit="share",
    better="higher",
    bar="min_accuracy",
    advice=(
        "Check the input scaling (--preprocessing) and the class order (--classes) first, then "
        "the training."
    ),
    follows=DAMAGE,
)
CALIBRATION = Check(
    id="predictions.calibration",
    title="Calibration",
    meaning=(
        "How far stated probabilities are from the truth on average (expected calibration "
        "error), and whether they are too high or too low. It warns where even the low end of its "
        "interval (at least 95 %) is above the bar."
    ),
    levels=("note", "warn"),
    unit="error",
    better="lower",
    bar="max_calibration_error",
    advice="Do not use the probabilities as they are: fit a temperature on validation data.",
    follows=DAMAGE,
)
CLASS_COLLAPSE = Check(
    id="predictions.class_collapse",
    title="Classes never predicted",
    meaning=(
        "Classes that have samples but are predicted less often than the bar says. It warns where "
        "so few predictions are improbable (exact binomial, p < 0.001 over all classes), were a "
        "class predicted as often as it occurs. With too few samples to be sure it notes."
    ),
    levels=("note", "warn"),
    unit="predictions per sample",
    better="higher",
    bar="collapse_share",
    advice="Look at the samples of these classes, their weights and their number in training.",
    follows=DAMAGE,
)


# Of a sound model that all classes together are accused; as many tests as classes share it.
_IMPROBABLE = 0.001
_MOST_NAMED = 5
_NO_BAR = " No bar was set, so whether that is enough is yours to say."


def judge(result: PredictionsResult) -> tuple[Finding, ...]:
    """A finding for each check of this section."""
    return tuple(answer(result) for answer in _ANSWERS.values())


def _unscored(check: Check, result: PredictionsResult) -> Finding:
    """Why a check on classes has no verdict."""
    if result.regression is not None:
        return check.not_checked("The model predicts numbers, not classes.")
    return check.not_checked(_why_unscored(result))


def _why_unscored(result: PredictionsResult) -> str:
    if not result.samples:
        return "Every prediction is NaN or infinite. Check the weights and the input scaling."
    if result.task == "other":
        return "The output is not one answer a sample, so it was not scored."
    if result.unscored:
        return result.unscored
    return "The samples have no labels. Give class folders, --labels, or y in --data."


def _accuracy(result: PredictionsResult) -> Finding:
    if result.scores is not None:
        return _share_right(result, result.scores)
    if result.regression is not None:
        return _fit(result, result.regression)
    return ACCURACY.not_checked(_why_unscored(result))


def _share_right(result: PredictionsResult, scores: Scores) -> Finding:
    (low, high), chance = scores.interval, scores.majority_share
    own = result.options.min_accuracy
    said = (
        f"{scores.accuracy:.1%} of {result.samples:,} samples are right "
        f"(95 % interval {low:.1%} to {high:.1%}); always answering the most frequent class "
        f"would be right for {chance:.1%}."
    )
    if result.non_finite:
        said += f" {result.non_finite} more gave NaN or infinity and are not counted."
    level: Level = "pass"
    threshold = own if own is not None else chance
    if result.samples < result.options.min_samples:
        level = "note"
        said += f" Fewer than {result.options.min_samples} samples: too few for a verdict."
    elif (scores.support > 0).sum() < 2:
        level, said = "note", said + " All samples are of one class, so there is no bar to beat."
    elif low <= chance:
        level = "warn"
        said += (
            " That is not better than chance. Check the input scaling (--preprocessing) and the "
            "class order (--classes) first, then the training."
        )
    elif own is None:
        level, said = "note", said + _NO_BAR
    if own is not None and scores.accuracy < own:
        level = "fail" if high < own else "warn"
        doubt = "" if high < own else ", but the interval still holds it: audit more samples"
        said += f" It is below your bar of {own:.1%}{doubt}."
    return ACCURACY.finding(
        level,
        said,
        value=scores.accuracy,
        threshold=threshold,
        evidence="predictions-confusion",
    )


def _calibration(result: PredictionsResult) -> Finding:
    if result.scores is None:
        return _unscored(CALIBRATION, result)
    measured, limit = result.scores.calibration, result.options.max_calibration_error
    said = (
        f"Stated probabilities miss the truth by {measured.error:.3f} on average "
        f"(interval {measured.low:.3f} to {measured.high:.3f}, at least 95 % sure). "
        f"{_say_gap(measured)}"
    )
    level: Level = "pass"
    if result.samples < result.options.min_samples:
        level, said = "note", said + " Too few samples for a verdict."
    elif measured.low > limit:
        level = "warn"
        said += " Do not use the probabilities as they are: fit a temperature on validation data."
    return CALIBRATION.finding(
        level,
        said,
        value=measured.error,
        threshold=limit,
        evidence="predictions-reliability",
    )


def _say_gap(measured: Calibration) -> str:
    """Which way stated probabilities miss, if that can be told."""
    low, high = measured.gap_low, measured.gap_high
    if low <= 0 <= high:
        return "Too high and too low even out, as far as these samples tell."
    direction = "more sure than right" if low > 0 else "less sure than right"
    nearest, farthest = sorted((abs(low), abs(high)))
    return (
        f"The model is {direction} by {abs(measured.bins.gap):.3f} "
        f"({nearest:.3f} to {farthest:.3f})."
    )


def _collapse(result: PredictionsResult) -> Finding:
    if result.scores is None:
        return _unscored(CLASS_COLLAPSE, result)
    scores, limit = result.scores, result.options.collapse_share
    present = scores.support > 0
    rare = (present & (scores.predicted < limit * scores.support)).nonzero()[0].tolist()
    improbable = _IMPROBABLE / present.sum()
    sure = [i for i in rare if scores.missed_chance[i] < improbable]
    worst = float((scores.predicted[present] / scores.support[present]).min())
    level: Level = "pass"
    said = "Every class that has samples is also predicted."
    if rare and not sure:
        level = "note"
        said = (
            f"{_list_rare(result, scores, rare)}. So few samples do not show whether the model "
            "has lost the class. Audit more of them."
        )
    elif sure:
        level = "warn"
        unsure = [i for i in rare if i not in sure]
        said = (
            f"{_list_rare(result, scores, sure)}. That is no accident (p < {_IMPROBABLE}). Look "
            "at the samples of these classes, their weights and their number in training."
        )
        if unsure:
            said += f" Too few samples to be sure: {_list_rare(result, scores, unsure)}."
    return CLASS_COLLAPSE.finding(
        level, said, value=worst, threshold=limit, evidence="predictions-classes"
    )


def _list_rare(result: PredictionsResult, scores: Scores, classes: list[int]) -> str:
    """Classes and how often they occur and are predicted, those with most samples first."""
    order = sorted(classes, key=lambda i: -int(scores.support[i]))
    named = [
        f"{result.classes[i]} is {_times(int(scores.predicted[i]))} predicted "
        f"({scores.support[i]:,} sample{'s' if scores.support[i] > 1 else ''})"
        for i in order[:_MOST_NAMED]
    ]
    left = len(order) - _MOST_NAMED
    return ", ".join(named) + (f" and {left:,} more classes" if left > 0 else "")


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count:,} times")


def _fit(result: PredictionsResult, fit: Regression) -> Finding:
    worst = int(fit.r2.argmin())
    low, high = fit.r2_interval[worst]
    r2 = float(fit.r2[worst])
    claim = (
        f"The model explains {r2:.1%} of the targets' variance"
        if r2 >= 0
        else "The model is further off than always answering the targets' mean"
    )
    said = (
        f"{claim} (R2 {r2:.2f}, 95 % interval {low:.2f} to {high:.2f}); its mean absolute error is "
        f"{fit.mae[worst]:.4g} where the targets' deviation is {fit.spread[worst]:.4g}."
    )
    level: Level = "pass"
    if result.samples < result.options.min_samples:
        level, said = "note", said + " Too few samples for a verdict."
    elif low <= 0:
        level = "warn"
        said += (
            " That is not better than always answering the mean. Check the input scaling, and "
            "whether the targets were scaled in training."
        )
    else:
        level, said = "note", said + _NO_BAR
    return ACCURACY.finding(
        level,
        said,
        value=float(fit.r2[worst]),
        unit="R2",
        threshold=0.0,
        evidence="predictions-fit",
    )


_ANSWERS: Mapping[Check, Callable[[PredictionsResult], Finding]] = {
    ACCURACY: _accuracy,
    CALIBRATION: _calibration,
    CLASS_COLLAPSE: _collapse,
}
CHECKS = tuple(_ANSWERS)
