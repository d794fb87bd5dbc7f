"""Receptive fields: known networks by hand, random stacks against the gradient's support."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen.subject.probe import Probe
from reportgen.subject.receptive_field import receptive_fields


def sizes(model: keras.Model) -> list:
    shape = tuple(model.inputs[0].shape[1:])
    fields = receptive_fields(Probe(model, shape).calls, len(shape) - 1)
    return [None if field.size is None else field.size[0] for field in fields]


def stack(*parts, side: int = 64) -> keras.Model:
    return keras.Sequential([keras.Input((side, side, 1)), *parts])


def conv(kernel: int, stride: int = 1, dilation: int = 1) -> layers.Layer:
    return layers.Conv2D(1, kernel, stride, padding="same", dilation_rate=dilation)


def test_the_first_blocks_of_vgg16():
    parts = [conv(3), conv(3), layers.MaxPooling2D(), conv(3), conv(3)]
    parts += [layers.MaxPooling2D(), conv(3), conv(3), conv(3), layers.MaxPooling2D()]
    # Simonyan & Zisserman 2015; the numbers are in every table of receptive fields.
    assert sizes(stack(*parts)) == [3, 5, 6, 10, 14, 16, 24, 32, 40, 44]


def test_the_stem_of_resnet():
    # 7 x 7 stride 2, pooling 3 x 3 stride 2, two 3 x 3 convolutions.
    parts = [conv(7, 2), layers.MaxPooling2D(3, 2, padding="same"), conv(3), conv(3)]
    assert sizes(stack(*parts)) == [7, 11, 19, 27]


def test_dilation_depthwise_and_separable():
    parts = [conv(3, dilation=2), layers.DepthwiseConv2D(3), layers.SeparableConv2D(2, 5)]
    assert sizes(stack(*parts)) == [5, 7, 11]


def test_pointwise_layers_change_nothing():
    parts = [conv(3), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.5), conv(1)]
    assert sizes(stack(*parts)) == [3, 3, 3, 3, 3]


def test_branches_take_the_largest():
    x = keras.Input((32, 32, 1))
    merged = layers.Concatenate()([conv(1)(x), conv(5)(x)])
    assert sizes(keras.Model(x, conv(3)(merged)))[-2:] == [5, 7]


@pytest.mark.parametrize("part", [layers.GlobalAveragePooling2D(), layers.Flatten()])
def test_what_mixes_all_positions_sees_the_whole_input(part):
    assert sizes(stack(conv(3), part, layers.Dense(2), side=8)) == [3, None, None]


def test_a_bare_mean_over_positions_sees_the_whole_input():
    x = keras.Input((8, 8, 1))
    model = keras.Model(x, layers.Dense(2)(keras.ops.mean(conv(3)(x), axis=(1, 2))))
    assert sizes(model) == [3, None, None]


def test_group_normalisation_looks_at_every_position():
    assert sizes(stack(conv(3), layers.GroupNormalization(1), conv(3)))[1:] == [None, None]


def test_dense_on_a_map_works_position_by_position():
    assert sizes(stack(conv(3), layers.Dense(4), conv(3))) == [3, 3, 5]


def test_vectors_are_seen_whole():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    assert sizes(model) == [None]


def test_sequences_have_one_axis():
    model = keras.Sequential(
        [keras.Input((32, 2)), layers.Conv1D(2, 3), layers.MaxPooling1D(2), layers.Conv1D(2, 3)]
    )
    assert sizes(model) == [3, 4, 8]


def draw_part(rng: np.random.Generator) -> layers.Layer:
    kernel, stride = int(rng.integers(1, 5)), int(rng.integers(1, 3))
    settings = {"kernel_initializer": "ones", "padding": "same"}
    match rng.integers(5):
        case 0:
            return layers.Conv2D(1, kernel, stride, **settings)
        case 1:
            dilation = int(rng.integers(1, 4))
            return layers.Conv2D(1, kernel, dilation_rate=dilation, **settings)
        case 2:
            settings["depthwise_initializer"] = settings.pop("kernel_initializer")
            return layers.DepthwiseConv2D(kernel, stride, **settings)
        case 3:
            return layers.AveragePooling2D(kernel, stride, padding="same")
        case _:
            return layers.BatchNormalization()


def support(model: keras.Model, side: int) -> int:
    """Rows of the input that the output in the middle depends on.

    All weights are positive and nothing is cut off, so no gradient cancels; a dilated kernel
    leaves gaps, so the span is taken.
    """

    # A graph leaves out the kernels' gradients: TensorFlow 2.21 crashes in that of a depthwise
    # 1 x 1 kernel with stride 2 on one channel.
    @tf.function
    def gradient(x):
        y = model(x, training=False)
        return tf.gradients(y[0, y.shape[1] // 2, y.shape[2] // 2, 0], x)[0]

    seen = gradient(tf.ones((1, side, side, 1)))[0, :, :, 0].numpy()
    rows = np.flatnonzero(np.any(seen > 0, axis=1))
    return int(rows[-1] - rows[0] + 1)


@pytest.mark.parametrize("seed", range(8))
def test_random_stacks_have_the_support_of_their_gradient(seed):
    rng = np.random.default_rng(seed)
    model = stack(*(draw_part(rng) for _ in range(4)), side=160)
    assert support(model, 160) == sizes(model)[-1]


@pytest.mark.parametrize(
    "part",
    [
        layers.UpSampling2D(2),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.Conv2DTranspose(1, 4, 2, padding="same", kernel_initializer="ones"),
    ],
)
def test_what_enlarges_sees_its_neighbours(part):
    model = stack(layers.AveragePooling2D(2), part, side=32)
    assert support(model, 32) == sizes(model)[-1]
