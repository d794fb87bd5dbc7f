"""Operations in a SavedModel's graph that reach out of it: files, Python code, the network.

Only what a signature, or opening the folder, can reach is judged: a scanner that looks at every
node calls each SavedModel dangerous, since each can save and restore itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from reportgen.subject.model_file.content import Hazard
from reportgen.subject.model_file.safety.outside_operations import describe_operation
from reportgen.subject.model_file.saved_model.assets import (
    MAIN,
    Assets,
    names_in,
    node_name,
    text_of,
)
from reportgen.subject.model_file.saved_model.protocol import Message

INIT_SIGNATURE = "__saved_model_init_op"
GUARD = "graph_operations"
MAX_HAZARDS = 50
_SHOWN = 80
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
# What TensorFlow calls when it opens a folder: the life of a table or another resource.
_RESOURCE_FUNCTIONS = ("_create_resource", "_initialize", "_destroy_resource")
_TABLES = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
_PATH_INPUT = 1
_SAVER = frozenset(
    {"Save", "SaveSlices", "SaveV2", "Restore", "RestoreSlice", "RestoreV2", "MergeV2Checkpoints"}
)
_CALL, _OPEN, _SAVE = "when it is called", "when the folder is opened", "when it saves itself"


class _Kind(Enum):
    """What is looked at: a node of the main graph, a function, or all that go by one name."""

    NODE = auto()
    FUNCTION = auto()
    TWINS = auto()


@dataclass(frozen=True)
class _Root:
    """Where execution starts: nodes of the main graph, and functions."""

    where: str
    when: str
    nodes: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()


def find_file_operations(graphs: Iterable[Message]) -> tuple[Hazard, ...]:
    """One hazard for each kind of operation that reaches out, by the signature that reaches it."""
    found: dict[Hazard, None] = {}
    for graph in graphs:
        walker = _Walker(graph)
        for root in _list_roots(graph):
            for hazard in walker.judge(root):
                found.setdefault(hazard)
                if len(found) >= MAX_HAZARDS:
                    return tuple(found)
    return tuple(found)


def _list_roots(graph: Message) -> Iterator[_Root]:
    signatures = graph.signature_def
    for name in sorted(signatures):
        nodes = tuple(_tensor_names(signatures[name].outputs.values()))
        if name == INIT_SIGNATURE:
            yield _Root("opening the folder", _OPEN, nodes)
        else:
            yield _Root(f"signature {name[:_SHOWN]!r}", _CALL, nodes)
    for name in _INIT_COLLECTIONS:
        if name in graph.collection_def:
            nodes = tuple(graph.collection_def[name].node_list.value)
            yield _Root("opening the folder", _OPEN, nodes)
    yield from _list_object_roots(graph.object_graph_def.nodes)
    saver = graph.saver_def
    yield _Root("the saver", _SAVE, (saver.save_tensor_name, saver.restore_op_name))


def _list_object_roots(nodes: Message) -> Iterator[_Root]:
    """TensorFlow 2 calls what the object graph names, whatever the signatures say."""
    opened: dict[int, None] = {}  # each object once, however often it is named
    for index, node in enumerate(nodes):
        children = {child.local_name: child.node_id for child in node.children}
        if index == 0 and "signatures" in children:
            listed = _at(nodes, children["signatures"], "children")
            for signature in {each.node_id: each for each in reversed(listed)}.values():
                names = tuple(_functions_of(nodes, signature.node_id))
                label = f"signature {signature.local_name[:_SHOWN]!r}"
                yield _Root(label, _CALL, functions=names)
        opened |= {children[name]: None for name in _RESOURCE_FUNCTIONS if name in children}
        opened |= {each.restore_function: None for each in node.saveable_objects.values()}
    names = tuple(name for each in opened for name in _functions_of(nodes, each))
    yield _Root("opening the folder", _OPEN, functions=names)


def _at(nodes: Message, index: int, field: str) -> Message:
    return getattr(nodes[index], field) if 0 <= index < len(nodes) else ()


def _functions_of(nodes: Message, index: int) -> Iterator[str]:
    if 0 <= index < len(nodes):
        yield from nodes[index].function.concrete_functions
        yield nodes[index].bare_concrete_function.concrete_function_name


def _tensor_names(infos: Iterable[Message]) -> Iterator[str]:
    stack = list(infos)
    while stack:
        info = stack.pop()
        yield info.name
        sparse = info.coo_sparse
        yield from (
            sparse.values_tensor_name,
            sparse.indices_tensor_name,
            sparse.dense_shape_tensor_name,
        )
        stack.extend(info.composite_tensor.components)


class _Walker:
    """Follows one graph from its roots; each node and function is looked at once."""

    def __init__(self, graph: Message) -> None:
        library = graph.graph_def.library
        self._nodes = {node.name: node for node in graph.graph_def.node}
        self._functions: dict[str, list[Message]] = defaultdict(list)
        self._twins: dict[str, list[str]] = defaultdict(list)
        for function in library.function:
            self._functions[function.signature.name].append(function)
            for key in _interfaces(function):
                self._twins[key].append(function.signature.name)
        for gradient in library.gradient:
            self._twins[gradient.function_name].append(gradient.gradient_func)
        for gradient in library.registered_gradients:
            self._twins[gradient.registered_op_type].append(gradient.gradient_func)
        self._assets = Assets(graph, self._nodes, self._functions)
        self._seen: dict[bool, set[tuple[_Kind, str]]] = {True: set(), False: set()}

    def judge(self, root: _Root) -> Iterator[Hazard]:
        saver = root.when == _SAVE
        seen = self._seen[saver]
        stack = [(_Kind.NODE, node_name(name)) for name in root.nodes]
        stack += [(_Kind.FUNCTION, name) for name in root.functions]
        while stack:
            place = stack.pop()
            if place in seen:
                continue
            seen.add(place)
            for scope, node in self._nodes_of(*place):
                what = None if saver and node.op in _SAVER else self._describe(scope, node)
                if what:
                    yield Hazard(GUARD, root.where, f"{node.op[:_SHOWN]} {what} {root.when}")
            stack.extend(self._next(*place))

    def _nodes_of(self, kind: _Kind, name: str) -> Iterator[tuple[str, Message]]:
        if kind is _Kind.NODE and name in self._nodes:
            yield MAIN, self._nodes[name]
        elif kind is _Kind.FUNCTION:
            for function in self._functions.get(name, ()):
                for node in function.node_def:
                    yield name, node

    def _next(self, kind: _Kind, name: str) -> Iterator[tuple[_Kind, str]]:
        """What runs because this does, or may be run in its place."""
        if kind is _Kind.TWINS:
            yield from ((_Kind.FUNCTION, twin) for twin in self._twins[name])
            return
        names = []
        for _, node in self._nodes_of(kind, name):
            names += [node.op, *names_in(node.attr)]
            if kind is _Kind.NODE:
                yield from ((_Kind.NODE, node_name(source)) for source in node.input)
        if kind is _Kind.FUNCTION:
            names.append(name)
            for function in self._functions.get(name, ()):
                names += names_in(function.attr)
        for other in names:
            if other in self._functions:
                yield _Kind.FUNCTION, other
            if other in self._twins:
                yield _Kind.TWINS, other

    def _describe(self, scope: str, node: Message) -> str | None:
        # A vocabulary that lies in the folder is part of the model.
        own = (
            node.op in _TABLES
            and len(node.input) > _PATH_INPUT
            and self._assets.holds(scope, node.input[_PATH_INPUT])
        )
        return None if own else describe_operation(node)


def _interfaces(function: Message) -> Iterator[str]:
    for key in ("api_implements", "_implements"):
        if key in function.attr and function.attr[key].s:
            yield text_of(function.attr[key].s)
