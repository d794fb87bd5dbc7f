"""Windows against the support of the gradient of one position with respect to the input.

All weights are positive and nothing is cut off, so no gradient cancels. The gradient's support
need not fill the window (a dilated kernel leaves gaps), so its bounding box is compared.
"""

from itertools import product

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen.subject.layers import Listener
from reportgen.subject.model_file import identify, open_model
from reportgen.subject.probe import Probe
from reportgen.subject.receptive_field import receptive_fields

FIRST = {"data_format": "channels_first"}


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(3)


def make_positive(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(5)
    for weight in model.weights:
        shift = weight.name in ("bias", "beta", "moving_mean")
        weight.assign(np.zeros(weight.shape) if shift else rng.uniform(0.5, 1.5, weight.shape))
    return model


def make_gradient(model: keras.Model, call):
    """(inputs, position) -> absolute gradient of the sum over channels, summed over the batch.

    A graph leaves out the kernels' gradients: TensorFlow 2.21 crashes in that of a depthwise
    1 x 1 kernel with stride 2 on one channel.
    """
    positions = [axis for axis in range(1, len(call.output_shape)) if axis != call.channel_axis]

    @tf.function(autograph=False, reduce_retracing=True)
    def gradient(x, position):
        with Listener(model).listening([x]) as trace:
            model(x, training=False)
        maps = tf.transpose(trace.after[call.address], [*positions, 0, call.channel_axis])
        made = tf.gradients(tf.reduce_sum(tf.gather_nd(maps, position[None])), x)[0]
        return tf.reduce_sum(tf.abs(made), 0)

    return gradient


def find_box(seen: np.ndarray, spatial) -> list[tuple[int, int]] | None:
    """First and last row, column ... of what is seen; None: nothing."""
    box = []
    for axis in spatial:
        others = tuple(a for a in range(seen.ndim) if a != axis - 1)
        rows = np.flatnonzero(seen.any(axis=others))
        if not len(rows):
            return None
        box.append((int(rows[0]), int(rows[-1])))
    return box


def some_positions(counts):
    """Corners, next to them, the middle of the borders, the centre."""
    return product(*(sorted({0, min(1, n - 1), n // 2, n - 1}) for n in counts))


def check(model: keras.Model, shape=None, spatial=None, address=None, inputs=None):
    """Every checked position sees exactly its window; returns the field."""
    shape = shape or tuple(model.inputs[0].shape[1:])
    calls = Probe(model, shape).calls
    address = address or calls[-1].address
    place = [call.address for call in calls].index(address)
    field = receptive_fields(calls, shape, spatial)[place]
    first = shape and calls[0].channels_first
    spatial = spatial or tuple(range(2 if first else 1, len(shape) + (1 if first else 0)))
    gradient = make_gradient(model, calls[place])
    inputs = np.ones((1, *shape), np.float32) if inputs is None else inputs
    for position in some_positions([len(low) for low, _ in field.windows]):
        box = find_box(gradient(inputs, tf.constant(position)).numpy(), spatial)
        crop = field.crop(position)
        expected = [(part.start, part.stop - 1) for part in crop]
        empty = any(part.start >= part.stop for part in crop)
        assert box == (None if empty else expected), position
    return field


def stack(*parts, shape=(23, 18, 2)) -> keras.Model:
    return make_positive(keras.Sequential([keras.Input(shape), *parts]))


def conv(kernel=3, stride=1, padding="same", **settings):
    return layers.Conv2D(2, kernel, stride, padding=padding, **settings)


PLAIN = {
    "same and valid with strides": lambda: [
        conv(3, 2),
        conv(4, 1, "valid", activation="relu"),
        conv(2, 2),
        conv(3),
    ],
    "the end of a map is never read": lambda: [conv(3, 2, "valid"), conv(4), conv(3, 2, "valid")],
    "even kernels": lambda: [conv(2), conv(4, 3), conv((2, 5), (1, 2))],
    "stride past the kernel": lambda: [conv(1, 3), conv(2, 3), conv(3)],
    "dilated": lambda: [conv(3, dilation_rate=3), conv(2, dilation_rate=(2, 1)), conv(3, 2)],
    "depthwise": lambda: [
        layers.DepthwiseConv2D(3, 2, padding="same"),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.DepthwiseConv2D(2, dilation_rate=2),
        conv(1),
    ],
    "depthwise one by one with stride": lambda: [
        layers.DepthwiseConv2D(1, 2, padding="same"),
        conv(3),
    ],
    "separable": lambda: [
        layers.SeparableConv2D(3, 3, 2, padding="same"),
        layers.SeparableConv2D(2, 3, dilation_rate=2, padding="same"),
    ],
    "pooling": lambda: [
        layers.AveragePooling2D(3, 2, "same"),
        conv(3),
        layers.AveragePooling2D((2, 3), (1, 2)),
    ],
    "padding and cropping": lambda: [
        layers.ZeroPadding2D(((3, 0), (1, 4))),
        conv(2, 2, "valid"),
        layers.Cropping2D(((1, 0), (2, 1))),
        conv(3),
    ],
    "padding that nothing of the input reaches": lambda: [layers.ZeroPadding2D(4), conv(3, 2)],
    "nearest": lambda: [conv(3, 2), layers.UpSampling2D((2, 3)), conv(3, 2)],
    "bilinear": lambda: [
        conv(3, 2),
        layers.UpSampling2D((2, 3), interpolation="bilinear"),
        conv(3),
    ],
    "bicubic": lambda: [conv(3, 2), layers.UpSampling2D(3, interpolation="bicubic")],
    "lanczos": lambda: [conv(3), layers.Resizing(20, 25, "lanczos3")],
    "resized": lambda: [layers.Resizing(14, 27), conv(3, 2)],
    "resized nearest": lambda: [layers.Resizing(9, 40, "nearest"), conv(3, 2)],
    "dense on positions": lambda: [
        conv(3, 2),
        layers.Dense(3),
        layers.Dropout(0.5),
        layers.PReLU(),
        conv(3),
    ],
    "wrapped": lambda: [
        layers.SpectralNormalization(conv(3, 2)),
        layers.Reshape((12, 1, 9, 2)),
        layers.Reshape((12, 9, 2)),
        conv(2),
    ],
    "at rest": lambda: [
        layers.RandomFlip(),
        layers.RandomCrop(6, 6),
        layers.Rescaling(2.0),
        layers.RandomElasticTransform(),
        layers.RandomRotation(0.2),
        layers.Normalization(mean=0.0, variance=1.0),
        conv(3),
    ],
}


@pytest.mark.parametrize("name", PLAIN)
def test_chains(name):
    check(stack(*PLAIN[name]()))


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("stride", "dilation", "extra"),
    [(2, 1, None), (2, 1, 1), (3, 1, None), (3, 1, 1), (1, 2, None)],
)
def test_transposed(kernel, padding, stride, dilation, extra):
    part = layers.Conv2DTranspose(
        2, kernel, stride, padding=padding, output_padding=extra, dilation_rate=dilation
    )
    check(stack(conv(3, 2), part, shape=(9, 12, 1)))


def residual(x):
    y = conv(3, 2)(x)
    y = layers.BatchNormalization()(y)
    y = conv(3)(layers.ReLU()(y))
    return layers.ReLU()(layers.Add()([y, layers.Conv2D(2, 1, 2, padding="same")(x)]))


def test_residual_with_a_strided_shortcut():
    x = keras.Input((21, 16, 2))
    model = make_positive(keras.Model(x, residual(residual(x))))
    # 3 + 2 * 2 = 7, then 2 * 2 + 4 * 2 more.
    assert check(model).size == (19, 19)


def test_branches_of_different_offset():
    x = keras.Input((16, 17, 1))
    parts = [conv(5, 2, "same", dilation_rate=1)(x), layers.AveragePooling2D(2, 2, "same")(x)]
    far = layers.UpSampling2D(2)(conv(3, 2)(parts[0]))
    far = layers.Cropping2D(((0, 0), (0, 1)))(far)
    merged = layers.Concatenate()([parts[0], parts[1], far])
    check(make_positive(keras.Model(x, layers.Multiply()([conv(2)(merged), conv(1)(merged)]))))


def test_bare_operations():
    x = keras.Input((12, 15, 2))
    y = keras.ops.relu(conv(3, 2)(x)) * 2.0 + conv(1, 2)(x)
    y = y * keras.ops.mean(y, axis=-1, keepdims=True)
    check(make_positive(keras.Model(x, conv(3)(keras.ops.sqrt(y)))))


def test_a_sequential_nested_in_a_functional_model():
    inner = keras.Sequential([keras.Input((20, 14, 2)), conv(3, 2), conv(3)], name="inner")
    deeper = keras.Sequential([keras.Input((20, 14, 2)), inner, conv(2, 2)], name="deeper")
    x = keras.Input((20, 14, 2))
    check(make_positive(keras.Model(x, layers.Add()([deeper(x), conv(1, 4)(x)]))))


def channels_first_parts():
    return [
        layers.Rescaling(2.0),
        conv(3, 2, **FIRST),
        layers.BatchNormalization(axis=1),
        layers.ReLU(),
        layers.DepthwiseConv2D(3, padding="same", **FIRST),
        layers.AveragePooling2D(2, padding="same", **FIRST),
        layers.ZeroPadding2D(1, **FIRST),
        layers.UpSampling2D(2, **FIRST),
        conv(2, **FIRST),
    ]


def test_channels_first():
    check(stack(*channels_first_parts(), shape=(2, 19, 14)))


def test_a_model_that_turns_its_input_over():
    parts = [layers.Permute((3, 1, 2)), conv(3, 2, **FIRST), layers.Permute((2, 3, 1)), conv(3)]
    check(stack(*parts, shape=(19, 14, 2)), spatial=(1, 2))


def test_pictures_without_a_channel():
    check(stack(layers.Reshape((13, 12, 1)), conv(3, 2), shape=(13, 12)), spatial=(1, 2))


def test_causal_sequences():
    parts = [layers.Conv1D(2, 3, padding="causal", dilation_rate=2), layers.Conv1D(2, 2, 2)]
    parts += [layers.Conv1D(2, 4, padding="causal", strides=2), layers.UpSampling1D(3)]
    parts += [layers.Conv1DTranspose(2, 3, 2), layers.ZeroPadding1D((2, 0)), layers.Cropping1D(1)]
    check(stack(*parts, shape=(41, 2)))


def test_three_dimensions():
    parts = [layers.Conv3D(2, 3, (1, 2, 2), padding="same"), layers.AveragePooling3D((2, 1, 2))]
    parts += [layers.UpSampling3D(2), layers.ZeroPadding3D(1), layers.Conv3D(1, 2)]
    check(stack(*parts, shape=(7, 8, 9, 1)))


def test_free_sides_take_those_of_the_sample():
    check(stack(conv(3, 2), layers.UpSampling2D(2), conv(2, 3), shape=(None, None, 2)), (20, 15, 2))


def test_max_pooling_reaches_its_window_over_random_inputs():
    parts = [layers.MaxPooling2D(3, 2, "same"), conv(3, activation="relu"), layers.MaxPooling2D(2)]
    inputs = np.random.default_rng(7).uniform(0, 1, (300, 17, 14, 2)).astype(np.float32)
    check(stack(*parts, shape=(17, 14, 2)), inputs=inputs)


def draw_part(rng: np.random.Generator) -> layers.Layer:
    kernel, stride = int(rng.integers(1, 5)), int(rng.integers(1, 3))
    padding = str(rng.choice(["same", "valid"]))
    match rng.integers(6):
        case 0:
            return conv(kernel, stride, padding)
        case 1:
            return conv(kernel, 1, padding, dilation_rate=int(rng.integers(1, 4)))
        case 2:
            return layers.DepthwiseConv2D(kernel, stride, padding=padding)
        case 3:
            return layers.AveragePooling2D(kernel, stride, padding=padding)
        case 4:
            return layers.Conv2DTranspose(1, kernel, stride, padding=padding)
        case _:
            return layers.BatchNormalization()


@pytest.mark.parametrize("seed", range(10))
def test_random_stacks(seed):
    rng = np.random.default_rng(seed)
    side = [int(s) for s in rng.integers(36, 48, 2)]
    check(stack(*(draw_part(rng) for _ in range(5)), shape=(*side, 1)))


def test_a_gate_over_channels_sees_everything():
    x = keras.Input((8, 9, 2))
    y = conv(3)(x)
    gate = layers.Reshape((1, 1, 2))(layers.Dense(2)(layers.GlobalAveragePooling2D()(y)))
    model = make_positive(keras.Model(x, layers.Multiply(name="scaled")([y, gate])))
    calls = Probe(model, (8, 9, 2)).calls
    assert receptive_fields(calls, (8, 9, 2))[-1].windows is None
    seen = make_gradient(model, calls[-1])(np.ones((1, 8, 9, 2), np.float32), tf.constant([0, 0]))
    assert np.all(seen > 0)


REAL = [
    ("mlcommons_tiny/pretrainedResnet.h5", 255, ("add", "conv2d_4", "add_1", "conv2d_6", "add_2")),
    (
        "tm_BilalSardar_asl/keras_model.h5",
        1,
        ("sequential_1/model1/block_3_depthwise", "sequential_1/model1/block_7_project"),
    ),
]


@pytest.mark.real
@pytest.mark.parametrize(("name", "scale", "addresses"), REAL, ids=["resnet", "nested-mobilenet"])
def test_trained_models(real, name, scale, addresses):
    model = open_model(identify(real / "models" / name))
    shape = tuple(model.inputs[0].shape[1:])
    # A ReLU may be shut for one input: over several, every corner of the window is reached.
    inputs = np.random.default_rng(7).uniform(0, scale, (4, *shape)).astype(np.float32)
    for address in addresses:
        check(model, address=address, inputs=inputs)
