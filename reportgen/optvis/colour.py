"""Colours that vary independently, and the way from unbounded numbers to the unit range.

The channels of photographs rise and fall together. An optimiser that works on independent
colours and mixes them at the end takes equal steps in all of them (Olah et al. 2017, "Feature
Visualization", Distill, section "Preconditioning and parameterization").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import UsageError

Tensor = Any  # of TensorFlow, which has no types to check
Numbers = NDArray[np.floating[Any]]

Squash = Literal["sigmoid", "clip"]

# The root of the covariance of ImageNet's pixels (lucid, optvis/param/color.py).
IMAGENET_ROOT = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
# No colour varies less than this share of the strongest one: grey photographs would otherwise
# leave two of three colours out of the optimiser's reach, and `unmix` without an answer.
LEAST_DEVIATION = 0.01


@dataclass(frozen=True)
class Colour:
    """Mixes independent colours into the channels of an image.

    matrix: ``(c, c)``; column j is what one unit of independent colour j adds to each channel.
    """

    matrix: tuple[tuple[float, ...], ...]

    @property
    def channels(self) -> int:
        """How many channels it mixes."""
        return len(self.matrix)

    @property
    def is_identity(self) -> bool:
        """Whether mixing changes nothing; so it always is for one channel."""
        return self.channels == 1 or bool(np.array_equal(self.matrix, np.eye(self.channels)))

    def mix(self, colours: Tensor) -> Tensor:
        """Independent colours ``(..., c)`` to channels ``(..., c)``, differentiable."""
        import tensorflow as tf

        if self.is_identity:
            return colours
        transposed = tf.constant(np.transpose(self.matrix), colours.dtype)
        rows = tf.matmul(tf.reshape(colours, [-1, self.channels]), transposed)
        return tf.reshape(rows, tf.shape(colours))

    def unmix(self, channels: Numbers) -> Numbers:
        """The inverse of `mix`, in NumPy."""
        if self.is_identity:
            return channels
        return channels @ np.linalg.inv(np.array(self.matrix)).T


def imagenet_colour() -> Colour:
    """ImageNet's colours as lucid mixes them: the largest column of the matrix has length 1."""
    return _normalised(np.array(IMAGENET_ROOT))


def measure_colour(pixels: Numbers) -> Colour:
    """The independent colours of the user's own samples.

    The covariance of the pixels is ``E diag(v) E^T``; the matrix is ``E diag(sqrt(v))``, the
    strongest colour first, divided by the length of its longest column, as lucid's is. Samples
    of one channel, and samples whose pixels are all alike, get the identity.

    Args:
        pixels: ``(n, h, w, c)`` in 0..1, any number of channels.

    Raises:
        UsageError: the array is not of that shape, is empty, or holds values that are not finite.
    """
    covariance = _covariance(pixels)
    channels = len(covariance)
    variances, directions = np.linalg.eigh(covariance)
    if channels == 1 or variances[-1] <= np.finfo(np.float32).eps ** 2:
        return _normalised(np.eye(channels))
    deviations = np.sqrt(np.maximum(variances, 0.0))[::-1]
    deviations = np.maximum(deviations, LEAST_DEVIATION * deviations[0])
    directions = directions[:, ::-1]
    # An eigenvector's sign is arbitrary: its largest entry is made positive.
    largest = directions[np.abs(directions).argmax(axis=0), np.arange(channels)]
    return _normalised(directions * np.sign(largest) * deviations)


def colour_for(colour: Colour | Literal["imagenet"] | None, channels: int) -> Colour | None:
    """The mix to use on an image of so many channels; None where the matrix does not fit."""
    chosen = imagenet_colour() if colour == "imagenet" else colour
    return chosen if chosen is not None and chosen.channels == channels else None


def to_unit_range(unbounded: Tensor, squash: Squash) -> Tensor:
    """Images of any value to [0, 1]; 0 becomes mid-grey.

    "sigmoid" bends every value, so a gradient always remains; "clip" keeps values and cuts what
    is beyond black and white, where the gradient is then zero.
    """
    import tensorflow as tf

    if squash == "sigmoid":
        return tf.sigmoid(unbounded)
    return tf.clip_by_value(unbounded + 0.5, 0.0, 1.0)


def check_samples(pixels: Numbers) -> None:
    """Refuse what is no set of finite images ``(n, h, w, c)``."""
    if pixels.ndim != 4 or 0 in pixels.shape:
        raise UsageError(f"pixels: expected images (n, h, w, c), received shape {pixels.shape}")
    if not np.isfinite(pixels).all():
        raise UsageError("pixels: some values are not finite; leave out the samples that hold them")


def _covariance(pixels: Numbers) -> NDArray[np.float64]:
    """``(c, c)``, image by image: a float64 copy of all samples could fill the memory."""
    check_samples(pixels)
    channels = pixels.shape[-1]
    mean = pixels.mean(axis=(0, 1, 2), dtype=np.float64)
    total = np.zeros((channels, channels))
    for image in pixels:
        offsets = image.reshape(-1, channels) - mean
        total += offsets.T @ offsets
    return np.asarray(total / (pixels.size // channels), np.float64)


def _normalised(matrix: NDArray[np.float64]) -> Colour:
    longest = np.linalg.norm(matrix, axis=0).max()
    return Colour(tuple(tuple(float(value) for value in row) for row in matrix / longest))
