"""Paints the images of an objective: batches, stages from coarse to fine, when to stop."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from reportgen.errors import UsageError
from reportgen.optvis.canvas import Canvas
from reportgen.optvis.cut import Cut
from reportgen.optvis.objective import Objective
from reportgen.optvis.precision import Choice, choose_policy
from reportgen.optvis.recipe import Recipe, Stage
from reportgen.optvis.run import Painted, Run
from reportgen.optvis.scaling import Scaling
from reportgen.optvis.step import Look, Scene, Step
from reportgen.progress import tell

FloatArray = NDArray[np.float32]
_SMALLEST_SIDE = 80  # of a coarse stage: below, what it saves is less than its tracing costs
_BATCH_BYTES = 3 * 2**29
_MOST_AT_ONCE = 32


@dataclass(eq=False)
class Engine:
    """Paints batches of one objective. Steps are traced once for each canvas and kept.

    cut: makes the part of the model, for a precision and with or without redirected ReLUs.
    """

    cut: Callable[..., Cut]
    objective: Objective
    recipe: Recipe
    scaling: Scaling
    canvas: Canvas
    variants: int
    seed: int
    batch: int
    precision: str = "auto"
    stages: tuple[Stage, ...] | None = None
    static_batch: int | None = None
    _steps: dict[Any, Step] = field(default_factory=dict)
    _look: Look | None = None
    _policy: Choice | None = None

    def take_up(
        self, objective: Objective, *, variants: int, stages: tuple[Stage, ...] | None = None
    ) -> None:
        """Paint other units next, with what is traced already.

        Args:
            stages: instead of the recipe's.

        Raises:
            UsageError: the objective differs in more than its units.
        """
        paired = objective.paired and variants != self.variants  # which is part of the trace
        if objective.key != self.objective.key or paired:
            raise UsageError("An engine paints units of one kind. Open another one for these.")
        self.look().scene.check(objective)
        self.objective = objective
        self.variants = variants
        self.stages = stages

    def paint(self, deadline: float, label: str) -> Iterator[tuple[NDArray[np.int64], Painted]]:
        """Batches of images, as their positions and what came of them; units stay together.

        When memory does not suffice, half as many are painted at once.
        """
        total = len(self.objective) * self.variants
        start = 0
        while start < total:
            batches = math.ceil((total - start) / self.batch)
            rows = np.arange(start, min(total, start + self.batch))
            share = (deadline - time.monotonic()) / batches
            tell(start, total, label)
            try:
                painted = self._paint_batch(rows, time.monotonic() + share)
            except tf.errors.ResourceExhaustedError:
                self._halve()
                continue
            yield rows, painted
            start += len(rows)
        tell(total, total, label)

    def _halve(self) -> None:
        least = self.variants if self.objective.paired else 1
        smaller = self.batch // 2 // least * least
        if smaller < least:
            raise
        self.batch = smaller
        self.forget()

    def _paint_batch(self, rows: NDArray[np.int64], deadline: float) -> Painted:
        # The last batch may be smaller; traced functions have one size: repeat its first images.
        filled = np.resize(rows, self.batch)
        parameters = [p[filled // self.variants] for p in self.objective.parameters]
        rngs = [self._rng(int(row)) for row in filled]
        run = Run(self, parameters, rngs, deadline)
        return run.go(self._plan_stages()).first(len(rows))

    def _rng(self, row: int) -> np.random.Generator:
        """Of one image: neither the batch nor the other units change what it becomes."""
        label = self.objective.labels[row // self.variants].encode()
        return np.random.default_rng([self.seed, zlib.crc32(label), row % self.variants])

    def _plan_stages(self) -> list[tuple[Canvas, Stage]]:
        planned = []
        stages = self.stages or self.recipe.stages
        for stage in stages:
            canvas = self._scale(stage.scale)
            small = min(canvas.size) < _SMALLEST_SIDE and stage.scale < 1
            if not small and (stage.scale == 1 or self.reaches(canvas)):
                planned.append((canvas, stage))
        wanted = sum(stage.steps for stage in stages)
        if not planned:
            return [(self.canvas, Stage(wanted))]
        skipped = wanted - sum(stage.steps for _, stage in planned)
        if skipped:  # the steps are not lost with the stage
            canvas, last = planned[-1]
            planned[-1] = canvas, Stage(last.steps + skipped, last.scale)
        return planned

    def _scale(self, scale: float) -> Canvas:
        height, width = (max(1, round(side * scale)) for side in self.canvas.size)
        return Canvas(height, width, self.canvas.channels)

    def reaches(self, canvas: Canvas) -> bool:
        """Whether images of this size get as far as the objective's places."""
        try:
            self.step(canvas, redirect=False)
        except UsageError:
            return False
        return True

    def forget(self) -> None:
        """Drop what was traced for another batch."""
        self._steps.clear()

    def scene(
        self,
        canvas: Canvas,
        batch: int | None,
        *,
        redirect: bool = False,
        policy: str | None = None,
    ) -> Scene:
        """How images of this size reach the objective."""
        return Scene(
            cut=self.cut(policy=policy, redirect=redirect),
            objective=self.objective,
            scaling=self.scaling,
            canvas=canvas,
            batch=batch,
            variants=self.variants,
            compiled=bool(tf.config.list_physical_devices("GPU")),
        )

    def step(self, canvas: Canvas, *, redirect: bool, policy: str | None = None) -> Step:
        """The traced step for a canvas, made once."""
        key = (canvas, redirect, policy)
        if key not in self._steps:
            scene = self.scene(canvas, self.batch, redirect=redirect, policy=policy)
            self._steps[key] = Step(scene, self.recipe, self.first(self._blank_rngs(), canvas))
        return self._steps[key]

    def look(self) -> Look:
        """The traced view of images as they are, on the whole canvas and in float32."""
        if self._look is None:
            scene = self.scene(self.canvas, self.static_batch)
            first = self.first([np.random.default_rng(0)], self.canvas)
            self._look = Look(scene, self.recipe, first)
        return self._look

    def first(self, rngs: Sequence[np.random.Generator], canvas: Canvas) -> tuple[FloatArray, ...]:
        """Variables to start from."""
        return self.recipe.parameterization.start(rngs, canvas)

    def policy(
        self, canvas: Canvas, first: Sequence[FloatArray], parameters: Sequence[Any]
    ) -> Choice:
        """The precision that the model computes in, chosen at the first batch."""
        if self._policy is None:
            self._policy = choose_policy(self, canvas, first, parameters)
        return self._policy

    def _blank_rngs(self) -> list[np.random.Generator]:
        return [np.random.default_rng(0) for _ in range(self.batch)]


def size_batch(bytes_an_image: int) -> int:
    """Images at once: as many as fill the device, within a fixed amount of memory."""
    return int(np.clip(_BATCH_BYTES // max(bytes_an_image, 1), 1, _MOST_AT_ONCE))
