"""Calling a model as it predicts: nothing is learnt, dropped or remembered."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import keras
import tensorflow as tf

from reportgen.subject.layers import contained
from reportgen.subject.shadowing import shadowed

Tensor = Any  # of TensorFlow, which has no types to check


def answer(model: keras.Model, inputs: Tensor) -> list[Tensor]:
    """All outputs in the model's order: ``model(inputs, training=False)`` from the cleared state.

    A stateful layer begins each batch with zeros and keeps nothing, whatever was called before.
    Maps of one position, ``(b, 1, 1, classes)``, come as ``(b, classes)``.
    """
    with ExitStack() as stack:
        for layer in model._flatten_layers():
            if getattr(layer, "stateful", False) is True and not isinstance(layer, keras.Model):
                stack.enter_context(shadowed(layer, "stateful", False))
        return [_drop_position(made) for made in keras.tree.flatten(model(inputs, training=False))]


def _drop_position(tensor: Tensor) -> Tensor:
    sides = tensor.shape[1:] if tensor.shape.rank else ()
    if len(sides) < 2 or None in sides or sum(side > 1 for side in sides) > 1:
        return tensor
    return tf.reshape(tensor, [-1, math.prod(sides)])


def list_stateful(model: keras.Model) -> tuple[str, ...]:
    """Names of the layers that would carry their state from one batch to the next."""
    return tuple(
        layer.name
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.RNN) and layer.stateful
    )


def list_training_calls(model: keras.Model) -> tuple[str, ...]:
    """Addresses of what the network's own graph calls with ``training=True``.

    Keras 2 heeds that. In Keras 3 ``predict`` overrides it with False, without a word.
    """
    return tuple(dict.fromkeys(_training_calls(model, "")))


def _training_calls(model: Any, prefix: str) -> Iterator[str]:
    inner = getattr(model, "_functional", None) or model
    for node in getattr(inner, "_nodes", ()):
        if node.arguments.kwargs.get("training") is True:
            yield f"{prefix}{node.operation.name}"
    for part in contained(model) or ():
        if contained(part) is not None:
            yield from _training_calls(part, f"{prefix}{part.name}/")
