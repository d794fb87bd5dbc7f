"""Reading one node of a configuration: a model or a layer, in the words of each Keras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reportgen.subject.model_file.declared.reading import (
    Call,
    NotKnownError,
    Shape,
    items,
    read_shape,
)

MAX_NAME = 200  # characters; hostile names would multiply along the nesting
_MODELS = ("Sequential", "Functional", "Model")
_SHAPE_KEYS = ("batch_shape", "batch_input_shape")


def is_model(node: Mapping[str, Any]) -> bool:
    """Whether the node holds layers of its own."""
    return node.get("class_name") in _MODELS


def is_input(node: Mapping[str, Any]) -> bool:
    """Whether the node is an InputLayer."""
    return node.get("class_name") == "InputLayer"


def is_graph(node: Mapping[str, Any]) -> bool:
    """Whether the layers of a model are joined by name, not one after the other."""
    return node.get("class_name") != "Sequential"


def layers_of(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the nodes of a model; a Sequential before Keras 2.2.3 is only their list."""
    config = node.get("config")
    listed = items(config.get("layers") if isinstance(config, dict) else config)
    return [layer if isinstance(layer, dict) else {} for layer in listed]


def settings_of(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of a node; none where they are not a dict."""
    config = node.get("config")
    return config if isinstance(config, dict) else {}


def node_name(node: Mapping[str, Any], position: int) -> str:
    """Return the name of a layer, or one by its position."""
    for name in (node.get("name"), settings_of(node).get("name")):
        if isinstance(name, str):
            return name
    return f"layer_{position}"


def stated_shape(node: Mapping[str, Any], keys: tuple[str, ...] = _SHAPE_KEYS) -> Shape | None:
    """Return the input shape that a layer states of itself."""
    settings = settings_of(node)
    for key in keys:
        if settings.get(key) is not None:
            return shape_or_none(settings[key])
    for key in ("shape", "input_shape"):
        if node.get("class_name") == "InputLayer" and settings.get(key) is not None:
            shape = shape_or_none(settings[key])
            return None if shape is None else shape_or_none([settings.get("batch_size"), *shape])
    return None


def shape_or_none(value: object) -> Shape | None:
    """Return a shape with its batch axis, or None where it is not sound."""
    try:
        return read_shape(value)
    except (NotKnownError, OverflowError):
        return None


def built_call(node: Mapping[str, Any]) -> Call:
    """Return the call that a Keras 3 layer was built for."""
    build = node.get("build_config")
    build = build if isinstance(build, dict) else {}
    shapes = build.get("shapes_dict")
    if isinstance(shapes, dict):
        names = tuple(str(name)[:MAX_NAME].removesuffix("_shape") for name in shapes)
        return Call(tuple(shape_or_none(value) for value in shapes.values()), names)
    return Call((shape_or_none(build.get("input_shape")),))
