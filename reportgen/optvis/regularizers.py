"""What an image is charged for: roughness and strong values.

Published weights are meant for the pixel values of their tool. ``span`` is the largest of these
(255 for tf-keras-vis and keras-vis): images in [0, 1] are multiplied by it before the formula.
A penalty is each image's own, ``(b,)``, 0 or more, to be subtracted from the objective.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import mul
from typing import Any, Literal, Protocol

from reportgen.errors import UsageError

Tensor = Any  # of TensorFlow, which has no types to check


class Regularizer(Protocol):
    """A charge on images."""

    def penalty(self, images: Tensor) -> Tensor:
        """Images ``(b, h, w, c)`` in [0, 1] -> ``(b,)``, each image's own, 0 or more."""


@dataclass(frozen=True, kw_only=True)
class TotalVariation:
    """Differences between neighbouring pixels, summed and divided by the number of values h w c.

    beta None: ``|right - here| + |below - here|`` over all pairs, as ``tf.image.total_variation``
    and tf-keras-vis (TotalVariation2D). A number: ``((right - here)^2 + (below - here)^2)^(beta /
    2)`` over pixels that have both neighbours, as keras-vis (TotalVariation, beta 2), of Mahendran
    and Vedaldi 2016 (arXiv 1512.02017, section 3.2.2). At beta 2 it is smooth; at beta 1 it is
    the length of the gradient, and edges cost no more than ramps.
    """

    weight: float
    beta: float | None = None
    span: float = 1.0

    def __post_init__(self) -> None:
        if self.beta is not None and not self.beta >= 1:
            raise UsageError(f"TotalVariation: a beta of 1 or more is needed, not {self.beta}.")

    def penalty(self, images: Tensor) -> Tensor:
        """Images ``(b, h, w, c)`` in [0, 1] -> ``(b,)``."""
        import tensorflow as tf

        right, below = _differences(images)
        if self.beta is None:
            total = tf.reduce_sum(tf.abs(right), (1, 2)) + tf.reduce_sum(tf.abs(below), (1, 2))
            return self.weight * self.span / _count(images) * total
        both = (-1, below.shape[1], right.shape[2])
        right, below = tf.slice(right, (0, 0, 0), both), tf.slice(below, (0, 0, 0), both)
        slopes = tf.square(right) + tf.square(below)
        total = tf.reduce_sum(_power(slopes, self.beta / 2), axis=(1, 2))
        return self.weight * self.span**self.beta / _count(images) * total


@dataclass(frozen=True, kw_only=True)
class Lp:
    """The p-norm of an image's values, ``(sum |x - around|^p)^(1/p)``, per value.

    Args:
        weight: of the penalty.
        p: order of the norm, 1 or more.
        per: what the norm is divided by, n = h w c being the number of values. "root": n^(1/p),
            so that it is the mean for p = 1 and the root of the mean square for p = 2, whatever
            the size (tf-keras-vis, Norm). "value": n (keras-vis, LPNorm, p = 6).
        span: see the module.
        around: the value in [0, 1] that costs nothing; 0 is black, as in both tools.
    """

    weight: float
    p: float = 6.0
    per: Literal["root", "value"] = "root"
    span: float = 1.0
    around: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.p < float("inf"):
            raise UsageError(f"Lp: a p of 1 or more is needed, not {self.p}.")

    def penalty(self, images: Tensor) -> Tensor:
        """Images ``(b, h, w, c)`` in [0, 1] -> ``(b,)``."""
        import tensorflow as tf

        sizes = tf.abs(images - self.around)
        powers = tf.reduce_mean(_power(sizes, self.p), axis=(1, 2, 3))
        count = _count(images)
        shared = 1.0 if self.per == "root" else count ** (1 / self.p) / count
        return self.weight * self.span * shared * _power(powers, 1 / self.p)


@dataclass(frozen=True, kw_only=True)
class L1:
    """The mean of ``|x - around|``: ``Lp`` with p = 1 (tf-keras-vis, Norm with p = 1)."""

    weight: float
    span: float = 1.0
    around: float = 0.0

    def penalty(self, images: Tensor) -> Tensor:
        """Images ``(b, h, w, c)`` in [0, 1] -> ``(b,)``."""
        return Lp(weight=self.weight, p=1, span=self.span, around=self.around).penalty(images)


@dataclass(frozen=True, kw_only=True)
class L2:
    """The root of the mean of ``(x - around)^2``: ``Lp`` with p = 2 (tf-keras-vis, Norm)."""

    weight: float
    span: float = 1.0
    around: float = 0.0

    def penalty(self, images: Tensor) -> Tensor:
        """Images ``(b, h, w, c)`` in [0, 1] -> ``(b,)``."""
        return Lp(weight=self.weight, p=2, span=self.span, around=self.around).penalty(images)


def _count(images: Tensor) -> float:
    """Values of one image, known when it is traced."""
    height, width, channels = images.shape[1:]
    return float(height * width * channels)


def _differences(images: Tensor) -> tuple[Tensor, Tensor]:
    """To the right neighbour ``(b, h, (w - 1) c)`` and the one below ``(b, h - 1, w c)``."""
    import tensorflow as tf

    height, width, channels = images.shape[1:]
    rows = tf.reshape(images, (-1, height, width * channels))

    # The gradient of rows[:, 1:], a strided slice, takes ten times as long as that of tf.slice.
    def step(down: int, right: int) -> Tensor:
        size = (-1, height - down, width * channels - right)
        return tf.slice(rows, (0, down, right), size) - tf.slice(rows, (0, 0, 0), size)

    return step(0, channels), step(1, 0)


def _power(values: Tensor, exponent: float) -> Tensor:
    """``values ** exponent``, values 0 or more, with gradient 0 where a root's is infinite."""
    import tensorflow as tf

    if exponent == int(exponent):
        # The gradient of tf.pow takes logarithms of every pixel: ten times as long.
        return reduce(mul, [values] * int(exponent))
    if exponent > 1:
        return tf.pow(values, exponent)
    positive = values > 0
    # The inner where keeps the infinite gradient out: 0 times infinity is not a number.
    return tf.where(positive, tf.pow(tf.where(positive, values, 1.0), exponent), 0.0)
