"""Initialisers with arguments that they had in TensorFlow 1, or in another Keras.

They only say what the weights were before training, so nothing that a model answers hangs on them.
"""

from __future__ import annotations

import re
from typing import Any

from reportgen.subject.model_file.configuration import Node, is_object
from reportgen.subject.model_file.repairs.installed_keras import initializer_arguments
from reportgen.subject.model_file.repairs.layer_rules import settings_of
from reportgen.subject.model_file.safety.allowed import INITIALIZERS

# Until TensorFlow 2 "normal" was cut off at two deviations, as "truncated_normal" is.
_DISTRIBUTIONS = {"normal": "truncated_normal"}
# Names of earlier times; what they drew from does not matter any more.
_NAMES = {
    "UniformUnitScaling": "VarianceScaling",
    "normal": "RandomNormal",
    "uniform": "RandomUniform",
    "zeros": "Zeros",
    "ones": "Ones",
}


def translate_initializers(node: Node) -> bool:
    """Leave the arguments that Keras 3 takes, under the names that it has."""
    for key, value in settings_of(node).items():
        if key.endswith("_initializer") and is_object(value):
            _translate(value)
    return False


def _translate(initializer: Node) -> None:
    name = re.sub(r"V\d$", "", initializer["class_name"])
    name = _NAMES.get(name, name)
    if name not in INITIALIZERS:
        return
    if name != initializer["class_name"]:
        initializer["class_name"] = name
    settings: dict[str, Any] = settings_of(initializer)
    taken = initializer_arguments(name)
    if taken is None:
        return
    for key in [key for key, value in settings.items() if key not in taken or value is None]:
        del settings[key]
    if isinstance(settings.get("mode"), str):
        settings["mode"] = settings["mode"].lower()
    distribution = settings.get("distribution")
    if isinstance(distribution, str):
        settings["distribution"] = _DISTRIBUTIONS.get(distribution.lower(), distribution.lower())
