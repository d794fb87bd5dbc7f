"""Stored arrays into the variables of the rebuilt network, layer by layer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from reportgen.errors import InputError
from reportgen.subject.model_file.configuration import clean_name
from reportgen.subject.model_file.content import Array
from reportgen.subject.model_file.repairs import keras1

# The last word of a weight's name. Two known words that differ are two different weights.
_WORDS = frozenset(
    """
    kernel bias gamma beta moving_mean moving_variance pointwise_kernel recurrent_kernel
    embeddings alpha mean variance count
    """.split()
)
# Stored by Keras 2 as weights; state that no prediction uses.
_STATE = frozenset("count StateVar state_var seed_generator_state rng_state Variable".split())
_TOP_LEVEL = "top_level_model_weights"
Pair = tuple[Array, Any]


def load_arrays(
    model: Any, arrays: Iterable[Pair], *, era: int, backend: str | None = None
) -> None:
    """Give every variable of ``model`` its stored values.

    Args:
        arrays: stored arrays with their values, in their writer's order.
        era: which Keras wrote them; Keras 1 laid kernels out in another way.

    Raises:
        InputError: a layer's weights are missing, too many, or of another shape.
    """
    groups: dict[str, list[Pair]] = {}
    for array, value in arrays:
        if array.layer != _TOP_LEVEL:
            groups.setdefault(clean_name(array.layer), []).append((array, value))
    layers = [layer for layer in model.layers if layer.weights]
    for layer, group in _pair_layers(layers, groups):
        if era == 1 or backend == "theano":
            group = _translate(layer, group, backend, era)
        _assign(layer, group)
    _finalize(model)


def _finalize(model: Any) -> None:
    """Layers that keep a second form of their weights make it anew."""
    for layer in model._flatten_layers():
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def _pair_layers(layers: list[Any], groups: dict[str, list[Pair]]) -> list[tuple[Any, list[Pair]]]:
    """By name; files whose layers were renamed are read in order, as Keras does."""
    if all(layer.name in groups for layer in layers):
        return [(layer, groups[layer.name]) for layer in layers]
    if len(groups) == len(layers):
        return list(zip(layers, groups.values(), strict=True))
    missing = next(layer.name for layer in layers if layer.name not in groups)
    raise InputError(
        f"has no weights for layer {missing[:80]}. It may be cut off, or belong to another network."
    )


def _translate(layer: Any, group: list[Pair], backend: str | None, era: int) -> list[Pair]:
    values = keras1.convert_arrays(
        type(layer).__name__,
        layer.get_config(),
        [value for _, value in group],
        backend=backend,
        era=era,
    )
    if len(values) == len(group):
        return [(array, value) for (array, _), value in zip(group, values, strict=True)]
    first = group[0][0]
    return [
        (Array(first.layer, "", first.key, value.shape, str(value.dtype), 0), value)
        for value in values
    ]


def _assign(layer: Any, group: list[Pair]) -> None:
    # The order in which Keras 2 and 3 list a layer's weights in HDF5 files.
    variables = [*layer.trainable_weights, *layer.non_trainable_weights]
    group = _without_state(group, variables)
    matched = _by_order(variables, group) or _by_name(variables, group)
    if matched is None:
        raise InputError(_mismatch(layer, variables, group))
    for variable, value in zip(variables, matched, strict=True):
        variable.assign(value)


def _without_state(group: list[Pair], variables: list[Any]) -> list[Pair]:
    """Leave out counters and random states that this network does not keep."""
    wanted = {_word(variable.path) for variable in variables}
    return [
        (array, value)
        for array, value in group
        if _word(array.name) not in _STATE or _word(array.name) in wanted
    ]


def _by_order(variables: list[Any], group: list[Pair]) -> list[Any] | None:
    if len(variables) != len(group):
        return None
    for variable, (array, value) in zip(variables, group, strict=True):
        words = {_word(variable.path), _word(array.name)}
        contradict = len(words) == 2 and words <= _WORDS
        if contradict or not _fits(variable, value):
            return None
    return [value for _, value in group]


def _by_name(variables: list[Any], group: list[Pair]) -> list[Any] | None:
    """By layer and weight name, where these are unique on both sides."""
    stored = {_key(array.name): value for array, value in group}
    keys = [_key(variable.path) for variable in variables]
    if len(stored) != len(group) or len(set(keys)) != len(keys) or not set(keys) <= set(stored):
        return None
    values = [stored[key] for key in keys]
    fit = all(_fits(v, value) for v, value in zip(variables, values, strict=True))
    return values if fit else None


def _fits(variable: Any, value: Any) -> bool:
    return bool(tuple(variable.shape) == np.shape(value))


def _word(name: str) -> str:
    return re.sub(r"(_\d+)?(:\d+)?$", "", name.rpartition("/")[2])


def _key(name: str) -> tuple[str, str]:
    owner = name.rpartition("/")[0].rpartition("/")[2]
    return owner, _word(name)


def _mismatch(layer: Any, variables: list[Any], group: list[Pair]) -> str:
    wanted = ", ".join(str(tuple(variable.shape)) for variable in variables[:4])
    found = ", ".join(str(np.shape(value)) for _, value in group[:4])
    return (
        f"holds weights that do not fit layer {layer.name[:80]}: it needs {len(variables)} "
        f"({wanted}), the file has {len(group)} ({found})."
    )
