"""Reading settings, sizes and shapes that may be hostile: what is not sound is "not known".

Numbers are only multiplied and compared, nothing is allocated by them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Shape: TypeAlias = tuple[int | None, ...]
Weights: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]
Outputs: TypeAlias = tuple[Shape, ...]

MAX_RANK, _MAX_SIDE = 32, 2**63 - 1  # TensorFlow cannot express more
MOST = 10**500  # what is larger counts as this: Python refuses to print very long numbers


class NotKnownError(Exception):
    """The configuration does not say."""


# What reading a setting raises where a stranger wrote what Keras does not. MemoryError is none of
# them: a file whose description takes that much is refused as a whole.
TRIPPED = (
    NotKnownError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


def need(condition: bool) -> None:
    """Raise unless the configuration is one that Keras would build."""
    if not condition:
        raise NotKnownError


def known(side: int | None) -> int:
    """Return a side that must not be open."""
    if side is None:
        raise NotKnownError
    return side


def items(value: object) -> list[Any]:
    """Return a list or a tuple, also as the metadata of a SavedModel writes it."""
    if isinstance(value, dict) and value.get("class_name") in ("__tuple__", "TensorShape"):
        value = value.get("items")
    if isinstance(value, list | tuple):
        return list(value)
    raise NotKnownError


def whole(value: object, least: int = 1) -> int:
    """Return an integer; ``32.0`` counts as one, ``True`` and NaN do not."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise NotKnownError
    return min(value, MOST)


def read_shape(value: object) -> Shape:
    """Return a shape with its batch axis."""
    return sound(tuple(None if side is None else whole(side) for side in items(value)))


def sound(shape: Shape) -> Shape:
    """Return ``shape`` if a tensor can have it."""
    need(len(shape) <= MAX_RANK)
    need(all(side is None or 0 < side <= _MAX_SIDE for side in shape))
    return shape


@dataclass(frozen=True)
class Call:
    """One use of a layer. shapes: of its tensors, in order. names: of those given by keyword.

    plain: nothing but numbers stands beside the tensors, so no constant array can widen them.
    """

    shapes: tuple[Shape | None, ...]
    names: tuple[str, ...] = ()
    plain: bool = True

    @property
    def first(self) -> Shape:
        """The shape of the first tensor."""
        return self.all[0] if len(self.shapes) == 1 else Call(self.shapes[:1]).all[0]

    @property
    def all(self) -> list[Shape]:
        """All shapes, if all are known."""
        shapes = [shape for shape in self.shapes if shape is not None]
        need(len(shapes) == len(self.shapes) > 0)
        return shapes

    def named(self, name: str, position: int) -> Shape | None:
        """Return the shape given as ``name``, or at ``position`` among the unnamed, or None."""
        names = self.names or ("",) * len(self.shapes)
        pairs = list(zip(self.shapes, names, strict=True))
        found = [shape for shape, key in pairs if key == name]
        found = found or [shape for shape, key in pairs if not key][position : position + 1]
        return Call(tuple(found)).first if found else None


class Settings:
    """The configuration of one layer, read with types."""

    def __init__(self, class_name: str, config: object) -> None:
        need(isinstance(config, dict))
        self.class_name = class_name
        self._config: Mapping[str, Any] = config  # type: ignore[assignment]

    def raw(self, key: str, default: object = None) -> Any:
        """Return what stands there; the default where nothing stands."""
        return self._config.get(key, default)

    def size(self, key: str, default: int | None = None) -> int:
        """Return a positive integer."""
        return whole(self.raw(key, default))

    def flag(self, key: str, default: bool = False) -> bool:
        """Return a yes or a no."""
        value = self.raw(key, default)
        need(value is None or value in (True, False))
        return bool(value)

    def word(self, key: str, default: str = "") -> str:
        """Return a word in lower case."""
        value = self.raw(key, default)
        need(value is None or isinstance(value, str))
        return value.lower() if value else default

    @property
    def rank(self) -> int:
        """The number of spatial axes, as the class says: 2 for ``Conv2DTranspose``."""
        digits = re.search(r"([123])D", self.class_name)
        return int(digits[1]) if digits else 2

    def sizes(self, key: str, default: object = None, *, least: int = 1) -> tuple[int, ...]:
        """Return one integer for each spatial axis."""
        value = self.raw(key, default)
        if isinstance(value, int | float):
            value = [value] * self.rank
        sides = tuple(whole(side, least) for side in items(value))
        need(len(sides) == self.rank)
        return sides

    def axes(self, x: Shape, default: object = -1) -> tuple[int, ...]:
        """Return ``axis`` as positive positions in ``x``."""
        value = self.raw("axis", default)
        values = [value] if isinstance(value, int | float) else items(value)
        # Keras sorts them as they were given, negative ones first.
        return tuple(
            axis_position(axis, len(x)) for axis in sorted(whole(v, -len(x)) for v in values)
        )


def axis_position(axis: object, rank: int) -> int:
    """Return an axis as a position from 0; ``-1`` is the last of ``rank``."""
    number = whole(axis, -rank)
    need(number < rank)
    return number % rank
