"""The network of an audit: the model file judged and opened, with what the user supplies."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reportgen.config import AuditConfig
from reportgen.errors import ConfigurationError, UsageError
from reportgen.subject.model_file import ModelFile, identify, open_repaired
from reportgen.subject.model_file.content import Content
from reportgen.subject.user_code import load_named, load_objects, names_of

if TYPE_CHECKING:
    import keras

_UNUSUAL = 1009  # a number of classes that no other weight has as its length


def screen(config: AuditConfig) -> ModelFile:
    """Read and judge the model file. Imports no TensorFlow, builds nothing.

    Raises:
        UnsafeInputError, InputError: see `identify`.
    """
    if config.model is None:
        raise UsageError("No model was given.")
    return identify(
        config.model,
        custom=names_of(config.custom_objects),
        architecture=_json_file(config.architecture),
        sha256=config.sha256,
        allow_unsafe=config.allow_unsafe,
    )


def open_network(config: AuditConfig, file: ModelFile) -> tuple[ModelFile, keras.Model]:
    """Build and load what `screen` passed. The file comes back with all its repairs.

    Raises:
        UnsafeInputError, InputError: see `open_repaired`.
        ConfigurationError: the user's own code cannot be imported.
    """
    builder = None
    if config.architecture and _json_file(config.architecture) is None:
        builder = _builder(config.architecture)
    model, repairs = open_repaired(
        file,
        custom=load_objects(config.custom_objects),
        architecture=builder,
        allow_unsafe=config.allow_unsafe,
    )
    return replace(file, repairs=repairs), model


def _json_file(architecture: str | None) -> Path | None:
    if architecture and (architecture.endswith(".json") or os.sep in architecture):
        return Path(architecture)
    return None


def _builder(name: str) -> Callable[[Content], Any]:
    if ":" in name:
        return lambda content: _call_user(name)
    return lambda content: _standard_network(name, content)


def _call_user(name: str) -> Any:
    import keras

    function = load_named(name, "architecture")
    try:
        model = function()
    except Exception as error:  # the user's function may raise anything
        raise ConfigurationError(
            f"architecture: {name!r} raised {type(error).__name__}: {str(error)[:200]}."
        ) from None
    if not isinstance(model, keras.Model):
        raise ConfigurationError(f"architecture: {name!r} must return a Keras model.")
    return model


def _standard_network(name: str, content: Content) -> Any:
    """A network of ``keras.applications``, with as many classes as the weights are for."""
    import keras

    known = sorted(
        entry
        for entry in dir(keras.applications)
        if entry[:1].isupper() and callable(getattr(keras.applications, entry))
    )
    if name not in known:
        raise ConfigurationError(
            f"architecture: {name!r} is no network of keras.applications. "
            f"Known: {', '.join(known)}. Or give a JSON file, or module:function."
        )
    make = getattr(keras.applications, name)
    stored = Counter(array.shape for array in content.arrays)
    usual = Counter(tuple(w.shape) for w in make(weights=None, classes=_UNUSUAL).weights)
    own = [shape[0] for shape in stored - usual if len(shape) == 1]
    if own:
        return make(weights=None, classes=own[0])
    return make(weights=None, include_top=False, input_shape=(224, 224, 3))
