"""The section checks itself: against plain Keras, against its own other numbers, against a
rescaled network that is the same function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from reportgen.analyses.loss_landscape.planes import Drawn, random_directions
from reportgen.analyses.loss_landscape.results import Invariance, Recomputed
from reportgen.analyses.loss_landscape.setting import Setting
from reportgen.landscape.grid import MEASURED
from reportgen.landscape.parameters import Point, shifted
from reportgen.landscape.restoring import restoring
from reportgen.subject.at_rest import answer

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall

_FACTOR = 4.0  # a power of two, so that scaling itself rounds nothing
_STEPS = np.array([[0.5, 0.0], [0.0, -0.5], [0.25, 0.5], [-0.5, -0.25]])
_HOMOGENEOUS = frozenset(
    "Dropout Flatten Reshape ReLU Activation MaxPooling1D MaxPooling2D AveragePooling1D "
    "AveragePooling2D GlobalAveragePooling2D GlobalMaxPooling2D SpatialDropout2D "
    "ZeroPadding2D".split()
)
_SCALABLE = ("Dense", "Conv1D", "Conv2D", "Conv3D")


class _Plain(keras.Model):  # type: ignore[misc]  # Keras ships no types
    """The audited output alone, at rest."""

    def __init__(self, inner: keras.Model, output: int) -> None:
        super().__init__(name="plain")
        self.inner, self.output_index = inner, output

    def call(self, inputs: Any, training: bool = False) -> Any:
        return answer(self.inner, inputs)[self.output_index]


def recompute(
    setting: Setting, planes: Sequence[Drawn], count: int, rng: np.random.Generator
) -> tuple[Recomputed, ...]:
    """Cells drawn at random, measured again by Keras itself; the weights are put back."""
    cells = [
        (drawn, row, column)
        for drawn in planes
        for row, column in zip(*np.nonzero(drawn.plane.grid.state == MEASURED), strict=True)
    ]
    model, samples = setting.model, setting.samples
    static = setting.subject.probe.static_batch
    if not cells or (static and samples.count % static):
        return ()
    plain = _Plain(model.network, model.output)
    plain.compile(loss=model.loss.plain)
    inputs = samples.inputs(np.arange(samples.count))
    found = []
    with restoring(model.parameters.variables):
        for choice in rng.choice(len(cells), min(count, len(cells)), replace=False):
            drawn, row, column = cells[choice]
            grid = drawn.plane.grid
            step = (float(grid.x[column]), float(grid.y[row]))
            point = shifted(setting.point, drawn.directions, step)
            for variable, values in zip(model.parameters.variables, point, strict=True):
                variable.assign(values)
            value = plain.evaluate(
                inputs, samples.targets, batch_size=static or samples.chunk, verbose=0
            )
            ours = float(grid.loss[row, column] + grid.penalty[row, column])
            found.append(Recomputed(drawn.plane.id, *step, ours, float(value)))
    return tuple(found)


def measure_invariance(setting: Setting, seed: int) -> Invariance | None:
    """Rescale a pair of layers so that the function stays the same, and draw the same direction.

    A filter-normalised surface must not notice. None where no such pair is, or where directions
    are not normalised.
    """
    options = setting.options
    if options.normalisation == "none" or options.vectors == "keep":
        return None
    pair = _find_pair(setting)
    if pair is None:
        return None
    first, second = pair
    point, statistics = _rescale(setting, first, second)
    plain = _losses(setting, setting.point, seed)
    with restoring([variable for variable, _ in statistics]):
        for variable, values in statistics:
            variable.assign(values)
        turned = _losses(setting, point, seed)
    off = float(np.max(np.abs(turned - plain) / np.maximum(np.abs(plain), 1e-30)))
    return Invariance(first.address, second.address, _FACTOR, off)


def _losses(setting: Setting, point: Point, seed: int) -> Any:
    from dataclasses import replace

    there = replace(setting, point=point)
    directions = random_directions(there, np.random.default_rng(seed))
    steps = _STEPS * setting.options.reach
    groups = setting.evaluator.points(point, directions, steps)
    return np.concatenate([np.asarray(group.losses).mean(axis=1) for group in groups])


def _find_pair(setting: Setting) -> tuple[LayerCall, LayerCall] | None:
    """A convolution or dense layer, and behind it a BatchNormalization or the next such layer."""
    calls = setting.subject.probe.calls
    moved = {id(variable) for variable in setting.parameters.variables}
    users: dict[int, list[int]] = {}
    for k, call in enumerate(calls):
        for i in call.inputs:
            users.setdefault(i, []).append(k)
    outputs = {i for positions in setting.subject.probe.output_calls for i in positions}
    seen = [id(call.layer) for call in calls]
    pairs = []
    for k, call in enumerate(calls):
        if not _is_scalable(call, moved) or seen.count(id(call.layer)) > 1 or k in outputs:
            continue
        norm = call.activation is None
        place = k
        while len(users.get(place, [])) == 1 and place not in outputs:
            place = users[place][0]
            after = calls[place]
            if after.between or len(after.inputs) > 1 or seen.count(id(after.layer)) > 1:
                break
            if after.class_name == "BatchNormalization" and norm:
                return call, after
            if _is_scalable(after, moved) and _passes(call):
                pairs.append((call, after))
                break
            if after.class_name not in _HOMOGENEOUS or not _passes(after):
                break
            norm = False
    return pairs[0] if pairs else None


def _is_scalable(call: LayerCall, moved: set[int]) -> bool:
    kernel = getattr(call.layer, "kernel", None)
    return call.class_name in _SCALABLE and id(kernel) in moved


def _passes(call: LayerCall) -> bool:
    """Whether a positive factor before it comes out behind it."""
    return call.activation in (None, "relu")


def _rescale(
    setting: Setting, first: LayerCall, second: LayerCall
) -> tuple[Point, list[tuple[Any, Any]]]:
    """The point with both layers rescaled, and the statistics that go with it."""
    parameters = setting.parameters
    values = {id(v): w for v, w in zip(parameters.variables, setting.point, strict=True)}
    statistics: list[tuple[Any, Any]] = []

    def scale(variable: Any, factor: float) -> None:
        if variable is None:
            return
        if id(variable) in values:
            values[id(variable)] = values[id(variable)] * factor
        else:
            statistics.append((variable, np.asarray(variable.numpy()) * factor))

    scale(first.layer.kernel, _FACTOR)
    scale(getattr(first.layer, "bias", None), _FACTOR)
    if second.class_name == "BatchNormalization":
        norm = second.layer
        scale(norm.moving_mean, _FACTOR)
        wide = _FACTOR**2 * (norm.moving_variance.numpy() + norm.epsilon) - norm.epsilon
        statistics.append((norm.moving_variance, wide))
    else:
        scale(second.layer.kernel, 1 / _FACTOR)
    return tuple(
        values[id(v)].astype(w.dtype)
        for v, w in zip(parameters.variables, setting.point, strict=True)
    ), statistics
