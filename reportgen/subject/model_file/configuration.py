"""A network's configuration as JSON: parsing it with limits, and walking through it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeGuard

from reportgen.errors import InputError, UnsafeInputError

MAX_BYTES = 64 * 2**20
MAX_DEPTH = 200
MAX_NODES = 2_000_000
_MAX_ADDRESS = 300
Node = dict[str, Any]


def parse(text: str | bytes, what: str) -> Any:
    """The JSON value of ``text``; ``what`` names it in messages.

    Raises:
        UnsafeInputError: it is nested deeper, or holds more, than any network needs.
        InputError: it is not JSON.
    """
    if len(text) > MAX_BYTES:
        raise UnsafeInputError(f"{what} takes more than {MAX_BYTES >> 20} MB.")
    signs = ("{", "[", ",") if isinstance(text, str) else (b"{", b"[", b",")
    if sum(map(text.count, signs)) > MAX_NODES:  # type: ignore[arg-type]
        raise UnsafeInputError(f"{what} holds more than {MAX_NODES} values.")
    try:
        value = json.loads(text)
    except RecursionError:
        raise UnsafeInputError(f"{what} is nested deeper than {MAX_DEPTH} levels.") from None
    except ValueError:
        raise InputError(f"{what} is not valid JSON. Copy the model again.") from None
    check_depth(value, what)
    return value


def check_depth(value: Any, what: str) -> None:
    """Refuse a value that is nested too deeply or too large to be a network.

    Raises:
        UnsafeInputError: says which.
    """
    level, seen = [value], 0
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
        seen += len(level)
        if seen > MAX_NODES:
            raise UnsafeInputError(f"{what} holds more than {MAX_NODES} values.")
        if not level:
            return
    raise UnsafeInputError(f"{what} is nested deeper than {MAX_DEPTH} levels.")


def _children(node: Any) -> Any:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def clean_name(name: str) -> str:
    """``name`` with the characters that TensorFlow takes in names of layers.

    It takes ``>`` too, but not in every place: ``b>/kernel`` is refused when the graph is run.
    """
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def is_object(value: Any) -> TypeGuard[Node]:
    """Whether ``value`` is how Keras writes an object: a class name and its settings."""
    return isinstance(value, dict) and isinstance(value.get("class_name"), str)


def layers_of(node: Node) -> list[Node]:
    """The layers that a model's configuration lists; Keras 1 wrote the list alone."""
    config = node.get("config")
    listed = config.get("layers") if isinstance(config, dict) else config
    return [layer for layer in listed if is_object(layer)] if isinstance(listed, list) else []


def name_of(node: Node) -> str:
    """What a layer is called in its own settings, or beside them."""
    config = node.get("config")
    name = config.get("name") if isinstance(config, dict) else None
    return str(name or node.get("name") or node.get("class_name"))[:80]


def walk(root: Any) -> Iterator[tuple[str, Node]]:
    """Every object at any depth with its address, outermost first.

    An address names the layers on the way: ``sequential_1/model1/Conv1``. Objects inside a
    layer, such as initializers, have the address of the layer.
    """
    stack: list[tuple[str, Any]] = [("", root)]
    outermost = True
    while stack:
        address, value = stack.pop()
        if is_object(value):
            # The outermost model's own name tells the reader nothing.
            if not outermost and _has_name(value):
                address = f"{address}/{name_of(value)}".lstrip("/")[-_MAX_ADDRESS:]
            outermost = False
            yield address, value
        stack.extend((address, child) for child in reversed(list(_children(value))))


def _has_name(node: Node) -> bool:
    config = node.get("config")
    return isinstance(config, dict) and isinstance(config.get("name"), str)
