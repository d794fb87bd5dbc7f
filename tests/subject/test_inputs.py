"""What a model takes: layout, size, and what has to be asked."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.errors import ConfigurationError
from reportgen.subject.inputs import read_input, reads_tokens


def model(shape, *middle, **options):
    start = keras.Input(shape, **options)
    x = start
    for layer in middle:
        x = layer(x)
    return keras.Model(start, x)


def spec(taken, size=None, *, from_images=False):
    return read_input(taken, size, from_images=from_images)


def test_a_usual_image_model():
    got = spec(model((8, 9, 3), layers.Conv2D(2, 3)))
    assert (got.shape, got.pixels, got.kind) == ((8, 9, 3), (8, 9, 3), "image")
    assert (got.layout, got.channels) == ("channels_last", 3)
    pixels = np.ones((2, 8, 9, 3))
    assert got.arrange(pixels) is pixels


@pytest.mark.parametrize(
    "taken",
    [
        # Convolutions on CPU cannot run channels first; being built is enough here.
        lambda: model((3, 8, 9), layers.ZeroPadding2D(data_format="channels_first")),
        lambda: model((1, 8, 9), layers.Flatten()),
        lambda: model((5, 8, 9), layers.Conv2D(2, 3, data_format="channels_first")),
    ],
)
def test_channels_first(taken):
    got = spec(taken())
    channels = got.shape[0]
    assert got.pixels == (8, 9, channels)
    assert (got.layout, got.channels) == ("channels_first", channels)
    pixels = np.arange(2 * 8 * 9 * channels).reshape(2, 8, 9, channels)
    arranged = got.arrange(pixels)
    assert arranged.shape == (2, *got.shape)
    assert arranged[1, channels - 1, 3, 4] == pixels[1, 3, 4, channels - 1]


def test_three_rows_of_a_channels_last_convolution_are_rows():
    assert spec(model((3, 8, 9), layers.Conv2D(2, 1))).layout == "channels_last"


def test_no_channel_axis():
    for got in (
        spec(model((8, 9), layers.Flatten())),
        spec(model((8, 9), layers.Reshape((8, 9, 1)))),
        spec(model((8, 9), layers.Dense(2)), from_images=True),
    ):
        assert (got.shape, got.pixels, got.layout) == ((8, 9), (8, 9, 1), "no_channel")
        pixels = np.random.default_rng(0).random((2, 8, 9, 1))
        np.testing.assert_array_equal(got.arrange(pixels), pixels[..., 0])


def test_sequences_and_vectors_are_no_images():
    assert spec(model((8, 9), layers.LSTM(2))).kind == "other"
    assert spec(model((8,), layers.Dense(2))).kind == "vector"
    assert spec(model((4, 8, 8, 3), layers.Flatten())).kind == "other"


def test_a_static_batch_is_no_part_of_a_sample():
    assert spec(model((8, 9, 3), layers.Flatten(), batch_size=4)).shape == (8, 9, 3)


def test_a_free_size_is_asked_for():
    free = model((None, None, 3), layers.Conv2D(2, 3))
    with pytest.raises(ConfigurationError, match=r"\(None, None, 3\).*--input-size HxW"):
        spec(free)
    assert spec(free, (20, 30)).shape == (20, 30, 3)


def test_half_a_free_size():
    free = model((None, 9, 3), layers.Conv2D(2, 3))
    assert spec(free, (20, 9)).shape == (20, 9, 3)
    with pytest.raises(ConfigurationError, match=r"takes \(None, 9, 3\), not 20x30"):
        spec(free, (20, 30))


def test_a_free_size_channels_first():
    free = model((3, None, None), layers.Conv2D(2, 3, data_format="channels_first"))
    got = spec(free, (20, 30))
    assert (got.shape, got.pixels) == ((3, 20, 30), (20, 30, 3))


def test_a_size_that_the_model_does_not_take():
    with pytest.raises(ConfigurationError, match=r"input-size: the model takes \(8, 9, 3\)"):
        spec(model((8, 9, 3), layers.Flatten()), (8, 8))


@pytest.mark.parametrize("shape", [(8, 8, None), (None, None, None), (None,), (None, 5)])
def test_free_axes_that_no_option_can_settle(shape):
    taken = SimpleNamespace(
        inputs=[SimpleNamespace(name="x", shape=(None, *shape))],
        layers=[],
        _flatten_layers=lambda: [],
    )
    with pytest.raises(ConfigurationError, match="Save the model with a fixed input shape"):
        spec(taken, (8, 8))


def test_several_inputs_are_listed():
    left, right = keras.Input((8,), name="left"), keras.Input((4, 4), name="right")
    joined = layers.Concatenate()([left, layers.Flatten()(right)])
    with pytest.raises(ConfigurationError, match=r"2 inputs \(left \(8,\), right \(4, 4\)\)"):
        spec(keras.Model([left, right], joined))


def test_a_model_that_was_never_called():
    class Plain(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ConfigurationError, match="does not say what it takes"):
        spec(Plain())


def test_a_sequence_that_is_flattened_late_is_no_picture():
    late = model((30, 4), layers.Conv1D(5, 3), layers.Flatten())
    assert spec(late).kind == "other"
    assert spec(model((8, 9), layers.Rescaling(1 / 255), layers.Flatten())).kind == "image"


def test_tokens_are_told_from_numbers():
    tokens = SimpleNamespace(class_name="Embedding", address="net/words", inputs=(-1,))
    later = SimpleNamespace(class_name="Embedding", address="net/words", inputs=(0,))
    assert reads_tokens([tokens]) == "net/words"
    assert reads_tokens([later]) is None
