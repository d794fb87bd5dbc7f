"""The dialect of Keras 1 in the terms of Keras 2: plain dictionaries, nothing is built.

Keras 1 wrote a Sequential as the bare list of its layers, and merged branches by a ``Merge`` at
its start. The words of a single layer are in `keras1_words`, its weights in `keras1_arrays`.
"""

from __future__ import annotations

import copy
from typing import Any

from reportgen.errors import InputError
from reportgen.subject.model_file.configuration import Node, is_object, layers_of, name_of
from reportgen.subject.model_file.repairs.keras1_arrays import convert_arrays
from reportgen.subject.model_file.repairs.keras1_words import (
    LAYERS,
    SIGNS,
    translate_layer,
    translate_merge,
)

__all__ = ["convert_arrays", "is_keras1", "translate"]

_Tensor = tuple[str, int, int]  # layer, call, output
_MODELS = ("Sequential", "Model", "Functional", "Container")


def is_keras1(config: Any, writer: str | None) -> bool:
    """Whether Keras 1 wrote ``config``; early files do not say so, and their words tell."""
    if writer:
        return writer.split(".")[0].strip() == "1"
    stack = [config]
    while stack:
        node = stack.pop()
        if is_object(node) and (node["class_name"] in LAYERS or node["class_name"] == "Merge"):
            settings = node.get("config")
            if isinstance(settings, dict) and SIGNS & settings.keys():
                return True
        if isinstance(node, dict | list):
            stack += node.values() if isinstance(node, dict) else node
    return False


def translate(config: Node) -> tuple[Node, list[str]]:
    """The network in the dialect of Keras 2, and one sentence for each rule that was applied.

    ``config`` is not changed. What cannot be translated stays as it is, to be named later.

    Raises:
        InputError: a branch that a ``Merge`` joins does not say what it takes.
    """
    rules: dict[str, None] = {}
    new = copy.deepcopy(config)
    if is_object(new):
        new.pop("keras_version", None)
        new = _translate(new, rules, "sequential_1")
    return new, [f"Keras 1: {rule}" for rule in rules]


def _translate(node: Node, rules: dict[str, None], name: str) -> Node:
    """One layer or model; ``name`` is for a Sequential, whose list of layers has none."""
    kind, config = node["class_name"], node.get("config")
    if kind in _MODELS and layers_of(node):
        return _translate_model(node, rules, name)
    if not isinstance(config, dict):
        return node
    if kind in ("TimeDistributed", "Bidirectional") and is_object(config.get("layer")):
        layer = _translate(config["layer"], rules, f"{name_of(node)}_layer")
        kept = {key: value for key, value in config.items() if key != "input_dtype"}
        return {**node, "config": {**kept, "layer": layer}}
    if kind == "Merge":
        return translate_merge(node, config, rules)
    return translate_layer(node, config, rules) if kind in LAYERS else node


def _translate_model(node: Node, rules: dict[str, None], name: str) -> Node:
    inside, config = layers_of(node), node["config"]
    if isinstance(config, list):
        name = str(node.get("name") or name)
    if _starts_with_merge(node):
        rules["a Sequential that starts with a Merge became a graph"] = None
        return _Graph(name, rules).build(node)
    new = [_translate(layer, rules, f"{name}_{i}") for i, layer in enumerate(inside, start=1)]
    if isinstance(config, dict):
        return {**node, "config": {**config, "layers": new}}
    _state_shape(new[0], inside[0])
    return {**node, "config": {"name": name, "layers": new}}


def _starts_with_merge(node: Node) -> bool:
    inside = layers_of(node)
    return (
        node["class_name"] == "Sequential"
        and bool(inside)
        and inside[0]["class_name"] == "Merge"
        and bool(layers_of(inside[0]))
    )


def _state_shape(new: Node, old: Node) -> None:
    """The earliest files gave ``input_dim`` and ``input_length`` alone."""
    before, config = old.get("config"), new.get("config")
    if not isinstance(before, dict) or not isinstance(config, dict):
        return
    if "input_dim" not in before or "batch_input_shape" in config:
        return
    length = [before["input_length"]] if "input_length" in before else []
    width = [] if new["class_name"] == "Embedding" else [before["input_dim"]]
    config["batch_input_shape"] = [None, *length, *width]


class _Graph:
    """A functional model that stands for a Sequential whose first layer merges branches.

    The layers of the branches keep their names and stand beside each other, as their weights do
    in the file.
    """

    def __init__(self, name: str, rules: dict[str, None]) -> None:
        self._name = name
        self._rules = rules
        self._layers: list[Node] = []
        self._inputs: list[_Tensor] = []

    def build(self, node: Node) -> Node:
        """The model of ``node``."""
        output = self._add_branch(node)
        config = {
            "name": self._name,
            "layers": self._layers,
            "input_layers": [list(tensor) for tensor in self._inputs],
            "output_layers": [list(output)],
        }
        return {**node, "class_name": "Functional", "config": config}

    def _add_branch(self, node: Node) -> _Tensor:
        """Append all layers of a branch; returns what the last one makes."""
        branch = layers_of(node) if node["class_name"] == "Sequential" else [node]
        if _starts_with_merge(node):
            ends = [self._add_branch(inner) for inner in layers_of(branch[0])]
        else:
            ends = self._add_input(branch[0])
        for layer in branch:
            ends = [self._add(layer, ends)]
        return ends[0]

    def _add(self, layer: Node, origins: list[_Tensor]) -> _Tensor:
        new = _translate(layer, self._rules, f"{self._name}_{len(self._layers)}")
        name = name_of(new)
        calls = [[[*origin, {}] for origin in origins]] if origins else []
        self._layers.append({**new, "name": name, "inbound_nodes": calls})
        # A model has been called once before anybody calls it: on its own inputs.
        tensor = (name, 1 if layers_of(new) else 0, 0)
        if not origins:
            self._inputs.append(tensor)
        return tensor

    def _add_input(self, first: Node) -> list[_Tensor]:
        """Append the input layer of a branch, from the shape that its first layer states."""
        if first["class_name"] == "InputLayer":
            return []
        name = f"{name_of(first)}_input"
        config = {"name": name, "batch_input_shape": _shape_of(first)}
        return [self._add({"class_name": "InputLayer", "config": config}, [])]


def _shape_of(node: Node) -> list[Any]:
    inner = node
    while inside := layers_of(inner):
        inner = inside[0]
    settings = inner.get("config")
    shape = settings.get("batch_input_shape") if isinstance(settings, dict) else None
    if not isinstance(shape, list):
        raise InputError(
            f"The branch {name_of(node)} of a Merge does not state its input shape. "
            "Save the model again with the Keras that wrote it."
        )
    return shape
