"""The verdicts on predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from reportgen.report.checks import Check
from reportgen.report.findings import Finding
from reportgen.report.levels import Level

if TYPE_CHECKING:
    from reportgen.analyses.predictions.compute import PredictionsResult, Scores
    from reportgen.analyses.predictions.regression import Regression

ACCURACY = Check(
    id="predictions.accuracy",
    title="Accuracy",
    meaning=(
        "How many answers are right, with a 95 % interval, against always answering the most "
        "frequent class (R2 for regression). It warns where the interval holds chance, and fails "
        "below a bar of your own."
    ),
    levels=("note", "warn", "fail"),
    unit="share",
    better="higher",
    bar="min_accuracy",
    advice=(
        "Check the input scaling (--preprocessing) and the class order (--classes) first, then "
        "the training."
    ),
)
CALIBRATION = Check(
    id="predictions.calibration",
    title="Calibration",
    meaning=(
        "How far stated probabilities are from the truth on average (expected calibration "
        "error). It warns where even the low end of its 95 % interval is above the bar."
    ),
    levels=("note", "warn"),
    unit="error",
    better="lower",
    bar="max_calibration_error",
    advice="Do not use the probabilities as they are: fit a temperature on validation data.",
)
CLASS_COLLAPSE = Check(
    id="predictions.class_collapse",
    title="Classes never predicted",
    meaning=(
        "Classes that have samples but are predicted for fewer of them than the bar, with "
        "statistical certainty. With too few samples to be sure it notes."
    ),
    levels=("note", "warn"),
    unit="predictions per sample",
    better="higher",
    bar="collapse_share",
    advice="Look at the samples of these classes, their weights and their number in training.",
)


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
    excess = measured.confidence - measured.accuracy
    gap = float((excess * measured.count).sum() / measured.count.sum())
    direction = "more sure than right" if gap > 0 else "less sure than right"
    said = (
        f"Stated probabilities miss the truth by {measured.error:.3f} on average "
        f"(95 % interval {measured.low:.3f} to {measured.high:.3f}); "
        f"the model is {direction} by {abs(gap):.1%}."
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


def _collapse(result: PredictionsResult) -> Finding:
    if result.scores is None:
        return _unscored(CLASS_COLLAPSE, result)
    scores = result.scores
    limit = result.options.collapse_share
    present = scores.support > 0
    collapsed = (present & (scores.collapse_bound < limit)).nonzero()[0]
    rates = scores.predicted[present] / scores.support[present]
    worst = float(rates.min()) if present.any() else 0.0
    if not len(collapsed):
        level: Level = "pass"
        said = "Every class that has samples is also predicted."
        if worst < limit:
            level = "note"
            said = (
                "A class with few samples is never or almost never predicted; "
                "there are too few samples to be sure. Audit more of them."
            )
    else:
        level = "warn"
        names = [result.classes[i] for i in collapsed[:5]]
        more = f" and {len(collapsed) - 5} more" if len(collapsed) > 5 else ""
        said = (
            f"{len(collapsed)} classes are (almost) never predicted although they have samples: "
            f"{', '.join(names)}{more}. Look at their samples, weights and number in training."
        )
    return CLASS_COLLAPSE.finding(
        level,
        said,
        value=worst,
        threshold=limit,
        evidence="predictions-classes",
    )


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
