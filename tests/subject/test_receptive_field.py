"""Receptive fields of known networks by hand, and what an answer looks like.

The windows are compared with gradients in test_receptive_field_support.py.
"""

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.subject.inputs import InputSpec
from reportgen.subject.probe import Probe
from reportgen.subject.receptive_field import read_spatial_axes, receptive_fields


def fields_of(model: keras.Model, shape=None, spatial=None) -> list:
    shape = shape or tuple(model.inputs[0].shape[1:])
    return receptive_fields(Probe(model, shape).calls, shape, spatial)


def sizes(model: keras.Model) -> list:
    return [None if field.size is None else field.size[0] for field in fields_of(model)]


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
    model = stack(*parts)
    assert sizes(model) == [7, 11, 19, 27]
    assert [field.jump for field in fields_of(model)] == [(2, 2), (4, 4), (4, 4), (4, 4)]


def test_the_size_is_that_before_the_border_cuts_it():
    field = fields_of(stack(conv(7, 2), conv(7, 2), conv(7), side=8))[-1]
    # 7, then 6 * 2 more, then 6 * 4: the picture has but 8.
    assert field.size == (43, 43)
    assert field.crop((0, 1)) == (slice(0, 8), slice(0, 8))


STACKS = [
    [conv(3, 2), layers.UpSampling2D(2), conv(4), layers.MaxPooling2D(2), conv(2, 1, 3)],
    [conv(2, 2), layers.Conv2DTranspose(1, 4, 2, padding="same"), conv(3)],
    [conv(3, 3), layers.UpSampling2D(2, interpolation="bilinear"), conv(3, 2), conv(2)],
    [layers.Resizing(96, 320), conv(3, 2), layers.Resizing(64, 64, "nearest"), conv(2)],
    [layers.Conv2DTranspose(1, 2, 3), conv(3, 2), conv(5, 1, 2)],
]


@pytest.mark.parametrize("parts", STACKS)
def test_far_from_the_border_the_largest_window_has_the_size(parts):
    field = fields_of(stack(*parts, side=160))[-1]
    for (low, high), size in zip(field.windows, field.size, strict=True):
        lengths = (high - low + 1)[(low > 0) & (high < 159)]
        assert lengths.max() == size


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


def test_windows_by_hand():
    # Four outputs of stride 2 on 7 positions with "same": 8 + 1 are needed, one before and one
    # after. On 8 the one too many stands at the end.
    odd, even = (fields_of(stack(conv(3, 2), side=side))[0] for side in (7, 8))
    assert odd.windows[0][0].tolist() == [0, 1, 3, 5]
    assert odd.windows[0][1].tolist() == [1, 3, 5, 6]
    assert even.windows[0][0].tolist() == [0, 2, 4, 6]
    assert even.windows[0][1].tolist() == [2, 4, 6, 7]
    assert odd.crop((1, 3)) == (slice(1, 4), slice(5, 7))


def test_a_position_that_sees_only_padding_is_empty():
    field = fields_of(stack(layers.ZeroPadding2D(((2, 0), (0, 1))), side=3))[0]
    low, high = field.windows[0]
    assert (low > high).tolist() == [True, True, False, False, False]
    picture = np.zeros((3, 3))
    assert picture[field.crop((0, 1))].size == 0
    assert picture[field.crop((2, 1))].size == 1


def test_enlarging_brings_positions_closer_together():
    nearest, bilinear = (
        fields_of(stack(conv(3, 2), layers.UpSampling2D(4, interpolation=name)))[-1]
        for name in ("nearest", "bilinear")
    )
    assert nearest.jump == bilinear.jump == (0.5, 0.5)
    assert (nearest.size, bilinear.size) == ((3, 3), (5, 5))


@pytest.mark.parametrize("position", [(8, 0), (0,)])
def test_there_is_no_such_position(position):
    field = fields_of(stack(conv(3), side=8))[0]
    with pytest.raises((IndexError, ValueError)):
        field.crop(position)


class Odd(layers.Layer):
    def call(self, x):
        return x - keras.ops.mean(x, axis=(1, 2), keepdims=True)


class Renamed(layers.Conv2D):
    pass


@pytest.mark.parametrize(
    "part",
    [
        layers.GlobalAveragePooling2D(),
        layers.GlobalMaxPooling2D(keepdims=True),
        layers.Flatten(),
        layers.GroupNormalization(1),
        layers.LayerNormalization(axis=(1, 2, 3)),
        layers.Softmax(axis=(1, 2)),
        layers.Reshape((4, 16, 1)),
        layers.Permute((2, 1, 3)),
        layers.Lambda(lambda x: x[:, ::-1]),
        layers.Resizing(4, 4, antialias=True),
        Odd(),
    ],
    ids=lambda part: type(part).__name__,
)
def test_what_mixes_positions_or_is_unknown_sees_the_whole_input(part):
    # A reshape or a flip does not see everything, but nobody says what they see.
    fields = fields_of(stack(conv(3), part, side=8))
    assert [field.size for field in fields] == [(3, 3), None]
    assert fields[-1].windows is None
    assert fields[-1].crop((0, 0)) == (slice(0, 8), slice(0, 8))


def test_attention_sees_everything():
    x = keras.Input((8, 4))
    attended = layers.MultiHeadAttention(2, 2)(x, x)
    assert sizes(keras.Model(x, layers.Add()([x, attended]))) == [None, None]


def test_softmax_along_one_axis_mixes_that_axis():
    field = fields_of(stack(conv(3), layers.Softmax(axis=2), side=8))[-1]
    assert field.crop((4, 4)) == (slice(3, 6), slice(0, 8))


def test_layer_normalisation_over_channels_keeps_positions():
    assert sizes(stack(conv(3), layers.LayerNormalization(), conv(3))) == [3, 3, 5]


def test_a_subclass_that_computes_like_keras_is_known():
    assert sizes(stack(Renamed(1, 3, padding="same"), conv(3))) == [3, 5]


class Centred(keras.Model):
    """Takes the mean away by bare operations: the shapes alone do not give that away."""

    def __init__(self, mean: bool):
        super().__init__()
        self.first, self.second, self.mean = conv(3), conv(3), mean

    def call(self, x):
        y = self.first(x)
        shift = keras.ops.mean(y, axis=(1, 2), keepdims=True) if self.mean else 1.0
        return self.second(y - shift)


@pytest.mark.parametrize(("mean", "last"), [(True, None), (False, 5)])
def test_operations_inside_a_subclassed_model(mean, last):
    x = keras.Input((8, 8, 1))
    assert sizes(keras.Model(x, Centred(mean)(x))) == [3, last]


def test_a_bare_mean_over_positions_sees_the_whole_input():
    x = keras.Input((8, 8, 1))
    model = keras.Model(x, layers.Dense(2)(keras.ops.mean(conv(3)(x), axis=(1, 2))))
    assert sizes(model) == [3, None, None]


def test_dense_on_a_map_works_position_by_position():
    assert sizes(stack(conv(3), layers.Dense(4), conv(3))) == [3, 3, 5]


def test_dense_behind_channels_first_mixes_the_last_axis():
    first = {"data_format": "channels_first"}
    model = keras.Sequential(
        [keras.Input((1, 8, 9)), layers.Conv2D(2, 3, **first), layers.Dense(7)]
    )
    assert fields_of(model)[-1].crop((0, 0)) == (slice(0, 3), slice(0, 9))


def test_vectors_are_seen_whole():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    assert sizes(model) == [None]


def test_sequences_have_one_axis():
    model = keras.Sequential(
        [keras.Input((32, 2)), layers.Conv1D(2, 3), layers.MaxPooling1D(2), layers.Conv1D(2, 3)]
    )
    assert sizes(model) == [3, 4, 8]


def test_layouts_of_the_input():
    last = InputSpec((8, 8, 3), (8, 8, 3), "image")
    first = InputSpec((3, 8, 8), (8, 8, 3), "image", "channels_first")
    none = InputSpec((8, 8), (8, 8, 1), "image", "no_channel")
    assert [read_spatial_axes(spec) for spec in (last, first, none)] == [(1, 2), (2, 3), (1, 2)]
    assert read_spatial_axes(InputSpec((32, 2), (32, 2), "other")) is None
