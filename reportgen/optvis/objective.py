"""What an image is optimised for: numbers that compose with ``+``, ``-`` and ``*``.

An objective gives one number an image. ``channel("conv", range(8))`` is eight objectives in one:
eight images are optimised at once, each for its own unit. Objectives are values: composing them
makes a new one and changes none.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import UsageError
from reportgen.optvis.places import Place, Tensor, View

Parameter = NDArray[Any]
Evaluate = Callable[[View, Sequence[Tensor]], Tensor]


@dataclass(frozen=True, eq=False)
class Objective:
    """One number an image, to be made large.

    places: what it reads. parameters: arrays with one entry a unit on axis 0, such as the
    channel. labels: one a unit. key: objectives of equal keys differ in parameters only, so one
    traced function serves them all. paired: it compares the images of one unit with each other.
    highest: the highest channel number that it asks for, by place.
    """

    places: frozenset[Place]
    parameters: tuple[Parameter, ...]
    labels: tuple[str, ...]
    key: Hashable
    evaluate: Evaluate
    paired: bool = False
    highest: tuple[tuple[Place, int], ...] = ()
    # Numbers of NumPy would take it for a sequence; so they leave the product to __rmul__.
    __array_ufunc__: ClassVar[None] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(map(_freeze, self.parameters)))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, units: int | slice | Sequence[int]) -> Objective:
        """The objective of some of the units."""
        chosen = units if isinstance(units, slice) else np.asarray(units, int)
        rows = np.atleast_1d(np.arange(len(self))[chosen])
        kept = tuple(parameter[rows] for parameter in self.parameters)
        return replace(self, parameters=kept, labels=tuple(self.labels[row] for row in rows))

    def __add__(self, other: Objective | float) -> Objective:
        return _compose("+", self, other)

    def __radd__(self, other: Objective | float) -> Objective:
        if not isinstance(other, Objective) and other == 0:
            return self  # the start of `sum`
        return _compose("+", _as_objective(other), self)

    def __sub__(self, other: Objective | float) -> Objective:
        return _compose("-", self, other)

    def __rsub__(self, other: Objective | float) -> Objective:
        return _compose("-", _as_objective(other), self)

    def __mul__(self, other: Objective | float) -> Objective:
        return _compose("*", self, other)

    def __rmul__(self, other: Objective | float) -> Objective:
        return _compose("*", _as_objective(other), self)

    def __neg__(self) -> Objective:
        return -1.0 * self


def _freeze(parameter: Parameter) -> Parameter:
    """Values that nobody can change: composed objectives share them."""
    if not parameter.flags.writeable:
        return parameter
    frozen = parameter.copy()
    frozen.flags.writeable = False
    return frozen


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}


def _as_objective(value: Objective | float) -> Objective:
    if isinstance(value, Objective):
        return value
    number = float(value)
    return Objective(
        frozenset(), (), (f"{number:g}",), ("number", number), lambda view, parameters: number
    )


def _compose(sign: str, first: Objective, other: Objective | float) -> Objective:
    second = _as_objective(other)
    width = max(len(first), len(second))
    left, right = _widen(first, width), _widen(second, width)
    count = len(left.parameters)
    apply = _OPERATORS[sign]

    def evaluate(view: View, parameters: Sequence[Tensor]) -> Tensor:
        return apply(
            left.evaluate(view, parameters[:count]), right.evaluate(view, parameters[count:])
        )

    return Objective(
        places=left.places | right.places,
        parameters=left.parameters + right.parameters,
        labels=_say(sign, left, right),
        key=(sign, left.key, right.key),
        evaluate=evaluate,
        paired=left.paired or right.paired,
        highest=left.highest + right.highest,
    )


def _widen(objective: Objective, width: int) -> Objective:
    if len(objective) == width:
        return objective
    if len(objective) != 1:
        raise UsageError(
            f"Objectives of {len(objective)} and {width} units do not go together. "
            "Give one unit, or as many."
        )
    return objective[[0] * width]


def _say(sign: str, left: Objective, right: Objective) -> tuple[str, ...]:
    firsts = _bracket(left) if sign == "*" else left.labels
    seconds = right.labels if sign == "+" else _bracket(right)
    return tuple(
        f"-{second}" if (sign, first) == ("*", "-1") else f"{first} {sign} {second}"
        for first, second in zip(firsts, seconds, strict=True)
    )


def _bracket(objective: Objective) -> tuple[str, ...]:
    """Labels, in brackets where they are sums."""
    key = objective.key
    is_sum = isinstance(key, tuple) and key[0] in ("+", "-")
    return tuple(f"({label})" for label in objective.labels) if is_sum else objective.labels
