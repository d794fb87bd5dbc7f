"""Whether a path in a SavedModel's graph is that of a file which lies in the folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from reportgen.subject.model_file.saved_model.protocol import Message

MAX_STEPS = 100_000  # of tracing; what takes longer is held to be no asset
MAIN = ""  # the scope of the main graph; others are named by their function


def names_in(attributes: Message) -> Iterator[str]:
    """Every text in attributes that may be the name of a function, at any depth."""
    stack = list(attributes.values())
    while stack:
        value = stack.pop()
        yield from map(text_of, (value.s, *value.list.s) if value.s else value.list.s)
        for function in (value.func, *value.list.func):
            if function.name:
                yield function.name
            stack.extend(function.attr.values())


def text_of(data: bytes) -> str:
    """A text attribute; bytes that are no UTF-8 name nothing."""
    return data.decode("utf-8", "replace")


def node_name(tensor: str) -> str:
    """The node that makes a tensor: ``^node``, ``node:0`` and ``node:out:0`` are of one."""
    return tensor.lstrip("^").split(":")[0]


class Assets:
    """Tells whether a tensor is, wherever it comes from, the path of a file in the folder."""

    def __init__(
        self, graph: Message, nodes: dict[str, Message], functions: dict[str, list[Message]]
    ) -> None:
        self._nodes = {MAIN: nodes}
        self._functions = functions
        self._objects = graph.object_graph_def.nodes
        self._concrete = graph.object_graph_def.concrete_functions
        self._paths = {node_name(asset.tensor_info.name) for asset in graph.asset_file_def}
        self._writers: dict[str, list[str]] | None = None
        self._callers: dict[str, list[tuple[str, Message]]] | None = None
        self._places: dict[str, dict[str, int]] = {}
        self._steps = 0

    def holds(self, scope: str, tensor: str) -> bool:
        """Whether all that ``tensor`` can be is the path of an asset."""
        stack, seen, grounded = [(scope, node_name(tensor))], set(), False
        while stack:
            place = stack.pop()
            if place in seen:
                continue
            seen.add(place)
            self._steps += 1
            if self._steps > MAX_STEPS:
                return False
            sources = self._sources(*place)
            if sources is None:
                return False
            stack.extend(sources)
            grounded |= not sources
        return grounded  # a circle of names leads to no asset

    def _sources(self, scope: str, name: str) -> list[tuple[str, str]] | None:
        """Where a value comes from: nothing more for an asset, None for anything else."""
        if scope != MAIN:
            arguments = self._arguments(scope)
            if name in arguments:
                return self._passed(scope, arguments[name], len(arguments))
        elif name in self._paths:
            return []
        node = self._nodes_in(scope).get(name)
        if node is None or not node.input:
            return None
        if node.op == "Identity":
            return [(scope, node_name(node.input[0]))]
        if node.op == "ReadVariableOp" and scope == MAIN:
            written = self._written_to(node_name(node.input[0]))
            return [(MAIN, source) for source in written] or None
        return None

    def _arguments(self, function: str) -> dict[str, int]:
        if function not in self._places:
            signature = self._functions[function][0].signature
            names = [argument.name for argument in signature.input_arg]
            self._places[function] = {name: place for place, name in enumerate(names)}
        return self._places[function]

    def _nodes_in(self, scope: str) -> dict[str, Message]:
        if scope not in self._nodes:
            each = self._functions.get(scope, [])
            # Two bodies under one name: TensorFlow refuses them, and nothing is traced.
            bodies = each[0].node_def if len(each) == 1 else ()
            self._nodes[scope] = {node.name: node for node in bodies}
        return self._nodes[scope]

    def _written_to(self, variable: str) -> list[str]:
        if self._writers is None:
            self._writers = defaultdict(list)
            for node in self._nodes[MAIN].values():
                if node.op == "AssignVariableOp" and len(node.input) > 1:
                    self._writers[node_name(node.input[0])].append(node_name(node.input[1]))
        return self._writers.get(variable, [])

    def _passed(self, function: str, index: int, count: int) -> list[tuple[str, str]] | None:
        """What the callers of ``function`` give as argument ``index``; None if one is no asset."""
        sources = []
        callers = self._all_callers().get(function, [])
        for scope, node in callers:
            if "PartitionedCall" not in node.op or index >= len(node.input):
                return None
            sources.append((scope, node_name(node.input[index])))
        if function in self._concrete:
            bound = self._concrete[function].bound_inputs
            place = index - (count - len(bound))
            if place < 0 or not self._is_asset_object(bound[place]):
                return None
        elif not callers:
            return None
        return sources

    def _is_asset_object(self, index: int) -> bool:
        return 0 <= index < len(self._objects) and bool(self._objects[index].HasField("asset"))

    def _all_callers(self) -> dict[str, list[tuple[str, Message]]]:
        if self._callers is None:
            self._callers = defaultdict(list)
            for scope in (MAIN, *self._functions):
                for node in self._nodes_in(scope).values():
                    for name in names_in(node.attr):
                        if name in self._functions:
                            self._callers[name].append((scope, node))
        return self._callers
