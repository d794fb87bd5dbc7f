"""Colours against lucid's numbers and the covariance of the samples."""

import numpy as np
import pytest
import tensorflow as tf

from reportgen.errors import UsageError
from reportgen.optvis.colour import (
    LEAST_DEVIATION,
    Colour,
    colour_for,
    imagenet_colour,
    measure_colour,
    to_unit_range,
)
from reportgen.optvis.spectra import measure_magnitude


def correlated(seed: int = 0) -> np.ndarray:
    mixing = np.array([[0.10, 0.03, 0.00], [0.10, 0.00, 0.02], [0.10, -0.03, 0.01]])
    noise = np.random.default_rng(seed).standard_normal((6, 20, 20, 3))
    return 0.5 + noise @ mixing.T / 3


def test_imagenet_is_lucids_matrix():
    rows = np.transpose(imagenet_colour().matrix)
    expected = [
        [0.56282854, 0.58447580, 0.58447580],
        [0.19482528, 0.0, -0.19482528],
        [0.04329450, -0.10823626, 0.06494176],
    ]
    np.testing.assert_allclose(rows, expected, atol=1e-7)
    np.testing.assert_allclose(rows[0], [0.56283, 0.58448, 0.58448], atol=1e-5)


def test_mixing_multiplies_by_the_transposed_matrix():
    colour = Colour(((1.0, 2.0), (3.0, 4.0)))
    mixed = colour.mix(tf.constant([[[1.0, 0.0], [0.0, 1.0]]])).numpy()
    np.testing.assert_array_equal(mixed, [[[1.0, 3.0], [2.0, 4.0]]])


def test_unmixing_undoes_mixing():
    values = np.random.default_rng(0).standard_normal((2, 4, 5, 3))
    mixed = imagenet_colour().mix(tf.constant(values)).numpy()
    np.testing.assert_allclose(imagenet_colour().unmix(mixed), values, atol=1e-12)


def test_measured_colours_have_the_covariance_of_the_samples():
    pixels = correlated()
    matrix = np.array(measure_colour(pixels).matrix)
    covariance = np.cov(pixels.reshape(-1, 3), rowvar=False, bias=True)
    scale = np.trace(covariance) / np.trace(matrix @ matrix.T)
    np.testing.assert_allclose(matrix @ matrix.T * scale, covariance, atol=1e-12)
    assert np.linalg.norm(matrix, axis=0).max() == pytest.approx(1.0)
    # Brightness varies most, and the sign is fixed.
    assert (matrix[:, 0] > 0.5).all()


def test_unmixed_samples_no_longer_go_together():
    pixels = correlated()
    free = measure_colour(pixels).unmix(pixels - pixels.mean(axis=(0, 1, 2)))
    covariance = np.cov(free.reshape(-1, 3), rowvar=False)
    np.testing.assert_allclose(covariance, np.eye(3) * covariance[0, 0], atol=1e-9)


def test_grey_samples_keep_every_colour_within_reach():
    grey = np.repeat(np.random.default_rng(0).random((3, 8, 8, 1)), 3, axis=-1)
    matrix = np.array(measure_colour(grey).matrix)
    lengths = np.linalg.norm(matrix, axis=0)
    np.testing.assert_allclose(lengths, [1.0, LEAST_DEVIATION, LEAST_DEVIATION], rtol=1e-6)
    np.testing.assert_allclose(np.abs(matrix[:, 0]), 3**-0.5)


@pytest.mark.parametrize(
    "pixels", [np.random.default_rng(0).random((2, 4, 4, 1)), np.full((2, 4, 4, 3), 0.3)]
)
def test_one_channel_and_constant_samples_get_the_identity(pixels):
    colour = measure_colour(pixels)
    assert colour.is_identity
    assert colour.channels == pixels.shape[-1]


def test_a_colour_of_one_channel_changes_nothing():
    values = np.random.default_rng(0).random((2, 3, 3, 1))
    assert Colour(((7.0,),)).unmix(values) is values
    assert Colour(((7.0,),)).mix(values) is values


def test_five_channels_are_measured():
    assert measure_colour(np.random.default_rng(0).random((2, 9, 9, 5))).channels == 5


@pytest.mark.parametrize("shape", [(4, 4, 3), (0, 4, 4, 3)])
def test_what_is_no_set_of_images_is_refused(shape):
    with pytest.raises(UsageError, match=r"expected images \(n, h, w, c\)"):
        measure_colour(np.zeros(shape))


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(UsageError, match="not finite"):
        measure_colour(np.full((1, 2, 2, 3), np.nan))


def test_a_matrix_is_used_only_where_it_fits():
    assert colour_for("imagenet", 3) == imagenet_colour()
    assert colour_for("imagenet", 1) is None
    assert colour_for(None, 3) is None
    assert colour_for(Colour(((1.0, 0.0), (0.5, 1.0))), 2) is not None


def test_both_ways_to_the_unit_range_put_zero_at_mid_grey():
    values = tf.constant([-9.0, 0.0, 9.0])
    np.testing.assert_allclose(to_unit_range(values, "clip").numpy(), [0.0, 0.5, 1.0])
    np.testing.assert_allclose(to_unit_range(values, "sigmoid").numpy(), [0, 0.5, 1], atol=2e-4)


def test_magnitude_of_unmixed_colours():
    pixels = correlated()
    colour = measure_colour(pixels)
    energy = np.square(measure_magnitude(pixels, colour=colour).values).mean(axis=(1, 2))
    # Noise of equal strength in all three once unmixed; six samples leave a few per cent.
    np.testing.assert_allclose(energy / energy.mean(), 1.0, atol=0.1)
