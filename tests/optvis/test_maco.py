"""MACO: the magnitudes stay, the phases decide."""

import numpy as np
import pytest
import tensorflow as tf

from reportgen.errors import UsageError
from reportgen.optvis.canvas import Canvas
from reportgen.optvis.colour import imagenet_colour
from reportgen.optvis.maco import Maco
from reportgen.optvis.spectra import Magnitude, measure_magnitude

from .painting import fitter, generators, paint, photograph


def detail(image: np.ndarray, colour=None) -> np.ndarray:
    """What MACO squashes: the logits, unmixed, mean 0 and deviation 1; ``(h, w, c)``."""
    kept = np.clip(image.astype(np.float64), 0.02, 0.98)
    logits = np.log(kept) - np.log1p(-kept)
    free = colour.unmix(logits) if colour else logits
    return (free - free.mean()) / free.std()


def own_spectrum(values: np.ndarray) -> np.ndarray:
    """``(c, h, w // 2 + 1)`` complex."""
    return np.moveaxis(np.fft.rfft2(values, axes=(0, 1)), -1, 0)


def magnitude_of(values: np.ndarray) -> Magnitude:
    return Magnitude(np.abs(own_spectrum(values)).astype(np.float32), Canvas(*values.shape))


@pytest.mark.parametrize("colour", [None, "imagenet"])
def test_a_photographs_own_phases_paint_the_photograph(colour):
    mix = imagenet_colour() if colour else None
    values = detail(photograph()[0], mix)
    angles = np.swapaxes(np.angle(own_spectrum(values)), -1, -2)[None].astype(np.float32)
    image = Maco(magnitude=magnitude_of(values), colour=colour)
    expected = tf.sigmoid(mix.mix(tf.constant(values)) if mix else values).numpy()
    painted = paint(image, (angles,), Canvas(64, 64, 3))[0]
    np.testing.assert_allclose(painted, expected, atol=1e-4)


@pytest.mark.parametrize("phases", ["free", "standardized"])
def test_images_keep_the_measured_magnitude(phases):
    canvas = Canvas(16, 15, 1)
    samples = np.random.default_rng(0).random((5, 16, 15, 1))
    magnitude = measure_magnitude(samples)
    image = Maco(magnitude=magnitude, phases=phases)
    painted = paint(image, image.start(generators(3), canvas), canvas)[0]
    logits = np.log(painted) - np.log1p(-painted)
    assert logits.mean() == pytest.approx(0.0, abs=1e-5)
    assert logits.std() == pytest.approx(1.0, abs=1e-4)
    # All but column 0, whose phases a real image ties together in pairs; and but for one factor.
    ratio = np.abs(own_spectrum(logits))[:, :, 1:] / magnitude.values[:, :, 1:]
    np.testing.assert_allclose(ratio / ratio.mean(), 1.0, atol=1e-3)


def test_standardized_phases_ignore_scale_and_offset():
    canvas = Canvas(8, 8, 3)
    samples = np.random.default_rng(0).random((5, 8, 8, 3))
    image = Maco(magnitude=measure_magnitude(samples), phases="standardized")
    (angles,) = image.start(generators(0), canvas)
    moved = paint(image, (angles * 9 + 4,), canvas)
    np.testing.assert_allclose(paint(image, (angles,), canvas), moved, atol=1e-4)


def test_a_photograph_is_reached():
    """The target is the photograph brought to mean 0 and deviation 1 before the sigmoid: MACO
    fixes every magnitude, so brightness and contrast are given and only phases can be found.

    Phases alone have many local optima from random ones (phase retrieval), so the search starts
    a radian, the usual error, beside the answer.
    """
    values = detail(photograph()[0])
    target = tf.sigmoid(values).numpy().astype(np.float32)[None]
    answer = np.swapaxes(np.angle(own_spectrum(values)), -1, -2)[None]
    noise = np.random.default_rng(0).normal(size=answer.shape)
    run = fitter(
        Maco(magnitude=magnitude_of(values)), ((answer + noise).astype(np.float32),), target, 0.05
    )
    assert run(1) > 0.05
    assert min(run(100) for _ in range(9)) < 0.01


def test_growing_keeps_the_picture_up_to_the_old_resolution():
    old, new = Canvas(16, 16, 1), Canvas(32, 32, 1)
    grey = photograph(32).mean(axis=-1, keepdims=True)
    image = Maco(magnitude=measure_magnitude(grey))
    variables = image.start(generators(0), old)
    small = paint(image, variables, old)[0, :, :, 0]
    large = paint(image, image.grow(variables, old, new, generators(1)), new)[0, :, :, 0]
    blurred = np.fft.irfft2(np.fft.fft2(large)[np.r_[:8, 24:32]][:, :9], s=(16, 16))
    # The sigmoid, and the old highest frequency, do not pass unchanged.
    assert np.corrcoef(small.ravel(), blurred.ravel())[0, 1] > 0.95


def test_growing_standardized_phases_leaves_none_at_zero():
    old, new = Canvas(8, 8, 1), Canvas(16, 16, 1)
    samples = np.random.default_rng(0).random((5, 16, 16, 1))
    image = Maco(magnitude=measure_magnitude(samples), phases="standardized")
    variables = tuple(100 * variable for variable in image.start(generators(0), old))
    (grown,) = image.grow(variables, old, new, generators(1))
    assert grown.std() == pytest.approx(1.0, abs=0.15)


def test_an_image_without_detail_is_grey_and_has_a_finite_gradient():
    flat = Magnitude(np.zeros((1, 8, 5), np.float32), Canvas(8, 8, 1))
    image = Maco(magnitude=flat)
    held = tf.constant(image.start(generators(0), Canvas(8, 8, 1))[0])
    with tf.GradientTape() as tape:
        tape.watch(held)
        painted = image.decode([held], Canvas(8, 8, 1))
    assert (painted.numpy() == 0.5).all()
    assert np.isfinite(tape.gradient(painted, held).numpy()).all()


def test_a_magnitude_of_other_channels_is_refused():
    image = Maco(magnitude=measure_magnitude(np.random.default_rng(0).random((2, 8, 8, 3))))
    with pytest.raises(UsageError, match="measured on 3 channels, the model takes 1"):
        paint(image, image.start(generators(0), Canvas(8, 8, 1)), Canvas(8, 8, 1))
