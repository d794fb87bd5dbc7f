"""The loss at many points of the weight space, inside one traced function.

The plain way sets the weights and calls the model, once a point. Here the weights of a point,
``w + a d1 + b d2``, are formed inside the function, for a whole group of points in one call; the
model's own weights are never touched. What no moved weight reaches is computed once, see `reuse`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from reportgen.landscape.losses import Loss
from reportgen.landscape.parameters import FloatArray, Parameters, Point
from reportgen.landscape.reuse import Reuse
from reportgen.landscape.running import Runner
from reportgen.landscape.samples import Samples
from reportgen.subject.layers import Listener
from reportgen.subject.shadowing import computing_in

Tensor = Any  # of TensorFlow, which has no types to check
_HALF = ("float16", "bfloat16")
_MOST_ANSWERS = 40_000  # numbers a point: 64 MB for the 400 points of a refined plane
_ANSWERED_AT_ONCE = 64  # points
_FEWEST_SEEN = 32  # samples, before a point may be given up


@dataclass(frozen=True, eq=False)
class Model:
    """The network as the landscape calls it.

    output: position of the audited output. dtype: that weights and losses are computed in.
    """

    network: keras.Model
    parameters: Parameters
    loss: Loss
    output: int = 0

    @property
    def dtype(self) -> str:
        """float64 if the weights are, else float32 (also for models of mixed precision)."""
        return "float64" if self.parameters.variables[0].dtype == "float64" else "float32"

    @property
    def input_dtype(self) -> str:
        """As the model declares it."""
        return str(self.network.inputs[0].dtype) if self.network.inputs else self.dtype

    def call(
        self,
        values: Sequence[Tensor],
        inputs: Tensor,
        reuse: Reuse | None = None,
        held: Sequence[Tensor] = (),
        steps: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Output and penalties with these weights in place of the model's own, at rest.

        Args:
            reuse, held, steps: what is computed once, its values for these inputs, and where in
                the plane.

        Returns: the audited output ``(b, units)`` and the sum of all penalties, a scalar.
        """
        pairs = list(zip(self.parameters.variables, values, strict=True))
        instead = reuse.substitutes(held, steps) if reuse else {}
        with ExitStack() as stack:
            for half in _HALF:
                stack.enter_context(computing_in(self.network, "float32", instead_of=half))
            scope = stack.enter_context(
                keras.StatelessScope(state_mapping=pairs, collect_losses=True)
            )
            if instead:
                listener = Listener(self.network, instead=instead)
                stack.enter_context(listener.listening([inputs]))
            made = keras.tree.flatten(self.network(inputs, training=False))[self.output]
            penalties = list(scope.losses)
        moved = {id(variable): value for variable, value in pairs}
        penalties += [
            variable.regularizer(moved.get(id(variable), variable))
            for variable in self.network.trainable_variables
            if getattr(variable, "regularizer", None) is not None
        ]
        total = sum((tf.cast(p, self.dtype) for p in penalties), tf.constant(0, self.dtype))
        return tf.reshape(made, [tf.shape(made)[0], -1]) if made.shape.rank == 1 else made, total

    def answers(self, output: Tensor) -> Tensor:
        """What the loss is a smooth function of, ``(b, units)``; nothing where there is no such."""
        if self.loss.answers is None:
            return tf.zeros([0, 0], self.dtype)
        return tf.cast(self.loss.answers(output), self.dtype)

    def measure(self, output: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and rightness of each sample, ``(b,)`` each; rightness is 0 or 1, 0 for numbers."""
        losses = tf.cast(self.loss.values(output, targets), self.dtype)
        if self.loss.right is None:
            return losses, tf.zeros_like(losses)
        return losses, tf.cast(self.loss.right(output, targets), self.dtype)


@dataclass(frozen=True)
class Group:
    """Measured points: ``losses`` and ``right`` are ``(points, samples)``, penalties ``(points,)``.

    start: position of the first of them among those asked for. whole: ``(points,)``, whether all
        samples were measured; the others are NaN. answers: ``(points, samples, units)`` float32,
        see `Loss`; None where they are not kept.
    """

    start: int
    losses: FloatArray
    right: FloatArray
    penalties: FloatArray
    whole: NDArray[np.bool_]
    answers: NDArray[np.float32] | None = None


class Evaluator:
    """Measures points of planes through a model's weights.

    compiled: by XLA; it pays for small dense networks with many points. None: where it measures
        faster, see `Runner`.
    reuse: what of the network is computed once for all points; None: nothing.
    answers: also hand out what the loss is a function of, where that is not too much.
    """

    def __init__(
        self,
        model: Model,
        samples: Samples,
        *,
        compiled: bool | None = None,
        reuse: Reuse | None = None,
        answers: bool = False,
    ) -> None:
        self.model = model
        self.samples = samples
        self.reuse = reuse
        self._answers = answers and _are_few(model, samples)
        self._runner = Runner(self._measure, model.dtype, compiled)
        self._chunks = list(samples.chunks(model.input_dtype, model.dtype))
        self._frozen = self._hold_frozen()

    def points(
        self,
        point: Point,
        directions: Sequence[Point],
        steps: NDArray[Any],
        ceiling: float = np.inf,
    ) -> Iterator[Group]:
        """Measure ``point + steps @ directions``, a group of rows of ``steps`` at a time.

        Args:
            directions: one or two. steps: ``(points, len(directions))``.
            ceiling: a point is given up once its mean loss lies above it for certain (three
                standard errors of the samples seen so far).
        """
        first, second = directions[0], directions[-1]
        if len(directions) == 1:
            steps = np.column_stack([steps[:, 0], np.zeros(len(steps))])
        ways = [[self._tensor(a) for a in way] for way in (point, first, second)]
        held = self._hold(ways)
        start = 0
        while start < len(steps):
            group = steps[start : start + self._runner.group_size]
            began = time.perf_counter()
            measured = self._run(start, group, ways, held, ceiling)
            start += len(group)
            self._runner.note(len(group), time.perf_counter() - began, len(steps) - start)
            yield measured

    @property
    def seconds_a_point(self) -> float:
        """As last timed; 0 if it is not known yet, as the first call of each kind is traced."""
        return self._runner.seconds_a_point

    def at(self, point: Point, *, timed: bool = False) -> Group:
        """Measure one point. timed: again, if that is what it takes to know ``seconds_a_point``."""
        (group,) = self.points(point, [point], np.zeros((1, 1)))
        if timed and not self.seconds_a_point:
            (group,) = self.points(point, [point], np.zeros((1, 1)))
        return group

    def losses_of(self, answers: NDArray[np.float32]) -> FloatArray:
        """Losses ``(points, samples)`` of (interpolated) answers ``(points, samples, units)``."""
        of_answers = self.model.loss.of_answers
        if of_answers is None:
            raise ValueError("this loss is no function of answers")
        targets = self.samples.targets
        kind = tf.int64 if targets.dtype.kind == "i" else self.model.dtype
        parts = []
        for start in range(0, len(answers), _ANSWERED_AT_ONCE):
            some = answers[start : start + _ANSWERED_AT_ONCE]
            rows = tf.cast(some.reshape(-1, some.shape[-1]), self.model.dtype)
            truth = tf.cast(np.concatenate([targets] * len(some)), kind)
            parts.append(of_answers(rows, truth).numpy().reshape(len(some), -1))
        return np.concatenate(parts)

    def _run(
        self,
        start: int,
        steps: NDArray[Any],
        ways: list[list[Tensor]],
        held: list[tuple[Tensor, ...]],
        ceiling: float,
    ) -> Group:
        losses = np.full((len(steps), self.samples.count), np.nan)
        right = np.full_like(losses, np.nan)
        penalties, counts = np.zeros(len(steps)), np.zeros(len(steps))
        answers: list[NDArray[np.float32]] = []
        going, seen = np.arange(len(steps)), 0
        compiled = self._runner.compiles(len(steps))
        for (inputs, targets, real), kept in zip(self._chunks, held, strict=True):
            here, hits, costs, scores = self._runner(
                steps[going], ways, inputs, targets, kept, compiled=compiled
            )
            answers.append(scores[:, :real].astype(np.float32))
            losses[going, seen : seen + real] = here[:, :real]
            right[going, seen : seen + real] = hits[:, :real]
            penalties[going] += costs * real
            counts[going] += real
            seen += real
            if ceiling < np.inf and seen < self.samples.count:
                going = going[~_is_above(losses[going, :seen], ceiling)]
            if not len(going):
                break
        whole = np.zeros(len(steps), bool)
        whole[going] = True
        kept_all = self._answers and len(going) == len(steps)
        return Group(
            start,
            losses,
            right,
            penalties / counts,
            whole,
            np.concatenate(answers, axis=1) if kept_all else None,
        )

    def _measure(
        self,
        steps: Tensor,
        ways: list[list[Tensor]],
        inputs: Tensor,
        targets: Tensor,
        held: tuple[Tensor, ...],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        def one(step: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            values = [w + step[0] * a + step[1] * b for w, a, b in zip(*ways, strict=True)]
            output, penalty = self.model.call(values, inputs, self.reuse, held, step)
            kept = self.model.answers(output) if self._answers else tf.zeros([0, 0], output.dtype)
            measured = self.model.measure(output, targets)
            return (*measured, penalty, tf.cast(kept, self.model.dtype))

        kinds = (tf.as_dtype(self.model.dtype),) * 4
        made = tf.map_fn(one, steps, parallel_iterations=2, fn_output_signature=kinds)
        return made[0], made[1], made[2], made[3]

    def _hold_frozen(self) -> list[tuple[Tensor, ...]]:
        if self.reuse is None:
            return [()] * len(self._chunks)
        return [self.reuse.hold_frozen(self.model, inputs) for inputs, *_ in self._chunks]

    def _hold(self, ways: list[list[Tensor]]) -> list[tuple[Tensor, ...]]:
        """For each chunk, what all points of this plane share."""
        if self.reuse is None:
            return self._frozen
        return [
            self.reuse.hold_plane(self.model, inputs, frozen, ways)
            for (inputs, *_), frozen in zip(self._chunks, self._frozen, strict=True)
        ]

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return tf.constant(np.asarray(array), dtype=self.model.dtype)


def _are_few(model: Model, samples: Samples) -> bool:
    """Whether the answers of all samples may be kept for every point."""
    if model.loss.answers is None or not model.network.outputs:
        return False
    units = model.network.outputs[model.output].shape[-1]
    return units is not None and units * samples.count <= _MOST_ANSWERS


def _is_above(losses: FloatArray, ceiling: float) -> NDArray[np.bool_]:
    """Whether the mean of each row lies above the ceiling for certain; never of what is not finite:
    that a point is not finite is worth knowing."""
    count = losses.shape[1]
    if count < _FEWEST_SEEN:
        return np.zeros(len(losses), bool)
    with np.errstate(invalid="ignore", over="ignore"):
        low = losses.mean(axis=1) - 3 * losses.std(axis=1, ddof=1) / np.sqrt(count)
        return np.asarray((low > ceiling) & np.isfinite(low), bool)
