"""Samples whose label the model contradicts: confident learning, held against a null.

Source: Northcutt, Jiang & Chuang 2021, "Confident learning: estimating uncertainty in dataset
labels", arXiv 1911.00068 (thresholds, confident joint, calibration to the label counts, pruning by
noise rate). Of what this names in well-known test sets, 51 % were wrong labels when people looked
(Northcutt, Athalye & Mueller 2021, arXiv 2103.14749).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Ints = NDArray[np.int64]
_DRAWS, _FEWEST_DRAWS = 200, 100
_CERTAIN = 0.99  # quantile of the draws from which more flags are no accident
_CLOSE = 1e-6
_COLDEST, _HOTTEST = 0.25, 8.0
_SMALLEST = 1e-30  # probability; of what float32 rounds to zero nothing more is known


@dataclass(frozen=True)
class Suspects:
    """Flagged samples and what is usual.

    rows: the most contradicted first, ``(flagged,)``. suggested: the class that the model says.
    margin: its probability less that of the label. usual: so many flags have `_CERTAIN` of the
    draws in which every label comes from the model's own probabilities, once these were made to
    come true as often as they say. share: of all labels, about how many are wrong.
    """

    rows: Ints
    suggested: Ints
    margin: FloatArray
    usual: float
    share: float
    temperature: float


def find_suspects(
    probabilities: FloatArray,
    labels: Ints,
    rng: np.random.Generator,
    is_late: Callable[[], bool] = lambda: False,
) -> Suspects | None:
    """Flag samples of ``probabilities (n, classes)``, whose rows sum to one.

    None where the time was over before it was known what is usual.
    """
    rows, suggested, margin = flag(probabilities, labels)
    temperature, share = fit_noise(probabilities, labels)
    calibrated = soften(probabilities, temperature)
    counts: list[int] = []
    while len(counts) < _DRAWS and not is_late():
        counts.append(len(flag(probabilities, _draw(calibrated, rng))[0]))
    if len(counts) < _FEWEST_DRAWS:
        return None
    usual = float(np.quantile(counts, _CERTAIN))
    return Suspects(rows, suggested, margin, usual, share, temperature)


def flag(probabilities: FloatArray, labels: Ints) -> tuple[Ints, Ints, FloatArray]:
    """Rows, suggested classes and margins, the largest margin first.

    For each pair of a label i and another class j the joint says how many samples are labelled i
    and are j; so many of those labelled i are flagged, with the largest p_j - p_i. A sample whose
    label is its most probable class never is.
    """
    joint = estimate_joint(probabilities, labels)
    said = probabilities.argmax(axis=1)
    marked = np.zeros(len(labels), bool)
    for given in np.unique(labels):
        rows = np.flatnonzero(labels == given)
        for other in np.flatnonzero(joint[given]):
            if other == given:
                continue
            margins = probabilities[rows, other] - probabilities[rows, given]
            worst = rows[np.argsort(-margins, kind="stable")[: joint[given, other]]]
            marked[worst] = True
    marked &= said != labels
    rows = np.flatnonzero(marked)
    margin = probabilities[rows, said[rows]] - probabilities[rows, labels[rows]]
    order = np.argsort(-margin, kind="stable")
    return rows[order], said[rows[order]], margin[order]


def estimate_joint(probabilities: FloatArray, labels: Ints) -> Ints:
    """How many samples are labelled i and are j, ``(classes, classes)``; rows sum to the labels.

    A sample counts for the classes that it is given at least as much probability of as samples so
    labelled get on average, and of these for the most probable one.
    """
    count = probabilities.shape[1]
    sums = np.bincount(labels, minlength=count)
    own = np.bincount(labels, probabilities[np.arange(len(labels)), labels], minlength=count)
    with np.errstate(invalid="ignore", divide="ignore"):
        threshold = np.where(sums > 0, own / sums, np.inf)
    above = probabilities >= threshold - _CLOSE
    best = np.where(above, probabilities, -1).argmax(axis=1)
    told = above.any(axis=1)
    confident = np.zeros((count, count))
    np.add.at(confident, (labels[told], best[told]), 1)
    empty = confident.sum(axis=1) == 0
    confident[empty, empty] = 1
    scaled = confident / confident.sum(axis=1, keepdims=True) * sums[:, None]
    return _round_rows(scaled, sums)


def _round_rows(scaled: FloatArray, sums: Ints) -> Ints:
    """Whole numbers with the given sums of rows: the largest remainders are rounded up."""
    whole = np.floor(scaled).astype(np.int64)
    for row, missing in enumerate(sums - whole.sum(axis=1)):
        order = np.argsort(-(scaled[row] - whole[row]), kind="stable")
        whole[row, order[: max(int(missing), 0)]] += 1
    return whole


def fit_noise(probabilities: FloatArray, labels: Ints) -> tuple[float, float]:
    """Temperature of the model, and share of wrong labels, by which the labels are most probable.

    A label is drawn from the probabilities of logits divided by the temperature (Guo et al. 2017,
    "On calibration of modern neural networks") or, with some share, evenly from all classes. A
    temperature alone would take wrong labels for a model that is too sure, and call them usual.
    """
    from scipy.optimize import minimize

    logs = np.log(np.maximum(probabilities, _SMALLEST))
    rows, count = np.arange(len(labels)), probabilities.shape[1]

    def loss(place: FloatArray) -> float:
        made = _softmax(logs / np.exp(place[0]))[rows, labels]
        return float(-np.log((1 - place[1]) * made + place[1] / count + _SMALLEST).mean())

    bounds = ((np.log(_COLDEST), np.log(_HOTTEST)), (0.0, 0.95))
    starts = [(t, e) for t in (0.0, 0.7) for e in (0.02, 0.3)]
    found = [minimize(loss, start, method="Nelder-Mead", bounds=bounds) for start in starts]
    best = min(found, key=lambda one: float(one.fun)).x
    return float(np.exp(best[0])), float(best[1]) * (count - 1) / count


def soften(probabilities: FloatArray, temperature: float) -> FloatArray:
    """Probabilities of logits divided by ``temperature``."""
    return _softmax(np.log(np.maximum(probabilities, _SMALLEST)) / temperature)


def _softmax(logits: FloatArray) -> FloatArray:
    made = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(made / made.sum(axis=1, keepdims=True))


def _draw(probabilities: FloatArray, rng: np.random.Generator) -> Ints:
    """A class for each row."""
    ends = probabilities.cumsum(axis=1)
    places = rng.random((len(probabilities), 1)) * ends[:, -1:]
    return np.asarray((places >= ends).sum(axis=1), np.int64).clip(max=probabilities.shape[1] - 1)
