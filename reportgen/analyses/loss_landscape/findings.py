"""The verdicts on the landscape."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from reportgen.analyses.loss_landscape.wording import digits, plane_name, say_source
from reportgen.report.checks import Check
from reportgen.report.findings import Finding
from reportgen.report.levels import Level

if TYPE_CHECKING:
    from reportgen.analyses.loss_landscape.results import Descent, LandscapeResult, Lower

NOT_A_MINIMUM = Check(
    id="landscape.not_a_minimum",
    title="Lower loss close by",
    meaning=(
        "The loss is clearly lower along the gradient or at a place in a drawn plane. It warns on "
        "training samples (`--train`, `--split train`) and notes on others, whose loss has its "
        "minimum elsewhere."
    ),
    levels=("note", "warn"),
    unit="of the loss",
    better="lower",
    bar="lower",
    advice="Train longer, or lower the learning rate.",
)
NEGATIVE_CURVATURE = Check(
    id="landscape.negative_curvature",
    title="Negative curvature",
    meaning=(
        "The smallest eigenvalue of the Hessian (the matrix of second derivatives of the loss) is "
        "clearly below zero: there is a direction in which the loss bends down."
    ),
    levels=("note",),
    unit="smallest eigenvalue",
    better="higher",
    bar="negative",
    advice="Common where training was stopped early: train on to see whether it goes.",
)
PLANE_FIDELITY = Check(
    id="landscape.plane_fidelity",
    title="What the plane of the path holds",
    meaning=(
        "How much of the recorded training the drawn plane holds, and whether the path in it has "
        "more shape than that of a random walk."
    ),
    levels=("note",),
    unit="share",
    better="higher",
    bar="fidelity",
    advice="Read the table of records, not the crossed contours.",
)
HISTORY_MISMATCH = Check(
    id="landscape.history_mismatch",
    title="Recorded training of another model",
    meaning="The last recorded weights are not the model's, beyond rounding.",
    levels=("warn",),
    unit="of the weights' length",
    better="lower",
    advice="Give the history of this model.",
)
# A lowest cell is the lowest of many, so it must lie further below than one place would.
_MANY, _ONE = 4.0, 2.0
# By so much a path has to exceed a random walk: the shares of a walk vary by about as much in the
# thousand dimensions of a small network, and by less in more.
_BEYOND = 0.03
# Of what knowing nothing costs: a fall by less changes no answer, however small the loss is.
_NEGLIGIBLE = 1e-3


def judge(result: LandscapeResult) -> tuple[Finding, ...]:
    """A finding for each check of this section."""
    return tuple(answer(result) for answer in _ANSWERS.values())


def _minimum(result: LandscapeResult) -> Finding:
    if not result.finite:
        return NOT_A_MINIMUM.not_checked(_not_finite(result))
    facts, options = result.facts, result.options
    trained = result.train_loss is not None
    loss = facts.loss if result.train_loss is None else result.train_loss
    judged = [place for place in result.lower if place.on_training == trained]
    on_training = facts.split == "train" or trained
    certain = [place for place in judged if place.score >= _MANY]
    best = max(certain, key=_by_fall, default=None)
    descent = result.train_descent if trained else result.descent
    looked = any(plane.grid.measured > 1 for plane in result.planes)
    if not looked and descent is None:
        return NOT_A_MINIMUM.not_checked(
            "There was no time to measure a plane. Raise loss_landscape.seconds, or lower "
            "loss_landscape.samples."
        )
    falls = descent if descent is not None and descent.fall > _ONE * descent.error else None
    drop = max(best.fall if best else 0.0, falls.fall if falls else 0.0)
    share = drop / loss if loss else 0.0
    negligible = drop < _NEGLIGIBLE * (facts.chance or 0.0)
    if share < options.lower:
        level: Level = "pass"
        message = f"{_say_nowhere(descent, trained, looked)}{_say_by_chance(judged, loss)}"
    elif negligible:
        level, share = "pass", 0.0
        message = (
            f"{_say_lower(best, falls, loss, options.lower)} But that is {drop:.2g}, where knowing "
            f"nothing would cost {facts.chance:.3g}: no answer hangs on it."
        )
    else:
        level = "warn" if on_training else "note"
        message = f"{_say_lower(best, falls, loss, options.lower)} {_advise(on_training)}"
    return NOT_A_MINIMUM.finding(
        level, message, value=max(share, 0.0), threshold=options.lower, evidence="landscape-lower"
    )


def _say_nowhere(descent: Descent | None, trained: bool, looked: bool) -> str:
    """looked: some plane was measured."""
    whose = "of the training samples " if trained else ""
    if not looked:
        return (
            "Along the gradient (made from one half of the samples, tried on the other) the loss "
            f"{whose}is not clearly lower than at the model. There was no time for the planes: "
            "raise loss_landscape.seconds."
        )
    if descent is None:
        return (
            f"In no drawn plane is the loss {whose}clearly lower than at the model. There are too "
            "few samples to follow the gradient."
        )
    return (
        "Neither along the gradient (made from one half of the samples, tried on the other) nor in "
        f"any drawn plane is the loss {whose}clearly lower than at the model."
    )


def _by_fall(place: Lower) -> float:
    return place.fall


def _say_by_chance(places: Sequence[Lower], loss: float) -> str:
    """Of the lowest place where it is not low enough to mean anything."""
    lowest = max(places, key=_by_fall, default=None)
    if lowest is None or lowest.fall <= 0 or lowest.score >= _MANY or not loss:
        return ""
    return (
        f" The lowest of {lowest.cells:,} cells of the {plane_name(lowest.plane)} is "
        f"{lowest.fall / loss:.0%} lower, {lowest.score:.1f} standard errors: among so many, that "
        "is chance."
    )


def _say_lower(best: Lower | None, falls: Descent | None, loss: float, lower: float) -> str:
    said = []
    if falls is not None and falls.fall >= lower * loss:
        said.append(
            f"Following the gradient lowers the loss by {_with_error(falls, loss)} on samples that "
            "the gradient was not made from."
        )
    if best is not None and best.fall >= lower * loss:
        where = "of the training samples " if best.on_training else ""
        said.append(
            f"The {plane_name(best.plane)} holds a place where the loss {where}is "
            f"{best.fall / loss:.1%} lower, {best.score:.0f} standard errors."
        )
    return " ".join(said)


def _with_error(falls: Descent, loss: float) -> str:
    """A fall in percent of the loss, as exact as its error allows."""
    error = 100 * falls.error / loss
    digits = 0 if error >= 1 else 1
    return f"{100 * falls.fall / loss:.{digits}f} ± {error:.{digits}f} % (standard error)"


def _advise(on_training: bool) -> str:
    if on_training:
        return "Training has not ended in a minimum: train longer, or lower the learning rate."
    return (
        "These samples are not declared as training samples, and the loss of others has its "
        "minimum elsewhere. To judge the training, give its samples with --train, or say --split "
        "train."
    )


def _negative(result: LandscapeResult) -> Finding:
    bends = result.bends
    if not result.finite:
        return NEGATIVE_CURVATURE.not_checked(_not_finite(result))
    if bends is not None and bends.source is not None and bends.source.kind == "none":
        return NEGATIVE_CURVATURE.not_checked(f"The curvature: {say_source(bends.source)}.")
    if bends is None or not bends.bottom or not bends.top:
        return NEGATIVE_CURVATURE.not_checked(
            f"There was no time for the eigenvalues. {_say_needed(result)}, or lower "
            "loss_landscape.samples.",
        )
    value, residual = bends.bottom[0]
    largest = bends.top[0][0]
    threshold = -result.options.negative * abs(largest)
    # For any vector v H v is at least the smallest eigenvalue, however rough v still is.
    clear = value < threshold and bends.bends_down is not False
    if value < threshold and not clear:
        message = (
            f"The smallest eigenvalue found is {digits(value)} (± {residual:.1g}), but along "
            "its vector the loss itself does not bend down: the Hessian sees one side of each "
            "corner of a piecewise function only. It does not count."
        )
    elif clear:
        message = (
            f"The smallest eigenvalue found is {digits(value)} (± {residual:.1g}) beside a "
            f"largest of {digits(largest)}: there is a direction in which the loss bends down, so "
            "this is no minimum on these samples. Common where training was stopped early; train "
            "on to see whether it goes."
        )
    else:
        message = (
            f"The smallest eigenvalue found is {digits(value)} (± {residual:.1g}), no more "
            f"than {result.options.negative:.0%} of the largest ({digits(largest)}) below zero."
        )
    return NEGATIVE_CURVATURE.finding(
        "note" if clear else "pass",
        message,
        value=value,
        threshold=threshold,
        evidence="landscape-eigenvalues",
    )


def _say_needed(result: LandscapeResult) -> str:
    needed = result.bends.needed if result.bends else 0.0
    if needed <= result.options.seconds:
        return "Raise loss_landscape.seconds"
    wanted = 50 * math.ceil(needed / 50)
    return f"They take about --set loss_landscape.seconds={wanted} here: set it"


def _fidelity(result: LandscapeResult) -> Finding:
    training = result.training
    if training is None:
        return PLANE_FIDELITY.not_checked(_no_path(result))
    held, wanted = training.held, result.options.fidelity
    by_walk = float(training.null[:2].sum())
    walk = len(training.null) > 1 and (
        held <= by_walk + _BEYOND or float(training.shares[0]) <= float(training.null[0]) + _BEYOND
    )
    compared = (
        f"Of a random walk of {len(training.labels)} records its own plane holds "
        f"{by_walk:.0%}, its first direction alone {training.null[0]:.0%}; here the first "
        f"direction holds {training.shares[0]:.0%}."
        if len(training.null) > 1
        else "So few records always lie in a plane."
    )
    if held < wanted:
        message = (
            f"The plane holds {held:.0%} of the training path. What lies outside of it is not in "
            f"the picture: read the table of records, not the crossed contours. {compared}"
        )
    elif walk:
        message = (
            f"The plane holds {held:.0%} of the training path. {compared} That is no more than "
            "chance: the shape of the path may mean nothing."
        )
    else:
        message = f"The plane holds {held:.0%} of the training path. {compared}"
    return PLANE_FIDELITY.finding(
        "note" if held < wanted or walk else "pass",
        message,
        value=held,
        threshold=wanted,
        evidence="landscape-fidelity",
    )


def _no_path(result: LandscapeResult) -> str:
    if not result.finite:
        return _not_finite(result)
    if result.match is None:
        return (
            "No weights were recorded in training. Train with reportgen.WeightRecorder, or keep "
            "checkpoints, and give the folder with --history."
        )
    return f"The recorded training cannot be drawn: {result.match.problem}."


def _mismatch(result: LandscapeResult) -> Finding:
    match = result.match
    if match is None:
        return HISTORY_MISMATCH.not_checked(
            _no_path(result) if result.finite else "No history was given."
        )
    if match.problem:
        message = f"The history does not belong to this model: {match.problem}. Give its own."
    elif match.fits:
        message = "The last recorded weights are the model's, but for rounding."
    elif match.nearest_distance <= match.tolerated:
        message = (
            f"The model is the record of epoch {match.nearest_label}, not the last one. That is as "
            "it should be where the best epoch was restored. The path is drawn as recorded."
        )
    else:
        message = (
            f"The last recorded weights differ from the model by {match.distance:.1%} of their "
            f"length; the nearest record is epoch {match.nearest_label} "
            f"({match.nearest_distance:.1%}). The history is of another training, or the model was "
            "changed after it. Give the history of this model."
        )
    return HISTORY_MISMATCH.finding(
        "pass" if match.fits else "warn",
        message,
        value=match.distance,
        threshold=match.tolerated,
        evidence="landscape-records" if result.training else "landscape-facts",
    )


def _not_finite(result: LandscapeResult) -> str:
    return (
        f"The model's own loss is not a number on {result.facts.samples:,} samples, so nothing "
        "around it was measured. See weights.non_finite and features.non_finite first."
    )


_ANSWERS: Mapping[Check, Callable[[LandscapeResult], Finding]] = {
    NOT_A_MINIMUM: _minimum,
    NEGATIVE_CURVATURE: _negative,
    PLANE_FIDELITY: _fidelity,
    HISTORY_MISMATCH: _mismatch,
}
CHECKS = tuple(_ANSWERS)
