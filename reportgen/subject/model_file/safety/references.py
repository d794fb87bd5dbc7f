"""What a configuration refers to: part of Keras, the user's own code, or something foreign."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from reportgen.subject.model_file.configuration import Node, walk
from reportgen.subject.model_file.repairs.activation_rules import ELEMENTWISE, function_node
from reportgen.subject.model_file.repairs.layer_rules import KEPT_CURVE
from reportgen.subject.model_file.repairs.node_rules import OPERATION
from reportgen.subject.model_file.safety.allowed import (
    ACTIVATIONS,
    APPLICATIONS,
    CLASSES,
    FOREIGN_CODE,
    GONE,
    INITIALIZERS,
    MODELS,
    OPERATIONS,
    VALUES,
)

_ALL_CLASSES = frozenset().union(*CLASSES.values()) | MODELS
_FUNCTIONS = ACTIVATIONS | INITIALIZERS
_FUNCTION_MODULES = (
    "builtins",
    "keras.activations",
    "keras.initializers",
    "keras.ops",
    "keras.src.activations.activations",
    "keras.src.activations",
)
# Installed with us: no user's code is called like this.
_OTHERS = frozenset(sys.stdlib_module_names) | {
    "keras",
    "tensorflow",
    "tf_keras",
    "numpy",
    "h5py",
    "scipy",
    "sklearn",
    "matplotlib",
    "PIL",
    "jinja2",
    "pydantic",
    "click",
    "rich",
    "weasyprint",
    "google",
    "absl",
    "requests",
    "reportgen",
    "keras_hub",
    "keras_cv",
    "keras_nlp",
}
_OURS = [
    (own["module"], own["registered_name"])
    for own in (OPERATION, KEPT_CURVE, *map(function_node, ELEMENTWISE))
]


class Origin(Enum):
    """Where what is referred to comes from."""

    KERAS = "keras"
    CODE = "code"  # runs what the file brings along
    CUSTOM = "custom"  # somebody's class or function, which is not here
    FOREIGN = "foreign"  # anything else that the name would lead to


@dataclass(frozen=True)
class Reference:
    """One object of a configuration. where: the layer. what: its class or function."""

    origin: Origin
    where: str
    what: str


def references(config: Any, custom: frozenset[str]) -> Iterator[Reference]:
    """Every class and function that a configuration names; ``custom`` were given by the user."""
    for where, node in walk(config):
        yield Reference(_judge(node, custom), where, _spell(node))
        settings = node.get("config")
        for key in ("activation", "recurrent_activation"):
            value = settings.get(key) if isinstance(settings, dict) else None
            if isinstance(value, str) and value not in ACTIVATIONS | custom:
                origin = Origin.FOREIGN if "." in value else Origin.CUSTOM
                yield Reference(origin, where, value[:80])


def _spell(node: Node) -> str:
    name = str(node["class_name"])
    if name == "function":
        name = str(node.get("config"))
    module = node.get("module")
    full = f"{module}.{name}" if isinstance(module, str) and module != "builtins" else name
    return full[:80]


def _judge(node: Node, custom: frozenset[str]) -> Origin:
    name, module, registered = node["class_name"], node.get("module"), node.get("registered_name")
    if name == "__lambda__":
        return Origin.CODE
    if name == "__typespec__":
        return Origin.FOREIGN
    if name in VALUES:
        return Origin.KERAS
    if (module, registered) in _OURS:
        return Origin.KERAS
    target = node.get("config") if name == "function" else name
    if not isinstance(target, str):
        return Origin.FOREIGN
    if _is_given(target, registered, custom):
        return Origin.KERAS
    short = target.replace(">", ".").rpartition(".")[2]
    if short in FOREIGN_CODE:
        return Origin.CODE
    if name == "function":
        return _judge_function(target, module, registered)
    return _judge_class(target, module, registered)


def _is_given(target: str, registered: Any, custom: frozenset[str]) -> bool:
    names = {target, target.rpartition(">")[2]}
    if isinstance(registered, str):
        names |= {registered, registered.rpartition(">")[2]}
    return bool(names & custom)


def _judge_class(name: str, module: Any, registered: Any) -> Origin:
    if name in GONE and (module is None or _is_keras(str(module))):
        return Origin.CUSTOM
    if module is None:
        return Origin.KERAS if name in _ALL_CLASSES else Origin.CUSTOM
    if not isinstance(module, str):
        return Origin.FOREIGN
    if (module, name) == ("keras.random", "SeedGenerator"):
        return Origin.KERAS
    if registered not in (None, "", name) and name in _ALL_CLASSES and _is_keras(module):
        return Origin.FOREIGN  # a built-in has no second name: one of the two is a disguise
    if module in APPLICATIONS:
        return Origin.KERAS if name in APPLICATIONS[module] else Origin.FOREIGN
    if module.startswith("keras.src.ops."):
        return Origin.KERAS if name in OPERATIONS else Origin.FOREIGN
    if module in ("keras", "keras.models", "keras.src.models.functional"):
        known = name in MODELS or name in CLASSES["dtype_policies"]
        return Origin.KERAS if known else Origin.FOREIGN
    parts = module.split(".")
    if _is_keras(module):
        kind = next((part for part in parts[1:] if part in CLASSES), None)
        strict = len(parts) == 2 or parts[1] == "src"
        known = kind is not None and strict and name in CLASSES[kind]
        return Origin.KERAS if known else Origin.FOREIGN
    return _judge_other(module)


def _judge_function(name: str, module: Any, registered: Any) -> Origin:
    if module is None or module == "builtins":
        if name in _FUNCTIONS:
            return Origin.KERAS
        return Origin.FOREIGN if hasattr(builtins, name) or "." in name else Origin.CUSTOM
    if not isinstance(module, str):
        return Origin.FOREIGN
    if module in _FUNCTION_MODULES or module.startswith("keras.src.activations"):
        return Origin.KERAS if name in _FUNCTIONS else Origin.FOREIGN
    return _judge_other(module)


def _judge_other(module: str) -> Origin:
    """A module of somebody else: one that is installed here could be anything."""
    return Origin.FOREIGN if module.partition(".")[0] in _OTHERS - {"__main__"} else Origin.CUSTOM


def _is_keras(module: str) -> bool:
    return module == "keras" or module.startswith("keras.")
