"""Stored arrays into the variables of the rebuilt network, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from reportgen.errors import InputError
from reportgen.subject.model_file.building.naming import (
    Named,
    assign,
    contradicts,
    pair_names,
    stranger,
    word_of,
)
from reportgen.subject.model_file.configuration import clean_name
from reportgen.subject.model_file.content import Array
from reportgen.subject.model_file.repairs import keras1

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
        _assign(layer, group, named=era > 1 and all(array.name for array, _ in group))
    _finalize(model)


def _finalize(model: Any) -> None:
    """Layers that keep a second form of their weights make it anew."""
    for layer in model._flatten_layers():
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def _pair_layers(layers: list[Any], groups: dict[str, list[Pair]]) -> list[tuple[Any, list[Pair]]]:
    """Each layer with what the file stores for it, see `pair_names`."""
    wanted = {layer.name: _shapes(layer.weights) for layer in layers}
    stored = {
        name: _shapes(value for _, value in _without_state(group, []))
        for name, group in groups.items()
        if group
    }
    paired = pair_names(wanted, stored)
    left = [name for name, shapes in stored.items() if shapes and name not in paired.values()]
    if left:
        raise stranger(f"layer {left[0]}")
    return [(layer, groups[paired[layer.name]]) for layer in layers]


def _shapes(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(sorted(tuple(value.shape) for value in values))


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


def _assign(layer: Any, group: list[Pair], *, named: bool) -> None:
    """named: the file has the names of Keras 2 and 3; Keras 1 had an order only."""
    # The order in which Keras 2 and 3 list a layer's weights in HDF5 files.
    variables = [*layer.trainable_weights, *layer.non_trainable_weights]
    group = _without_state(group, variables)
    if len(variables) != len(group):
        raise InputError(_mismatch(layer, variables, group))
    wanted = [Named(variable.path, tuple(variable.shape)) for variable in variables]
    stored = [Named(array.name, tuple(value.shape)) for array, value in group]
    places = assign(wanted, stored) if named else range(len(group))
    chosen = [stored[place] for place in places]
    for weight, array in zip(wanted, chosen, strict=True):
        if weight.shape != array.shape or (named and contradicts(weight, array)):
            raise InputError(_mismatch(layer, variables, group))
    for variable, place in zip(variables, places, strict=True):
        variable.assign(group[place][1])


def _without_state(group: list[Pair], variables: list[Any]) -> list[Pair]:
    """Leave out counters and random states that this network does not keep."""
    wanted = {word_of(variable.path) for variable in variables}
    return [
        (array, value)
        for array, value in group
        if word_of(array.name) not in _STATE or word_of(array.name) in wanted
    ]


def _mismatch(layer: Any, variables: list[Any], group: list[Pair]) -> str:
    wanted = ", ".join(str(tuple(variable.shape)) for variable in variables[:4])
    found = ", ".join(str(np.shape(value)) for _, value in group[:4])
    return (
        f"holds weights that do not fit layer {layer.name[:80]}: it needs {len(variables)} "
        f"({wanted}), the file has {len(group)} ({found})."
    )
