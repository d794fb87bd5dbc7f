"""From pictures between black and white to what the model was declared to take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reportgen.optvis.places import Tensor

FloatArray = NDArray[np.float32]
Layout = Literal["channels_last", "channels_first", "no_channel"]
_CLOSE = 1e-4  # of the range of values: float32 through two ways of computing the same
_TRIALS = 4


@dataclass(frozen=True, eq=False)
class Scaling:
    """How an image in [0, 1] becomes an input of the model.

    low, high: pixel values of black and white, before the declared preprocessing. matrix
    ``(c, c)`` and offset ``(c,)``: the preprocessing of one pixel, where it is that simple.
    standardised: each image to mean 0 and deviation 1 first. exact: images are given as they
    would be after preprocessing; not exact: the preprocessing could not be written as a formula,
    and inputs stay within what it made of the samples.
    """

    low: float
    high: float
    matrix: FloatArray
    offset: FloatArray
    standardised: bool = False
    exact: bool = True
    layout: Layout = "channels_last"

    def apply(self, images: Tensor) -> Tensor:
        """``(b, h, w, c)`` in [0, 1] -> inputs of the model ``(b, ...)``, differentiable."""
        import tensorflow as tf

        pixels = images * (self.high - self.low) + self.low
        if self.standardised:
            pixels = _standardise(pixels)
        diagonal = np.diag(self.matrix)
        if np.array_equal(np.diag(diagonal), self.matrix):
            scaled = pixels * diagonal + self.offset
        else:
            scaled = tf.tensordot(pixels, self.matrix.T, 1) + self.offset
        if self.layout == "channels_first":
            return tf.transpose(scaled, (0, 3, 1, 2))
        return scaled[..., 0] if self.layout == "no_channel" else scaled


def _standardise(pixels: Tensor) -> Tensor:
    """`tf.image.per_image_standardization`, for a batch."""
    import tensorflow as tf

    mean, variance = tf.nn.moments(pixels, (1, 2, 3), keepdims=True)
    count = tf.cast(tf.math.reduce_prod(tf.shape(pixels)[1:]), tf.float32)
    return (pixels - mean) / tf.maximum(tf.sqrt(variance), tf.math.rsqrt(count))


def read_scaling(
    preprocess: Callable[[FloatArray], FloatArray],
    channels: int,
    *,
    low: float = 0.0,
    high: float = 255.0,
    layout: Layout = "channels_last",
    name: str = "",
    sides: tuple[int, int] = (8, 8),
    scaled_samples: FloatArray | None = None,
) -> Scaling:
    """Find out what a preprocessing does, by trying it.

    It is tried on plain and random pictures: if each pixel becomes a fixed mixture of its own
    channels, as all usual ones do, that mixture is used and images are valid inputs. Otherwise
    the range of ``scaled_samples`` ``(n, h, w, c)`` after preprocessing is used.

    Args:
        low, high: pixel values of black and white, before preprocessing.
        name: ``standardize`` looks at the whole picture and is known by name, also where channels
            are the other way round (``-bgr``).
    """
    plain = np.eye(channels, dtype=np.float32), np.zeros(channels, np.float32)
    if name.startswith("standardize"):
        order = plain[0][::-1] if name.endswith("-bgr") else plain[0]
        return Scaling(low, high, order, plain[1], standardised=True, layout=layout)
    fitted = _fit_mixture(preprocess, channels, low, high, sides)
    if fitted is not None:
        return Scaling(low, high, *fitted, layout=layout)
    if scaled_samples is None:
        return Scaling(low, high, *plain, exact=False, layout=layout)
    flat = scaled_samples.reshape(-1, channels)
    bottom, top = np.percentile(flat, (0.5, 99.5), axis=0).astype(np.float32)
    matrix = np.diag((top - bottom) / (high - low)).astype(np.float32)
    offset = bottom - np.diag(matrix) * np.float32(low)
    return Scaling(low, high, matrix, offset, exact=False, layout=layout)


def _fit_mixture(
    preprocess: Callable[[FloatArray], FloatArray],
    channels: int,
    low: float,
    high: float,
    sides: tuple[int, int],
) -> tuple[FloatArray, FloatArray] | None:
    """Matrix and offset of the preprocessing of a pixel; None if it is not such a mixture."""
    pixel = np.full((1 + channels, channels), low, np.float32)
    pixel[1:] += np.eye(channels, dtype=np.float32) * np.float32(high - low)
    plain = np.broadcast_to(pixel[:, None, None], (1 + channels, *sides, channels))
    with np.errstate(all="ignore"):  # a function may divide by the deviation, which is 0 here
        made = np.asarray(preprocess(plain.copy()), np.float64)[:, 0, 0]
    if not np.isfinite(made).all():
        return None
    matrix = (made[1:] - made[0]).T / (high - low)
    offset = made[0] - matrix @ np.full(channels, low)
    rng = np.random.default_rng(0)
    tried = rng.uniform(low, high, (_TRIALS, *sides, channels)).astype(np.float32)
    expected = tried @ matrix.T + offset
    span = max(float(np.abs(made).max()), 1e-12)
    if np.abs(preprocess(tried.copy()) - expected).max() > _CLOSE * span:
        return None
    return matrix.astype(np.float32), offset.astype(np.float32)
