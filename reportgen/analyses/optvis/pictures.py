"""From the subject to the engine and back: scaling, samples in [0, 1], tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reportgen.optvis.images import as_pictures
from reportgen.subject.top_activating.patches import fit_square

if TYPE_CHECKING:
    from reportgen.optvis.scaling import Scaling
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float32]
_SAMPLES_FOR_RANGE = 100


def scaling_of(subject: Subject) -> Scaling:
    """How painted images become inputs, by the scaling that was declared for the samples."""
    from reportgen.optvis.scaling import read_scaling

    low, high = black_and_white(subject)
    rows = np.arange(min(len(subject.samples), _SAMPLES_FOR_RANGE))
    pixels = _pixels(subject, rows)
    return read_scaling(
        subject.preprocess,
        subject.input.channels,
        low=low,
        high=high,
        layout=subject.input.layout,
        name=subject.scaling.words.split(" ")[0],
        sides=(subject.input.pixels[0], subject.input.pixels[1]),
        scaled_samples=subject.preprocess(pixels),
    )


def black_and_white(subject: Subject) -> tuple[float, float]:
    """Pixel values of black and white, before scaling."""
    return (0.0, 255.0) if subject.samples.pixels.dtype == np.uint8 else subject.display_range


def unit_samples(subject: Subject, rows: NDArray[np.int64]) -> FloatArray:
    """Samples ``(n, h, w, c)`` between 0, black, and 1, white."""
    low, high = black_and_white(subject)
    return np.asarray(np.clip((_pixels(subject, rows) - low) / (high - low), 0, 1), np.float32)


def _pixels(subject: Subject, rows: NDArray[np.int64]) -> FloatArray:
    pixels = np.asarray(subject.samples.pixels[rows], np.float32)
    return pixels.reshape(len(rows), *subject.input.pixels)


def as_tiles(images: FloatArray, side: int, window: tuple[int, ...] | None) -> NDArray[np.uint8]:
    """Images ``(n, h, w, c)`` in [0, 1] as square tiles ``(n, side, side, 3)``.

    Where the unit sees less than a tile shows, the middle is cut out, so that every pixel is one.
    """
    pictures = as_pictures(images)
    height, width = pictures.shape[1:3]
    if window is not None and max(window) <= side < min(height, width):
        top, left = (height - side) // 2, (width - side) // 2
        pictures = pictures[:, top : top + side, left : left + side]
    return np.stack([fit_square(picture, side) for picture in pictures])
