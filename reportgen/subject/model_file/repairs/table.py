"""Named rules that bring a configuration of Keras 1 or 2 into the terms of Keras 3.

No rule knows a layer's name, a file's name or a depth: each looks at one layer at a time,
and every layer of every nested model is looked at.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from reportgen.subject.model_file.configuration import Node, is_object, layers_of, name_of
from reportgen.subject.model_file.repairs import (
    initializer_rules,
    input_rules,
    keras1,
    layer_rules,
    name_rules,
    node_rules,
)
from reportgen.subject.model_file.repairs.activation_rules import find_functions

_SHOWN = 3
_APPLICATIONS = "Layers that are named like those of keras.applications were taken for them"
_FUNCTIONS = (
    "Functions of TensorFlow that are used as activation functions were found by their name"
)


@dataclass(frozen=True)
class Rule:
    """One repair. change: mends the layer in place and says whether it had to, or what it did.

    what: said in the report; "" for plain translation, which Keras does itself too.
    """

    name: str
    what: str
    change: Callable[[Node], bool | str]


@dataclass(frozen=True)
class Repair:
    """A rule that had something to do, and the layers it changed."""

    rule: str
    what: str
    layers: tuple[str, ...] = ()
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        rule = f"{self.rule}: {', '.join(self.details)}" if self.details else self.rule
        if not self.layers:
            return f"{self.what} ({rule})"
        shown = ", ".join(self.layers[:_SHOWN])
        more = len(self.layers) - _SHOWN
        return f"{self.what} ({rule}): {shown}{f' and {more} more' if more > 0 else ''}"


RULES = (
    Rule("layer_lists", "", layer_rules.name_layer_list),
    Rule("class_names", "", layer_rules.rename_class),
    Rule("operation_modules", "", node_rules.name_operation_module),
    Rule("modules", "", layer_rules.set_module),
    Rule(
        "names",
        "Names with characters that Keras 3 does not take were changed",
        name_rules.clean_names,
    ),
    Rule("left_over_settings", "", layer_rules.drop_left_over),
    Rule("dtype_policy", "", layer_rules.simplify_dtype),
    Rule("axis_list", "", layer_rules.unpack_axis),
    Rule(
        "gone_arguments",
        "An argument that Keras 3 does not know was dropped; it was off, or has no effect here",
        layer_rules.drop_gone_arguments,
    ),
    Rule(
        "inactive_augmentation",
        "Settings of augmentation that Keras 3 does not know were dropped; it is inactive here",
        layer_rules.drop_augmentation_arguments,
    ),
    Rule(
        "size_augmentation",
        "RandomHeight and RandomWidth are gone in Keras 3; they do nothing when a model predicts",
        layer_rules.replace_size_augmentation,
    ),
    Rule("initializers", "", initializer_rules.translate_initializers),
    Rule("renamed_arguments", "", layer_rules.rename_arguments),
    Rule(
        "thresholded_relu",
        "ThresholdedReLU is gone in Keras 3; a ReLU with the same threshold stands for it",
        layer_rules.replace_thresholded_relu,
    ),
    Rule(
        "hard_sigmoid",
        "hard_sigmoid means another curve in Keras 3; the curve of Keras 2 is used",
        layer_rules.keep_hard_sigmoid,
    ),
    Rule(
        "missing_input",
        "An input layer was added, from the shape that the first layer states",
        input_rules.add_input_layer,
    ),
    Rule("input_shapes", "", input_rules.rename_batch_shape),
    Rule(
        "static_batch",
        "The input was fixed to one batch size; any size is taken now",
        input_rules.free_batch,
    ),
    Rule(
        "tensorflow_calls",
        "A TensorFlow function in the graph became a layer that calls the same function",
        node_rules.wrap_tensorflow_call,
    ),
    Rule("call_numbers", "", node_rules.renumber_calls),
    Rule("calls", "", node_rules.translate_calls),
    Rule("endpoints", "", node_rules.unwrap_endpoints),
)


def repair(
    config: Any, writer: str | None, given: frozenset[str] = frozenset()
) -> tuple[Any, tuple[Repair, ...]]:
    """The configuration in the terms of Keras 3, and what was done; the input stays as it is.

    Args:
        given: names of classes and functions that the user supplies.

    Hostile configurations come back as far as they could be read; the guards look at the result.
    """
    config = copy.deepcopy(config)
    done: dict[str, Repair] = {}
    if keras1.is_keras1(config, writer):
        config, sentences = keras1.translate(config)
        for sentence in dict.fromkeys(sentences):
            done[sentence] = Repair("keras_1", sentence)
    config = layer_rules.unpack_tuples(config)
    if not is_object(config):
        return config, ()
    layer_rules.mark_era(config, writer)
    for rule in (*RULES, *_rules_beside(given)):
        changed = {address: rule.change(node) for address, node in layers(config)}
        changed = {address: did for address, did in changed.items() if did}
        if changed and rule.what:
            details = dict.fromkeys(did for did in changed.values() if isinstance(did, str))
            done[rule.name] = Repair(rule.name, rule.what, tuple(changed), tuple(details))
    layer_rules.unmark_era(config)
    if replaced := name_rules.replace_root_name(config):
        said = "The network's own name, which TensorFlow does not take, was replaced"
        done["root_name"] = Repair("root_name", said, details=(replaced,))
    return config, tuple(done.values())


def _rules_beside(given: frozenset[str]) -> tuple[Rule, ...]:
    """Rules that leave alone what the user supplies, by its name."""
    known = partial(layer_rules.find_application_layer, given=given)
    functions = partial(find_functions, given=given)
    return (
        Rule("application_layers", _APPLICATIONS, known),
        Rule("tensorflow_activations", _FUNCTIONS, functions),
    )


def layers(root: Node) -> Iterator[tuple[str, Node]]:
    """The model and every layer in it, wrapped or nested, with its address; inner ones first."""
    found: list[tuple[str, Node]] = []
    stack = [("", root)]
    while stack:
        address, node = stack.pop()
        found.append((address or name_of(node), node))
        inner = [*layers_of(node), *_wrapped(node)]
        stack += [(f"{address}/{name_of(layer)}".lstrip("/"), layer) for layer in inner]
    return reversed(found)


def _wrapped(node: Node) -> list[Node]:
    """Layers inside a wrapper, a recurrent layer's cells among them."""
    config = node.get("config")
    if not isinstance(config, dict):
        return []
    inside: list[Any] = []
    for key in ("layer", "backward_layer", "forward_layer", "cell", "cells"):
        value = config.get(key)
        inside += value if isinstance(value, list) else [value]
    return [
        layer
        for layer in inside
        if isinstance(layer, dict) and isinstance(layer.get("class_name"), str)
    ]
