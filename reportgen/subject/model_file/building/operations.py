"""Layers and functions that stand in for what Keras 3 no longer has. Imports Keras."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from reportgen.errors import InputError
from reportgen.subject.model_file.repairs.activation_rules import ELEMENTWISE, our_name
from reportgen.subject.model_file.repairs.tensorflow_functions import FUNCTIONS


def hard_sigmoid(x: Any) -> Any:
    """The hard sigmoid of Keras 1 and 2: clip(0.2 x + 0.5, 0, 1)."""
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


class TensorFlowFunction(keras.layers.Layer):  # type: ignore[misc]
    """A TensorFlow function with constants, as Keras 2 let people write it into a graph.

    Args:
        function: one of `FUNCTIONS`, as Keras 2 spells it.
        arguments: positional arguments; ``{"tensor": i}`` is the i-th input.
        keywords: keyword arguments, likewise.

    Raises:
        InputError: the function is not on the list.
    """

    def __init__(
        self,
        *,
        function: str,
        arguments: list[Any],
        keywords: dict[str, Any],
        **settings: Any,
    ) -> None:
        super().__init__(**settings, autocast=False)
        if function not in FUNCTIONS:
            raise InputError(f"The network calls tf.{function[:80]}, which is not known here.")
        self.function, self.arguments, self.keywords = function, arguments, keywords
        self.trainable = False

    def call(self, inputs: Any) -> Any:
        """Call the function on the inputs and the stored constants."""
        tensors = inputs if isinstance(inputs, list | tuple) else [inputs]
        arguments = [_fill(value, tensors) for value in self.arguments]
        keywords = {key: _fill(value, tensors) for key, value in self.keywords.items()}
        if self.function == "__operators__.getitem":
            return _slice(*arguments, **keywords)
        return _find(self.function)(*arguments, **keywords)

    def get_config(self) -> dict[str, Any]:
        """The settings, as they were given."""
        given = {"function": self.function, "arguments": self.arguments, "keywords": self.keywords}
        return {**super().get_config(), **given}


def _find(name: str) -> Any:
    if name.startswith("__operators__."):
        return {"add": tf.math.add, "eq": tf.math.equal, "ne": tf.math.not_equal}[
            name.removeprefix("__operators__.")
        ]
    if name.startswith("keras.backend."):
        return {"concatenate": tf.concat, "permute_dimensions": tf.transpose}[
            name.removeprefix("keras.backend.")
        ]
    found: Any = tf
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _fill(value: Any, tensors: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"tensor"}:
        return tensors[value["tensor"]]
    if isinstance(value, list):
        return [_fill(item, tensors) for item in value]
    if isinstance(value, dict):
        return {key: _fill(item, tensors) for key, item in value.items()}
    return value


def _slice(tensor: Any, slice_spec: Any) -> Any:
    parts = slice_spec if isinstance(slice_spec, list) else [slice_spec]
    return tensor[tuple(_read_slice(part) for part in parts)]


def _read_slice(part: Any) -> Any:
    if isinstance(part, dict) and "start" in part:
        return slice(part.get("start"), part.get("stop"), part.get("step"))
    if (isinstance(part, dict) and part.get("class_name") == "__ellipsis__") or part == "...":
        return Ellipsis
    return part["value"] if isinstance(part, dict) and "value" in part else part


def _elementwise(name: str) -> Any:
    function = getattr(tf.math, ELEMENTWISE[name])

    def activation(x: Any) -> Any:
        return function(x)

    activation.__name__ = name
    return activation


OBJECTS: dict[str, Any] = {
    **{our_name(name): _elementwise(name) for name in ELEMENTWISE},
    "reportgen>hard_sigmoid": hard_sigmoid,
    "reportgen>TensorFlowFunction": TensorFlowFunction,
}
