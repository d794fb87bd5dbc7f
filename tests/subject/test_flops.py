"""Operations of a layer: by hand, and beside TensorFlow's own profiler."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen.subject.flops import count_flops
from reportgen.subject.probe import Probe


def counted(layer: layers.Layer, *shape: int) -> int | None:
    model = keras.Sequential([keras.Input(shape), layer])
    return count_flops(Probe(model, shape).calls[-1])


def profiled(layer: layers.Layer, *shape: int) -> int:
    """`float_operation` of TensorFlow's profiler over the frozen graph of one sample."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    model = keras.Sequential([keras.Input(shape), layer])
    function = tf.function(lambda x: model(x, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec((1, *shape), tf.float32))
    frozen = convert_variables_to_constants_v2(concrete)
    profiler = tf.compat.v1.profiler
    options = profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return profiler.profile(frozen.graph, options=options).total_float_ops


BY_HAND = {
    # 6 x 6 positions of 4 channels; 3 * 3 * 3 products and as many additions; a bias; a ReLU.
    "convolution": (
        lambda: layers.Conv2D(4, 3, activation="relu"),
        (8, 8, 3),
        36 * 4 * (2 * 27 + 1 + 1),
    ),
    "without bias": (lambda: layers.Conv2D(4, 3, use_bias=False), (8, 8, 3), 36 * 4 * 54),
    "strided": (lambda: layers.Conv2D(2, 2, 2), (8, 8, 3), 16 * 2 * (2 * 12 + 1)),
    # Each of two groups sees half of the channels.
    "grouped": (lambda: layers.Conv2D(4, 3, groups=2, use_bias=False), (8, 8, 6), 36 * 4 * 54),
    "dense": (lambda: layers.Dense(5), (7,), 5 * (14 + 1)),
    "depthwise": (
        lambda: layers.DepthwiseConv2D(3, depth_multiplier=2),
        (8, 8, 3),
        36 * 6 * (18 + 1),
    ),
    # 3 * 9 products a position, then 3 * 4.
    "separable": (lambda: layers.SeparableConv2D(4, 3), (8, 8, 3), 36 * (2 * (27 + 12) + 4)),
    # Every one of 64 * 3 inputs meets 2 * 2 * 4 weights; 16 x 16 outputs have a bias.
    "transposed": (lambda: layers.Conv2DTranspose(4, 2, 2), (8, 8, 3), 2 * 64 * 3 * 16 + 256 * 4),
    "batch norm": (lambda: layers.BatchNormalization(), (8, 8, 3), 2 * 192),
    "pooling": (lambda: layers.MaxPooling2D(2), (8, 8, 3), 16 * 3 * 4),
    "global pooling": (lambda: layers.GlobalAveragePooling2D(), (8, 8, 3), 192),
    "adaptive pooling": (lambda: layers.AdaptiveMaxPooling2D(4), (8, 8, 3), 192),
    "standalone ReLU": (lambda: layers.ReLU(), (8, 8, 3), 192),
    "flatten": (lambda: layers.Flatten(), (8, 8, 3), 0),
    "dropout": (lambda: layers.Dropout(0.5), (8, 8, 3), 0),
    "unknown": (lambda: layers.LSTM(3), (8, 3), None),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand(name):
    make, shape, expected = BY_HAND[name]
    assert counted(make(), *shape) == expected


def test_three_tensors_merged_cost_two_operations_an_element():
    x = keras.Input((8, 8, 3))
    model = keras.Model(x, layers.Add()([x, layers.ReLU()(x), layers.ReLU()(x)]))
    assert count_flops(Probe(model, (8, 8, 3)).calls[-1]) == 2 * 192


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*deprecated")
@pytest.mark.parametrize("name", ["convolution", "without bias", "strided", "dense"])
def test_tensorflows_profiler_counts_the_same(name):
    make, shape, expected = BY_HAND[name]
    layer = make()
    activated = int(np.prod(layer.compute_output_shape((1, *shape)))) * (name == "convolution")
    # It has no entry for Relu, which we count as one operation an element.
    assert profiled(layer, *shape) == expected - activated


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*deprecated")
def test_tensorflows_profiler_counts_the_same_for_depthwise():
    make, shape, expected = BY_HAND["depthwise"]
    assert profiled(make(), *shape) == expected
