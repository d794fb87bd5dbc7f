"""Directions to look in from a point: drawn, normalised, made orthogonal.

A random direction says something only in units of the weights: multiplying a layer by ten and the
next one by a tenth changes no answer of a ReLU network, and yet a step of fixed length means a
tenth as much. Filter normalisation (Li et al. 2018, arXiv 1712.09913) scales each filter of the
direction to the length of the model's filter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from reportgen.landscape.parameters import FloatArray, Parameters, Point, dot, norm

Normalisation = Literal["filter", "layer", "tensor", "none"]
Vectors = Literal["ignore", "keep"]
_ROUNDS = 20
_ORTHOGONAL = 1e-7


def draw_direction(
    parameters: Parameters,
    point: Point,
    rng: np.random.Generator,
    *,
    normalisation: Normalisation = "filter",
    vectors: Vectors = "ignore",
) -> Point:
    """A Gaussian direction, normalised to ``point``. See `normalise`."""
    drawn = tuple(rng.standard_normal(array.shape) for array in point)
    return normalise(parameters, drawn, point, normalisation=normalisation, vectors=vectors)


def draw_plane(
    parameters: Parameters,
    point: Point,
    rng: np.random.Generator,
    *,
    normalisation: Normalisation = "filter",
    vectors: Vectors = "ignore",
) -> tuple[Point, Point]:
    """Two random directions, each normalised, and orthogonal to each other.

    They are orthogonal where lengths are measured in units of the weights' filters (or arrays, as
    ``normalisation`` has it), so that a network rescaled layer by layer has the same plane. Making
    the second one orthogonal (Gram-Schmidt) changes its filters' lengths a little and normalising
    it its angle, so both are repeated until neither moves.
    """
    drawn = [tuple(rng.standard_normal(array.shape) for array in point) for _ in range(2)]
    settings = {"normalisation": normalisation, "vectors": vectors}
    units = unit_lengths(parameters, point, normalisation)
    first, second = (normalise(parameters, way, point, **settings) for way in drawn)  # type: ignore[arg-type]
    for _ in range(_ROUNDS):
        ours, theirs = _divided(first, units), _divided(second, units)
        if abs(cosine(ours, theirs)) < _ORTHOGONAL:
            break
        turned = _multiplied(without(theirs, ours), units)
        second = normalise(parameters, turned, point, **settings)  # type: ignore[arg-type]
    return first, second


def unit_lengths(parameters: Parameters, point: Point, normalisation: Normalisation) -> Point:
    """What one is, at every weight: the length of its filter or array; broadcastable."""
    if normalisation == "none":
        return tuple(np.ones(1) for _ in point)
    return tuple(
        _length(w.astype(np.float64), _inner(w.ndim, axes, normalisation))
        for w, axes in zip(point, parameters.axes, strict=True)
    )


def _divided(direction: Point, units: Point) -> Point:
    return tuple(
        np.divide(d, u, out=np.zeros_like(d), where=np.broadcast_to(u > 0, d.shape))
        for d, u in zip(direction, units, strict=True)
    )


def _multiplied(direction: Point, units: Point) -> Point:
    return tuple(d * u for d, u in zip(direction, units, strict=True))


def normalise(
    parameters: Parameters,
    direction: Point,
    point: Point,
    *,
    normalisation: Normalisation = "filter",
    vectors: Vectors = "ignore",
) -> Point:
    """Scale the direction to the length of the weights, in double precision.

    Args:
        normalisation: ``filter``: every filter by itself, along the axes that number the filters;
            ``tensor``: every array as a whole; ``layer``: all arrays of a layer together;
            ``none``: as it is.
        vectors: arrays of one dimension (biases, scales and shifts of a normalisation) have no
            filters: ``ignore`` leaves them where they are, ``keep`` scales each as a whole, once.

    Where the weights are zero (a pruned filter) the direction becomes zero: it stays pruned.
    """
    kept = [
        np.zeros_like(d, dtype=np.float64)
        if axes is None and vectors == "ignore"
        else d.astype(np.float64)
        for d, axes in zip(direction, parameters.axes, strict=True)
    ]
    if normalisation == "none":
        return tuple(kept)
    if normalisation == "layer":
        return _normalise_layers(kept, point, parameters.layers)
    return tuple(
        _to_length(d, w.astype(np.float64), _inner(w.ndim, axes, normalisation))
        for d, w, axes in zip(kept, point, parameters.axes, strict=True)
    )


def _inner(rank: int, axes: tuple[int, ...] | None, normalisation: str) -> tuple[int, ...]:
    """The axes that a length is taken over."""
    if axes is None or normalisation == "tensor":
        return tuple(range(rank))
    return tuple(axis for axis in range(rank) if axis not in axes)


def _to_length(direction: FloatArray, weights: FloatArray, inner: tuple[int, ...]) -> FloatArray:
    wanted, drawn = _length(weights, inner), _length(direction, inner)
    scale = np.divide(wanted, drawn, out=np.zeros_like(wanted), where=drawn > 0)
    return np.asarray(direction * scale)


def _normalise_layers(
    direction: Sequence[FloatArray], point: Point, layers: Sequence[str]
) -> Point:
    factors = {}
    for layer in set(layers):
        mine = [i for i, owner in enumerate(layers) if owner == layer]
        drawn = norm(tuple(direction[i] for i in mine))
        moved = tuple(point[i] for i in mine if direction[i].any())
        factors[layer] = norm(moved) / drawn if drawn else 0.0
    return tuple(factors[layer] * d for d, layer in zip(direction, layers, strict=True))


def _length(array: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    return np.asarray(np.sqrt(np.sum(array**2, axis=axes, keepdims=True)))


def cosine(a: Point, b: Point) -> float:
    """Of the angle between two directions; 0 if one of them has no length."""
    lengths = norm(a) * norm(b)
    return dot(a, b) / lengths if lengths else 0.0


def without(direction: Point, other: Point) -> Point:
    """``direction`` less its part along ``other`` (one step of Gram-Schmidt)."""
    length = dot(other, other)
    share = dot(direction, other) / length if length else 0.0
    return tuple(d - share * o for d, o in zip(direction, other, strict=True))


def scaled(direction: Point, factor: float) -> Point:
    """factor * direction."""
    return tuple(factor * d for d in direction)
