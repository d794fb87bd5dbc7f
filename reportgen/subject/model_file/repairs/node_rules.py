"""Repairs of the graph: how Keras 2 wrote which layer is called on what.

Keras 2: ``[["conv", 0, 0, {"y": ["other", 0, 0]}], ...]`` for each call; Keras 3: ``args`` and
``kwargs`` with tensors as objects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reportgen.subject.model_file.configuration import Node, layers_of
from reportgen.subject.model_file.repairs.installed_keras import operation_module
from reportgen.subject.model_file.repairs.layer_rules import ERA, RECURRENT, settings_of
from reportgen.subject.model_file.repairs.tensorflow_functions import FUNCTIONS, read_operation
from reportgen.subject.model_file.safety.allowed import OPERATIONS

_ENDS = ("input_layers", "output_layers")
_CONSTANT = "_CONSTANT_VALUE"
_WRAPPED = ("TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceProperty", "InstanceMethod")
OPERATION = {
    "module": "reportgen.subject.model_file.building.operations",
    "class_name": "TensorFlowFunction",
    "registered_name": "reportgen>TensorFlowFunction",
}


def translate_calls(node: Node) -> bool:
    """The calls of every layer of a functional model, in the terms of Keras 3."""
    for layer in layers_of(node):
        calls = layer.get("inbound_nodes")
        if isinstance(calls, list):
            layer["inbound_nodes"] = [_translate(call, layer["class_name"]) for call in calls]
    return False


def map_references(value: Any, change: Callable[[str, int], tuple[str, int]]) -> Any:
    """``value`` with every reference to a layer's call, ``[name, call, output, ...]``, changed."""
    if isinstance(value, list):
        head = value[:3]
        if len(head) == 3 and isinstance(head[0], str) and isinstance(head[1], int):
            return [*change(head[0], head[1]), *map_references(value[2:], change)]
        return [map_references(item, change) for item in value]
    if isinstance(value, dict):
        return {key: map_references(item, change) for key, item in value.items()}
    return value


def renumber_calls(node: Node) -> bool:
    """Keras 2 counted the calls of a nested model from 1, as its own making was call 0."""
    config, inside = settings_of(node), layers_of(node)
    nested = [layer for layer in inside if layers_of(layer) and layer[ERA] < 3]
    models = {layer["name"] for layer in nested if isinstance(layer.get("name"), str)}
    if not models:
        return False
    seen: dict[str, list[int]] = {}

    def note(name: str, call: int) -> tuple[str, int]:
        seen.setdefault(name, []).append(call)
        return name, call

    for place in (*(layer.get("inbound_nodes") for layer in inside), *map(config.get, _ENDS)):
        map_references(place, note)
    shifted = {name for name, calls in seen.items() if name in models and min(calls) >= 1}

    def shift(name: str, call: int) -> tuple[str, int]:
        return name, call - (name in shifted)

    for layer in inside:
        if "inbound_nodes" in layer:
            layer["inbound_nodes"] = map_references(layer["inbound_nodes"], shift)
    # Among the outputs, Keras 3 still counts the calls of functional models from 1.
    shifted -= {layer.get("name") for layer in inside if layer["class_name"] == "Functional"}
    for key in _ENDS:
        if key in config:
            config[key] = map_references(config[key], shift)
    return False


def unwrap_endpoints(node: Node) -> bool:
    """A list of one input or output: Keras 2 meant the tensor, Keras 3 means a list."""
    config = settings_of(node)
    for key in _ENDS:
        ends = config.get(key)
        if node[ERA] < 3 and isinstance(ends, list) and len(ends) == 1 and is_tensor(ends[0]):
            config[key] = ends[0]
    return False


def _translate(call: Any, class_name: str) -> Any:
    if not isinstance(call, list):
        return call
    if is_tensor(call):  # Keras 2 sometimes leaves the outer list away
        call = [call]
    tensors = [_tensor(item) for item in call]
    first = call[0] if call else []
    extra = first[3] if isinstance(first, list) and len(first) > 3 else {}
    keywords = (
        {key: _tensors_in(value) for key, value in extra.items()} if isinstance(extra, dict) else {}
    )
    keywords.pop("name", None)
    if class_name in RECURRENT and len(tensors) > 1:  # a state that is handed over
        keywords["initial_state"] = tensors[1:]
        tensors = tensors[:1]
    if not tensors:
        return {"args": [], "kwargs": keywords}
    return {"args": [tensors[0] if len(tensors) == 1 else tensors], "kwargs": keywords}


def is_tensor(value: Any) -> bool:
    """Whether ``value`` is how Keras 2 names a tensor: layer, call, output."""
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and type(value[1]) is int
        and (type(value[2]) is int or value[0] == _CONSTANT)
    )


def _tensor(value: Any) -> Any:
    if not is_tensor(value):
        return value
    if value[0] == _CONSTANT:
        return value[2]
    history = {"shape": [], "dtype": "float32", "keras_history": value[:3]}
    return {"class_name": "__keras_tensor__", "config": history}


def _tensors_in(value: Any) -> Any:
    if is_tensor(value):
        return _tensor(value)
    if isinstance(value, list):
        return [_tensors_in(item) for item in value]
    if isinstance(value, dict):
        return {key: _tensors_in(item) for key, item in value.items()}
    return value


def name_operation_module(node: Node) -> bool:
    """Where Keras 3 looks for an operation of ``keras.ops``: HDF5 files only have its name.

    Several are called like a layer (Add, Concatenate). Every layer writes whether it is trainable,
    and no operation does.
    """
    if node[ERA] < 3 or node.get("module") is not None or "inbound_nodes" not in node:
        return False
    if node["class_name"] in OPERATIONS and "trainable" not in settings_of(node):
        node["module"] = operation_module(node["class_name"])
        node["registered_name"] = node["class_name"]
    return False


def wrap_tensorflow_call(node: Node) -> bool:
    """Layers that Keras 2 made of TensorFlow functions: ``x / 127.5`` and the like."""
    changed = False
    for layer in layers_of(node):
        name = layer["class_name"]
        if name in _WRAPPED:
            changed |= _wrap_function(layer)
        elif name == "TensorFlowOpLayer":
            changed |= _wrap_operation(layer)
    return changed


def _wrap_function(layer: Node) -> bool:
    function = settings_of(layer).get("function") or settings_of(layer).get("method_name")
    calls = layer.get("inbound_nodes")
    if (
        not isinstance(function, str)
        or function not in FUNCTIONS
        or not isinstance(calls, list)
        or not calls
    ):
        return False
    tensors: list[Any] = []
    template: dict[str, Any] = {}
    inbound = []
    for call in calls:
        tensors = []
        found = _template(call, tensors)
        if template and found != template:
            return False  # one layer with two sets of constants: not something Keras 2 makes
        template = found
        inbound.append([[t[0], t[1], t[2], {}] for t in tensors])
    _replace(layer, {"function": function, **template}, inbound)
    return True


def _template(call: Any, tensors: list[Any]) -> dict[str, Any]:
    """Arguments with ``{"tensor": i}`` for the i-th of ``tensors``, which is filled."""
    single = is_tensor(call)
    items = [call] if single else call if isinstance(call, list) else []
    first = items[0] if items and isinstance(items[0], list) else []
    extra = first[3] if len(first) > 3 and isinstance(first[3], dict) else {}
    values = [_slot(item[:3] if is_tensor(item) else item, tensors) for item in items]
    keywords = {key: _slot(value, tensors) for key, value in extra.items() if key != "name"}
    return {"arguments": [values[0] if len(values) == 1 else values], "keywords": keywords}


def _slot(value: Any, tensors: list[Any]) -> Any:
    if is_tensor(value):
        if value[0] == _CONSTANT:
            return value[2]
        tensors.append(value)
        return {"tensor": len(tensors) - 1}
    if isinstance(value, list):
        return [_slot(item, tensors) for item in value]
    if isinstance(value, dict):
        return {key: _slot(item, tensors) for key, item in value.items()}
    return value


def _wrap_operation(layer: Node) -> bool:
    """TensorFlow 2.0 to 2.3 stored the operation itself, and its constants by position."""
    config, calls = settings_of(layer), layer.get("inbound_nodes")
    operation = read_operation(config.get("node_def"))
    constants = config.get("constants")
    if operation is None or not isinstance(calls, list) or len(calls) != 1:
        return False
    items = [calls[0]] if is_tensor(calls[0]) else calls[0]
    if not isinstance(items, list) or not all(is_tensor(item) for item in items):
        return False
    function, keywords = operation
    arguments: list[Any] = [{"tensor": i} for i in range(len(items))]
    for position, value in sorted(_by_position(constants)):
        arguments.insert(position, value)
    settings = {"function": function, "arguments": arguments, "keywords": keywords}
    _replace(layer, settings, [[[*item[:3], {}] for item in items]])
    return True


def _by_position(constants: Any) -> list[tuple[int, Any]]:
    if not isinstance(constants, dict):
        return []
    return [(int(key), value) for key, value in constants.items() if str(key).isdecimal()]


def _replace(layer: Node, settings: dict[str, Any], calls: list[Any]) -> None:
    name = settings_of(layer).get("name") or layer.get("name")
    layer.update(OPERATION, config={"name": name, **settings}, inbound_nodes=calls)
