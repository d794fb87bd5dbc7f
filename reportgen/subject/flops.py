"""Floating-point operations of one layer for one sample: a multiplication and an addition are two.

Counted: products and their sums, the bias, one operation an element for an activation function,
two for BatchNormalization at rest (scale and shift), the window for pooling, one an element for
each further tensor that is merged. Moving, padding and dropout at rest cost nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall

_MERGES = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"})


def count_flops(call: LayerCall) -> int | None:
    """Operations of ``call`` for one sample; None for layers that this does not know."""
    size = _elements(call.output_shape)
    work = _main_work(call, size)
    if work is None:
        return None
    fused = call.activation is not None and call.fused
    return work + (size if fused else 0)


def _main_work(call: LayerCall, size: int) -> int | None:
    layer, name = call.layer, call.class_name
    bias = size if getattr(layer, "use_bias", False) else 0
    if name.startswith(("Conv", "Dense", "EinsumDense")) and hasattr(layer, "kernel"):
        return _products(call, size) + bias
    if name.startswith("DepthwiseConv"):
        return 2 * size * int(np.prod(layer.kernel_size)) + bias
    if name.startswith("SeparableConv"):
        return _separable(call, size) + bias
    if name.endswith("Normalization"):
        return 2 * size
    if "Pooling" in name:
        return _pooling(call, size)
    if name in _MERGES:
        return size * max(1, len(call.input_shapes) - 1)
    if call.activation is not None or name in ("Rescaling", "Normalization"):
        return size
    return None if getattr(layer, "weights", ()) else 0


def _products(call: LayerCall, size: int) -> int:
    kernel = call.layer.kernel.shape
    if "Transpose" in call.class_name:
        # Every input value meets the whole kernel once.
        return 2 * _elements(call.input_shapes[0]) * int(np.prod(kernel[:-1]))
    # Products for one output value: all axes of the kernel but the one of the outputs.
    return 2 * size * int(np.prod(kernel[:-1]))


def _separable(call: LayerCall, size: int) -> int:
    depthwise, pointwise = call.layer.depthwise_kernel.shape, call.layer.pointwise_kernel.shape
    positions = size // int(pointwise[-1])
    a_position = int(np.prod(depthwise)) + int(np.prod(pointwise))
    return 2 * positions * a_position


def _pooling(call: LayerCall, size: int) -> int:
    window = getattr(call.layer, "pool_size", None)
    if window is None:  # global and adaptive ones read each value about once
        return _elements(call.input_shapes[0])
    return size * int(np.prod(window))


def _elements(shape: tuple[int | None, ...]) -> int:
    return int(np.prod([side or 1 for side in shape[1:]]))
