"""Functions of TensorFlow and of ``keras.ops`` that stand where an activation function belongs.

Keras stores such a function by the name that it has inside TensorFlow (``softmax_v2`` for
``tf.nn.softmax``) and does not find it again.
"""

from __future__ import annotations

from typing import Any

from reportgen.subject.model_file.configuration import Node
from reportgen.subject.model_file.repairs.layer_rules import settings_of
from reportgen.subject.model_file.safety.allowed import ACTIVATIONS

# Inner names of functions that Keras has under another name.
_SAME = {
    "log_softmax_v2": "log_softmax",
    "softmax_v2": "softmax",
    "softmax_v1": "softmax",
    "identity": "linear",
    "stop_gradient": "linear",
}
# Functions of one number that Keras has no activation for, by the one of ``tf.math`` that they are.
ELEMENTWISE = {
    **{name: name for name in "abs ceil cos cosh erf erfc expm1 floor log log1p".split()},
    **{name: name for name in "reciprocal round rsqrt sign sin sinh sqrt square tan".split()},
    **{name: name for name in "acos acosh asin asinh atan atanh l2_normalize".split()},
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctanh": "atanh",
    "exp": "exp",
    "neg": "negative",
    "negative": "negative",
}
_KEYS = ("activation", "recurrent_activation")


def our_name(function: str) -> str:
    """What such a function is registered as when a network is built."""
    return f"reportgen>{function}"


def function_node(function: str) -> Node:
    """How a configuration refers to it."""
    return {
        "module": "reportgen.subject.model_file.building.operations",
        "class_name": "function",
        "config": our_name(function),  # Keras looks functions up by this
        "registered_name": our_name(function),
    }


def find_functions(node: Node, given: frozenset[str]) -> str:
    """Put what Keras can find in place of the inner name; the names that were found.

    Args:
        given: names that the user supplies something for, which are left alone.
    """
    settings = settings_of(node)
    found: dict[str, None] = {}
    for key in _KEYS:
        name = _inner_name(settings.get(key))
        if name is None or name in given:
            continue
        if name in ACTIVATIONS:  # Keras does not find "swish" as a function, but as a word
            settings[key] = name
            continue
        if name in _SAME:
            settings[key] = _SAME[name]
        elif name in ELEMENTWISE:
            settings[key] = function_node(name)
        else:
            continue
        found[name] = None
    return ", ".join(found)


def _inner_name(value: Any) -> str | None:
    if isinstance(value, dict) and value.get("class_name") == "function":
        value = value.get("config") if value.get("module") in (None, "builtins") else None
    return value if isinstance(value, str) else None
