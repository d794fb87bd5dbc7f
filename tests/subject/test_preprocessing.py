"""Declared scalings, against Keras' and TensorFlow's own."""

import numpy as np
import pytest

from reportgen.errors import ConfigurationError
from reportgen.subject.preprocessing import NAMES, check_channels, find_preprocessing

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype(np.float32)
# Both sides compute in float32: a few roundings of values up to 255 (or 3 after division).
ROUNDING = {"rtol": 1e-5, "atol": 2e-5}


def scale(name, pixels=PIXELS):
    _, function, _ = find_preprocessing(name)
    before = pixels.copy()
    scaled = function(pixels)
    np.testing.assert_array_equal(pixels, before)  # samples are shared: nothing works in place
    assert scaled.dtype == np.float32
    assert scaled.shape == pixels.shape
    return scaled


@pytest.mark.parametrize(
    ("name", "mode"),
    [("imagenet-caffe", "caffe"), ("imagenet-torch", "torch"), ("symmetric", "tf")],
)
def test_against_keras(name, mode):
    from keras.applications.imagenet_utils import preprocess_input

    expected = preprocess_input(PIXELS.copy(), data_format="channels_last", mode=mode)
    np.testing.assert_allclose(scale(name), expected, **ROUNDING)


@pytest.mark.parametrize("pixels", [PIXELS, np.full((2, 4, 4, 1), 9, np.float32)])
def test_standardize_against_tensorflow(pixels):
    import tensorflow as tf

    expected = tf.image.per_image_standardization(pixels).numpy()
    np.testing.assert_allclose(scale("standardize", pixels), expected, **ROUNDING)


def test_by_hand():
    ends = np.array([[0.0, 127.5, 255.0]], np.float32)
    assert scale("none", ends).tolist() == [[0, 127.5, 255]]
    assert scale("unit", ends).tolist() == [[0, 0.5, 1]]
    assert scale("symmetric", ends).tolist() == [[-1, 0, 1]]
    np.testing.assert_allclose(scale("standardize", ends), [[-(1.5**0.5), 0, 1.5**0.5]], rtol=1e-6)


def test_every_name_has_words():
    assert len(NAMES) == len({find_preprocessing(name)[2] for name in NAMES}) == 14


@pytest.mark.parametrize("name", [n for n in NAMES if n.endswith(("-bgr", "-rgb"))])
def test_channels_the_other_way_round(name):
    usual = name.rpartition("-")[0]
    np.testing.assert_array_equal(scale(name), scale(usual)[..., ::-1])


def test_imagenet_caffe_in_rgb_is_pixels_less_their_means():
    means = np.array([123.68, 116.779, 103.939], np.float32)
    np.testing.assert_allclose(scale("imagenet-caffe-rgb"), PIXELS - means, **ROUNDING)


def test_scaled_twice():
    np.testing.assert_allclose(scale("unit-twice"), PIXELS / 65025, rtol=1e-6)
    np.testing.assert_allclose(
        scale("symmetric-twice"), (PIXELS / 127.5 - 1) / 127.5 - 1, **ROUNDING
    )


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module beside the call, as a user would have it."""
    (tmp_path / "my_scaling.py").write_text(
        "number = 3\n"
        "def halve(pixels):\n    return pixels.astype('float64') / 2\n"
        "def flatten(pixels):\n    return pixels.reshape(len(pixels), -1)\n"
    )
    (tmp_path / "broken_scaling.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [str(tmp_path), *__import__("sys").path])


@pytest.mark.usefixtures("module")
def test_a_function_of_the_user():
    np.testing.assert_array_equal(scale("my_scaling:halve"), PIXELS / 2)
    assert find_preprocessing("my_scaling:halve")[::2] == ("my_scaling:halve", "your function")


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("caffe", "'caffe' is unknown. Did you mean 'imagenet-caffe'\\? Use one of none, unit,"),
        ("nowhere_at_all:f", "No module named 'nowhere_at_all'"),
        ("my_scaling:missing", "has no attribute 'missing'"),
        ("my_scaling:number", "is not a function"),
        ("broken_scaling:f", "ZeroDivisionError: division by zero"),
        (":f", "cannot be imported"),
        (".x:f", "cannot be imported"),
    ],
)
def test_names_that_cannot_be_used(name, said):
    with pytest.raises(ConfigurationError, match=said):
        find_preprocessing(name)


@pytest.mark.usefixtures("module")
def test_a_function_that_changes_the_shape():
    with pytest.raises(ConfigurationError, match=r"made \(4, 192\) of \(4, 8, 8, 3\)"):
        find_preprocessing("my_scaling:flatten")[1](PIXELS)


def test_imagenet_means_need_three_channels():
    check_channels("imagenet-caffe", 3)
    check_channels("unit", 1)
    for name in ("imagenet-caffe", "imagenet-torch", "imagenet-caffe-rgb", "unit-bgr"):
        with pytest.raises(ConfigurationError, match="needs 3 channels, the model takes 1"):
            check_channels(name, 1)
