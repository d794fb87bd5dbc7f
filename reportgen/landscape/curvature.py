"""Second derivatives of the mean loss: products with the Hessian, never the matrix itself.

The gradient of ``gradient . v`` is ``H v`` (Pearlmutter 1994): about the cost of two gradients,
whatever the number of weights. TensorFlow does not have every second derivative, has some as None,
and some wrong. So a product is compared with differences of gradients before anything is built on
it; where it fails, such differences are the products.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from reportgen.landscape.limits import NoProductError, OutOfTimeError
from reportgen.landscape.model import Model
from reportgen.landscape.parameters import Point, norm, shifted
from reportgen.landscape.samples import Samples
from reportgen.landscape.source import PRODUCT_TOLERANCE, Source
from reportgen.progress import tell
from reportgen.subject.complaints import find_reason
from reportgen.subject.derivatives import twice_differentiable
from reportgen.subject.layers import contained
from reportgen.subject.tracing import leaving_no_gradients

Tensor = Any  # of TensorFlow, which has no types to check
Vector = NDArray[np.float64]
_FEW = 4
# Parts of the weights' length. Differences err by the square of the step, and by the rounding of
# the gradient over the step; a corner of a ReLU may lie in the way of the longer ones.
_STEPS = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
# Parts of a product's length, by the precision that it is computed in.
_ALIKE = {"float64": 1e-3, "float32": PRODUCT_TOLERANCE}
# What TensorFlow raises where it cannot differentiate, or not in double precision.
_CANNOT = (LookupError, TypeError, ValueError, NotImplementedError, tf.errors.OpError)


class Hessian:
    """Gradient and Hessian products of the data loss (without penalties) at one point.

    Vectors are flat, ``(size,)``, in double precision; the network computes in its own.

    deadline: of `time.monotonic`; products after it raise `OutOfTimeError`. gradient_seconds: that
        the last gradient took. source: how products are made; None before the first of them.
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
        self.source: Source | None = None
        self._other: Hessian | None = None
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
            OutOfTimeError: the deadline has passed. NoProductError: see `settle`.
        """
        if time.monotonic() > self.deadline:
            raise OutOfTimeError
        source = self.settle()
        self.products += 1
        tell(min(self.products, self.expected), max(self.expected, 1), "curvature")
        vector = np.asarray(vector, np.float64).reshape(-1)
        if source.kind == "none":
            raise NoProductError("no product agrees with differences of gradients")
        if source.kind == "derivatives" or self._other is None:
            made = self.differentiate(vector)
        else:
            made = self._other.difference(vector, source.step)
        if not np.isfinite(made).all():
            raise NoProductError("a product is not finite")
        return made

    def differentiate(self, vector: Vector) -> Vector:
        """H v by differentiating twice, as TensorFlow has it; not checked."""
        parts = self.model.parameters.unpack(vector)
        return self._mean(self._product, self._tensors(self.point), self._tensors(parts))

    def difference(self, vector: Vector, step: float) -> Vector:
        """H v by the difference of the gradients at both sides.

        Args:
            step: length of the way to each side, as a part of the length of all weights.
        """
        length = float(np.linalg.norm(vector))
        if not length:
            return np.zeros_like(vector)
        reach = step * (norm(self.point) or 1.0) / length
        way = self.model.parameters.unpack(reach * vector)
        here = tuple(np.asarray(part, np.float64) for part in self.point)
        there, back = (self.gradient(shifted(here, [way], [sign])) for sign in (1.0, -1.0))
        return (there - back) / (2 * reach)

    def settle(self) -> Source:
        """Check one product against differences of gradients, once; and how products are made.

        A few samples do, in double precision: so short a way crosses no corner of a ReLU, which
        differences see and a Hessian does not.
        """
        if self.source is None:
            few = self.samples.part(np.arange(min(_FEW, self.samples.count)))
            precise = replace(self.model, precise=True)
            try:
                model, self.source = precise, _check(Hessian(precise, few, self.point))
            except _CANNOT as error:  # an operation that there is in single precision only
                model, self.source = self.model, self._check_in_single(few, _say(error))
            if self.source.kind == "differences":
                self._other = Hessian(model, self.samples, self.point)
        return self.source

    def _check_in_single(self, few: Samples, cause: str) -> Source:
        """Without double precision, for the cause given; not available where that fails, too."""
        try:
            found = _check(Hessian(self.model, few, self.point))
        except _CANNOT as error:
            return Source("none", np.inf, why=f"there is no gradient ({_say(error)})")
        alone = f"checked in single precision, as there is no double ({cause})"
        return replace(found, why=f"{found.why}; {alone}" if found.why else alone)

    def name_layers(self) -> tuple[str, ...]:
        """Layers with an operation that TensorFlow cannot differentiate twice; as far as it says.

        The gradient is a graph, and its operations are named after the layers that made them.
        """
        inputs, targets, _ = self._chunks[0]
        mask = tf.ones([len(inputs)], self.model.dtype)
        with leaving_no_gradients():
            traced = self._gradient.get_concrete_function(
                self._tensors(self.point), inputs, targets, mask
            )
        layers = self.model.network._flatten_layers()
        known = {layer.name for layer in layers if contained(layer) is None}
        lacking = (op.name for op in traced.graph.get_operations() if _lacks_derivative(op))
        found = (part for name in lacking for part in name.split("/"))
        return tuple(dict.fromkeys(name for name in map(_uncounted(known), found) if name))

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
        with twice_differentiable():
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


def _check(few: Hessian) -> Source:
    """Compare a product along a random direction with differences over ways of many lengths.

    Raises:
        Exception: one of `_CANNOT`, where there is no gradient in this precision.
    """
    vector, floor, why = _draw(few), _rounding(few), ""
    differences = [few.difference(vector, step) for step in _STEPS]
    try:
        product = few.differentiate(vector)
    except _CANNOT as error:
        product, why = np.full(len(vector), np.nan), _say(error)
    apart = min(_distance(product, difference, floor) for difference in differences)
    if apart <= _ALIKE[few.model.dtype]:
        return Source("derivatives", apart)
    why = why or f"what TensorFlow gives is {apart:.1g} of its length away"
    errors = [_distance(*pair, floor) for pair in pairwise(differences)]
    best = int(np.argmin(errors))
    kind: Literal["differences", "none"] = (
        "differences" if errors[best] <= _ALIKE["float32"] else "none"
    )
    if kind == "none":
        why += "; and differences of gradients over ways of other lengths disagree"
    return Source(kind, errors[best], _STEPS[best + 1], few.name_layers(), why)


def _draw(hessian: Hessian) -> Vector:
    """A random direction in which each array moves in proportion to its own length."""
    rng = np.random.default_rng(0)
    parts = [
        rng.standard_normal(array.shape) * (np.linalg.norm(array) / np.sqrt(array.size) or 1e-3)
        for array in hessian.point
    ]
    return np.concatenate([part.ravel() for part in parts])


def _rounding(hessian: Hessian) -> float:
    """A length of products that cannot be told from none."""
    return 1e-6 * float(np.linalg.norm(hessian.gradient()))


def _distance(one: Vector, other: Vector, floor: float) -> float:
    """Of two products, as a part of the longer one's length; infinite if one is not finite."""
    length = max(float(np.linalg.norm(one)), float(np.linalg.norm(other)), floor, 1e-300)
    apart = float(np.linalg.norm(one - other)) / length
    return apart if np.isfinite(apart) else np.inf


def _say(error: Exception) -> str:
    return f"{type(error).__name__}: {find_reason(error)}"


def _lacks_derivative(operation: Any) -> bool:
    """Whether a gradient is made by it that has no derivative itself, or None for one."""
    from tensorflow.python.framework import ops  # the registry has no public name

    floating = any(output.dtype.is_floating for output in operation.outputs)
    if not floating or "grad" not in operation.type.lower():
        return False
    try:
        return ops.get_gradient_function(operation) is None
    except LookupError:
        return True


def _uncounted(known: set[str]) -> Callable[[str], str]:
    """A part of an operation's name as the layer's name, which TensorFlow may have counted up."""

    def find(part: str) -> str:
        if part in known:
            return part
        plain = re.sub(r"_\d+$", "", part)
        return plain if plain in known else ""

    return find
