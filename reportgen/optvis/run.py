"""One batch of images from its first values to its last."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.optvis.canvas import Canvas
from reportgen.optvis.engine import Engine
from reportgen.optvis.precision import Choice
from reportgen.optvis.recipe import Flatness, Stage
from reportgen.optvis.step import Step

FloatArray = NDArray[np.float32]
WAKING_STEPS = 16  # as in lucid; up to half of all steps where an image still sleeps
# However little time there is: on the first canvas, and on each that follows.
_LEAST_STEPS, _LEAST_MORE = 16, 4

_ARRAYS = ("images", "scores", "starts", "history", "lengths", "helped", "woken", "settled")


@dataclass(frozen=True)
class Painted:
    """What came of a batch. Arrays have one entry an image.

    images: ``(b, h, w, c)`` in [0, 1]. scores: the objective of the finished image as it is;
    starts: of the first. history: under transforms, step by step. lengths: of the first gradient;
    helped: of the first with silent ReLUs opened, where that was zero.
    """

    images: FloatArray
    scores: FloatArray
    starts: FloatArray
    history: FloatArray
    lengths: FloatArray
    helped: FloatArray
    woken: NDArray[np.bool_]
    settled: NDArray[np.bool_]
    hurried: bool
    policy: Choice

    def first(self, count: int) -> Painted:
        """The first images only."""
        arrays = {name: getattr(self, name)[:count] for name in _ARRAYS}
        return replace(self, **arrays)


@dataclass(eq=False)
class Run:
    """One batch from its first values to its last."""

    engine: Engine
    parameters: Sequence[NDArray[Any]]
    rngs: Sequence[np.random.Generator]
    deadline: float
    history: list[FloatArray] = field(default_factory=list)
    moved: list[NDArray[np.bool_]] = field(default_factory=list)  # by step: who climbed
    lengths: FloatArray | None = None
    helped: FloatArray | None = None
    woken: NDArray[np.bool_] | None = None
    asleep: NDArray[np.bool_] | None = None  # of the woken, those that are still helped
    settled: NDArray[np.bool_] | None = None
    hurried: bool = False

    def go(self, stages: Sequence[tuple[Canvas, Stage]]) -> Painted:
        """Through the stages; time that one leaves unused goes to the next."""
        engine, recipe = self.engine, self.engine.recipe
        canvas = stages[0][0]
        variables = engine.first(self.rngs, canvas)
        grow = recipe.parameterization.grow
        whole = variables
        if canvas != engine.canvas:
            whole = grow(variables, canvas, engine.canvas, self._spare_rngs())
        starts = engine.look()(whole, self.parameters)[1]
        choice = engine.policy(canvas, variables, self.parameters)
        work = [stage.steps * stage.scale**2 for _, stage in stages]
        for index, (next_canvas, stage) in enumerate(stages):
            if next_canvas != canvas:
                variables = grow(variables, canvas, next_canvas, self.rngs)
                canvas = next_canvas
            share = work[index] / max(sum(work[index:]), 1e-9)
            until = time.monotonic() + share * (self.deadline - time.monotonic())
            variables = self._climb(canvas, stage, variables, choice, until)
        if canvas != engine.canvas:  # the recipe ends on a coarse one
            variables = grow(variables, canvas, engine.canvas, self.rngs)
        images, scores = engine.look()(variables, self.parameters)
        assert self.lengths is not None
        assert self.helped is not None
        assert self.woken is not None
        assert self.settled is not None
        return Painted(
            images,
            scores,
            starts,
            self._list_history(),
            self.lengths,
            self.helped,
            self.woken,
            self.settled,
            self.hurried,
            choice,
        )

    def _spare_rngs(self) -> list[np.random.Generator]:
        """For a look at the start only: the images' own generators are not used up."""
        return [np.random.default_rng(0) for _ in self.rngs]

    def _climb(
        self,
        canvas: Canvas,
        stage: Stage,
        variables: tuple[FloatArray, ...],
        choice: Choice,
        until: float,
    ) -> tuple[FloatArray, ...]:
        step = self.engine.step(canvas, redirect=False, policy=choice.policy)
        drawn = step.pipeline.draw(self.rngs, stage.steps, canvas)
        step.start(variables)
        stood = [np.array(variable) for variable in variables]
        flat = np.zeros(len(self.rngs), bool)
        seen: list[FloatArray] = []
        for index in range(stage.steps):
            if index == 0 and self.lengths is None:
                scores, step = self._begin(step, canvas, drawn[0], variables, choice)
            else:
                self._let_go()
                if step.redirects and not np.any(self.asleep):
                    step = self._leave(step, canvas, choice)
                scores = step.climb(drawn[index], self.parameters, self.asleep)[0].numpy()
            seen.append(scores)
            self.history.append(scores)
            self.moved.append(~flat)
            flat = self._stop_flat(step, seen, flat, stood)
            if flat.all() or self._is_late(len(seen), until):
                break
        if step.redirects:
            step = self._leave(step, canvas, choice)
        self.asleep = np.zeros_like(flat)  # help ends with the first stage
        return tuple(
            np.where(flat.reshape(-1, *[1] * (value.ndim - 1)), stopped, value)
            for stopped, value in zip(stood, step.values(), strict=True)
        )

    def _stop_flat(
        self, step: Step, seen: list[FloatArray], flat: NDArray[np.bool_], stood: list[FloatArray]
    ) -> NDArray[np.bool_]:
        """Which images need no more steps; where they stand is kept.

        Each stops by itself, whatever others in the batch still need.
        """
        flatness = self.engine.recipe.flatness
        window = (flatness or Flatness()).window
        found = are_flat(np.array(seen[-2 * window :]), flatness or Flatness())
        self.settled = flat | found
        if flatness is None:
            return flat
        new = found & ~flat & ~np.asarray(self.asleep, bool)
        if new.any():
            for kept, value in zip(stood, step.values(), strict=True):
                kept[new] = value[new]
        return np.asarray(flat | new)

    def _list_history(self) -> FloatArray:
        """Objectives at the steps that each image took, ``(b, steps)``, NaN after its last."""
        seen, moved = np.stack(self.history, axis=1), np.stack(self.moved, axis=1)
        listed = np.full((len(seen), moved.sum(axis=1).max()), np.nan, np.float32)
        for row, values, taken in zip(listed, seen, moved, strict=True):
            row[: taken.sum()] = values[taken]
        return listed

    def _begin(
        self,
        step: Step,
        canvas: Canvas,
        drawn: FloatArray,
        variables: tuple[FloatArray, ...],
        choice: Choice,
    ) -> tuple[FloatArray, Step]:
        """The first step of all: which images have no gradient to follow?"""
        scores, lengths = step.climb(drawn, self.parameters)
        self.lengths = lengths.numpy()
        self.woken = self.lengths == 0
        self.asleep = self.woken.copy()
        self.helped = self.lengths
        if self.woken.any():
            step = self.engine.step(canvas, redirect=True, policy=choice.policy)
            step.start(variables)
            scores, lengths = step.climb(drawn, self.parameters, self.asleep)
            self.helped = np.where(self.woken, lengths.numpy(), self.lengths)
        return scores.numpy(), step

    def _let_go(self) -> None:
        """Images whose objective moves, or that were helped for half of all steps, go alone."""
        done = len(self.history)
        if done < WAKING_STEPS or not np.any(self.asleep):
            return
        recent = np.array(self.history[-WAKING_STEPS:])
        moving = recent.max(axis=0) > recent.min(axis=0)
        over = done >= self.engine.recipe.steps // 2
        self.asleep = self.asleep & ~moving & (not over)

    def _leave(self, step: Step, canvas: Canvas, choice: Choice) -> Step:
        """Go on with true gradients only."""
        plain = self.engine.step(canvas, redirect=False, policy=choice.policy)
        plain.take_over(step)
        return plain

    def _is_late(self, done: int, until: float) -> bool:
        least = _LEAST_STEPS if done == len(self.history) else _LEAST_MORE
        if done < least or time.monotonic() < until:
            return False
        self.hurried = True
        return True


def are_flat(seen: FloatArray, flatness: Flatness) -> NDArray[np.bool_]:
    """Which images gained nearly nothing in the last window: ``(steps, b)`` -> ``(b,)``."""
    window = flatness.window
    if len(seen) < 2 * window:
        return np.zeros(seen.shape[1], bool)
    last, before = seen[-window:].mean(axis=0), seen[-2 * window : -window].mean(axis=0)
    size = np.maximum(np.abs(last), np.abs(before))
    return np.asarray(last - before <= flatness.gain * size)
