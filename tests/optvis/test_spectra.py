"""Spectra against numbers worked out by hand and NumPy's own transform."""

import numpy as np
import pytest
import tensorflow as tf

from reportgen.optvis.canvas import Canvas
from reportgen.optvis.spectra import (
    Magnitude,
    _by_fast_transform,
    _by_matrices,
    fourier_scale,
    measure_magnitude,
)


def test_scale_by_hand():
    # 4x4: sqrt(16) / max(f, 1/4); f = 0, 1/4, 1/2 and the diagonals
    expected = [
        [16.0, 16.0, 8.0],
        [16.0, 11.313708, 7.155418],
        [8.0, 7.155418, 5.656854],
        [16.0, 11.313708, 7.155418],
    ]
    np.testing.assert_allclose(fourier_scale(4, 4), expected, atol=1e-5)
    # 2x4: sqrt(8) / max(f, 1/4)
    np.testing.assert_allclose(fourier_scale(2, 4)[:, 0], [11.313708, 5.656854], atol=1e-5)
    # decay 2 at the lowest frequency of 4x4: 4 / (1/4)^2; decay 0: flat
    assert fourier_scale(4, 4, 2.0)[0, 0] == pytest.approx(64.0)
    np.testing.assert_allclose(fourier_scale(3, 3, 0.0), 3.0)


@pytest.mark.parametrize("size", [(8, 8), (7, 5), (6, 9), (1, 4)])
@pytest.mark.parametrize("transform", [_by_matrices, _by_fast_transform])
def test_inverse_transforms_are_numpys(transform, size):
    height, width = size
    shape = (2, 3, width // 2 + 1, 2, height)
    parts = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    waves = np.swapaxes(parts[:, :, :, 0] + 1j * parts[:, :, :, 1], -1, -2)
    expected = np.fft.irfft2(waves, s=size)
    # float32 sums over up to 81 terms of size 1
    actual = transform(tf.constant(parts), height, width).numpy()
    np.testing.assert_allclose(actual, expected, atol=2e-6)


def test_gradients_of_both_transforms_agree():
    parts = tf.constant(np.random.default_rng(0).standard_normal((1, 2, 4, 2, 5)), tf.float32)
    weights = tf.constant(np.random.default_rng(1).standard_normal((1, 2, 5, 7)), tf.float32)

    def gradient(transform):
        with tf.GradientTape() as tape:
            tape.watch(parts)
            value = tf.reduce_sum(transform(parts, 5, 7) * weights)
        return tape.gradient(value, parts).numpy()

    np.testing.assert_allclose(gradient(_by_matrices), gradient(_by_fast_transform), atol=1e-6)


def test_magnitude_of_one_wave_by_hand():
    # 0.5 + 0.25 cos(2 pi 2 x / 8) on 4x8: mean gone, 0.25 * 32 / 2 = 4 at column 2
    wave = 0.5 + 0.25 * np.cos(2 * np.pi * 2 * np.arange(8) / 8)
    magnitude = measure_magnitude(np.broadcast_to(wave[None, None, :, None], (3, 4, 8, 1)))
    expected = np.zeros((1, 4, 5))
    expected[0, 0, 2] = 4.0
    np.testing.assert_allclose(magnitude.values, expected, atol=1e-6)


def test_magnitude_keeps_its_frequencies_on_another_canvas():
    values = np.random.default_rng(0).random((1, 6, 4)).astype(np.float32)
    magnitude = Magnitude(values, Canvas(6, 6, 1))
    np.testing.assert_array_equal(magnitude.at(Canvas(6, 6, 1)), values)
    smaller = magnitude.at(Canvas(4, 4, 1))
    np.testing.assert_allclose(smaller[0, 3, 2], values[0, 5, 2] * 16 / 36, rtol=1e-6)
    larger = magnitude.at(Canvas(12, 12, 1))
    np.testing.assert_allclose(larger[0, 11, 2], values[0, 5, 2] * 4, rtol=1e-6)
    # Column 6 was not measured: column 3 goes on as 1 / f.
    np.testing.assert_allclose(larger[0, 0, 6], values[0, 0, 3] * 4 / 2, rtol=1e-6)
    assert magnitude.at(Canvas(5, 13, 1)).shape == (1, 5, 7)
