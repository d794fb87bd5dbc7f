"""Curves of a classifier as blocks."""

from __future__ import annotations

from reportgen.analyses.intervals import wilson_bounds
from reportgen.analyses.predictions.compute import PredictionsResult, Scores
from reportgen.report.blocks import Lines, Series


def draw_reliability(scores: Scores) -> Lines:
    """Accuracy against confidence, in bins."""
    bins = scores.calibration.bins
    low, high = wilson_bounds(bins.accuracy * bins.count, bins.count)
    return Lines(
        id="predictions-reliability",
        title="Reliability",
        caption=(
            "How often the answer is right (up) against how sure the model was (right), in bins of "
            "about equal size with 95 % intervals. Points under the diagonal: more sure than right."
        ),
        alt="Reliability diagram: accuracy against confidence in bins, with the diagonal.",
        series=(
            Series(name="perfect", x=(0, 1), y=(0, 1), style="reference"),
            Series(
                name="measured",
                x=tuple(bins.confidence.tolist()),
                y=tuple(bins.accuracy.tolist()),
                low=tuple(low.tolist()),
                high=tuple(high.tolist()),
                style="points",
            ),
        ),
        x_label="confidence",
        y_label="accuracy",
        x_range=(0, 1),
        y_range=(0, 1),
        square=True,
    )


def draw_roc(result: PredictionsResult, scores: Scores) -> Lines:
    """True against false positives, over all thresholds."""
    assert scores.roc
    return Lines(
        id="predictions-roc",
        title="ROC curve",
        caption=(
            f"The share of {result.classes[1]} that is found (up) against the share of "
            f"{result.classes[0]} taken for it (right), over all thresholds. "
            f"Area {scores.roc.area:.3f}; 0.5 is chance."
        ),
        alt=f"ROC curve with area {scores.roc.area:.3f}.",
        series=(
            Series(name="chance", x=(0, 1), y=(0, 1), style="reference"),
            Series(
                name="model",
                x=tuple(scores.roc.x.tolist()),
                y=tuple(scores.roc.y.tolist()),
                style="steps",
            ),
        ),
        x_label="false positive rate",
        y_label="true positive rate",
        x_range=(0, 1),
        y_range=(0, 1),
        square=True,
    )


def draw_precision_recall(result: PredictionsResult, scores: Scores) -> Lines:
    """Precision against recall, over all thresholds."""
    curve = scores.precision_recall
    assert curve
    share = float(scores.support[1] / scores.support.sum())
    return Lines(
        id="predictions-precision-recall",
        title="Precision and recall",
        caption=(
            f"How many answers {result.classes[1]} are right (up) against how many of them are "
            f"found (right). Average precision {curve.area:.3f}; chance is {share:.3f}."
        ),
        alt=f"Precision-recall curve with average precision {curve.area:.3f}.",
        series=(
            Series(name="chance", x=(0, 1), y=(share, share), style="reference"),
            Series(
                name="model", x=tuple(curve.x.tolist()), y=tuple(curve.y.tolist()), style="steps"
            ),
        ),
        x_label="recall",
        y_label="precision",
        x_range=(0, 1),
        y_range=(0, 1),
        square=True,
    )
