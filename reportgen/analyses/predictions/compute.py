"""How well the model answers, computed by scikit-learn and SciPy where they can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.predictions.calibration import Calibration, measure_calibration
from reportgen.analyses.predictions.choice import (
    Kinds,
    ShownSample,
    draw_kinds,
    draw_strip,
    show,
    take_pictures,
)
from reportgen.analyses.predictions.options import Options
from reportgen.analyses.predictions.regression import Regression, measure_regression

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float64]
_CURVE_POINTS = 200


@dataclass(frozen=True)
class Curve:
    """A curve and the area under it."""

    x: FloatArray
    y: FloatArray
    area: float


@dataclass(frozen=True)
class Scores:
    """Everything that needs labels. Arrays by class have the order of the outputs.

    missed_chance: how probable so few predictions of a class are, were it predicted as often as
    it occurs.
    """

    accuracy: float
    interval: tuple[float, float]
    majority_share: float
    confusion: NDArray[np.int64]
    precision: FloatArray
    recall: FloatArray
    f1: FloatArray
    support: NDArray[np.int64]
    predicted: NDArray[np.int64]
    missed_chance: FloatArray
    brier: float
    log_loss: float
    calibration: Calibration
    roc: Curve | None
    precision_recall: Curve | None


@dataclass(frozen=True)
class PredictionsResult:
    """Pictures are ``(n, h, w, 3)`` uint8; None for models that do not take images.

    outputs: probabilities of every sample ``(n, classes)``, or numbers as they are ``(n, ...)``,
    also those that are not finite. targets: their labels, if there are any. names: of the samples.
    """

    task: str
    classes: tuple[str, ...]
    samples: int
    balanced_draw: bool
    non_finite: int
    strip: tuple[ShownSample, ...]
    strip_pictures: NDArray[np.uint8] | None
    mistakes: tuple[ShownSample, ...]
    mistakes_found: int
    kinds: Kinds | None
    shown_kinds: tuple[ShownSample, ...]
    kind_pictures: NDArray[np.uint8] | None
    mistake_pictures: NDArray[np.uint8] | None
    scores: Scores | None
    unscored: str
    regression: Regression | None
    options: Options
    outputs: NDArray[np.float64]
    targets: NDArray[Any] | None
    names: tuple[str, ...]


def compute(subject: Subject, options: Options, rng: np.random.Generator) -> PredictionsResult:
    """Predict every sample; score the predictions where there are labels."""
    classes = subject.labels.classes
    raw = subject.raw_outputs
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(raw.reshape(len(raw), -1)).all(axis=1))
    strip: list[ShownSample] = []
    mistakes: list[ShownSample] = []
    shown_kinds: list[ShownSample] = []
    kinds = None
    found, scores, regression = 0, None, None
    if classes and finite.any():
        probabilities = subject.probabilities
        targets = subject.labels.values
        strip = [
            show(subject, probabilities, r, options.shown_classes)
            for r in draw_strip(targets, finite, options.shown_samples, rng)
        ]
        if targets is not None:
            scores = _score(
                subject.reading.task, probabilities[finite], targets[finite], options, rng
            )
            wrong = np.flatnonzero(finite & (probabilities.argmax(axis=1) != targets))
            found = len(wrong)
            worst = wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")]
            mistakes = [
                show(subject, probabilities, row, options.shown_classes)
                for row in worst[: options.shown_mistakes]
            ]
            kinds = draw_kinds(
                targets,
                probabilities.argmax(axis=1),
                worst,
                shown=options.shown_mistakes,
                count=options.shown_kinds,
            )
            shown_kinds = [
                show(subject, probabilities, row, options.shown_classes) for row in kinds.rows
            ]
    elif _is_labelled_regression(subject) and finite.any():
        regression = measure_regression(subject, finite, rng)
    return PredictionsResult(
        task=subject.reading.task,
        classes=classes,
        samples=int(finite.sum()),
        balanced_draw=subject.card.samples < subject.card.samples_found,
        non_finite=int((~finite).sum()),
        strip=tuple(strip),
        strip_pictures=take_pictures(subject, strip),
        mistakes=tuple(mistakes),
        mistakes_found=found,
        mistake_pictures=take_pictures(subject, mistakes),
        kinds=kinds,
        shown_kinds=tuple(shown_kinds),
        kind_pictures=take_pictures(subject, shown_kinds),
        scores=scores,
        unscored=subject.labels.unscored,
        regression=regression,
        options=options,
        outputs=subject.probabilities if classes else raw.astype(np.float64),
        targets=subject.labels.values,
        names=tuple(subject.samples.names),
    )


def _is_labelled_regression(subject: Subject) -> bool:
    return subject.reading.task == "regression" and subject.labels.values is not None


def _score(
    task: str,
    probabilities: FloatArray,
    targets: NDArray[np.int64],
    options: Options,
    rng: np.random.Generator,
) -> Scores:
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    k = probabilities.shape[1]
    said = probabilities.argmax(axis=1)
    right = said == targets
    precision, recall, f1, support = precision_recall_fscore_support(
        targets, said, labels=range(k), zero_division=0
    )
    predicted = np.bincount(said, minlength=k)
    binary = task in ("binary", "binary_logit") and len(np.unique(targets)) == 2
    return Scores(
        accuracy=float(right.mean()),
        interval=wilson_interval(int(right.sum()), len(right)),
        majority_share=float(support.max() / support.sum()),
        confusion=confusion_matrix(targets, said, labels=range(k)),
        precision=precision,
        recall=recall,
        f1=f1,
        support=support,
        predicted=predicted,
        missed_chance=_chance_of_so_few(predicted, support),
        brier=_brier(task, probabilities, targets),
        log_loss=_log_loss(task, probabilities, targets),
        calibration=measure_calibration(
            probabilities.max(axis=1), right, bins=options.bins, rng=rng
        ),
        roc=_roc(targets, probabilities[:, 1]) if binary else None,
        precision_recall=_precision_recall(targets, probabilities[:, 1]) if binary else None,
    )


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927, without continuity correction)."""
    from scipy.stats import binomtest

    interval = binomtest(hits, count).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def _chance_of_so_few(predicted: NDArray[np.int64], support: NDArray[np.int64]) -> FloatArray:
    """Probability of at most so many predictions at the rate of occurrence (exact binomial)."""
    from scipy.stats import binom

    total = int(support.sum())
    return np.asarray(binom.cdf(predicted, total, support / total))


def _brier(task: str, probabilities: FloatArray, targets: NDArray[np.int64]) -> float:
    """Mean squared distance between probabilities and truth, summed over the classes."""
    truth = np.eye(probabilities.shape[1])[targets]
    if task in ("binary", "binary_logit"):
        # The usual two-class form counts the positive class only.
        return float(np.mean((probabilities[:, 1] - truth[:, 1]) ** 2))
    return float(np.mean(np.sum((probabilities - truth) ** 2, axis=1)))


def _log_loss(task: str, probabilities: FloatArray, targets: NDArray[np.int64]) -> float:
    """Mean negative log of the probability given to the truth; probabilities from 1e-15."""
    if task == "independent":
        truth = np.eye(probabilities.shape[1])[targets].astype(bool)
        likelihood = np.where(truth, probabilities, 1 - probabilities)
        return float(-np.log(np.clip(likelihood, 1e-15, 1)).sum(axis=1).mean())
    given = probabilities[np.arange(len(targets)), targets]
    return float(-np.log(np.clip(given, 1e-15, 1)).mean())


def _roc(targets: NDArray[np.int64], positive: FloatArray) -> Curve:
    from sklearn.metrics import auc, roc_curve

    x, y, _ = roc_curve(targets, positive)
    return _thin(x, y, float(auc(x, y)))


def _precision_recall(targets: NDArray[np.int64], positive: FloatArray) -> Curve:
    from sklearn.metrics import average_precision_score, precision_recall_curve

    precision, recall, _ = precision_recall_curve(targets, positive)
    return _thin(recall, precision, float(average_precision_score(targets, positive)))


def _thin(x: FloatArray, y: FloatArray, area: float) -> Curve:
    """Few enough points to stand in the report; the area is that of all points."""
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), _CURVE_POINTS)).round().astype(int))
    return Curve(np.asarray(x[keep]), np.asarray(y[keep]), area)
