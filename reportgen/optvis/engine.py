"""What is traced for one objective: its steps by canvas and precision, and how images look."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
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
from reportgen.optvis.scaling import Scaling
from reportgen.optvis.step import Look, Scene, Step

FloatArray = NDArray[np.float32]
_BATCH_BYTES = 3 * 2**29
_MOST_AT_ONCE = 32


@dataclass(eq=False)
class Engine:
    """How batches of one objective are painted. Steps are traced once for each canvas and kept.

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
            self._policy = choose_policy(
                self.precision,
                self.recipe.steps * math.ceil(len(self.objective) * self.variants / self.batch),
                partial(self.step, canvas, redirect=False),
                first,
                parameters,
            )
        return self._policy

    def _blank_rngs(self) -> list[np.random.Generator]:
        return [np.random.default_rng(0) for _ in range(self.batch)]


def size_batch(bytes_an_image: int) -> int:
    """Images at once: as many as fill the device, within a fixed amount of memory."""
    return int(np.clip(_BATCH_BYTES // max(bytes_an_image, 1), 1, _MOST_AT_ONCE))
