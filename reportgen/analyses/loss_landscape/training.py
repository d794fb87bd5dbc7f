"""Where training came from: the recorded weights in their principal plane."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.loss_landscape.plan import Plan
from reportgen.analyses.loss_landscape.planes import Drawn, line, plane_through
from reportgen.analyses.loss_landscape.results import Match, Training
from reportgen.analyses.loss_landscape.setting import Setting
from reportgen.landscape.evaluator import Evaluator
from reportgen.landscape.grid import FloatArray, axis
from reportgen.landscape.parameters import Point, difference, norm
from reportgen.landscape.path import PathPlane, find_path_plane
from reportgen.landscape.restoring import restoring
from reportgen.progress import track

if TYPE_CHECKING:
    from reportgen.subject.history import History
    from reportgen.subject.subject import Subject

_MARGIN = 0.25  # of the plane around the path
_LINE = (-0.25, 1.25)


def match_history(subject: Subject) -> Match | None:
    """Compare the last record with the model; None without a history."""
    history = subject.history
    if history is None:
        return None
    weights = [np.asarray(w.numpy()) for w in subject.model.weights]
    if list(history.shapes) != [w.shape for w in weights]:
        return Match(problem="its weights have other shapes: it is of another network")
    floats = [i for i, w in enumerate(weights) if w.dtype.kind == "f"]
    now = [weights[i].astype(np.float64) for i in floats]
    length = _length(now) or 1.0
    first = history.arrays(0, floats)
    last = history.arrays(-1, floats)
    distance = _length([a - b for a, b in zip(last, now, strict=True)])
    tolerated = _rounding(first, last, length)
    match = Match(distance / length, tolerated / length, len(history.steps) - 1, distance / length)
    if distance <= tolerated:
        return match
    apart = [
        _length([a - b for a, b in zip(history.arrays(i, floats), now, strict=True)])
        for i in range(len(history.steps))
    ]
    best = int(np.argmin(apart))
    label = label_of(history, best)
    return Match(distance / length, tolerated / length, best, apart[best] / length, label)


def _length(arrays: Sequence[NDArray[Any]]) -> float:
    return float(np.sqrt(sum(float((a.astype(np.float64) ** 2).sum()) for a in arrays)))


def _rounding(first: Sequence[NDArray[Any]], last: Sequence[NDArray[Any]], length: float) -> float:
    """What half precision loses, of weights or of their differences; else that of float32."""
    with np.errstate(over="ignore"):
        halves = all(np.array_equal(a.astype(np.float16), a) for a in last)
    moved = _length([a - b for a, b in zip(first, last, strict=True)])
    return 2**-10 * length if halves else 2**-10 * moved * 0.5 + 1e-6 * length


def label_of(history: History, index: int) -> str:
    """The epoch of a record as it is told; with the step where several are of one epoch."""
    epochs = [step.epoch for step in history.steps]
    step = history.steps[index]
    if epochs.count(step.epoch) > 1 and step.step:
        return f"{step.epoch} (step {step.step:,})"
    return f"{step.epoch}"


def follow(setting: Setting, history: History, plan: Plan) -> tuple[Training, Drawn]:
    """Find the path's plane, measure it, and every record as it was."""
    count = len(history.steps)
    read = history.arrays
    path = find_path_plane(setting.parameters, read, count, setting.point)
    losses, right, whole = _measure_records(setting, history, plan.until.records)
    x, y = _axes(path, setting.options.path_points)
    shown = _measure_shown(setting, path, np.isfinite(losses))
    drawn = plane_through(
        setting, "path", path.directions, x, y, plan.until.path, "plane of the path"
    )
    gap = [
        float(setting.bootstrap.spread(a - b)) if np.isfinite(a).all() else float("nan")
        for a, b in zip(whole, shown, strict=True)
    ]
    start = difference(setting.parameters.take(read(0)), setting.point)
    places = np.linspace(*_LINE, plan.line_points)
    training = Training(
        labels=tuple(label_of(history, i) for i in range(count)),
        coordinates=path.coordinates,
        distances=path.distances,
        lengths=path.lengths,
        shares=path.shares,
        null=path.null,
        held=path.held,
        losses=losses,
        right=right,
        shown=shown.mean(axis=1),
        errors=np.array(gap),
        line=(places, *line(setting, start, places)),
        from_start=history.from_start,
        plane=drawn.plane,
    )
    return training, drawn


def _axes(path: PathPlane, points: int) -> tuple[FloatArray, FloatArray]:
    """Around the path with a margin; the model at (0, 0) is always inside."""
    low, high = path.coordinates.min(axis=0), path.coordinates.max(axis=0)
    low, high = np.minimum(low, 0), np.maximum(high, 0)
    # A path that is a line still needs a plane: a fifth of its length to both sides.
    room = np.maximum(high - low, 0.4 * float((high - low).max()) or 1.0)
    middle = (low + high) / 2
    low, high = middle - (0.5 + _MARGIN) * room, middle + (0.5 + _MARGIN) * room
    return (
        axis((float(low[0]), float(high[0])), points),
        axis((float(low[1]), float(high[1])), points),
    )


def _measure_records(
    setting: Setting, history: History, deadline: float
) -> tuple[FloatArray, FloatArray, list[NDArray[np.float64]]]:
    """Mean loss, accuracy and the losses of all samples for each record, as it was recorded.

    Moving statistics are set to the record's, since they are no parameters; then all is put back.
    """
    model, count = setting.subject.model, len(history.steps)
    moved = {id(variable) for variable in setting.parameters.variables}
    rest = [
        (i, w)
        for i, w in enumerate(model.weights)
        if id(w) not in moved and "float" in str(w.dtype)
    ]
    # Frozen layers may differ from record to record, so nothing of them is kept.
    evaluator = Evaluator(setting.model, setting.samples) if rest else setting.evaluator
    blank = np.full(setting.samples.count, np.nan)
    losses, right, whole = np.full(count, np.nan), np.full(count, np.nan), [blank] * count
    with restoring([w for _, w in rest]):
        # The last record first: where time runs out, the end of the training is told.
        for record in track(range(count - 1, -1, -1), "records of the training"):
            if time.monotonic() > deadline:
                break
            arrays = history.arrays(record)
            for position, variable in rest:
                variable.assign(arrays[position])
            group = evaluator.at(setting.parameters.take(arrays))
            losses[record], right[record] = group.losses.mean(), group.right.mean()
            whole[record] = np.asarray(group.losses[0])
    return losses, right, whole


def _measure_shown(
    setting: Setting, path: PathPlane, wanted: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Losses of all samples where each wanted record is projected to: ``(records, n)``."""
    shown = np.full((len(wanted), setting.samples.count), np.nan)
    if wanted.any():
        places = path.coordinates[wanted]
        groups = setting.evaluator.points(setting.point, path.directions, places)
        shown[wanted] = np.concatenate([np.asarray(group.losses) for group in groups])
    return shown


def share_held(directions: tuple[Point, Point], differences: list[Point]) -> float:
    """Share of the squared lengths of differences that lies in a plane of orthogonal directions."""
    from reportgen.landscape.path import project

    total = sum(norm(d) ** 2 for d in differences)
    coordinates = project(directions, differences)
    lengths = np.array([norm(way) for way in directions])
    return float(((coordinates * lengths) ** 2).sum() / total) if total else 0.0
