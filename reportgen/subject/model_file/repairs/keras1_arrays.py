"""The weights of one layer of Keras 1, in the order, shape and layout of Keras 2 and 3."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np

from reportgen.errors import InputError
from reportgen.subject.model_file.configuration import Node, is_object, layers_of, name_of
from reportgen.subject.model_file.repairs.keras1_words import CLASSES

Arrays = list[np.ndarray[Any, Any]]

_CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "ConvLSTM2D")
# Where the arrays of each gate start: Keras 1 kept them apart as i, c, f, o (and z, r, h), and
# joined by ``consume_less="gpu"`` as i, f, c, o, which is the order of Keras 2.
_GATES = {"LSTM": (0, 6, 3, 9), "ConvLSTM2D": (0, 6, 3, 9), "GRU": (0, 3, 6)}
_TRAINABLE = {
    "Embedding": 1,
    "PReLU": 1,
    "BatchNormalization": 2,
    "SimpleRNN": 3,
    "LSTM": 12,
    "ConvLSTM2D": 12,
    "GRU": 9,
}
_WITH_BIAS = {
    "Dense": 2,
    "Conv1D": 2,
    "Conv2D": 2,
    "Conv3D": 2,
    "Conv2DTranspose": 2,
    "SeparableConv2D": 3,
}


def convert_arrays(
    class_name: str, config: Any, arrays: Arrays, *, backend: str | None, era: int = 1
) -> Arrays:
    """One layer's arrays, or those of a nested model, as Keras 2 and 3 keep them.

    With ``era=2`` only kernels of Theano are turned, the rest is in place already.

    ``config`` may be in the words of Keras 1 or 2; a bare list is that of a Sequential.
    ``backend`` is what the file says of it: Theano turned its kernels round. Arrays come in the
    order of Keras 1, for a model all trainable ones first; they leave in the same order.

    Raises:
        InputError: a nested model holds another number of arrays than its layers have.
    """
    kind = CLASSES.get(class_name, class_name)
    layer = config.get("layer") if isinstance(config, dict) else None
    if kind in ("TimeDistributed", "Bidirectional") and is_object(layer):
        half = len(arrays) // 2 if kind == "Bidirectional" else len(arrays)
        name, inner = layer["class_name"], layer.get("config", {})
        there, back = (
            convert_arrays(name, inner, part, backend=backend, era=era)
            for part in (arrays[:half], arrays[half:])
        )
        return there + back
    node = {"class_name": kind, "config": config}
    if layers_of(node):
        return _convert_model(node, arrays, backend, era)
    if era == 1:
        arrays = _convert_layout(kind, config if isinstance(config, dict) else {}, arrays)
    return _flip_kernels(kind, arrays) if backend == "theano" else arrays


def _flip_kernels(class_name: str, arrays: Arrays) -> Arrays:
    """Kernels of Theano, which convolves where TensorFlow correlates; layout as in Keras 2."""
    if class_name not in _CONVOLUTIONS:
        return arrays
    kernels = 2 if class_name == "ConvLSTM2D" else 1
    return [
        np.flip(array, tuple(range(array.ndim - 2))) if number < kernels else array
        for number, array in enumerate(arrays)
    ]


def _convert_layout(kind: str, config: Node, arrays: Arrays) -> Arrays:
    """Kernels as rows, columns, inputs, outputs; recurrent gates joined."""
    first = config.get("data_format") == "channels_first" or config.get("dim_ordering") == "th"
    if not arrays:
        return arrays
    if kind in _GATES:
        return _join_gates(kind, arrays, first)
    kernel, *rest = arrays
    if kind == "Conv1D" and kernel.ndim == 4:
        return [_to_one_dimension(kernel, config), *rest]
    if kind == "Conv2DTranspose":
        # The table keeps (rows, columns, inputs, outputs); a transposed layer wants them swapped.
        return [kernel.transpose((2, 3, 0, 1) if first else (0, 1, 3, 2)), *rest]
    if kind == "SeparableConv2D" and first:
        return [_channels_last(kernel), *(_channels_last(a) if a.ndim == 4 else a for a in rest)]
    if kind in ("Conv2D", "Conv3D") and first and not _is_turned(kernel, config):
        return [_channels_last(kernel), *rest]
    return arrays


def _channels_last(kernel: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(outputs, inputs, rows, columns) as (rows, columns, inputs, outputs)."""
    return kernel.transpose((*range(2, kernel.ndim), 1, 0))


def _is_turned(kernel: np.ndarray[Any, Any], config: Node) -> bool:
    """Whether a kernel stands as in Keras 2 already, and cannot be read the other way."""
    size, filters = _size(config), config.get("filters", config.get("nb_filter"))
    shape, n = kernel.shape, len(size)
    return shape[:n] == size and shape[-1] == filters and (shape[0], *shape[2:]) != (filters, *size)


def _size(config: Node) -> tuple[int, ...]:
    for key in ("kernel_size", "filter_length"):
        if key in config:
            value = config[key]
            return tuple(value) if isinstance(value, list | tuple) else (value,)
    keys = ("nb_row", "nb_col", "kernel_dim1", "kernel_dim2", "kernel_dim3")
    return tuple(config[key] for key in keys if key in config)


def _to_one_dimension(kernel: np.ndarray[Any, Any], config: Node) -> np.ndarray[Any, Any]:
    """Keras 1.2: (length, 1, inputs, outputs); before: (outputs, inputs, length, 1)."""
    filters = config.get("filters", config.get("nb_filter"))
    if kernel.shape[:2] != (*_size(config), 1) or kernel.shape[3] != filters:
        kernel = _channels_last(kernel)
    return kernel[:, 0]


def _join_gates(kind: str, arrays: Arrays, first: bool) -> Arrays:
    """Arrays of single gates side by side; ``consume_less="gpu"`` stored them joined."""
    starts = _GATES[kind]
    if len(arrays) != 3 * len(starts):
        return arrays
    if kind == "ConvLSTM2D" and first:
        arrays = [_channels_last(array) if array.ndim == 4 else array for array in arrays]
    return [
        np.concatenate([arrays[start + part] for start in starts], axis=-1) for part in range(3)
    ]


def _convert_model(node: Node, arrays: Arrays, backend: str | None, era: int) -> Arrays:
    """A model's arrays: all trainable ones, layer by layer, then all others."""
    inside = layers_of(node)
    counts = _count_stored(inside, len(arrays), era)
    if counts is None:
        raise InputError(
            f"holds {len(arrays)} arrays for the model {name_of(node)} inside the model, which "
            "does not suit its layers."
        )
    learned = sum(own for own, _ in counts)
    left, right = iter(arrays[:learned]), iter(arrays[learned:])
    new_left: Arrays = []
    new_right: Arrays = []
    for layer, (own, other) in zip(inside, counts, strict=True):
        part = [*islice(left, own), *islice(right, other)]
        name, config = layer["class_name"], layer.get("config", {})
        new = convert_arrays(name, config, part, backend=backend, era=era) if part else []
        split = _count(layer, joined=True)[0]
        new_left += new[:split]
        new_right += new[split:]
    return new_left + new_right


def _count_stored(inside: list[Node], total: int, era: int) -> list[tuple[int, int]] | None:
    """How many arrays each layer has, so that they are ``total``; gates are apart or joined."""
    for joined in (False, True) if era == 1 else (True,):
        counts = [_count(layer, joined=joined) for layer in inside]
        if sum(map(sum, counts)) == total:
            return counts
    return None


def _count(node: Node, *, joined: bool) -> tuple[int, int]:
    """How many trainable and other arrays a layer has; ``joined``: with its gates joined."""
    config = node.get("config")
    settings: Node = config if isinstance(config, dict) else {}
    learned, fixed = _count_trained(node, settings, joined)
    return (learned, fixed) if settings.get("trainable", True) else (0, learned + fixed)


def _count_trained(node: Node, config: Node, joined: bool) -> tuple[int, int]:
    name: str = node["class_name"]
    kind = CLASSES.get(name, name)
    inside = layers_of(node)
    if kind in ("TimeDistributed", "Bidirectional") and is_object(config.get("layer")):
        inside = [config["layer"]] * (2 if kind == "Bidirectional" else 1)
    if inside:
        counts = [_count(layer, joined=joined) for layer in inside]
        return sum(a for a, _ in counts), sum(b for _, b in counts)
    if kind in _WITH_BIAS:
        return _WITH_BIAS[kind] - (not config.get("use_bias", config.get("bias", True))), 0
    if kind in _GATES and joined:
        return 3, 0
    return _TRAINABLE.get(kind, 0), 2 if kind == "BatchNormalization" else 0
