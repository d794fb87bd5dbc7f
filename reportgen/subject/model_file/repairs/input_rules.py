"""Repairs of what a model takes: input layers and their shapes."""

from __future__ import annotations

from typing import Any

from reportgen.subject.model_file.configuration import Node, layers_of, name_of, walk
from reportgen.subject.model_file.repairs.layer_rules import ERA, settings_of

_SHAPE_KEYS = ("batch_shape", "batch_input_shape")


def add_input_layer(node: Node) -> bool:
    """A Sequential without an input layer, as Keras 2.2 wrote it."""
    inside = layers_of(node)
    if node["class_name"] != "Sequential" or not inside:
        return False
    if inside[0]["class_name"] == "InputLayer":
        return False
    shape, dtype = _stated_shape(node)
    if shape is None:
        return False
    taken = {name_of(layer) for layer in inside}
    name = f"{name_of(inside[0])}_input"
    while name in taken:
        name += "_"
    settings = {"batch_shape": shape, "dtype": dtype or "float32", "name": name}
    added = {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": settings,
        ERA: node[ERA],
    }
    node["config"]["layers"] = [added, *node["config"]["layers"]]
    return bool(node[ERA] < 3)


def _stated_shape(node: Node | None) -> tuple[list[Any] | None, str | None]:
    """The batch shape that a model's first layer states, however deep it lies."""
    outer = node
    while node is not None:
        config = settings_of(node)
        for key in _SHAPE_KEYS:
            if isinstance(config.get(key), list):
                dtype = config.get("dtype")
                return config[key], dtype if isinstance(dtype, str) else None
        node = _first_layer(node)
    # A model that was built by its first batch states the shape beside its layers.
    for shape in (settings_of(outer or {}).get("build_input_shape"), _build_shape(outer)):
        if isinstance(shape, list):
            return shape, None
    return None, None


def _build_shape(node: Node | None) -> Any:
    built = (node or {}).get("build_config")
    return built.get("input_shape") if isinstance(built, dict) else None


def _first_layer(node: Node) -> Node | None:
    inside = layers_of(node)
    inputs = settings_of(node).get("input_layers")
    if node["class_name"] != "Sequential" and isinstance(inputs, list) and inputs:
        first = inputs[0] if isinstance(inputs[0], list) and inputs[0] else inputs
        return next((layer for layer in inside if name_of(layer) == first[0]), None)
    return inside[0] if inside else None


def rename_batch_shape(node: Node) -> bool:
    """Keras 3 says ``batch_shape``, and says it of input layers only."""
    config = settings_of(node)
    if node["class_name"] == "InputLayer":
        if "batch_input_shape" in config:
            config["batch_shape"] = config.pop("batch_input_shape")
        if "input_dtype" in config:
            config.setdefault("dtype", config.pop("input_dtype"))
    else:
        for key in (*_SHAPE_KEYS, "input_shape", "input_dtype"):
            config.pop(key, None)
    return False


def free_batch(node: Node) -> bool:
    """An input of, say, 32 samples at once; a stateful layer really needs its number."""
    inside = layers_of(node)
    if not inside or any(settings_of(each).get("stateful") for _, each in walk(node)):
        return False
    changed = False
    for layer in inside:
        shape = settings_of(layer).get("batch_shape")
        if layer["class_name"] == "InputLayer" and isinstance(shape, list) and shape:
            changed |= shape[0] is not None
            settings_of(layer)["batch_shape"] = [None, *shape[1:]]
    return changed
