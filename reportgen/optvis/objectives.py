"""What an image can be optimised for: a neuron, a channel, a layer, a class, a direction."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import UsageError
from reportgen.optvis.objective import Objective
from reportgen.optvis.places import Head, Place, Tensor, View
from reportgen.subject.probe import Tap

Stage = Literal["before", "after"]


def channel(
    address: str, units: int | Iterable[int], *, stage: Stage = "after", trim: int = 0
) -> Objective:
    """The mean of a channel over its positions; of a dense layer, the unit.

    Args:
        address: of the layer, ``outer/inner/layer`` in nested models.
        stage: before or after the layer's activation function.
        trim: positions left out at each border of the map, where padding shows.
    """
    tap, numbers = Tap(address, stage), _as_units(units)
    if trim < 0:
        raise UsageError(f"trim: 0 or more positions can be left out, not {trim}.")

    def evaluate(view: View, parameters: Sequence[Tensor]) -> Tensor:
        return _mean(_pick(_trim(view.values[tap], trim, address), parameters[0]))

    labels = tuple(f"{address}, unit {unit}" for unit in numbers)
    key = ("channel", tap, trim)
    return Objective(
        frozenset({tap}), (numbers,), labels, key, evaluate, highest=_top(tap, numbers)
    )


def neuron(
    address: str,
    units: int | Iterable[int],
    position: tuple[int, ...] | None = None,
    *,
    stage: Stage = "after",
) -> Objective:
    """One position of a channel, by default the middle of the map."""
    tap, numbers = Tap(address, stage), _as_units(units)

    def evaluate(view: View, parameters: Sequence[Tensor]) -> Tensor:
        picked = _pick(view.values[tap], parameters[0])
        sides = tuple(picked.shape[1:])
        place = tuple(side // 2 for side in sides) if position is None else position
        if len(place) != len(sides) or any(not 0 <= p < s for p, s in zip(place, sides)):  # noqa: B905
            raise UsageError(f"{address}: its map is {sides}, there is no position {place}.")
        return picked[(slice(None), *place)]

    labels = tuple(f"{address}, unit {unit}, one neuron" for unit in numbers)
    key = ("neuron", tap, position)
    return Objective(
        frozenset({tap}), (numbers,), labels, key, evaluate, highest=_top(tap, numbers)
    )


def layer(*addresses: str, power: Literal[1, 2] = 2, stage: Stage = "after") -> Objective:
    """Everything that a layer, or several, answer to: DeepDream.

    Args:
        power: 2 for the mean of squares (Distill, lucid), 1 for the mean; summed over layers.
    """
    if not addresses:
        raise UsageError("layer: give at least one address.")
    return reduce(operator.add, (_one_layer(address, power, stage) for address in addresses))


def _one_layer(address: str, power: int, stage: Stage) -> Objective:
    tap = Tap(address, stage)
    return Objective(
        frozenset({tap}),
        (),
        (address,),
        ("layer", tap, power),
        lambda view, parameters: _mean(view.values[tap] ** power),
    )


def logit(classes: int | Iterable[int], *, output: int = 0) -> Objective:
    """The class' score before softmax or sigmoid, also where only the probability is given."""
    return _head(Head(output, "logits"), classes, "logit")


def signed_logit(units: Sequence[int], signs: Sequence[float], output: int = 0) -> Objective:
    """`logit` of each unit times its own sign: for the two classes behind one sigmoid."""
    positive = logit(units, output=output)
    factors = np.asarray(signs, np.float32)

    def evaluate(view: View, parameters: Sequence[Tensor]) -> Tensor:
        return positive.evaluate(view, parameters[:-1]) * parameters[-1]

    labels = tuple(
        label if sign > 0 else f"-{label}"
        for label, sign in zip(positive.labels, factors, strict=True)
    )
    return replace(
        positive,
        parameters=(*positive.parameters, factors),
        labels=labels,
        key=("signed", positive.key),
        evaluate=evaluate,
    )


def softmax(classes: int | Iterable[int], *, output: int = 0) -> Objective:
    """What the model gives for the class. Once it is near 1 nothing is left to climb: see logit."""
    return _head(Head(output, "output"), classes, "output")


def _head(head: Head, classes: int | Iterable[int], word: str) -> Objective:
    numbers = _as_units(classes)
    labels = tuple(f"{word} of class {number}" for number in numbers)
    return Objective(
        frozenset({head}),
        (numbers,),
        labels,
        ("head", head),
        lambda view, parameters: _mean(_pick(view.values[head], parameters[0])),
        highest=_top(head, numbers),
    )


def direction(
    address: str,
    vectors: Any,
    *,
    cosine_power: int = 0,
    stage: Stage = "after",
) -> Objective:
    """A direction among the channels of a layer: mean over positions of ``dot * cosine^p``.

    Args:
        vectors: ``(channels,)``, or ``(n, channels)`` for n images.
        cosine_power: more keeps the image from exciting everything else too (Distill, "Activation
            Atlas"; the cosine is taken as at least 0.1, as lucid does).
    """
    tap = Tap(address, stage)
    wanted = np.atleast_2d(np.asarray(vectors, np.float32))

    def evaluate(view: View, parameters: Sequence[Tensor]) -> Tensor:
        values = view.values[tap]
        if values.shape[-1] != wanted.shape[1]:
            raise UsageError(
                f"{address} has {values.shape[-1]} channels, the direction has {wanted.shape[1]}."
            )
        return _mean(_project(values, parameters[0], cosine_power))

    labels = tuple(f"{address}, direction {i}" for i in range(len(wanted)))
    key = ("direction", tap, cosine_power)
    return Objective(frozenset({tap}), (wanted,), labels, key, evaluate)


def diversity(address: str, *, stage: Stage = "after") -> Objective:
    """How unlike the other images of the same unit: minus the mean cosine of Gram matrices.

    0 at most (Distill, "Feature Visualization", Diversity). It needs ``variants`` of 2 or more.
    """
    tap = Tap(address, stage)

    def evaluate(view: View, parameters: Sequence[Tensor]) -> Tensor:
        return _unlikeness(view.values[tap], view.variants)

    label = f"diversity at {address}"
    return Objective(frozenset({tap}), (), (label,), ("diversity", tap), evaluate, paired=True)


def _unlikeness(values: Tensor, variants: int) -> Tensor:
    import tensorflow as tf

    flat = _positions(values)
    grams = tf.matmul(flat, flat, transpose_a=True)
    size = int(grams.shape[-1]) ** 2
    grams = tf.math.l2_normalize(tf.reshape(grams, (-1, variants, size)), axis=-1)
    cosines = tf.matmul(grams, grams, transpose_b=True)
    others = tf.reduce_sum(cosines, axis=-1) - tf.linalg.diag_part(cosines)
    return -tf.reshape(others, (-1,)) / max(variants - 1, 1)


def _project(values: Tensor, vectors: Tensor, power: int) -> Tensor:
    """Dot products of every position with the image's own vector, times cosine^power."""
    import tensorflow as tf

    flat = _positions(values)
    dots = tf.linalg.matvec(flat, vectors)
    if power == 0:
        return dots
    squares = tf.reduce_sum(flat**2, axis=-1) * tf.reduce_sum(vectors**2, axis=-1)[:, None]
    # The root of what is at least a little: where a position is silent, that of 0 has no gradient.
    cosines = dots / tf.sqrt(tf.maximum(squares, 1e-24))
    return dots * tf.maximum(cosines, 0.1) ** power


def _pick(values: Tensor, numbers: Tensor) -> Tensor:
    """Each image's own channel: ``(b, ..., c)`` and ``(b,)`` -> ``(b, ...)``."""
    import tensorflow as tf

    # A product with a one-hot vector: its gradient is a product too, that of a gather is a
    # scatter, which is slow.
    flat = _positions(values)
    picked = tf.linalg.matvec(flat, tf.one_hot(numbers, int(values.shape[-1])))
    return tf.reshape(picked, (-1, *values.shape[1:-1]))


def _positions(values: Tensor) -> Tensor:
    """``(b, ..., c)`` -> ``(b, positions, c)``."""
    import tensorflow as tf

    count = int(np.prod(values.shape[1:-1], dtype=np.int64))
    return tf.reshape(values, (-1, count, int(values.shape[-1])))


def _mean(values: Tensor) -> Tensor:
    import tensorflow as tf

    return tf.reduce_mean(values, axis=list(range(1, len(values.shape))))


def _trim(values: Tensor, trim: int, address: str) -> Tensor:
    if trim == 0:
        return values
    sides = values.shape[1:-1]
    if any(side <= 2 * trim for side in sides):
        raise UsageError(f"{address}: trimming {trim} leaves nothing of a map of {tuple(sides)}.")
    inner = slice(trim, -trim)
    return values[(slice(None), *(inner for _ in sides))]


def _top(place: Place, numbers: NDArray[np.int32]) -> tuple[tuple[Place, int], ...]:
    return ((place, int(numbers.max())),)


def _as_units(units: int | Iterable[int]) -> NDArray[np.int32]:
    listed = list(units) if isinstance(units, Iterable) else [units]
    numbers = np.asarray(listed)
    if numbers.dtype.kind not in "iu" or numbers.ndim != 1 or not len(numbers):
        raise UsageError(f"Units are whole numbers, one or a list of them, got {units!r}.")
    if (numbers < 0).any():
        raise UsageError(f"Units are counted from 0, got {numbers.min()}.")
    return numbers.astype(np.int32)
