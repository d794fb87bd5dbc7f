"""BatchNormalization by the statistics of the batch in place of those that it has stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from reportgen.subject.layers import LayerCall

Tensor = Any  # of TensorFlow, which has no types to check


def list_norms(calls: Iterable[LayerCall]) -> dict[str, LayerCall]:
    """Every BatchNormalization by its address, in order; also of classes derived from it, unless
    they compute in their own way."""
    return {call.address: call for call in calls if _is_norm(call.layer)}


def count_hidden(model: keras.Model, norms: Mapping[str, LayerCall]) -> int:
    """How many there are beside these: inside of layers of the user's own."""
    seen = {id(call.layer) for call in norms.values()}
    return sum(
        isinstance(layer, keras.layers.BatchNormalization) and id(layer) not in seen
        for layer in model._flatten_layers()
    )


def _is_norm(layer: Any) -> bool:
    kind = keras.layers.BatchNormalization
    return isinstance(layer, kind) and type(layer).call is kind.call


def normalise_by_batch(
    norms: Mapping[str, LayerCall], moments: dict[str, tuple[Tensor, Tensor]], *, own: bool
) -> dict[str, Callable[..., Any]]:
    """What stands in place of each layer, see `Listener`.

    Args:
        moments: by address, where mean and variance of each channel before its BatchNormalization
            are put, ``(channels,)`` each.
        own: normalise by these; else the layer does what it does, and they are only read.
    """

    def normalise(address: str, call: Any, values: Any, *args: Any, **named: Any) -> Any:
        layer = norms[address].layer
        axis = layer.axis % values.shape.rank
        others = [i for i in range(values.shape.rank) if i != axis]
        wide = tf.cast(values, tf.float32)
        mean, variance = tf.nn.moments(wide, others, keepdims=True)
        moments[address] = tf.reshape(mean, [-1]), tf.reshape(variance, [-1])
        if not own:
            return call(values, *args, **named)
        made = (wide - mean) * tf.math.rsqrt(variance + layer.epsilon)
        shape = [-1 if i == axis else 1 for i in range(values.shape.rank)]
        for weight, apply in ((layer.gamma, tf.multiply), (layer.beta, tf.add)):
            if weight is not None:
                made = apply(made, tf.reshape(tf.cast(weight, tf.float32), shape))
        return tf.cast(made, values.dtype)

    return {address: partial(normalise, address) for address in norms}
