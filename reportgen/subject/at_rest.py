"""Calling a model as it predicts: nothing is learnt, dropped or remembered."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import keras
import tensorflow as tf

from reportgen.subject.layers import contained
from reportgen.subject.shadowing import shadowed

Tensor = Any  # of TensorFlow, which has no types to check
_SHOWN = 3


def answer(model: keras.Model, inputs: Tensor) -> list[Tensor]:
    """All outputs in the model's order: ``model(inputs, training=False)`` from the cleared state.

    A stateful layer begins each batch with zeros and keeps nothing, whatever was called before.
    Maps of one position, ``(b, 1, 1, classes)`` or ``(b, classes, 1, 1)``, come as
    ``(b, classes)``.
    """
    with ExitStack() as stack:
        for layer in model._flatten_layers():
            if _is_stateful(layer):
                stack.enter_context(shadowed(layer, "stateful", False))
        return [_drop_position(made) for made in keras.tree.flatten(model(inputs, training=False))]


def _drop_position(tensor: Tensor) -> Tensor:
    sides = list(tensor.shape[1:]) if tensor.shape.rank else []
    if len(sides) < 2 or None in sides:
        return tensor
    channels_first = len(sides) > 2 and set(sides[1:]) == {1}
    if set(sides[:-1]) != {1} and not channels_first:
        return tensor
    return tf.reshape(tensor, [-1, math.prod(sides)])


def describe_rest(model: keras.Model) -> tuple[str, ...]:
    """What is to be said of how the model is called here, in sentences; often nothing."""
    layers = model._flatten_layers()
    stateful = [layer.name for layer in layers if _is_stateful(layer)]
    modes = {
        layer.name: layer.quantization_mode
        for layer in layers
        if getattr(layer, "quantization_mode", None)
    }
    notes = []
    if stateful:
        notes.append(
            f"Stateful layers ({_some(stateful)}): every batch begins with a cleared state here, "
            "so that an answer does not depend on the samples before."
        )
    if modes:
        notes.append(
            f"Quantised layers ({_some(list(modes))}, {', '.join(sorted(set(modes.values())))}): "
            "they answer as they are stored, and their kernels are read as what they stand for."
        )
    return tuple(notes)


def _is_stateful(layer: Any) -> bool:
    return getattr(layer, "stateful", False) is True and not isinstance(layer, keras.Model)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def list_training_calls(model: keras.Model) -> tuple[str, ...]:
    """Addresses of what the network's own graph calls with ``training=True``.

    Keras 2 heeds that. In Keras 3 ``predict`` overrides it with False, without a word.
    """
    return tuple(dict.fromkeys(_training_calls(model, "")))


def _trains_unasked(layer: Any) -> bool:
    """Whether ``training=True`` is what it is called with if nobody says anything."""
    found = inspect.signature(layer.call).parameters.get("training")
    return found is not None and found.default is True


def _training_calls(model: Any, prefix: str) -> Iterator[str]:
    inner = getattr(model, "_functional", None) or model
    depths = getattr(inner, "_nodes_by_depth", {})  # of the network's own calls, no other's
    for node in (node for depth in sorted(depths, reverse=True) for node in depths[depth]):
        if node.arguments.kwargs.get("training") is True and not _trains_unasked(node.operation):
            yield f"{prefix}{node.operation.name}"
    for part in contained(model) or ():
        if contained(part) is not None:
            yield from _training_calls(part, f"{prefix}{part.name}/")
