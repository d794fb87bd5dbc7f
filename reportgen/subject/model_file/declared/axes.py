"""Which side of a tensor is what: channels, spatial sides, the letters of an equation."""

from __future__ import annotations

import re

from reportgen.subject.model_file.declared.reading import (
    NotKnownError,
    Settings,
    Shape,
    items,
    need,
    whole,
)


def split_axes(s: Settings, x: Shape, extra: int = 0) -> tuple[int | None, list[int | None]]:
    """Return the channels and the spatial sides; ``extra`` axes stand after the batch."""
    need(len(x) == s.rank + 2 + extra)
    rest = x[1 + extra :]
    if s.word("data_format", "channels_last") == "channels_first":
        return rest[0], list(rest[1:])
    need(s.word("data_format", "channels_last") == "channels_last")
    return rest[-1], list(rest[:-1])


def join_axes(s: Settings, x: Shape, channels: int | None, spatial: list[int | None]) -> Shape:
    """Return a shape with the batch of ``x``, as ``data_format`` orders the axes."""
    if s.word("data_format", "channels_last") == "channels_first":
        return (x[0], channels, *spatial)
    return (x[0], *spatial, channels)


def head_outputs(s: Settings, query: Shape) -> tuple[int | None, ...]:
    """Return the sides that attention puts in place of the last one of ``query``."""
    declared = s.raw("output_shape")
    if declared is None:
        return (query[-1],)
    sides = [declared] if isinstance(declared, int) else items(declared)
    return tuple(whole(side) for side in sides)


def einsum_axes(s: Settings, x: Shape) -> tuple[str, str, dict[str, int | None], list[int | None]]:
    """Return the letters of kernel and output, the side of each letter, the output's shape."""
    equation = s.raw("equation")
    need(isinstance(equation, str) and len(equation) < 200)
    match = re.fullmatch(r"(\.\.\.)?(\w+)(\.\.\.)?,(\w+)->(\.\.\.)?(\w+)(\.\.\.)?", equation)
    if match is None:
        raise NotKnownError
    left, inputs, right, kernel, _, outputs, _ = match.groups()
    elided = len(x) - len(inputs)
    need(elided == 0 or (elided > 0 and bool(left or right)))
    sides = dict(zip(inputs, x[elided:] if left else x, strict=False))
    declared = s.raw("output_shape")
    own = [declared] if isinstance(declared, int) else items(declared)
    rest = [None if side is None else whole(side) for side in own]
    middle, tail = (x[1:elided], ()) if left and elided else ((), x[len(inputs) :])
    shape = [x[0], *middle, *rest, *(tail if right else ())]
    start = elided if left else 0
    need(len(shape) == len(outputs) + elided)
    for position, letter in enumerate(outputs, start):
        sides.setdefault(letter, shape[position])  # an open side stays open, as in Keras
    return kernel, outputs, sides, shape
