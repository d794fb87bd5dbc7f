"""Repairs of names: Keras 2 took slashes, as in ``conv1/bn``; Keras 3 and TensorFlow do not."""

from __future__ import annotations

import re

from reportgen.subject.model_file.configuration import Node, clean_name, layers_of
from reportgen.subject.model_file.repairs.layer_rules import settings_of
from reportgen.subject.model_file.repairs.node_rules import map_references


def clean_names(node: Node) -> bool:
    """Give a model's layers, and the model itself, names that can be used; references follow."""
    config = settings_of(node)
    own = config.get("name")
    clean = clean_name(own) if isinstance(own, str) else own
    changed = clean != own
    if changed:
        config["name"] = clean
    renamed = _choose_names(layers_of(node))
    if not renamed:
        return changed

    def rename(name: str, call: int) -> tuple[str, int]:
        return renamed.get(name, name), call

    for layer in layers_of(node):
        old = layer.get("name", settings_of(layer).get("name"))
        if isinstance(old, str) and old in renamed:
            settings_of(layer)["name"] = renamed[old]
            if "name" in layer:
                layer["name"] = renamed[old]
        if "inbound_nodes" in layer:
            layer["inbound_nodes"] = map_references(layer["inbound_nodes"], rename)
    for key in ("input_layers", "output_layers"):
        if key in config:
            config[key] = map_references(config[key], rename)
    return True


def replace_root_name(root: Node) -> str | None:
    """Give the outermost model a name that TensorFlow takes; the name it had, if it needed one.

    No weight is stored under it. What it was is told in the report, and everywhere else a model is
    called as its file is.
    """
    own = settings_of(root).get("name")
    if not isinstance(own, str) or not own or re.match(r"[A-Za-z0-9.]", own):
        return None
    settings_of(root)["name"] = f"model{own}"
    return own


def _choose_names(layers: list[Node]) -> dict[str, str]:
    """New names by old ones, for those that need one; no two layers get the same."""
    names = [str(layer.get("name") or settings_of(layer).get("name") or "") for layer in layers]
    taken = {name for name in names if clean_name(name) == name}
    renamed: dict[str, str] = {}
    for name in dict.fromkeys(names):
        clean = clean_name(name)
        if clean != name:
            renamed[name] = clean if clean not in taken else f"{clean}_{len(renamed)}_"
            taken.add(renamed[name])
    return renamed
