"""Models with several inputs, asked through one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import NDArray

from reportgen.errors import UsageError

Tensor = Any  # of TensorFlow, which has no types to check


@dataclass(frozen=True, eq=False)
class OtherInputs:
    """position: of the input that is asked through. held: one sample for each of the others, by
    position."""

    model: keras.Model
    position: int
    held: Mapping[int, NDArray[Any]]

    def complete(self, inputs: Tensor) -> list[Tensor]:
        """All inputs of the model, for ``(b, ...)`` of the one.

        Raises:
            UsageError: another input needs a sample and has none.
        """
        count = len(getattr(self.model, "inputs", None) or (inputs,))  # unknown: of own classes
        missing = [i for i in range(count) if i != self.position and i not in self.held]
        if missing:
            names = ", ".join(f"{i} ({self.model.inputs[i].name})" for i in missing)
            raise UsageError(
                f"The model has {count} inputs. Say at which sample the others are held: {names}."
            )
        given = []
        for i in range(count):
            if i == self.position:
                given.append(inputs)
            else:
                sample = tf.cast(self.held[i], self.model.inputs[i].dtype)[None]
                times = [tf.shape(inputs)[0], *[1] * (len(sample.shape) - 1)]
                given.append(tf.tile(sample, times))
        return given

    def arrange(self, given: list[Tensor]) -> Any:
        """As the model was declared to be called: one, a list or a dictionary."""
        declared = getattr(self.model, "_inputs_struct", None)
        if isinstance(declared, dict):
            return keras.tree.pack_sequence_as(declared, given)
        return given if len(given) > 1 or isinstance(declared, list) else given[0]
