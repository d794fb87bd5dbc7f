"""Every parameterisation keeps the contract, reaches a photograph, and grows without a change."""

from functools import lru_cache

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from reportgen.errors import UsageError
from reportgen.optvis.canvas import Canvas
from reportgen.optvis.colour import imagenet_colour
from reportgen.optvis.fourier import Fourier
from reportgen.optvis.maco import Maco
from reportgen.optvis.parameterizations import Parameterization, Pixels, resize_images
from reportgen.optvis.pyramid import LaplacianPyramid
from reportgen.optvis.spectra import measure_magnitude

from .painting import fitter, generators, paint, photograph

PAINTED = {
    "pixels": Pixels(),
    "normal": Pixels(origin="normal"),
    "fourier": Fourier(),
    "fourier-clip": Fourier(squash="clip"),
    "pyramid": LaplacianPyramid(),
}


@lru_cache
def maco(channels: int = 3) -> Maco:
    samples = np.random.default_rng(0).random((4, 12, 12, channels))
    return Maco(magnitude=measure_magnitude(samples))


def painter(name: str, channels: int) -> Parameterization:
    return maco(channels) if name == "maco" else PAINTED[name]


@pytest.mark.parametrize("name", [*PAINTED, "maco"])
@pytest.mark.parametrize("canvas", [Canvas(12, 9, 1), Canvas(7, 12, 3), Canvas(8, 8, 5)])
def test_images_have_the_shape_and_stay_in_range(name, canvas):
    image = painter(name, canvas.channels)
    variables = image.start(generators(1, 2), canvas)
    assert all(len(variable) == 2 and variable.dtype == np.float32 for variable in variables)
    # A careless step: twenty times what it was, and shifted.
    projected = image.project([tf.constant(20 * v - 10) for v in variables])
    pictures = paint(image, tuple(v.numpy() for v in projected), canvas)
    assert pictures.shape == (2, canvas.height, canvas.width, canvas.channels)
    assert pictures.dtype == np.float32
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    assert pictures.std() > 0


@pytest.mark.parametrize("name", [*PAINTED, "maco"])
def test_splitting_into_batches_changes_nothing(name):
    image, canvas = painter(name, 3), Canvas(10, 11, 3)
    whole = image.start(generators(1, 2, 3, 4), canvas)
    halves = [image.start(generators(*pair), canvas) for pair in ((1, 2), (3, 4))]
    for variable, first, second in zip(whole, *halves, strict=True):
        np.testing.assert_array_equal(variable, np.concatenate([first, second]))
    together = paint(image, whole, canvas)
    apart = np.concatenate([paint(image, half, canvas) for half in halves])
    # Products of other sizes may add in another order: float32 rounding.
    np.testing.assert_allclose(together, apart, atol=2e-6)


@pytest.mark.parametrize("name", [*PAINTED, "maco"])
def test_growing_is_split_as_freely(name):
    image, old, new = painter(name, 3), Canvas(8, 9, 3), Canvas(12, 15, 3)
    variables = image.start(generators(1, 2), old)
    whole = image.grow(variables, old, new, generators(5, 6))
    second = image.grow(tuple(v[1:] for v in variables), old, new, generators(6))
    for variable, alone in zip(whole, second, strict=True):
        np.testing.assert_allclose(variable[1:], alone, atol=1e-6)
    assert paint(image, whole, new).shape == (2, 12, 15, 3)


@pytest.mark.parametrize("name", [*PAINTED, "maco"])
def test_seeds_decide(name):
    image, canvas = painter(name, 3), Canvas(8, 8, 3)
    first, again, other = (image.start(generators(seed), canvas)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


@pytest.mark.parametrize("name", [*PAINTED, "maco"])
def test_the_number_of_images_may_be_unknown_when_traced(name):
    image, canvas = painter(name, 3), Canvas(8, 7, 3)
    variables = image.start(generators(1, 2), canvas)
    shapes = [tf.TensorSpec((None, *v.shape[1:]), tf.float32) for v in variables]
    decode = tf.function(lambda *given: image.decode(given, canvas), input_signature=shapes)
    traced = decode(*map(tf.constant, variables)).numpy()
    np.testing.assert_allclose(traced, paint(image, variables, canvas), atol=2e-6)


@pytest.mark.parametrize("name", [*PAINTED, "maco"])
def test_equal_options_are_one_key(name):
    image = painter(name, 3)
    assert hash(image) == hash(painter(name, 3))
    assert Fourier() == Fourier()
    assert Fourier() != Fourier(decay=1.5)
    assert Pixels() == Pixels()
    assert Pixels(image=photograph()) == Pixels(image=photograph())
    assert Pixels(image=photograph()) != Pixels(image=photograph().copy())


@pytest.mark.parametrize(
    "image",
    [
        Pixels(),
        Fourier(),
        Fourier(colour=None),
        LaplacianPyramid(),
        LaplacianPyramid(levels=None, colour=None),
    ],
    ids=["pixels", "fourier", "fourier without colour", "pyramid", "whole pyramid"],
)
def test_a_photograph_is_reached(image):
    variables = image.start(generators(0), Canvas(64, 64, 3))
    run = fitter(image, variables, photograph(), 0.05)
    assert min(run(100) for _ in range(10)) < 0.01


def test_grey_and_noise_around_grey():
    canvas = Canvas(40, 40, 3)
    assert (Pixels(origin="grey").start(generators(0), canvas)[0] == 0.5).all()
    narrow = Pixels(spread=0.25).start(generators(0), canvas)[0]
    assert 0.375 <= narrow.min() < 0.38
    assert 0.62 < narrow.max() <= 0.625
    # 4800 draws: the standard error of a deviation is 1 % of it
    normal = Pixels(origin="normal", spread=0.1).start(generators(0), canvas)[0]
    assert normal.std() == pytest.approx(0.1, rel=0.05)


def test_a_given_picture_is_the_start():
    picture = photograph()[0]
    start = Pixels(image=picture).start(generators(0, 1), Canvas(64, 64, 3))[0]
    np.testing.assert_allclose(start, np.stack([picture, picture]), atol=1e-6)
    smaller = Pixels(image=picture).start(generators(0), Canvas(32, 20, 3))[0]
    assert smaller.shape == (1, 32, 20, 3)


def test_of_several_pictures_the_seed_draws_one():
    pictures = np.stack([np.full((4, 4, 1), value, np.float32) for value in (0.0, 0.5, 1.0)])
    start = Pixels(image=pictures).start(generators(*range(20)), Canvas(4, 4, 1))[0]
    assert set(start[:, 0, 0, 0].tolist()) == {0.0, 0.5, 1.0}


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4)), "expected"),
        (np.full((4, 4, 3), 255.0), "divide by 255"),
        (np.full((4, 4, 3), np.nan), "nan"),
    ],
)
def test_what_is_no_picture_is_refused(image, message):
    with pytest.raises(UsageError, match=message):
        Pixels(image=image)


def test_a_picture_of_other_channels_is_refused():
    with pytest.raises(UsageError, match="has 3 channels, the model takes 1"):
        Pixels(image=photograph()).start(generators(0), Canvas(8, 8, 1))


def test_pixels_grow_bilinearly():
    image, old, new = Pixels(), Canvas(6, 8, 2), Canvas(12, 16, 2)
    variables = image.start(generators(3), old)
    expected = ndimage.zoom(
        variables[0], (1, 2, 2, 1), order=1, mode="nearest", grid_mode=True, prefilter=False
    )
    np.testing.assert_allclose(image.grow(variables, old, new, [])[0], expected, atol=1e-6)


def test_the_pyramid_adds_its_enlarged_levels():
    image, canvas = LaplacianPyramid(levels=2, colour=None), Canvas(4, 6, 1)
    fine, coarse = image.start(generators(0), canvas)
    assert coarse.shape == (1, 2, 3, 1)
    enlarged = ndimage.zoom(coarse, (1, 2, 2, 1), order=1, mode="nearest", grid_mode=True)
    expected = 1 / (1 + np.exp(-(fine + enlarged)))
    np.testing.assert_allclose(paint(image, (fine, coarse), canvas), expected, atol=1e-6)


@pytest.mark.parametrize(("levels", "expected"), [(4, 3), (2, 2), (None, 3)])
def test_the_pyramid_stops_where_nothing_is_left_to_halve(levels, expected):
    assert len(LaplacianPyramid(levels=levels).start(generators(0), Canvas(7, 9, 1))) == expected


def test_the_pyramid_grows_into_the_enlarged_picture():
    image, old, new = LaplacianPyramid(deviation=1.0), Canvas(9, 8, 3), Canvas(15, 20, 3)
    variables = image.start(generators(0, 1), old)
    small = paint(image, variables, old)
    root = imagenet_colour()
    free = root.unmix(np.log(small) - np.log1p(-small)).astype(np.float32)
    enlarged = root.mix(tf.constant(resize_images(free, new)))
    expected = tf.sigmoid(enlarged).numpy()
    grown = paint(image, image.grow(variables, old, new, []), new)
    np.testing.assert_allclose(grown, expected, atol=1e-4)
