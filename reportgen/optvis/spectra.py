"""Spectra of images: the scale of their frequencies, their magnitude, the way back to pixels.

A spectrum is held as real numbers ``(b, c, w // 2 + 1, 2, h)``: for each horizontal frequency
of the half that a real image needs, the real and then the imaginary parts of all vertical
frequencies. In this order both passes of the inverse transform are plain matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.optvis.canvas import Canvas
from reportgen.optvis.colour import Colour, Numbers, Tensor, check_samples

FloatArray = NDArray[np.float32]

# Up to this side two matrix products beat the fast transform on CPUs: in 0.5 of its time at side
# 64, 0.67 at 128, 0.8 at 160; no longer surely at 224 (16 images, gradient included, 2 cores).
MATRIX_SIDE = 192


def frequencies(height: int, width: int) -> NDArray[np.float64]:
    """Radial frequencies in cycles a pixel of ``rfft2``: ``(h, w // 2 + 1)``."""
    radii = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    return np.asarray(radii, np.float64)


def fourier_scale(height: int, width: int, decay: float = 1.0) -> FloatArray:
    """What lucid multiplies coefficients with: ``sqrt(w h) / max(f, 1 / max(w, h)) ** decay``.

    The root makes the transform unitary, so that learning rates carry over from pixels; the
    decay gives all frequencies the energy they have in photographs (decay 1).

    Returns:
        ``(h, w // 2 + 1)``. For odd widths lucid keeps one frequency too many and cuts off a
        column of pixels; the transform of odd length used here needs neither.
    """
    lowest = 1.0 / max(width, height)
    scale = np.sqrt(width * height) / np.maximum(frequencies(height, width), lowest) ** decay
    return np.asarray(scale, np.float32)


@dataclass(frozen=True, eq=False)
class Magnitude:
    """How strong each frequency is in a set of images. Equal only to itself.

    values: ``(c, h, w // 2 + 1)``, as ``rfft2`` counts. canvas: the size it was measured at.
    """

    values: FloatArray
    canvas: Canvas

    def at(self, canvas: Canvas) -> FloatArray:
        """The magnitude for another size, ``(c, h, w // 2 + 1)``.

        A smaller image has the lower of the same frequencies (counted in cycles an image). A
        larger one has further ones, which go on from the outermost measured ones as 1 / f.
        """
        rows = np.rint(np.fft.fftfreq(canvas.height) * canvas.height).astype(int)[:, None]
        columns = np.arange(canvas.width // 2 + 1)[None]
        high = self.canvas.height
        known_rows = np.clip(rows, -(high // 2), (high - 1) // 2)
        known_columns = np.minimum(columns, self.values.shape[2] - 1)
        beyond = np.hypot(known_rows, known_columns) / np.maximum(np.hypot(rows, columns), 1)
        beyond[0, 0] = 1.0
        area = canvas.height * canvas.width / (high * self.canvas.width)
        values = self.values[:, known_rows % high, known_columns] * beyond * area
        return np.asarray(values, np.float32)


def measure_magnitude(pixels: Numbers, *, colour: Colour | None = None) -> Magnitude:
    """The mean magnitude of the spectra of the user's samples, for MACO.

    The mean pixel of all samples is taken away first: it is mid-grey that the images are painted
    around, and a constant as large as it would outweigh all detail.

    Args:
        pixels: ``(n, h, w, c)`` in 0..1.
        colour: measure the spectra of these independent colours instead of the channels'; give
            the same colour to `Maco`, as the paper's spectrum of ImageNet wants it.

    Raises:
        UsageError: the array is not of that shape, is empty, or holds values that are not finite.
    """
    check_samples(pixels)
    count, height, width, channels = pixels.shape
    mean = pixels.mean(axis=(0, 1, 2), dtype=np.float64)
    total = np.zeros((height, width // 2 + 1, channels))
    for image in pixels:
        offsets = image - mean
        total += np.abs(np.fft.rfft2(colour.unmix(offsets) if colour else offsets, axes=(0, 1)))
    values = np.moveaxis(total / count, -1, 0).astype(np.float32)
    return Magnitude(values, Canvas(height, width, channels))


def inverse_transform(spectrum: Tensor, height: int, width: int) -> Tensor:
    """``irfft2`` of ``(b, c, w // 2 + 1, 2, h)`` as images ``(b, h, w, c)``, differentiable.

    Small images on a CPU go through two matrix products, exact to rounding and faster than the
    fast transform. GPUs keep the fast one: their matrix products may round to ten bits.
    """
    import tensorflow as tf

    small = max(height, width) <= MATRIX_SIDE and not tf.config.list_physical_devices("GPU")
    channels_first = _by_matrices if small else _by_fast_transform
    return tf.transpose(channels_first(spectrum, height, width), [0, 2, 3, 1])


def _by_matrices(spectrum: Tensor, height: int, width: int) -> Tensor:
    import tensorflow as tf

    channels, half = spectrum.shape[1], width // 2 + 1
    columns = tf.matmul(tf.reshape(spectrum, [-1, 2 * height]), _vertical(height))
    columns = tf.reshape(columns, [-1, 2 * half, height])
    pixels = tf.matmul(columns, _horizontal(width), transpose_a=True)
    return tf.reshape(pixels, [-1, channels, height, width])


def _by_fast_transform(spectrum: Tensor, height: int, width: int) -> Tensor:
    import tensorflow as tf

    parts = tf.transpose(spectrum, [3, 0, 1, 4, 2])
    return tf.signal.irfft2d(tf.complex(parts[0], parts[1]), [height, width])


@lru_cache(maxsize=16)
def _vertical(height: int) -> FloatArray:
    """The complex inverse transform as real numbers: ``(2 h, 2 h)`` on rows [real, imaginary]."""
    steps = np.arange(height)
    waves = np.exp(2j * np.pi * (np.outer(steps, steps) % height) / height) / height
    blocks: NDArray[Any] = np.block([[waves.real, waves.imag], [-waves.imag, waves.real]])
    return blocks.astype(np.float32)


@lru_cache(maxsize=16)
def _horizontal(width: int) -> FloatArray:
    """The inverse transform to real numbers: ``(2 (w // 2 + 1), w)``.

    Its rows are for a real part, the imaginary part beside it, the next real part, and so on.
    All frequencies but 0 and the highest of an even width stand for themselves and their mirror.
    """
    half = np.arange(width // 2 + 1)
    twice = np.where((half == 0) | (2 * half == width), 1.0, 2.0)[:, None]
    angles = 2 * np.pi * (np.outer(half, np.arange(width)) % width) / width
    waves = np.stack([twice * np.cos(angles), -twice * np.sin(angles)], axis=1) / width
    return np.asarray(waves.reshape(-1, width), np.float32)
