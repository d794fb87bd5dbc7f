"""Fourier images against lucid written out in NumPy, and against waves drawn by hand."""

import numpy as np
import pytest

from reportgen.optvis.canvas import Canvas
from reportgen.optvis.colour import Colour
from reportgen.optvis.fourier import Fourier
from reportgen.optvis.spectra import fourier_scale

from .painting import generators, paint


def lucid_image(coefficients: np.ndarray, canvas: Canvas) -> np.ndarray:
    """lucid's `fft_image` and `to_valid_rgb` written out: ``(c, h, w // 2 + 1)`` complex."""
    frequency_y = np.fft.fftfreq(canvas.height)[:, None]
    frequency_x = np.fft.fftfreq(canvas.width)[: canvas.width // 2 + 1]
    distance = np.sqrt(frequency_x**2 + frequency_y**2)
    scale = 1.0 / np.maximum(distance, 1.0 / max(canvas.width, canvas.height))
    scale *= np.sqrt(canvas.width * canvas.height)
    pixels = np.moveaxis(np.fft.irfft2(scale * coefficients, s=canvas.size), 0, -1) / 4.0
    root = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
    root = root / np.max(np.linalg.norm(root, axis=0))
    return 1 / (1 + np.exp(-np.dot(pixels.reshape(-1, 3), root.T).reshape(pixels.shape)))


@pytest.mark.parametrize("canvas", [Canvas(16, 12, 3), Canvas(9, 14, 3)])
def test_fourier_is_lucids_image(canvas):
    variable = Fourier(deviation=1.0).start(generators(7), canvas)[0]
    coefficients = np.swapaxes(variable[0, :, :, 0] + 1j * variable[0, :, :, 1], -1, -2)
    expected = lucid_image(coefficients, canvas)
    np.testing.assert_allclose(paint(Fourier(), (variable,), canvas)[0], expected, atol=1e-5)
    assert expected.std() > 0.1


def test_fourier_starts_with_lucids_deviation():
    variable = Fourier().start(generators(0), Canvas(64, 64, 3))[0]
    # 12,672 draws: the standard error is 0.6 %
    assert variable.std() == pytest.approx(0.01, rel=0.03)


def test_both_transforms_paint_the_same_picture(monkeypatch):
    canvas = Canvas(20, 30, 3)
    variables = Fourier(deviation=0.3).start(generators(0), canvas)
    by_matrices = paint(Fourier(), variables, canvas)
    monkeypatch.setattr("reportgen.optvis.spectra.MATRIX_SIDE", 0)
    np.testing.assert_allclose(paint(Fourier(), variables, canvas), by_matrices, atol=2e-6)


@pytest.mark.parametrize("size", [(6, 8), (7, 8), (5, 9)])
@pytest.mark.parametrize("factor", [2, 3])
def test_fourier_grows_through_the_same_points(size, factor):
    old = Canvas(*size, 3)
    new = Canvas(size[0] * factor, size[1] * factor, 3)
    image = Fourier(deviation=0.3)
    variables = image.start(generators(1, 2), old)
    larger = paint(image, image.grow(variables, old, new, []), new)
    # Interpolation by waves passes through every old pixel: float32 rounding only.
    small = paint(image, variables, old)
    np.testing.assert_allclose(larger[:, ::factor, ::factor], small, atol=1e-5)


def test_a_grown_wave_is_the_same_wave_drawn_finer():
    old, new = Canvas(8, 8, 1), Canvas(13, 18, 1)
    image = Fourier(colour=None)
    variable = np.zeros((1, 1, 5, 2, 8), np.float32)
    # cos(2 pi (2 x / 8 + y / 8)): half of its 64 at one coefficient; scale and division undone
    variable[0, 0, 2, 0, 1] = 32 / fourier_scale(8, 8)[1, 2] * 4
    pictures = paint(image, image.grow((variable,), old, new, []), new)
    y, x = np.mgrid[:13, :18]
    expected = 1 / (1 + np.exp(-np.cos(2 * np.pi * (2 * x / 18 + y / 13))))
    np.testing.assert_allclose(pictures[0, :, :, 0], expected, atol=1e-5)


def test_colour_mixes_only_where_it_fits():
    canvas = Canvas(8, 8, 2)
    variables = Fourier(deviation=1.0).start(generators(0), canvas)
    plain = paint(Fourier(colour=None), variables, canvas)
    np.testing.assert_array_equal(paint(Fourier(), variables, canvas), plain)
    own = Colour(((1.0, 0.0), (1.0, 0.0)))
    alike = paint(Fourier(colour=own), variables, canvas)
    np.testing.assert_allclose(alike[..., 0], alike[..., 1], atol=1e-6)
