"""What is done to gradients before the optimiser takes its step.

Each treatment takes the gradients of all variables, ``[(b, ...), ...]``, and returns as many of
the same shapes. All values of one image, over all its variables, are treated together; images
never influence each other. An image whose gradients are all zero keeps zeros.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from reportgen.errors import UsageError

Tensor = Any  # of TensorFlow, which has no types to check


class GradientTreatment(Protocol):
    """Gradients in, gradients out, per image."""

    def __call__(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """``[(b, ...), ...]`` -> the same shapes."""


@dataclass(frozen=True)
class Raw:
    """Gradients as they are."""

    def __call__(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """``[(b, ...), ...]`` -> the same."""
        return list(gradients)


@dataclass(frozen=True, kw_only=True)
class L2Normalized:
    """Gradients of a fixed size.

    to "mean_square": ``g / (sqrt(mean g^2) + epsilon)``, each value about 1, whatever the size of
    the image (keras-vis, Optimizer; the tutorials of Keras). to "length": ``g / (||g|| +
    epsilon)``, the whole image moves by 1, each value by about 1 / sqrt(n) (``l2_normalize``, as
    one of the articles).
    """

    to: Literal["mean_square", "length"] = "mean_square"
    epsilon: float = 1e-7

    def __call__(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """``[(b, ...), ...]`` -> the same shapes."""
        import tensorflow as tf

        squares = _sums(gradients, tf.square)
        if self.to == "mean_square":
            squares = squares / _count(gradients)
        return _scaled(gradients, 1 / (tf.sqrt(squares) + self.epsilon))


@dataclass(frozen=True, kw_only=True)
class DividedByDeviation:
    """``g / (std(g) + epsilon)``, as in DeepDream's tutorials: the mean stays in the gradient."""

    epsilon: float = 1e-8

    def __call__(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """``[(b, ...), ...]`` -> the same shapes."""
        import tensorflow as tf

        count = _count(gradients)
        mean = _sums(gradients, lambda values: values) / count
        squares = _sums([values - _beside(mean, values) for values in gradients], tf.square)
        return _scaled(gradients, 1 / (tf.sqrt(squares / count) + self.epsilon))


@dataclass(frozen=True, kw_only=True)
class Clipped:
    """Large gradients cut down: each value to ``[-value, value]``, or the length to ``norm``."""

    value: float | None = None
    norm: float | None = None

    def __post_init__(self) -> None:
        limits = [limit for limit in (self.value, self.norm) if limit is not None]
        if len(limits) != 1 or not limits[0] > 0:
            raise UsageError(
                f"Clipped: one limit above 0 is needed, value or norm, not value={self.value} "
                f"and norm={self.norm}."
            )

    def __call__(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """``[(b, ...), ...]`` -> the same shapes."""
        import tensorflow as tf

        if self.value is not None:
            return [tf.clip_by_value(values, -self.value, self.value) for values in gradients]
        length = tf.sqrt(_sums(gradients, tf.square))
        return _scaled(gradients, self.norm / tf.maximum(length, self.norm))


def _count(gradients: Sequence[Tensor]) -> float:
    """Values of one image over all its variables."""
    return float(sum(math.prod(values.shape[1:]) for values in gradients))


def _sums(gradients: Sequence[Tensor], of: Callable[[Tensor], Tensor]) -> Tensor:
    """``(b,)``: the sum of ``of(values)`` of each image over all its variables."""
    import tensorflow as tf

    sums = [tf.reduce_sum(of(values), axis=range(1, values.shape.rank)) for values in gradients]
    return tf.add_n(sums)


def _scaled(gradients: Sequence[Tensor], factors: Tensor) -> list[Tensor]:
    """Each image's gradients times its factor, ``(b,)``."""
    return [values * _beside(factors, values) for values in gradients]


def _beside(numbers: Tensor, values: Tensor) -> Tensor:
    """``(b,)`` -> ``(b, 1, ...)``, of the rank of values."""
    import tensorflow as tf

    return tf.reshape(numbers, (-1, *(1,) * (values.shape.rank - 1)))
