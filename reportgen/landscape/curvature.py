"""Second derivatives of the mean loss: products with the Hessian, never the matrix itself.

The gradient of ``gradient . v`` is ``H v`` (Pearlmutter 1994): about the cost of two gradients,
whatever the number of weights.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from reportgen.landscape.limits import OutOfTimeError
from reportgen.landscape.model import Model
from reportgen.landscape.parameters import Point
from reportgen.landscape.samples import Samples
from reportgen.progress import tell
from reportgen.subject.shadowing import shadowed
from reportgen.subject.tracing import leaving_no_gradients

Tensor = Any  # of TensorFlow, which has no types to check
Vector = NDArray[np.float64]


class Hessian:
    """Gradient and Hessian products of the data loss (without penalties) at one point.

    Vectors are flat, ``(size,)``, in double precision; the network computes in its own.

    deadline: of `time.monotonic`; products after it raise `OutOfTimeError`. gradient_seconds: that
        the last gradient took.
    """

    def __init__(
        self, model: Model, samples: Samples, point: Point, *, deadline: float = np.inf
    ) -> None:
        self.model = model
        self.samples = samples
        self.point = point
        self.size = sum(array.size for array in point)
        self.products = 0
        self.deadline = deadline
        self.gradient_seconds = 0.0
        self.expected = 0
        self._chunks = list(samples.chunks(model.input_dtype, model.dtype))
        self._gradient = tf.function(self._sum_gradient, autograph=False, reduce_retracing=True)
        self._product = tf.function(self._sum_product, autograph=False, reduce_retracing=True)

    def gradient(
        self, point: Point | None = None, weights: NDArray[np.float64] | None = None
    ) -> Vector:
        """Of the mean loss, here or at another point.

        Args:
            weights: of each sample, ``(n,)``; None: all alike. The mean is over all samples, so
                weights of 2 for a half and 0 for the rest give the gradient of that half.
        """
        values = self._tensors(self.point if point is None else point)
        began = time.monotonic()
        gradient = self._mean(self._gradient, values, weights=weights)
        self.gradient_seconds = time.monotonic() - began
        return gradient

    def product(self, vector: Vector) -> Vector:
        """H v.

        Raises:
            OutOfTimeError: the deadline has passed.
        """
        if time.monotonic() > self.deadline:
            raise OutOfTimeError
        self.products += 1
        tell(min(self.products, self.expected), max(self.expected, 1), "curvature")
        parts = self.model.parameters.unpack(np.asarray(vector, np.float64).reshape(-1))
        return self._mean(self._product, self._tensors(self.point), self._tensors(parts))

    def _mean(
        self, function: Any, *given: Any, weights: NDArray[np.float64] | None = None
    ) -> Vector:
        total, start = np.zeros(self.size), 0
        if weights is None:
            weights = np.ones(self.samples.count)
        with leaving_no_gradients():
            for inputs, targets, real in self._chunks:
                here = np.zeros(len(inputs))  # copies that fill up a chunk do not count
                here[:real] = weights[start : start + real]
                start += real
                mask = tf.constant(here, dtype=self.model.dtype)
                parts = function(*given, inputs, targets, mask)
                total += np.concatenate([p.numpy().astype(np.float64).ravel() for p in parts])
        return total / self.samples.count

    def _loss(self, values: Sequence[Tensor], inputs: Tensor, targets: Tensor, mask: Tensor) -> Any:
        with shadowed(tf.nn, "moments", _moments):
            output, _ = self.model.call(values, inputs)
        losses, _ = self.model.measure(output, targets)
        return tf.reduce_sum(losses * mask)

    def _sum_gradient(
        self, values: list[Tensor], inputs: Tensor, targets: Tensor, mask: Tensor
    ) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = self._loss(values, inputs, targets, mask)
        return _dense(tape.gradient(loss, values, unconnected_gradients="zero"))

    def _sum_product(
        self,
        values: list[Tensor],
        vector: list[Tensor],
        inputs: Tensor,
        targets: Tensor,
        mask: Tensor,
    ) -> Any:
        with tf.GradientTape() as outer:
            outer.watch(values)
            gradient = self._sum_gradient(values, inputs, targets, mask)
            along = sum(tf.reduce_sum(g * v) for g, v in zip(gradient, vector, strict=True))
        return _dense(outer.gradient(along, values, unconnected_gradients="zero"))

    def _tensors(self, point: Point) -> list[Tensor]:
        return [tf.constant(np.asarray(array), dtype=self.model.dtype) for array in point]


def _dense(parts: Sequence[Any]) -> list[Tensor]:
    """Of an embedding TensorFlow gives the rows that were used, as often as they were."""
    return [
        tf.math.unsorted_segment_sum(part.values, part.indices, part.dense_shape[0])
        if isinstance(part, tf.IndexedSlices)
        else part
        for part in parts
    ]


def _moments(
    x: Tensor, axes: Any, shift: Any = None, name: str | None = None, keepdims: bool = False
) -> tuple[Tensor, Tensor]:
    """As `tf.nn.moments`, which stops the gradient of the mean inside the variance: right for first
    derivatives and wrong for second ones, of every LayerNormalization and GroupNormalization."""
    mean = tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(x, mean), axes, keepdims=keepdims)
    return mean if keepdims else tf.reduce_mean(x, axes), variance
