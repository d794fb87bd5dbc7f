"""The weights that span a landscape, and arithmetic on points among them.

A `Point` is one array for each of these weights. Statistics that training does not learn by
gradients (the moving averages of a BatchNormalization, states of random generators) are never
part of it: moving them is no step that training could take.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import NothingToCheckError, UsageError
from reportgen.subject.kernels import list_kernels

if TYPE_CHECKING:
    import keras

    from reportgen.subject.layers import LayerCall

_VECTORS = frozenset({"bias", "gamma", "beta"})
FloatArray = NDArray[np.floating[Any]]
Point = tuple[FloatArray, ...]


@dataclass(frozen=True, eq=False)
class Parameters:
    """The weights that may move.

    variables: of Keras, in the model's order. positions: of each in ``model.weights``.
    axes: for each, those that number its filters; None for vectors (bias, gamma, beta), which
        have none. frozen: weights that training moves and these leave out.
    """

    variables: tuple[Any, ...]
    positions: tuple[int, ...]
    axes: tuple[tuple[int, ...] | None, ...]
    frozen: int = 0

    @property
    def layers(self) -> tuple[str, ...]:
        """For each, the path of the layer that holds it."""
        return tuple(variable.path.rpartition("/")[0] for variable in self.variables)

    @property
    def size(self) -> int:
        """How many numbers."""
        return sum(int(np.prod(variable.shape)) for variable in self.variables)

    def read(self) -> Point:
        """Where the model is now."""
        return tuple(np.array(variable.numpy()) for variable in self.variables)

    def take(self, arrays: Sequence[FloatArray]) -> Point:
        """The part of ``model.weights`` that is among the parameters."""
        return tuple(arrays[position] for position in self.positions)

    def unpack(self, flat: FloatArray) -> Point:
        """A vector ``(size,)`` cut into arrays."""
        shapes = [tuple(variable.shape) for variable in self.variables]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        parts = np.split(flat, ends[:-1])
        return tuple(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True))


def find_parameters(
    model: keras.Model, calls: Sequence[LayerCall], layers: Iterable[str] = ()
) -> Parameters:
    """The weights that training moves, or those of chosen layers.

    Args:
        calls: every call of a layer in the model, see `Probe.calls`.
        layers: addresses, ``*`` for any letters; frozen layers count too when they are named.
            Without any: every weight that is trainable.

    Raises:
        UsageError: no layer of that name. NothingToCheckError: nothing to move.
    """
    wanted = tuple(layers)
    axes = {id(k.variable): k.axes for call in calls for k in list_kernels(call)}
    if wanted:
        chosen = _of_layers(calls, wanted)
    else:
        chosen = {id(variable) for variable in model.trainable_variables}
    learned = {id(v) for part in _parts(model) for v in getattr(part, "_trainable_variables", ())}
    found = [
        (position, variable)
        for position, variable in enumerate(model.weights)
        if id(variable) in chosen and id(variable) in learned and _is_float(variable)
    ]
    if not found:
        raise NothingToCheckError(
            "No weight is trainable, so there is no landscape. Name the layers to move with "
            "loss_landscape.layers, for example ['*']."
        )
    left = sum(1 for variable in model.weights if id(variable) in learned) - len(found)
    return Parameters(
        variables=tuple(variable for _, variable in found),
        positions=tuple(position for position, _ in found),
        axes=tuple(_axes_of(variable, axes) for _, variable in found),
        frozen=left,
    )


def _of_layers(calls: Sequence[LayerCall], wanted: Sequence[str]) -> set[int]:
    chosen: set[int] = set()
    for pattern in wanted:
        named = [call for call in calls if fnmatchcase(call.address, pattern)]
        if not named:
            known = [call.address for call in calls if call.layer.weights]
            raise UsageError(
                f"layers: {pattern!r} names no layer. With weights: {', '.join(known[:12])}."
            )
        chosen |= {id(variable) for call in named for variable in call.layer.weights}
    return chosen


def _parts(model: keras.Model) -> list[Any]:
    return list(model._flatten_layers())


def _is_float(variable: Any) -> bool:
    return "float" in str(variable.dtype)


def _axes_of(variable: Any, known: dict[int, tuple[int, ...]]) -> tuple[int, ...] | None:
    # The bias of attention is (heads, width), that of a GRU (2, gates): no filters either.
    if len(variable.shape) < 2 or variable.name in _VECTORS:
        return None
    return known.get(id(variable), (len(variable.shape) - 1,))


def dot(a: Point, b: Point) -> float:
    """The inner product over all arrays, in double precision."""
    return float(
        sum(np.vdot(x.astype(np.float64), y.astype(np.float64)) for x, y in zip(a, b, strict=True))
    )


def norm(a: Point) -> float:
    """The Euclidean length."""
    return float(np.sqrt(dot(a, a)))


def difference(a: Point, b: Point) -> Point:
    """a - b."""
    return tuple(x - y for x, y in zip(a, b, strict=True))


def shifted(point: Point, directions: Sequence[Point], steps: Sequence[float]) -> Point:
    """point + sum of step * direction, in the precision of ``point``."""
    moved = list(point)
    for direction, step in zip(directions, steps, strict=True):
        moved = [m + (step * d).astype(m.dtype) for m, d in zip(moved, direction, strict=True)]
    return tuple(moved)
