"""The network as the landscape calls it: with weights of the moment in place of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from reportgen.landscape.losses import Loss
from reportgen.landscape.parameters import Parameters
from reportgen.subject.at_rest import answer
from reportgen.subject.layers import Listener
from reportgen.subject.shadowing import HALF, computing_in, computing_in_double

Tensor = Any  # of TensorFlow, which has no types to check


@dataclass(frozen=True, eq=False)
class Model:
    """The network as the landscape calls it.

    output: position of the audited output. precise: compute in double precision, whatever the
        layers compute in. dtype: that weights and losses are computed in.
    """

    network: keras.Model
    parameters: Parameters
    loss: Loss
    output: int = 0
    precise: bool = False

    @property
    def dtype(self) -> str:
        """float64 if the weights are, else float32 (also for models of mixed precision)."""
        wide = self.precise or self.parameters.variables[0].dtype == "float64"
        return "float64" if wide else "float32"

    @property
    def input_dtype(self) -> str:
        """As the model declares it."""
        return str(self.network.inputs[0].dtype) if self.network.inputs else self.dtype

    def call(
        self,
        values: Sequence[Tensor],
        inputs: Tensor,
        instead: Mapping[str, Callable[..., Tensor]] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Output and penalties with these weights in place of the model's own, at rest.

        Args:
            instead: what takes the place of layers, by address, see `Listener`.

        Returns: the audited output ``(b, units)`` and the sum of all penalties, a scalar.
        """
        pairs = list(zip(self.parameters.variables, values, strict=True))
        with ExitStack() as stack:
            for half in HALF:
                stack.enter_context(computing_in(self.network, self.dtype, instead_of=half))
            if self.precise:
                stack.enter_context(computing_in_double(self.network))
            mapping = [] if self.precise else pairs  # which are rounded as the variables are
            scope = stack.enter_context(
                keras.StatelessScope(state_mapping=mapping, collect_losses=True)
            )
            if self.precise:
                scope.state_mapping.update({id(variable): value for variable, value in pairs})
            if instead:
                listener = Listener(self.network, instead=instead)
                stack.enter_context(listener.listening([inputs]))
            made = answer(self.network, inputs)[self.output]
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
