"""Pictures reach the model as its declared preprocessing would make them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from reportgen.errors import ConfigurationError, UsageError
from reportgen.optvis import channel, visualize
from reportgen.optvis.scaling import read_scaling
from reportgen.subject.preprocessing import NAMES, find_preprocessing, fits_channels

from .conftest import convnet, plain


def pictures(channels: int = 3, count: int = 4) -> np.ndarray:
    """In [0, 1], (count, 6, 9, channels)."""
    return np.random.default_rng(3).random((count, 6, 9, channels), np.float32)


def apply(scaling, images: np.ndarray) -> np.ndarray:
    return scaling.apply(tf.constant(images)).numpy()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_named_preprocessings_are_met_exactly(name, channels):
    if not fits_channels(name, channels):
        pytest.skip("it is made for three channels")
    _, function, _ = find_preprocessing(name)
    images = pictures(channels)
    scaling = read_scaling(function, channels, name=name)
    expected = function(images * 255)
    # float32 of values up to 255: 1e-5 of the range.
    atol = 1e-5 * max(1.0, float(np.abs(expected).max()))
    assert scaling.exact
    np.testing.assert_allclose(apply(scaling, images), expected, atol=atol)


ORACLES = {
    "imagenet-caffe": ("caffe", None),
    "imagenet-torch": ("torch", None),
    "symmetric": ("tf", None),
}


@pytest.mark.parametrize("name", ORACLES)
def test_they_are_those_of_keras_applications(name):
    from keras.src.applications.imagenet_utils import preprocess_input

    images = pictures()
    scaling = read_scaling(find_preprocessing(name)[1], 3, name=name)
    expected = preprocess_input(images * 255, mode=ORACLES[name][0])
    np.testing.assert_allclose(apply(scaling, images), expected, atol=1e-3 / 4)


def test_standardize_is_that_of_tensorflow():
    images = np.concatenate([pictures(), np.full((1, 6, 9, 3), 0.25, np.float32)])
    scaling = read_scaling(lambda pixels: pixels, 3, name="standardize")
    expected = tf.image.per_image_standardization(images * 255)
    np.testing.assert_allclose(apply(scaling, images), expected, atol=1e-5)


def test_caffe_turns_red_into_the_last_channel():
    scaling = read_scaling(find_preprocessing("imagenet-caffe")[1], 3)
    red = np.zeros((1, 2, 2, 3), np.float32)
    red[..., 0] = 1
    np.testing.assert_allclose(
        apply(scaling, red)[0, 0, 0], [-103.939, -116.779, 255 - 123.68], atol=1e-3
    )


def test_black_and_white_may_be_other_values():
    scaling = read_scaling(lambda pixels: 2 * pixels + 1, 1, low=-1.0, high=3.0)
    ends = np.array([0.0, 0.5, 1.0], np.float32).reshape(1, 1, 3, 1)
    np.testing.assert_allclose(apply(scaling, ends).ravel(), [-1, 3, 7], atol=1e-5)


def mixture(pixels: np.ndarray) -> np.ndarray:
    """What a user may write: to another colour space, in place."""
    pixels /= 255
    matrix = np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])
    return (pixels @ matrix.T - 0.1).astype(np.float32)


def test_a_users_mixture_of_channels_is_found():
    images = pictures()
    scaling = read_scaling(mixture, 3, name="module:mixture")
    assert scaling.exact
    np.testing.assert_allclose(apply(scaling, images), mixture(images * 255), atol=1e-5)


NOT_A_MIXTURE = {
    "gamma": lambda pixels: (pixels / 255) ** 0.5,
    "each image's mean": lambda pixels: pixels - pixels.mean(axis=(1, 2, 3), keepdims=True),
    "neighbours": lambda pixels: (pixels + np.roll(pixels, 1, axis=2)) / 2,
    "place": lambda pixels: pixels * np.linspace(0, 1, pixels.shape[2])[None, None, :, None],
    "the batch's mean": lambda pixels: pixels - pixels.mean(),
}


@pytest.mark.parametrize("name", NOT_A_MIXTURE)
def test_other_functions_stay_within_what_they_made_of_samples(name):
    function = NOT_A_MIXTURE[name]
    scaled = np.asarray(function(pictures(count=30) * 255), np.float32)
    scaling = read_scaling(function, 3, scaled_samples=scaled)
    assert not scaling.exact
    ends = np.stack([np.zeros((2, 2, 3)), np.ones((2, 2, 3))]).astype(np.float32)
    low, high = apply(scaling, ends)[:, 0, 0]
    flat = scaled.reshape(-1, 3)
    span = np.ptp(flat, axis=0)
    # Outliers are left out, 0.5 % at each end, but no more than those.
    assert (low >= flat.min(0)).all()
    assert (high <= flat.max(0)).all()
    assert (high - low > 0.8 * span).all()


def test_without_samples_nothing_is_scaled_and_it_is_said():
    scaling = read_scaling(NOT_A_MIXTURE["gamma"], 3)
    assert not scaling.exact
    np.testing.assert_allclose(apply(scaling, pictures()), pictures() * 255, rtol=1e-6)


@pytest.mark.parametrize(
    ("layout", "arrange"),
    [
        ("channels_first", lambda x: x.transpose(0, 3, 1, 2)),
        ("channels_last", lambda x: x),
        ("no_channel", lambda x: x[..., 0]),
    ],
)
def test_layouts(layout, arrange):
    images = pictures(1)
    scaling = read_scaling(find_preprocessing("unit")[1], 1, layout=layout)
    np.testing.assert_allclose(apply(scaling, images), arrange(images), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_pass(name):
    scaling = read_scaling(find_preprocessing(name)[1], 3, name=name)
    images = tf.constant(pictures())
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(scaling.apply(images) ** 2)
    gradient = tape.gradient(total, images).numpy()
    assert np.isfinite(gradient).all()
    if name != "standardize":  # whose squares always sum to the same
        assert (np.abs(gradient).max((1, 2, 3)) > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_score_is_what_a_user_finds_by_the_declared_preprocessing(name):
    model = convnet((8, 8, 3))
    result = visualize(model, channel("second", 1), recipe=plain(3), preprocessing=name)
    scaled = find_preprocessing(name)[1](result.images[0] * 255)
    inside = keras.Model(model.inputs, model.get_layer("second").output)
    expected = inside.predict(scaled, verbose=0)[..., 1].mean()
    assert result.scores[0, 0] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_scalings_of_colour_are_refused_for_grey():
    with pytest.raises(ConfigurationError, match="imagenet-caffe needs 3 channels"):
        visualize(convnet((8, 8, 1)), channel("first", 0), preprocessing="imagenet-caffe")


def test_no_preprocessing_gives_pixels_from_0_to_255():
    model = convnet((8, 8, 3))
    named = visualize(model, channel("first", 0), recipe=plain(3), preprocessing="none")
    left_out = visualize(model, channel("first", 0), recipe=plain(3), preprocessing=None)
    np.testing.assert_array_equal(named.images, left_out.images)


def test_samples_give_the_range_of_a_function_that_is_no_mixture(monkeypatch):
    monkeypatch.setattr(
        "reportgen.optvis.painting.find_preprocessing",
        lambda name: (name, NOT_A_MIXTURE["gamma"], "the user's"),
    )
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.Identity(name="seen")(image))
    bright = visualize(
        model, channel("seen", 0), recipe=plain(40), preprocessing="x:y", samples=255 * pictures()
    )
    assert bright.scores[0, 0] <= 1.0  # the largest value that gamma makes


def in_place(pixels):
    pixels /= 255
    return pixels


def test_preprocessing_may_be_a_function():
    from keras.applications.vgg16 import preprocess_input

    model = convnet((8, 8, 3))
    for function, name in ((preprocess_input, "imagenet-caffe"), (in_place, "unit")):
        given, named = (
            visualize(model, channel("first", 0), recipe=plain(3), preprocessing=one)
            for one in (function, name)
        )
        np.testing.assert_allclose(given.images, named.images, atol=1e-5)


def test_samples_are_given_before_scaling(monkeypatch):
    taken = []
    monkeypatch.setattr(
        "reportgen.optvis.painting.find_recipe",
        lambda recipe, samples, side: taken.append(samples) or recipe,
    )
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)
    unit = (pixels / 255).astype(np.float32)

    def give(samples):
        visualize(convnet((8, 8, 3)), channel("first", 0), recipe=plain(1), samples=samples)
        return taken.pop()

    np.testing.assert_array_equal(give(pixels), unit)
    np.testing.assert_allclose(give(pixels.astype(np.float64)), unit, rtol=1e-6)
    with pytest.warns(FutureWarning, match=r"run from 0 to 1 and are read as pixels / 255\. Sampl"):
        np.testing.assert_array_equal(give(unit), unit)  # as it was asked for earlier
    with pytest.raises(UsageError, match="values from -1 to 1"):
        give(np.array([[[[-1.0, 1.0]]]]))
    with pytest.raises(UsageError, match=r"\(n, h, w, c\) are needed"):
        give(pixels[0, 0])


def test_a_function_that_divides_by_the_deviation_is_no_formula_and_no_error():
    def standardise(pixels):
        return (pixels - pixels.mean((1, 2), keepdims=True)) / pixels.std((1, 2), keepdims=True)

    scaled = standardise(255 * pictures())
    scaling = read_scaling(standardise, 3, scaled_samples=scaled)
    assert not scaling.exact
    assert np.isfinite(scaling.matrix).all()
