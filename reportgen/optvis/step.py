"""One step uphill for a batch of images, traced once and used for every unit of a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from reportgen.errors import NothingToCheckError, UsageError
from reportgen.optvis.canvas import Canvas
from reportgen.optvis.cut import Cut
from reportgen.optvis.objective import Objective
from reportgen.optvis.pipeline import Pipeline, fit
from reportgen.optvis.places import Place, Tensor, View
from reportgen.optvis.recipe import Recipe
from reportgen.optvis.scaling import Scaling
from reportgen.subject.tracing import leaving_no_gradients

FloatArray = NDArray[np.float32]
_STORED = frozenset({"Const", "Identity", "Cast", "ReadVariableOp", "Placeholder"})


@dataclass(frozen=True, eq=False)
class Scene:
    """What stays the same while images are painted: how pixels reach the objective.

    canvas: of the images. batch: images at once, None for any number. variants: of each unit, side
    by side. compiled: by XLA.
    """

    cut: Cut
    objective: Objective
    scaling: Scaling
    canvas: Canvas
    batch: int | None
    variants: int
    compiled: bool = False
    counts: dict[Place, int] = field(default_factory=dict)  # channels by place, once traced

    def score(
        self, images: Tensor, parameters: Sequence[Tensor], asleep: Tensor | None = None
    ) -> Tensor:
        """The objective of images ``(b, h, w, c)`` in [0, 1]: ``(b,)``.

        asleep: ``(b,)``, whose gradients pass silent ReLUs, where the cut redirects.
        """
        inputs = self.scaling.apply(images)
        read: Callable[..., list[Tensor]] = self._read
        if self.compiled:
            # Only the model: XLA has no kernel for the warp of the transforms.
            read = tf.function(read, jit_compile=True, autograph=False)
        values = dict(zip(self.cut.places, read(inputs, asleep), strict=True))
        self.counts.update({place: int(value.shape[-1]) for place, value in values.items()})
        self.check(self.objective)
        return self.objective.evaluate(View(values, self.variants), parameters)

    def _read(self, inputs: Tensor, asleep: Tensor | None) -> list[Tensor]:
        # A list: TensorFlow sorts the keys of what a function returns, and places have no order.
        values = self.cut.read(inputs, asleep)
        return [values[place] for place in self.cut.places]

    def check(self, objective: Objective) -> None:
        """Raise ``UsageError`` for a unit that there is not: a product would silently give 0."""
        for place, highest in objective.highest:
            count = self.counts[place]
            if highest >= count:
                where = getattr(place, "address", "The output")
                raise UsageError(
                    f"{where} has {count} units, counted from 0: there is no unit {highest}."
                )

    def specify(self) -> list[tf.TensorSpec]:
        """What the objective's parameters look like for a batch."""
        return [
            tf.TensorSpec([self.batch, *p.shape[1:]], p.dtype) for p in self.objective.parameters
        ]


class Step:
    """Climbs. The images' variables and the optimiser's state live here between steps."""

    def __init__(self, scene: Scene, recipe: Recipe, first: Sequence[FloatArray]) -> None:
        self.scene = scene
        self.recipe = recipe
        self.pipeline = Pipeline(recipe.transforms)
        self.variables = [keras.Variable(values, dtype="float32") for values in first]
        self.optimizer = recipe.optimizer.build()
        self.optimizer.build(self.variables)
        self._fresh = [variable.numpy() for variable in self.optimizer.variables]
        width = self.pipeline.draw([np.random.default_rng(0)], 1, scene.canvas).shape[-1]
        signature = [
            tf.TensorSpec([scene.batch, width], tf.float32),
            tf.TensorSpec([scene.batch], tf.bool),
            *scene.specify(),
        ]
        function = tf.function(self._climb, input_signature=signature, autograph=False)
        with leaving_no_gradients():
            self._run = function.get_concrete_function()

    def start(self, values: Sequence[FloatArray]) -> None:
        """Begin anew from these values of the variables."""
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)
        for variable, value in zip(self.optimizer.variables, self._fresh, strict=True):
            variable.assign(value)

    def climb(
        self,
        drawn: FloatArray,
        parameters: Sequence[NDArray[Any]],
        asleep: NDArray[np.bool_] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """One step. Returns the objective under transforms and the gradient's length, ``(b,)``.

        asleep: ``(b,)``, the images that a step which redirects helps; None: all.
        """
        helped = np.ones(len(drawn), bool) if asleep is None else asleep
        result: tuple[Tensor, Tensor] = self._run(
            tf.constant(drawn), tf.constant(helped), *map(tf.constant, parameters)
        )
        return result

    @property
    def redirects(self) -> bool:
        """Whether it lets gradients through silent ReLUs."""
        return self.scene.cut.redirect

    def take_over(self, other: Step) -> None:
        """Go on where another step of the same images stands."""
        mine = [*self.variables, *self.optimizer.variables]
        theirs = [*other.variables, *other.optimizer.variables]
        for variable, source in zip(mine, theirs, strict=True):
            variable.assign(source.value)

    def values(self) -> tuple[FloatArray, ...]:
        """The variables as they are now."""
        return tuple(variable.numpy() for variable in self.variables)

    def _climb(self, drawn: Tensor, asleep: Tensor, *parameters: Tensor) -> tuple[Tensor, Tensor]:
        canvas, recipe = self.scene.canvas, self.recipe
        with tf.GradientTape() as tape:
            images = recipe.parameterization.decode([v.value for v in self.variables], canvas)
            seen = fit(self.pipeline.apply(images, drawn), canvas)
            score = self.scene.score(seen, parameters, asleep)
            cost = sum((r.penalty(images) for r in recipe.regularizers), tf.zeros_like(score))
            loss = tf.reduce_sum(cost - score)
        watched = [variable.value for variable in self.variables]
        try:
            gradients = tape.gradient(loss, watched, unconnected_gradients="zero")
        except LookupError as error:
            raise NothingToCheckError(
                "The model has an operation that TensorFlow cannot differentiate, so no picture "
                f"can be improved ({str(error).strip(chr(34))[:120]})."
            ) from None
        found = [
            # A weight that is not finite must not eat the picture: it stays where it is.
            tf.where(tf.math.is_finite(gradient), gradient, tf.zeros_like(gradient))
            for gradient in gradients
        ]
        lengths = tf.sqrt(sum(_sum_squares(gradient) for gradient in found))
        self.optimizer.apply(recipe.gradients(found), self.variables)
        valid = recipe.parameterization.project([v.value for v in self.variables])
        for variable, value in zip(self.variables, valid, strict=True):
            variable.assign(value)
        return score, lengths


class Look:
    """Looks at images as they are: no transforms, no step. Any number at once.

    bytes_an_image: memory that one takes on its way through the model, about.
    """

    def __init__(self, scene: Scene, recipe: Recipe, first: Sequence[FloatArray]) -> None:
        self.scene = scene

        def look(variables: list[Tensor], *parameters: Tensor) -> tuple[Tensor, Tensor]:
            images = recipe.parameterization.decode(variables, scene.canvas)
            return images, scene.score(images, parameters)

        shapes = [tf.TensorSpec([scene.batch, *v.shape[1:]], tf.float32) for v in first]
        function = tf.function(look, input_signature=[shapes, *scene.specify()], autograph=False)
        with leaving_no_gradients():
            self._run = function.get_concrete_function()

    @property
    def bytes_an_image(self) -> int:
        """Every value that is made on the way; a free batch counts as one."""
        elements = sum(
            int(np.prod([side or 1 for side in tensor.shape.as_list()], dtype=np.int64))
            for operation in self._run.graph.get_operations()
            for tensor in operation.outputs
            if operation.type not in _STORED and tensor.shape.rank is not None
        )
        return 4 * elements

    def __call__(
        self, variables: Sequence[FloatArray], parameters: Sequence[NDArray[Any]]
    ) -> tuple[FloatArray, FloatArray]:
        """Images ``(b, h, w, c)`` in [0, 1] and the objective of each, ``(b,)``."""
        images, scores = self._run(
            [tf.constant(v) for v in variables], *map(tf.constant, parameters)
        )
        return images.numpy(), scores.numpy()


def _sum_squares(gradient: Tensor) -> Tensor:
    return tf.reduce_sum(gradient**2, axis=list(range(1, len(gradient.shape))))
