"""Which weights make a channel of a layer's output.

A channel is made by the slices of a kernel along its output axis and an entry of the bias; in a
normalisation by gamma and beta; in attention by the last projection; in a recurrent layer by all
gates of a unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import UsageError

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall
    from reportgen.subject.probe import Probe

# Layers whose channel c depends on channel c of their one input and on nothing else.
_CHANNELWISE = (
    "BatchNormalization",
    "Activation",
    "ReLU",
    "ELU",
    "Pooling",
    "Dropout",
    "Padding",
    "Cropping",
    "UpSampling",
    "Rescaling",
    "Identity",
)


@dataclass(frozen=True)
class Part:
    """A weight, the axes that number the channels, and the value that silences them.

    gates: how often the channels stand along the axis (recurrent layers).
    """

    variable: Any
    axes: tuple[int, ...]
    value: float = 0.0
    gates: int = 1

    @property
    def channels(self) -> int:
        """How many channels it takes part in."""
        return int(np.prod([self.variable.shape[axis] for axis in self.axes])) // self.gates

    def silenced(self, values: NDArray[Any], channels: NDArray[np.int64]) -> NDArray[Any]:
        """A copy of the weight's values with the entries of ``channels`` silenced."""
        chosen = np.zeros(self.channels, bool)
        chosen[channels] = True
        shape = [1] * values.ndim
        for axis in self.axes:
            shape[axis] = values.shape[axis]
        mask = np.tile(chosen, self.gates).reshape(shape)
        return np.where(mask, np.asarray(self.value, values.dtype), values)


def find_parts(probe: Probe, address: str) -> list[Part]:
    """The weights that make the channels of a layer's output, the layer's own or earlier ones.

    Raises:
        UsageError: there are none.
    """
    call, found = probe.call(address), []
    while True:
        parts, silent = _own_parts(call)
        found += parts
        if silent:
            return found
        before = _channel_source(probe.calls, call)
        if before is None:
            raise UsageError(f"{address}: no weight of one layer makes its channels.")
        call = before


def _channel_source(calls: Sequence[LayerCall], call: LayerCall) -> LayerCall | None:
    """The call that this one passes on channel by channel; None if it does something else."""
    channelwise = any(kind in call.class_name for kind in _CHANNELWISE)
    if not channelwise or len(call.inputs) != 1 or call.inputs[0] < 0:
        return None
    source = calls[call.inputs[0]]
    return source if _same_channels(call, source) else None


def _same_channels(call: LayerCall, source: LayerCall) -> bool:
    # Only some layers know their axis: a ReLU between channels-first layers does not.
    shapes = call.output_shape, source.output_shape
    if shapes[0] == shapes[1]:
        return True
    first = call.channels_first or source.channels_first
    counts = [shape[1 if first else -1] if len(shape) > 1 else None for shape in shapes]
    return counts[0] == counts[1]


def channel_count(call: LayerCall) -> int | None:
    """Channels of the call's output; None if it has no such axis."""
    if len(call.output_shape) < 2:
        return None
    return call.output_shape[1 if call.channels_first else -1]


def _own_parts(call: LayerCall) -> tuple[list[Part], bool]:
    """The layer's weights by channel, and whether zeroing them makes the channels zero."""
    layer, kinds = call.layer, bases(call.layer)
    if "TimeDistributed" in kinds:
        layer, kinds = layer.layer, bases(layer.layer)
    layer = getattr(layer, "_output_dense", layer)  # attention ends in this projection
    kinds = bases(layer)
    if "BatchNormalization" in kinds:
        return _norm_parts(layer)
    if getattr(layer, "gamma", None) is not None and len(layer.gamma.shape) == 1:
        return _vectors(layer, ("gamma", 0.0), ("beta", 0.0)), True
    if getattr(layer, "units", None) and hasattr(layer, "cell"):
        return _recurrent_parts(layer), True
    if "Embedding" in kinds:
        return [Part(layer.embeddings, (1,))], True
    return _kernel_parts(layer)


def _kernel_parts(layer: Any) -> tuple[list[Part], bool]:
    name = "pointwise_kernel" if hasattr(layer, "pointwise_kernel") else "kernel"
    kernel = getattr(layer, name, None)
    # A quantised or low-rank-adapted kernel is computed, not stored: it cannot be set.
    if kernel is None or not hasattr(kernel, "assign") or len(kernel.shape) < 2:
        return [], False
    axes = filter_axes(layer, name, len(kernel.shape))
    if hasattr(layer, "equation"):
        _, inner, output = split_equation(layer.equation)
        if output[-1] not in inner:
            return [], False
        axes = (inner.index(output[-1]),)
    part = Part(kernel, axes)
    bias = getattr(layer, "bias", None)
    if bias is None:
        return [part], True
    if bias.shape[-1] != part.channels:
        return [], False
    return [part, Part(bias, (len(bias.shape) - 1,))], True


def _norm_parts(layer: Any) -> tuple[list[Part], bool]:
    """With mean 0 and variance 1 nothing but gamma and beta is left of a BatchNormalization."""
    if getattr(layer, "moving_variance", None) is None:
        return [], False
    statistics = ("beta", 0.0), ("moving_mean", 0.0), ("moving_variance", 1.0)
    parts = _vectors(layer, ("gamma", 0.0), *statistics)
    return parts, getattr(layer, "gamma", None) is not None


def _vectors(layer: Any, *names: tuple[str, float]) -> list[Part]:
    found = [(getattr(layer, name, None), value) for name, value in names]
    return [Part(vector, (0,), value) for vector, value in found if vector is not None]


def _recurrent_parts(layer: Any) -> list[Part]:
    """All gates of a unit: its state then stays at zero (LSTM, GRU, SimpleRNN with tanh)."""
    found = (getattr(layer.cell, name, None) for name in ("kernel", "recurrent_kernel", "bias"))
    return [
        Part(v, (len(v.shape) - 1,), gates=v.shape[-1] // layer.units)
        for v in found
        if v is not None
    ]


def bases(layer: Any) -> frozenset[str]:
    """Names of the layer's class and of those that it extends."""
    return frozenset(base.__name__ for base in type(layer).__mro__)


def filter_axes(layer: Any, name: str, rank: int) -> tuple[int, ...]:
    """The axes of a kernel that number its filters.

    The last one for Dense and Conv, the one before it for transposed convolutions, the last two
    together (channel, multiplier) for depthwise ones, the first (tokens) for embeddings, and those
    that the equation keeps for EinsumDense.
    """
    kinds = bases(layer)
    if name == "embeddings":
        return (0,)
    if name == "depthwise_kernel" or "BaseDepthwiseConv" in kinds:
        return (rank - 2, rank - 1)
    if "BaseConvTranspose" in kinds:
        return (rank - 2,)
    if hasattr(layer, "equation"):
        _, inner, output = split_equation(layer.equation)
        return tuple(axis for axis, letter in enumerate(inner) if letter in output)
    return (rank - 1,)


def split_equation(equation: str) -> tuple[str, str, str]:
    """Letters of input, kernel and output of an EinsumDense: ``...ab,bc->...ac``."""
    left, output = equation.replace(" ", "").replace("...", "").split("->")
    outer, inner = left.split(",")
    return outer, inner, output
