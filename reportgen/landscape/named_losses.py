"""Losses of Keras by what a model file says of them, which is not to be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

_SIMPLE = (bool, int, float, str, type(None))
_IGNORED = frozenset({"name", "reduction", "dtype", "fn", "module", "registered_name"})
_ALIASES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence",
    "logcosh": "log_cosh",
}


def find_loss(declared: Any) -> Any:
    """A loss of Keras by its name or configuration; None if it is none. Runs nothing else.

    Only names of ``keras.losses`` are looked up and only plain settings are passed on.
    """
    settings: Mapping[str, Any] = {}
    if isinstance(declared, dict):
        inner = declared.get("config")
        name = declared.get("class_name")
        if name == "function" and isinstance(inner, str):
            name = inner
        elif isinstance(inner, dict):
            settings = inner
            name = inner.get("name") if name == "function" else name
        declared = name
    if not isinstance(declared, str) or not declared.isidentifier() or declared.startswith("_"):
        return None
    declared = _ALIASES.get(declared.lower(), declared)
    target = getattr(keras.losses, declared, None)
    if isinstance(target, type) and issubclass(target, keras.losses.Loss):
        if target is keras.losses.Loss:
            return None
        plain = {k: v for k, v in settings.items() if k not in _IGNORED and isinstance(v, _SIMPLE)}
        try:
            return target(**plain)
        except (TypeError, ValueError):
            return None
    if target is None or not callable(target) or declared in ("serialize", "deserialize", "get"):
        return None
    return target


def name_of(function: Any) -> str:
    """Of a loss: that of its function, else of its class."""
    inner = getattr(function, "fn", function)
    return str(getattr(inner, "__name__", None) or type(inner).__name__)
