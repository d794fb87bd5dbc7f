"""How much of the input each position of each layer's output can see.

Windows are exact: at borders, with the padding of TensorFlow, through branches that meet. Their
size agrees with Araujo et al. 2019, "Computing receptive fields of convolutional neural
networks". A window is what *can* be seen: it bounds the positions whose change can change the
output, whatever the weights. What is not known here is taken to see everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from reportgen.subject.inputs import InputSpec
from reportgen.subject.layer_kinds import ELEMENTWISE, kind_of, mixed_axes, moved_axes
from reportgen.subject.layers import LayerCall
from reportgen.subject.windows import (
    Axis,
    Reads,
    begin,
    mix,
    pass_through,
    read_convolution,
    read_resized,
    read_shift,
    read_transposed,
    unite,
)

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """What the positions of one tensor see of the input, axis by axis of its positions.

    windows: for each axis ``(low, high)``, first and last input position that each position
    sees, ``(positions,)`` each; ``low > high`` sees only padding. None: every position sees the
    whole input, or there are no positions. size: sides of the largest window in input
    positions, before the border cuts it. jump: input positions between neighbouring positions,
    below 1 after enlarging; None where that is not even. sides: of the input.
    """

    windows: tuple[tuple[IntArray, IntArray], ...] | None
    size: tuple[int, ...] | None
    jump: tuple[float, ...] | None
    sides: tuple[int, ...]

    @property
    def sees_all(self) -> bool:
        """Whether a position in the middle sees the whole input."""
        return self.size is None or all(
            size >= side for size, side in zip(self.size, self.sides, strict=True)
        )

    def crop(self, position: Sequence[int]) -> tuple[slice, ...]:
        """Slices of the input's positions (no batch, no channels) that ``position`` sees.

        Args:
            position: one index an axis, such as ``(row, column)``; ignored where everything
                is seen.

        Raises:
            IndexError: no such position.
        """
        if self.windows is None:
            return tuple(slice(0, side) for side in self.sides)
        pairs = zip(self.windows, position, strict=True)
        seen = [(int(low[p]), int(high[p])) for (low, high), p in pairs]
        return tuple(slice(low, max(low, high + 1)) for low, high in seen)


@dataclass(frozen=True)
class _Positions:
    """A tensor's positions: windows, and the tensor's axes (batch is 0) that they lie along."""

    axes: tuple[Axis, ...]
    at: tuple[int, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        return tuple(len(axis.low) for axis in self.axes)


def read_spatial_axes(spec: InputSpec) -> tuple[int, ...] | None:
    """Axes of the model's input, the batch counted as 0, that are positions and not channels.

    None: the layers have to tell, see `receptive_fields`.
    """
    if spec.kind != "image":
        return None
    return (2, 3) if spec.layout == "channels_first" else (1, 2)


def receptive_fields(
    calls: Sequence[LayerCall], shape: tuple[int, ...], spatial: tuple[int, ...] | None = None
) -> list[ReceptiveField]:
    """The receptive field of each call's output.

    Args:
        calls: of `Probe.calls`.
        shape: of one sample, the one that the probe was made with.
        spatial: axes of the input that are positions, the batch counted as 0. By default all
            but the channels, which stand where the first layer has them.
    """
    at = _guess_axes(calls, len(shape) + 1) if spatial is None else spatial
    sides = tuple(shape[axis - 1] for axis in at)
    start = _Positions(tuple(begin(side) for side in sides), at) if at else None
    found: list[_Positions | None] = []
    for call in calls:
        sources = _gather(call, calls, found, start, shape)
        found.append(None if sources is None else _check(call, _through(call, sources)))
    return [_describe(positions, sides) for positions in found]


def _guess_axes(calls: Sequence[LayerCall], rank: int) -> tuple[int, ...]:
    first = next((c for c in calls if -1 in c.inputs and len(c.output_shape) == rank), None)
    channel = rank - 1 if first is None else first.channel_axis
    return tuple(axis for axis in range(1, rank) if axis != channel)


def _describe(positions: _Positions | None, sides: tuple[int, ...]) -> ReceptiveField:
    if positions is None or all(axis.whole for axis in positions.axes):
        return ReceptiveField(None, None, None, sides)
    jumps = [axis.line.jump for axis in positions.axes if axis.line is not None]
    return ReceptiveField(
        tuple((axis.low, axis.high) for axis in positions.axes),
        tuple(axis.size for axis in positions.axes),
        tuple(jumps) if len(jumps) == len(sides) else None,
        sides,
    )


def _gather(
    call: LayerCall,
    calls: Sequence[LayerCall],
    found: list[_Positions | None],
    start: _Positions | None,
    shape: tuple[int, ...],
) -> list[_Positions] | None:
    """Positions of what feeds the call; None if any sees everything or came in an unknown way."""
    if not call.inputs or not {name.lower() for name in call.between} <= ELEMENTWISE:
        return None
    given = [tuple(received[1:]) for received in call.input_shapes]
    sources = []
    for i in call.inputs:
        made = shape if i < 0 else tuple(calls[i].output_shape[1:])
        positions = start if i < 0 else found[i]
        if positions is None or made not in given:
            return None
        sources.append(positions)
    return sources


def _check(call: LayerCall, positions: _Positions | None) -> _Positions | None:
    """Windows must fit the shape that the layer really made."""
    if positions is None or max(positions.at) >= len(call.output_shape):
        return None
    made = tuple(call.output_shape[axis] for axis in positions.at)
    return positions if made == positions.counts else None


def _through(call: LayerCall, sources: list[_Positions]) -> _Positions | None:
    kind = kind_of(call.layer)
    if kind == "elementwise":
        return _unite(sources)
    if kind == "concatenate":
        united = _unite(sources)
        axis = call.layer.axis % len(call.output_shape)
        return None if united is None or axis in united.at else united
    if len(sources) > 1:
        return None
    if kind == "mixing":
        return _mix(call, sources[0])
    if kind in ("permute", "reshape"):
        return _relabel(call, sources[0])
    return _slide(call, sources[0])


def _unite(sources: list[_Positions]) -> _Positions | None:
    if len({source.at for source in sources}) > 1:
        return None
    axes = [unite(list(group)) for group in zip(*(s.axes for s in sources), strict=True)]
    known = tuple(axis for axis in axes if axis is not None)
    return _Positions(known, sources[0].at) if len(known) == len(axes) else None


def _mix(call: LayerCall, source: _Positions) -> _Positions | None:
    """Layers that look along some axes, such as a normalisation over positions."""
    rank = len(call.input_shapes[0])
    axes = mixed_axes(call.layer, rank)
    if axes is None:
        return None
    at = source.at
    if len(call.output_shape) < rank:  # a mean that drops its axes
        if set(axes) & set(at):
            return None
        at = tuple(axis - sum(gone < axis for gone in axes) for axis in at)
    elif call.output_shape != call.input_shapes[0] and set(axes) & set(source.at):
        return None  # one position is left, and it sees everything
    pairs = zip(source.axes, source.at, strict=True)
    return _Positions(tuple(mix(a) if place in axes else a for a, place in pairs), at)


def _relabel(call: LayerCall, source: _Positions) -> _Positions | None:
    axes = moved_axes(call.layer, call.input_shapes[0], call.output_shape)
    if axes is None or not set(source.at) <= set(axes):
        return None
    at = tuple(axes[axis] for axis in source.at)
    return _Positions(source.axes, at) if at == tuple(sorted(at)) else None


def _slide(call: LayerCall, source: _Positions) -> _Positions | None:
    """Layers with a window that moves along every axis of positions."""
    layer, rank = call.layer, len(call.output_shape)
    layer = getattr(layer, "layer", layer)  # spectral normalisation wraps a layer
    first = getattr(layer, "data_format", None) == "channels_first"
    if source.at != tuple(range(2, rank) if first else range(1, rank - 1)):
        return None
    axes = []
    for i, (axis, place) in enumerate(zip(source.axes, source.at, strict=True)):
        count = call.output_shape[place]
        reads = None if count is None else _read_layer(layer, i, len(axis.low), count)
        if reads is None or count is None:
            return None
        axes.append(pass_through(axis, reads, count))
    return _Positions(tuple(axes), source.at)


def _read_layer(layer: Any, axis: int, side: int, count: int) -> Reads | None:
    """What one layer reads along one axis; None if that is not known."""
    kind = kind_of(layer)
    if kind in ("convolution", "pooling", "transposed"):
        kernel = layer.pool_size if kind == "pooling" else layer.kernel_size
        window = _entry(kernel, axis), _entry(layer.strides, axis)
        dilation = _entry(getattr(layer, "dilation_rate", 1), axis)
        if kind == "transposed":
            return read_transposed(*window, dilation, layer.padding, side, count)
        reads, expected = read_convolution(*window, dilation, layer.padding, side)
        return reads if expected == count else None
    if kind == "enlarging":
        return read_resized(side, count, getattr(layer, "interpolation", "nearest"))
    if kind == "resizing":
        crops = layer.antialias or layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio
        return None if crops else read_resized(side, count, layer.interpolation)
    if kind == "padding":
        return read_shift(-_front(layer.padding, axis))
    if kind == "cropping":
        return read_shift(_front(layer.cropping, axis))
    return None


def _entry(value: Any, axis: int) -> int:
    return int(value if isinstance(value, int) else keras.tree.flatten(value)[axis])


def _front(pairs: Any, axis: int) -> int:
    """Of ``(before, after)`` for one axis, or a list of them for several."""
    flat = keras.tree.flatten(pairs)
    return int(flat[2 * axis])
