"""What a step cannot do without: each convolution, and its gradient by its input. Nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def convolutions(
    model: keras.Model, layer: str, batch: int, dtype: str, times: int
) -> Callable[[], object]:
    """Runs every convolution up to ``layer`` forth and back, so many ``times``, traced already.

    Each in a traced function of its own, the weights constant, on random values: results are
    thrown away at once, so that memory is warm.
    """
    runs = [
        _convolution(part, batch, tf.as_dtype(dtype))
        for part in model.layers[: model.layers.index(model.get_layer(layer)) + 1]
        if isinstance(part, keras.layers.Conv2D)
    ]

    def run() -> None:
        for work in runs * times:
            work()

    run()
    return run


def _convolution(part: Any, batch: int, dtype: tf.DType) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    weights = tf.constant(part.kernel.numpy(), dtype)
    into, out = ((batch, *tensor.shape[1:]) for tensor in (part.input, part.output))
    images = tf.constant(rng.normal(size=into).astype(np.float32), dtype)
    gradients = tf.constant(rng.normal(size=out).astype(np.float32), dtype)
    strides, padding = [1, *part.strides, 1], part.padding.upper()

    @tf.function(autograph=False)
    def forth_and_back(images: Any, gradients: Any) -> Any:
        return tf.nn.conv2d(images, weights, strides, padding), tf.raw_ops.Conv2DBackpropInput(
            input_sizes=into,
            filter=weights,
            out_backprop=gradients,
            strides=strides,
            padding=padding,
        )

    return lambda: forth_and_back(images, gradients)
