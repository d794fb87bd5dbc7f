"""Kernels of single layers, to be looked at and to be changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from reportgen.subject.kernels import Kernel, list_kernels
from reportgen.subject.probe import Probe


def kernel_of(layer: Any, shape: tuple[int, ...]) -> Kernel:
    """The last kernel of a layer that is alone in its model."""
    model = keras.Sequential([keras.Input(shape), layer])
    return list_kernels(Probe(model, shape).calls[-1])[-1]


def set_kernel(layer: Any, change: Callable[[np.ndarray], None]) -> None:
    """Let ``change`` write into the layer's kernel."""
    kernel = layer.kernel.numpy()
    change(kernel)
    layer.kernel.assign(kernel)
