"""What is planted: each function damages a model and says which layer and filters it hit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from .networks import Network, find_layer

DEAD, COPIED, SILENT, BROKEN = (2, 5), (1, 6, 9), (3,), (4,)


@dataclass(frozen=True)
class Planted:
    """The layer that must be named, and its filters or channels; none if it is the layer."""

    address: str
    channels: tuple[int, ...] = ()


@dataclass(frozen=True)
class Defect:
    """A way to damage a model, and the findings that it must give: all of them, no others."""

    name: str
    plant: Callable[[keras.Model, Network], Planted]
    findings: frozenset[str]


def dead_filters(model: keras.Model, network: Network) -> Planted:
    """Kernel and bias of two filters are zero."""
    layer = find_layer(model, network.dead)
    filters = read_filters(layer)
    filters[list(DEAD)] = 0
    write_filters(layer, filters)
    if layer.use_bias:
        _assign(layer.bias, list(DEAD), 0)
    return Planted(network.dead, DEAD)


def duplicate_filters(model: keras.Model, network: Network) -> Planted:
    """One filter stands in three places."""
    layer = find_layer(model, network.duplicated)
    filters = read_filters(layer)
    filters[list(COPIED[1:])] = filters[COPIED[0]]
    write_filters(layer, filters)
    return Planted(network.duplicated, COPIED)


def constant_channel(model: keras.Model, network: Network) -> Planted:
    """A shift so low that the ReLU never lets anything through; the kernel is as trained."""
    layer = find_layer(model, network.silenced)
    _assign(layer.beta if hasattr(layer, "beta") else layer.bias, list(SILENT), -100.0)
    return Planted(network.silent, SILENT)


def initial_layer(model: keras.Model, network: Network) -> Planted:
    """One layer is as its own initialisers draw it."""
    layer = find_layer(model, network.initial)
    keras.utils.set_random_seed(7)
    kernel = _main_kernel(layer)
    depthwise = hasattr(layer, "depthwise_initializer")
    draw = layer.depthwise_initializer if depthwise else layer.kernel_initializer
    kernel.assign(type(draw).from_config({**draw.get_config(), "seed": 7})(kernel.shape))
    layer.bias.assign(np.zeros(layer.bias.shape))
    return Planted(network.initial)


def broken_kernel(model: keras.Model, network: Network) -> Planted:
    """A single NaN in one filter."""
    layer = find_layer(model, network.broken)
    filters = read_filters(layer)
    filters[BROKEN[0], 3] = np.nan
    write_filters(layer, filters)
    return Planted(network.broken, BROKEN)


def fresh_norm(model: keras.Model, network: Network) -> Planted:
    """A BatchNormalization whose moving statistics are as they were built."""
    layer = find_layer(model, network.norm)
    layer.moving_mean.assign(np.zeros(layer.moving_mean.shape))
    layer.moving_variance.assign(np.ones(layer.moving_variance.shape))
    return Planted(network.norm)


def fresh_norm_and_scale(model: keras.Model, network: Network) -> Planted:
    """The same, with scale and shift at their start too."""
    layer = find_layer(model, network.norm)
    layer.gamma.assign(np.ones(layer.gamma.shape))
    layer.beta.assign(np.zeros(layer.beta.shape))
    return fresh_norm(model, network)


def saturated_sigmoid(model: keras.Model, network: Network) -> Planted:
    """Kernel and bias so large that nearly every value of every unit is at 0 or at 1."""
    layer = find_layer(model, network.sigmoid)
    for weight in (layer.kernel, layer.bias):
        weight.assign(300 * weight.numpy())
    return Planted(network.sigmoid, tuple(range(layer.bias.shape[0])))


def read_filters(layer: Any) -> np.ndarray:
    """A row a filter, ``(filters, fan_in)``; a depthwise kernel has one a channel.

    Written apart from the product, which must read the same axis.
    """
    kernel = _main_kernel(layer).numpy()
    if _is_depthwise(layer):
        h, w, c, _ = kernel.shape
        return np.stack([kernel[:, :, i, 0].reshape(h * w) for i in range(c)])
    return np.stack([kernel[..., i].ravel() for i in range(kernel.shape[-1])])


def write_filters(layer: Any, filters: np.ndarray) -> None:
    """The inverse of `read_filters`."""
    variable = _main_kernel(layer)
    shape = tuple(variable.shape)
    if _is_depthwise(layer):
        kernel = np.stack([row.reshape(shape[:2]) for row in filters], axis=-1)[..., None]
    else:
        kernel = np.stack([row.reshape(shape[:-1]) for row in filters], axis=-1)
    variable.assign(kernel)


def _main_kernel(layer: Any) -> Any:
    # A separable convolution makes its channels with the pointwise kernel.
    return layer.pointwise_kernel if hasattr(layer, "pointwise_kernel") else layer.kernel


def _is_depthwise(layer: Any) -> bool:
    return isinstance(layer, keras.layers.DepthwiseConv2D)


def _assign(variable: Any, places: list[int], value: float) -> None:
    values = variable.numpy()
    values[places] = value
    variable.assign(values)


DEFECTS = (
    Defect("dead filters", dead_filters, frozenset({"weights.dead_filters"})),
    Defect("duplicate filters", duplicate_filters, frozenset({"weights.duplicate_filters"})),
    Defect("constant channel", constant_channel, frozenset({"features.dead_channels"})),
    Defect("initial layer", initial_layer, frozenset({"weights.untrained_layers"})),
    # Literally true of both: a parameter is NaN, and so is what the layer makes with it.
    Defect("NaN", broken_kernel, frozenset({"weights.non_finite", "features.non_finite"})),
    Defect("fresh BatchNorm", fresh_norm, frozenset({"weights.batchnorm_degenerate"})),
    Defect("saturated sigmoid", saturated_sigmoid, frozenset({"features.saturated"})),
)
