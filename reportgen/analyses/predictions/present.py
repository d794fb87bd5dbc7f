"""Predictions as blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen import text
from reportgen.analyses.predictions import regression_blocks
from reportgen.analyses.predictions.choice import Kinds, ShownSample
from reportgen.analyses.predictions.compute import PredictionsResult, Scores
from reportgen.analyses.predictions.curves import (
    draw_precision_recall,
    draw_reliability,
    draw_roc,
)
from reportgen.analyses.predictions.findings import judge
from reportgen.analyses.records import SAID, keep_records
from reportgen.report.blocks import (
    Block,
    ColourScale,
    HeatMap,
    ImageGrid,
    KeyValues,
    Panel,
    Share,
    Table,
    Text,
    TileLabel,
)
from reportgen.report.sections import SectionBody

_CLASS_ROWS = 200
_MOST_TIED = 3


def present(result: PredictionsResult) -> SectionBody:
    """The strip, the scores, the mistakes; or the errors of a regression."""
    blocks: list[Block] = []
    arrays: dict[str, NDArray[Any]] = {}
    if result.strip:
        blocks.append(_samples_block(result, arrays))
    if result.scores is not None:
        blocks += _score_blocks(result, result.scores, arrays)
        if result.mistakes:
            blocks.append(_mistakes_block(result, arrays))
        if result.kinds and result.shown_kinds:
            blocks.append(_kinds_block(result, result.kinds, arrays))
    if result.regression is not None:
        blocks += regression_blocks.present(result.regression, result.samples)
    if not blocks:
        blocks.append(
            Text(
                id="predictions-none",
                caption="The output is neither a class nor a labelled number, so it is not shown."
                if result.samples
                else "Every prediction is NaN or infinite, so none is shown.",
            )
        )
    arrays |= keep_records(
        {
            "outputs": result.outputs,
            "targets": result.targets,
            "names": np.array([text.printable(name) for name in result.names], np.str_),
        }
    )
    method = (*_method(result), SAID.format(section="predictions"))
    return SectionBody(judge(result), tuple(blocks), method, arrays)


def _method(result: PredictionsResult) -> tuple[str, ...]:
    lines = [
        f"{result.samples:,} samples, inference mode, each seen once."
        + (
            " The draw is balanced by class, so accuracy weighs classes alike."
            if result.balanced_draw
            else ""
        )
    ]
    if result.non_finite:
        lines.append(f"{result.non_finite} samples gave NaN or infinity and are left out.")
    if result.scores is not None:
        lines += [
            "Accuracy has a Wilson 95 % interval. Precision, recall, F1, the confusion matrix and "
            "the curves are scikit-learn's; a precision without predictions counts as 0.",
            f"Calibration: the probability of the predicted class, at most {result.options.bins} "
            "bins of equal size; the expected calibration error is the mean gap between bin "
            "confidence and bin accuracy, less what noise adds (Kumar, Liang & Ma 2019, the L1 "
            "form), and never less than the size of the mean gap. Its interval holds the errors "
            "under which the gaps seen are no surprise, by drawing; from zero where a calibrated "
            "model shows such gaps. The mean gap has the interval of a score test, as Wilson's. "
            "The Brier score is the mean squared distance between probabilities and truth; of two "
            "classes behind one output, of that output.",
        ]
    if result.regression is not None:
        lines.append(
            "Errors are scikit-learn's; the interval of R2 is a bootstrap over samples, a "
            "little short of 95 % where few samples have errors with heavy tails."
        )
    return tuple(lines)


def _samples_block(result: PredictionsResult, arrays: dict[str, NDArray[Any]]) -> Block:
    caption = (
        "A draw of samples with the most probable classes under each. Check first that pictures "
        "and names belong together."
    )
    return _gallery(
        "predictions-samples",
        "Samples",
        caption,
        result.strip,
        result.strip_pictures,
        "strip",
        arrays,
    )


def _mistakes_block(result: PredictionsResult, arrays: dict[str, NDArray[Any]]) -> Block:
    caption = (
        f"The {len(result.mistakes)} mistakes of {result.mistakes_found} that the model was most "
        "sure of. Ask of each: is the label wrong, the picture unusual, or the model misled?"
    )
    return _gallery(
        "predictions-mistakes",
        "Most confident mistakes",
        caption,
        result.mistakes,
        result.mistake_pictures,
        "mistakes",
        arrays,
    )


def _kinds_block(result: PredictionsResult, kinds: Kinds, arrays: dict[str, NDArray[Any]]) -> Block:
    left = kinds.found - kinds.among_worst - len(kinds.rows)
    above, shown = kinds.among_worst, len(kinds.rows)
    caption = (
        f"{_count(kinds.found, 'pair')} of classes (actual, predicted) "
        f"{'is' if kinds.found == 1 else 'are'} confused; "
        f"{above} {'is' if above == 1 else 'are'} among the mistakes above. "
        f"Of the others {shown} {'is' if shown == 1 else 'are'} shown, the "
        "most frequent first, by the sample that the model was most sure of. "
        f"{f'{left} more are not shown. ' if left else ''}"
        "Look for what the two classes share in the picture."
    )
    return _gallery(
        "predictions-kinds",
        "Other kinds of mistakes",
        caption,
        result.shown_kinds,
        result.kind_pictures,
        "kinds",
        arrays,
        remarks=tuple(f"{count} such" for count in kinds.counts),
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _gallery(
    id_: str,
    title: str,
    caption: str,
    shown: tuple[ShownSample, ...],
    pictures: NDArray[np.uint8] | None,
    key: str,
    arrays: dict[str, NDArray[Any]],
    remarks: tuple[str, ...] = (),
) -> Block:
    if pictures is None:
        return Table(
            id=id_,
            title=title,
            caption=caption,
            header=("Sample", "Predicted", "Actual", "Probability", *["How often"] * bool(remarks)),
            rows=tuple(
                (s.name, s.predicted, s.actual, s.confidence, *remarks[i : i + 1])
                for i, s in enumerate(shown)
            ),
        )
    arrays[key] = pictures
    short = _shorten({name for sample in shown for name, _ in sample.shares})
    labels = tuple(_label(s, short, *remarks[i : i + 1]) for i, s in enumerate(shown))
    return ImageGrid(
        id=id_,
        title=title,
        caption=caption,
        alt=f"{len(shown)} samples with predicted and actual class.",
        panels=(Panel(tiles=f"predictions/{key}", columns=5, labels=labels),),
    )


def _shorten(names: set[str]) -> dict[str, str]:
    """Names without the words that all of them begin with: they stand in narrow rows."""
    first, last = min(names, default=""), max(names, default="")
    prefix = ""
    for one, other in zip(first, last, strict=False):  # all others lie between these two
        if one != other or len(names) < 2:
            break
        prefix += one
    while prefix and prefix[-1].isalnum():
        prefix = prefix[:-1]
    return {name: name[len(prefix) :] or name for name in names}


def _label(sample: ShownSample, short: Mapping[str, str], remark: str = "") -> TileLabel:
    tone = "plain" if sample.right is None else "good" if sample.right else "bad"
    if sample.actual is None:
        detail = ""
    else:
        detail = "right" if sample.right else f"wrong: it is {sample.actual}"
    if remark:
        detail += f" ({remark})"
    return TileLabel(
        text=f"{sample.predicted} {sample.confidence:.0%}",
        detail=detail,
        tone=tone,  # type: ignore[arg-type]
        shares=tuple(
            Share(name=short.get(name, name), value=value, tone=_tone(name, sample))
            for name, value in sample.shares
        ),
    )


def _tone(name: str, sample: ShownSample) -> Any:
    if sample.actual is None:
        return "plain"
    if name == sample.actual:
        return "good"
    return "bad" if name == sample.predicted else "plain"


def _score_blocks(
    result: PredictionsResult, scores: Scores, arrays: dict[str, NDArray[Any]]
) -> list[Block]:
    blocks: list[Block] = [
        _summary(result, scores),
        _confusion(result, scores, arrays),
        _class_table(result, scores),
        draw_reliability(scores),
    ]
    if scores.roc and scores.precision_recall:
        blocks += [draw_roc(result, scores), draw_precision_recall(result, scores)]
    return blocks


def _summary(result: PredictionsResult, scores: Scores) -> KeyValues:
    low, high = scores.interval
    present = scores.support > 0
    rows = [
        ("Accuracy", f"{scores.accuracy:.1%}, 95 % interval {low:.1%} to {high:.1%}"),
        ("Most frequent class", f"{scores.majority_share:.1%} of the samples"),
        ("Mean F1 of the classes", f"{scores.f1[present].mean():.3f}"),
        (
            "Calibration error",
            f"{scores.calibration.error:.3f} (as measured, with what noise adds: "
            f"{scores.calibration.bins.error:.3f})",
        ),
        ("Brier score", f"{scores.brier:.4f}"),
        ("Log loss", f"{scores.log_loss:.4f}"),
    ]
    if scores.roc and scores.precision_recall:
        rows.append(("Area under ROC", f"{scores.roc.area:.3f}"))
        rows.append(("Average precision", f"{scores.precision_recall.area:.3f}"))
    return KeyValues(
        id="predictions-summary",
        title="Scores",
        caption="Brier score and log loss are lower for better probabilities; 0 is perfect.",
        rows=tuple(rows),
    )


def _confusion(
    result: PredictionsResult, scores: Scores, arrays: dict[str, NDArray[Any]]
) -> HeatMap:
    arrays["confusion"] = scores.confusion.astype(np.float64)
    worst = _name_most_frequent(result, scores)
    return HeatMap(
        id="predictions-confusion",
        title="Confusion matrix",
        caption=f"Samples by actual class (rows) and predicted class (columns). {worst}",
        alt=f"Confusion matrix of {len(result.classes)} classes. {worst}",
        values="predictions/confusion",
        scale=ColourScale(low=0, high=max(1.0, float(scores.confusion.max())), unit="samples"),
        row_title="actual",
        column_title="predicted",
        row_labels=result.classes,
        column_labels=result.classes,
    )


def _name_most_frequent(result: PredictionsResult, scores: Scores) -> str:
    """The most frequent mistake, or those that share the first place."""
    off = scores.confusion - np.diag(np.diag(scores.confusion))
    most = int(off.max())
    if not most:
        return "There is no mistake."
    first = [
        f"{result.classes[i]} taken for {result.classes[j]}" for i, j in np.argwhere(off == most)
    ]
    times = f"{most:,} time{'' if most == 1 else 's'}"
    if len(first) == 1:
        return f"The most frequent mistake: {first[0]}, {times}."
    if len(first) > _MOST_TIED:
        return f"No mistake stands out: {len(first):,} pairs of classes are confused {times} each."
    return f"The most frequent mistakes, {times} each: {', '.join(first)}."


def _class_table(result: PredictionsResult, scores: Scores) -> Table:
    order = (
        np.argsort(scores.f1, kind="stable")
        if len(result.classes) > 12
        else np.arange(len(result.classes))
    )
    order = order[scores.support[order] + scores.predicted[order] > 0][:_CLASS_ROWS]
    left = int((scores.support + scores.predicted > 0).sum()) - len(order)
    rest = f" {left} more classes are not listed." if left else ""
    absent = int((scores.support == 0).sum())
    rest += f" {absent} classes have no samples." if absent else ""
    return Table(
        id="predictions-classes",
        title="By class",
        caption=(
            "Precision: how often an answer of this class is right. Recall: how often a sample of "
            "this class is recognised. F1: their harmonic mean." + rest
        ),
        header=("Class", "Samples", "Predicted", "Precision", "Recall", "F1"),
        rows=tuple(
            (
                result.classes[i],
                int(scores.support[i]),
                int(scores.predicted[i]),
                float(scores.precision[i]),
                float(scores.recall[i]),
                float(scores.f1[i]),
            )
            for i in order
        ),
    )
