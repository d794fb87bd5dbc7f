"""The graph of a Functional model: the calls of its layers, and an order to pass them in."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from reportgen.subject.model_file.declared.nodes import MAX_NAME, layers_of, node_name, settings_of
from reportgen.subject.model_file.declared.reading import NotKnownError, items


class Reference(NamedTuple):
    """A tensor: output ``tensor`` of call ``call`` of layer ``layer``."""

    layer: int
    call: int
    tensor: int


@dataclass(frozen=True)
class Use:
    """One call of a layer, before its shapes are known."""

    references: tuple[Reference, ...] = ()
    names: tuple[str, ...] = ()
    plain: bool = True


@dataclass
class Graph:
    """A Functional model. uses: the calls of each layer. first: the number of its first call."""

    layers: list[Mapping[str, Any]]
    uses: list[list[Use]]
    inputs: Use
    outputs: Use
    first: list[int]

    @property
    def size(self) -> int:
        """How much a pass over it costs."""
        return sum(1 + len(use.references) for uses in self.uses for use in uses)

    def key(self, reference: Reference) -> tuple[int, int]:
        """Return layer and position of the call; nested models of Functional count from 1."""
        return reference.layer, reference.call - self.first[reference.layer]


_Tensor = tuple[str, int, int, object]  # layer, call, output, keywords that stand beside it


def _tensor(value: object) -> _Tensor | None:
    """Return the tensor that ``value`` names, in the words of Keras 3 or of Keras 2."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        value = settings_of(value).get("keras_history")
    try:
        parts = items(value)
    except NotKnownError:
        return None
    if len(parts) not in (3, 4) or not isinstance(parts[0], str):
        return None
    if any(type(part) is not int or part < 0 for part in parts[1:3]):
        return None
    return parts[0], parts[1], parts[2], parts[3] if len(parts) == 4 else None


def _children(value: object, keyword: str) -> tuple[list[tuple[object, str]], bool]:
    """Return what stands in ``value`` with the keyword it is given by, and whether it is plain."""
    if isinstance(value, dict) and value.get("class_name") != "__tuple__":
        # Keras takes a dictionary apart by its sorted keys.
        keys = sorted(value, key=str)
        inner = [(value[key], keyword or str(key)[:MAX_NAME]) for key in keys]
        return inner, "class_name" not in value
    try:
        parts = items(value)
    except NotKnownError:
        return [], True
    if len(parts) == 4 and parts[0] == "_CONSTANT_VALUE":
        return [(parts[3], "")], isinstance(parts[2], int | float)
    return [(part, keyword) for part in parts], not any(isinstance(p, int | float) for p in parts)


def _scan(use: object) -> tuple[list[tuple[_Tensor, str]], bool]:
    """Return the tensors in ``use`` in order, each with its keyword; see `Call.plain`."""
    found: list[tuple[_Tensor, str]] = []
    plain = True
    stack: list[tuple[object, str]] = [(use, "")]
    if isinstance(use, dict) and "args" in use:
        keywords = use.get("kwargs")
        named = keywords.items() if isinstance(keywords, dict) else ()
        positional = use["args"] if isinstance(use["args"], list | tuple) else [use["args"]]
        stack = [(value, "") for value in positional]
        stack = [*stack, *((value, str(key)[:MAX_NAME]) for key, value in named)][::-1]
    while stack:
        value, keyword = stack.pop()
        tensor = _tensor(value)
        if tensor is not None:
            found.append((tensor, keyword))
            value, keyword = tensor[3], ""
        children, simple = _children(value, keyword)
        plain = plain and simple
        stack.extend(reversed(children))
    return found, plain


def _uses(layer: Mapping[str, Any]) -> list[object]:
    try:
        return items(layer.get("inbound_nodes")) or [[]]
    except NotKnownError:
        return [[]]


def read_graph(node: Mapping[str, Any]) -> Graph:
    """Return the graph of a Functional model; a name that does not exist becomes layer -1."""
    layers, settings = layers_of(node), settings_of(node)
    places: dict[str, int] = {}
    for position, layer in enumerate(layers):
        places.setdefault(node_name(layer, position), position)
    last: dict[int, int] = {}

    def resolve(value: object) -> Use:
        found, plain = _scan(value)
        references = []
        for (name, call, tensor, _), _keyword in found:
            layer = places.get(name, -1)
            last[layer] = max(call, last.get(layer, 0))
            references.append(Reference(layer, call, tensor))
        return Use(tuple(references), tuple(keyword for _, keyword in found), plain)

    uses = [[resolve(use) for use in _uses(layer)] for layer in layers]
    inputs, outputs = (resolve(settings.get(key)) for key in ("input_layers", "output_layers"))
    # A nested Functional has a call of its own, number 0, that is not written.
    first = [int(last.get(i) == len(own)) for i, own in enumerate(uses)]
    return Graph(layers, uses, inputs, outputs, first)


def call_order(graph: Graph) -> list[tuple[int, int]]:
    """Return all calls so that each follows what it needs; those on a cycle come last."""
    calls = [(i, k) for i, uses in enumerate(graph.uses) for k in range(len(uses))]
    exists = set(calls)
    missing = dict.fromkeys(calls, 0)
    followers: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for i, k in calls:
        for reference in graph.uses[i][k].references:
            if reference.layer >= 0 and graph.key(reference) in exists:
                missing[i, k] += 1
                followers.setdefault(graph.key(reference), []).append((i, k))
    ready = deque(call for call in calls if not missing[call])
    done: dict[tuple[int, int], None] = {}
    while ready:
        call = ready.popleft()
        done[call] = None
        for follower in followers.get(call, ()):
            missing[follower] -= 1
            if not missing[follower]:
                ready.append(follower)
    return [*done, *(call for call in calls if call not in done)]
