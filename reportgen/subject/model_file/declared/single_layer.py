"""What one layer declares: the shapes of its weights and of its outputs, from its settings.

A rule reads settings that may be hostile: whatever it trips over means "not known".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reportgen.subject.model_file.declared.output_rules import OPERATIONS, OUTPUTS
from reportgen.subject.model_file.declared.reading import (
    TRIPPED,
    Call,
    Outputs,
    Settings,
    Weights,
    need,
    sound,
)
from reportgen.subject.model_file.declared.weight_rules import WEIGHTS


def is_custom(node: Mapping[str, Any]) -> bool:
    """Whether the class is not of Keras, whatever its name; then nothing is known of it."""
    module, registered = node.get("module"), node.get("registered_name")
    foreign = isinstance(module, str) and module.split(".")[0] not in ("keras", "tf_keras")
    return foreign or (isinstance(registered, str) and ">" in registered)


def _read(node: Mapping[str, Any]) -> tuple[Settings, bool]:
    """Return the settings of a node and whether it is an operation; custom classes raise."""
    module = node.get("module")
    need(not is_custom(node))
    settings = Settings(node["class_name"], node.get("config"))
    return settings, module is not None and module.startswith(("keras.src.ops", "keras.ops"))


def declared_weights(node: Mapping[str, Any], call: Call) -> Weights | None:
    """Return name and shape of each weight that the layer would allocate, or None."""
    try:
        settings, operation = _read(node)
        if operation:
            return ()
        # Either adds weights of its own, or stores them in another shape.
        need(settings.raw("lora_rank") is None and settings.raw("quantization_config") is None)
        need("Quantized" not in str(settings.raw("dtype"))[:1000])
        need(settings.class_name in OUTPUTS)
        rule = WEIGHTS.get(settings.class_name)
        weights: Weights = rule(settings, call) if rule else ()
        need(all(side > 0 for _, shape in weights for side in shape))
    except TRIPPED:  # the configuration may be hostile; `Declared.unjudged` counts the layer
        return None
    return weights


def declared_outputs(node: Mapping[str, Any], call: Call) -> Outputs | None:
    """Return the shapes of what the layer returns, or None."""
    try:
        settings, operation = _read(node)
        rules = OPERATIONS if operation else OUTPUTS
        return tuple(sound(tuple(shape)) for shape in rules[settings.class_name](settings, call))
    except TRIPPED:  # as above
        return None
