"""The loss at many points of the weight space, inside one traced function.

The plain way sets the weights and calls the model, once a point. Here the weights of a point,
``w + a d1 + b d2``, are formed inside the function, for a whole group of points in one call; the
model's own weights are never touched. What no moved weight reaches is computed once, see `reuse`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from reportgen.landscape.model import Model
from reportgen.landscape.parameters import FloatArray, Point
from reportgen.landscape.reuse import Reuse
from reportgen.landscape.running import Runner
from reportgen.landscape.samples import Samples

Tensor = Any  # of TensorFlow, which has no types to check
_MOST_ANSWERS = 40_000  # numbers a point: 64 MB for the 400 points of a refined plane
_ANSWERED_AT_ONCE = 64  # points
_FEWEST_SEEN = 32  # samples, before a point may be given up


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
            instead = self.reuse.substitutes(held, step) if self.reuse else {}
            output, penalty = self.model.call(values, inputs, instead)
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
