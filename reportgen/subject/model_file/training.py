"""What a file says of its training, as text. Never run."""

from __future__ import annotations

from typing import Any


def describe_training(compiled: Any) -> dict[str, str]:
    """Optimizer, learning rate, loss and metrics, from a compile configuration."""
    if not isinstance(compiled, dict):
        return {}
    optimizer = compiled.get("optimizer") or compiled.get("optimizer_config") or {}
    facts = {"optimizer": _name_of(optimizer)}
    settings = optimizer.get("config", {}) if isinstance(optimizer, dict) else {}
    rate = settings.get("learning_rate", settings.get("lr")) if isinstance(settings, dict) else None
    if isinstance(rate, float):
        facts["learning rate"] = f"{rate:g}"
    facts["loss"] = _name_of(compiled.get("loss"))
    facts["metrics"] = _name_of(compiled.get("metrics"))
    return {key: value for key, value in facts.items() if value}


def _name_of(node: Any, depth: int = 0) -> str:
    if depth > 8:
        return "..."
    if isinstance(node, str):
        return node
    if isinstance(node, dict):
        inner = node.get("config")
        name = node.get("class_name") or (inner.get("name") if isinstance(inner, dict) else None)
        if name == "function" and isinstance(inner, str):
            return inner
        node = [str(name)] if name else list(node.values())
    if isinstance(node, list):
        return ", ".join(filter(None, (_name_of(part, depth + 1) for part in node)))
    return ""
