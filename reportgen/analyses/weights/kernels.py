"""Kernels read along the right axis.

Keras keeps the outputs in the last axis for Dense, Conv1D, Conv2D and Conv3D, in the axis before
it for transposed convolutions, and in the last two together for depthwise ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]


def main_kernel(layer: Any) -> FloatArray | None:
    """The kernel whose filters make the layer's outputs; None if it has none.

    Separable convolutions mix channels in their pointwise kernel; that is the main one.
    """
    for name in ("pointwise_kernel", "depthwise_kernel", "kernel"):
        variable = getattr(layer, name, None)
        if variable is not None and hasattr(variable, "numpy"):
            return np.asarray(variable.numpy())
    return None


def is_depthwise(class_name: str) -> bool:
    """Whether each filter reads a channel of its own."""
    return class_name.startswith("DepthwiseConv")


def as_filters(class_name: str, kernel: FloatArray) -> FloatArray:
    """One row a filter: ``(filters, fan_in)``.

    Example: a Conv2D kernel ``(3, 3, 16, 32)`` becomes ``(32, 144)``.
    """
    if is_depthwise(class_name):
        flat = kernel.reshape(-1, kernel.shape[-2] * kernel.shape[-1])
        return flat.T
    axis = -2 if "Transpose" in class_name else -1
    return np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1)


def batch_scale(norm: Any) -> FloatArray | None:
    """What a BatchNormalization multiplies each channel with: gamma / sqrt(variance + epsilon)."""
    variance = getattr(norm, "moving_variance", None)
    if variance is None:
        return None
    gamma = getattr(norm, "gamma", None)
    scale = 1.0 if gamma is None else np.asarray(gamma.numpy(), np.float64)
    return np.asarray(scale / np.sqrt(np.asarray(variance.numpy(), np.float64) + norm.epsilon))
