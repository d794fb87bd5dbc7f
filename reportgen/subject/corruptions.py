"""Pictures moved by a few pixels, noisy, blurred, brighter, flatter, or stored as JPEG once more.

Strengths are those of CIFAR-10-C for pictures of up to 64 pixels and of ImageNet-C for larger ones
(Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and
perturbations", arXiv 1903.12261, and its code). Corruptions work on values from 0 to 1 and are
rounded to whole grey values from 0 to 255, as files have them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Corrupt = Callable[[FloatArray, float, np.random.Generator], FloatArray]
SMALL_SIDE = 64

STRENGTHS: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    # For pictures of up to 64 pixels, and for larger ones.
    "noise": ((0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38)),
    "blur": ((0.4, 0.6, 0.7, 0.8, 1.0), (1.0, 2.0, 3.0, 4.0, 6.0)),
    "brightness": ((0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5)),
    "contrast": ((0.75, 0.5, 0.4, 0.3, 0.15), (0.4, 0.3, 0.2, 0.1, 0.05)),
    "JPEG": ((80, 65, 58, 50, 40), (25, 18, 15, 10, 7)),
}
SHIFTS = (1, 2, 3, 4)
_DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))


def add_noise(x: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    """Gaussian, of this deviation."""
    return np.asarray(x + rng.normal(0, strength, x.shape), np.float32)


def blur(x: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    """Gaussian, of this deviation in pixels; borders repeat their last pixel."""
    from scipy.ndimage import gaussian_filter

    sigma = (0, strength, strength, 0)
    return np.asarray(gaussian_filter(x, sigma, mode="nearest", truncate=4.0), np.float32)


def brighten(x: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    """The value of HSV (the largest channel) raised by so much; hue and saturation stay."""
    value = x.max(axis=-1, keepdims=True)
    raised = np.clip(value + np.float32(strength), 0, 1)
    black = value == 0
    return np.asarray(np.where(black, raised, x * (raised / np.where(black, 1, value))))


def flatten(x: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    """Differences to the mean of each channel, shrunk to this share of them."""
    mean = x.mean(axis=(1, 2), keepdims=True)
    return np.asarray((x - mean) * np.float32(strength) + mean, np.float32)


def compress(x: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    """Stored as JPEG of this quality and read again, by Pillow."""
    from PIL import Image

    whole = as_grey_values(x)
    made = np.empty_like(whole)
    for i, picture in enumerate(whole):
        buffer = io.BytesIO()
        grey = picture.shape[-1] == 1
        Image.fromarray(picture[..., 0] if grey else picture).save(
            buffer, "JPEG", quality=int(strength)
        )
        made[i] = np.asarray(Image.open(buffer)).reshape(picture.shape)
    return np.asarray(made / np.float32(255), np.float32)


CORRUPTIONS: Mapping[str, Corrupt] = {
    "noise": add_noise,
    "blur": blur,
    "brightness": brighten,
    "contrast": flatten,
    "JPEG": compress,
}


def as_grey_values(x: FloatArray) -> NDArray[np.uint8]:
    """Values from 0 to 1 as whole numbers from 0 to 255, rounded; what is beyond is cut."""
    return np.asarray(np.rint(np.clip(x, 0, 1) * 255), np.uint8)


def shift(pixels: NDArray[Any], by: int, rng: np.random.Generator) -> NDArray[Any]:
    """Each picture moved by so many pixels in one of eight directions; borders are repeated."""
    height, width = pixels.shape[1:3]
    made = np.empty_like(pixels)
    for i, which in enumerate(rng.integers(0, len(_DIRECTIONS), len(pixels))):
        down, right = (by * step for step in _DIRECTIONS[int(which)])
        rows = np.clip(np.arange(height) - down, 0, height - 1)
        columns = np.clip(np.arange(width) - right, 0, width - 1)
        made[i] = pixels[i][rows][:, columns]
    return made


def strengths_of(kind: str, sides: tuple[int, int]) -> tuple[float, ...]:
    """The five strengths of a corruption for pictures of these sides."""
    small, large = STRENGTHS[kind]
    return small if max(sides) <= SMALL_SIDE else large
