"""Every kernel of every layer, by name and read along the right axis.

Statistics, pictures, checks and spectra all walk this list. Keras keeps the outputs in the last
axis for Dense, Conv1D, Conv2D and Conv3D, in the axis before it for transposed convolutions, in
the last two together for depthwise ones; EinsumDense (and so attention) says it in its equation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.channel_weights import bases, channel_count, filter_axes, split_equation
from reportgen.subject.quantised import is_quantised, read_kernel

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall

FloatArray = NDArray[np.floating[Any]]
_NAMES = ("depthwise_kernel", "pointwise_kernel", "kernel", "recurrent_kernel", "embeddings")


@dataclass(frozen=True)
class Kernel:
    """One kernel.

    name: within its layer: ``kernel``, ``depthwise_kernel``, ``query`` ... attribute: within its
        owner, the layer or sub-layer that holds it.
    values: as Keras stores them, or what they stand for if it stores whole numbers. axes: those
        that number the filters.
    main: its filters are the channels of the layer's output.
    groups: filters side by side that read the same inputs make a group; filters of different
        groups have nothing in common.
    judged: zero or equal filters are a fault here; not for recurrent gates, which several
        kernels make, and rows of an embedding, which stand for tokens.
    variable: to tell shared kernels apart.
    """

    address: str
    class_name: str
    name: str
    attribute: str
    values: FloatArray
    axes: tuple[int, ...]
    main: bool
    groups: int
    judged: bool
    owner: Any
    variable: Any

    @property
    def filters(self) -> FloatArray:
        """One row a filter: ``(filters, fan_in)``. A Conv2D kernel (3, 3, 16, 32) becomes
        (32, 144); a depthwise one (3, 3, 8, 2) becomes (16, 9)."""
        return as_filters(self.values, self.axes)

    @property
    def label(self) -> str:
        """Layer and kernel as they are told to a reader."""
        return self.address if self.name == "kernel" else f"{self.address}, {self.name}"

    @property
    def place(self) -> str:
        """The layer's address where the kernel's filters are its channels, else `label`."""
        return self.address if self.main else self.label

    @property
    def depthwise(self) -> bool:
        """Whether each filter reads a channel of its own."""
        return len(self.axes) == 2 and self.axes[-1] == self.values.ndim - 1 and self.windowed

    @property
    def windowed(self) -> bool:
        """Whether filters have a window (convolutions), unlike plain matrices."""
        return hasattr(self.owner, "kernel_size") and self.values.ndim > 2


def as_filters(values: FloatArray, axes: Sequence[int]) -> FloatArray:
    """Move ``axes`` to the front and flatten: ``(filters, fan_in)``."""
    count = int(np.prod([values.shape[axis] for axis in axes]))
    return np.moveaxis(values, axes, range(len(axes))).reshape(count, -1)


def list_kernels(call: LayerCall) -> list[Kernel]:
    """The kernels of a layer and of its sub-layers (attention, wrappers, recurrent cells)."""
    main = _main_owner(call.layer)
    found = []
    for name, owner, attribute, variable in _walk(call.layer, ""):
        values = read_kernel(owner) if is_quantised(owner) else np.asarray(variable.numpy())
        if values is None or values.ndim < 2 or values.size == 0 or values.dtype.kind not in "fV":
            continue
        values = values.astype(np.float32) if values.dtype.kind == "V" else values  # bfloat16
        axes = filter_axes(owner, attribute, values.ndim)
        count = int(np.prod([values.shape[axis] for axis in axes]))
        plain = attribute not in ("recurrent_kernel", "embeddings") and not _is_cell(owner)
        ends = owner is main and attribute != "depthwise_kernel" and plain
        found.append(
            Kernel(
                address=call.address,
                class_name=call.class_name,
                name=name,
                attribute=attribute,
                values=values,
                axes=axes,
                main=ends and count == channel_count(call),
                groups=_groups(owner, attribute, values, axes),
                judged=plain,
                owner=owner,
                variable=variable,
            )
        )
    return found


def _walk(layer: Any, prefix: str) -> Iterator[tuple[str, Any, str, Any]]:
    """Name, owner, attribute and variable of each kernel, outermost first."""
    for attribute in _NAMES:
        variable = getattr(layer, attribute, None)
        if variable is not None and hasattr(variable, "numpy"):
            name = prefix.rstrip("/") if prefix and attribute == "kernel" else prefix + attribute
            yield name, layer, attribute, variable
    cell = getattr(layer, "cell", None)
    for part in getattr(layer, "_layers", ()):
        yield from _walk(part, prefix if part is cell else f"{prefix}{part.name}/")


def _main_owner(layer: Any) -> Any:
    """The part of a layer that makes its output."""
    if "TimeDistributed" in bases(layer):
        layer = layer.layer
    return getattr(layer, "_output_dense", layer)


def _is_cell(owner: Any) -> bool:
    return hasattr(owner, "recurrent_kernel")


def _groups(owner: Any, attribute: str, values: FloatArray, axes: tuple[int, ...]) -> int:
    if attribute == "depthwise_kernel" or "BaseDepthwiseConv" in bases(owner):
        return int(values.shape[-2])
    if hasattr(owner, "equation"):
        # Letters of input and output alike: each entry has filters of its own.
        outer, inner, _ = split_equation(owner.equation)
        shared = [values.shape[axis] for axis in axes if inner[axis] in outer]
        return int(np.prod(shared)) if shared else 1
    return int(getattr(owner, "groups", 1) or 1) if attribute == "kernel" else 1


def batch_scale(norm: Any) -> FloatArray | None:
    """What a BatchNormalization multiplies each channel with: gamma / sqrt(variance + epsilon)."""
    variance = getattr(norm, "moving_variance", None)
    if variance is None:
        return None
    gamma = getattr(norm, "gamma", None)
    scale = 1.0 if gamma is None else np.asarray(gamma.numpy(), np.float64)
    return np.asarray(scale / np.sqrt(np.asarray(variance.numpy(), np.float64) + norm.epsilon))
