"""What a configuration declares: the shape of every weight, before anything is built.

The graph is walked without recursion; only nesting recurses, to a bounded depth. Whatever the
configuration does not say, or says in a way Keras would not build, is None: never a guess.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from reportgen.subject.model_file.declared_layers import (
    WRAPPERS,
    Call,
    NotKnownError,
    Outputs,
    Shape,
    Weights,
    declared_outputs,
    declared_weights,
    is_custom,
    items,
    read_shape,
    wrapped_call,
    wrapped_outputs,
)

_MODELS = ("Sequential", "Functional", "Model")
_MAX_DEPTH = 64  # models within models
_MAX_NAME, _MAX_ADDRESS = 200, 1000  # characters; hostile names would multiply along the nesting
_MAX_CALLS = 60_000  # layers passed again because a nested model is called with other shapes
_MOST = 10**500  # more parameters than this are not counted: Python refuses to print them
_SHAPE_KEYS = ("batch_shape", "batch_input_shape")


@dataclass(frozen=True)
class DeclaredLayer:
    """One layer; models are not listed themselves, their layers are.

    address: names from the outermost model inwards, ``sequential_1/model1/Conv1``. layer: name
    of the layer of the outermost model that it belongs to. weights: name and shape, trainable
    ones first; () none, None not known. output_shapes: of its first call, with batch axis.
    """

    address: str
    layer: str
    class_name: str
    weights: Weights | None
    output_shapes: Outputs | None


@dataclass(frozen=True)
class Declared:
    """What a whole configuration declares. inputs, outputs: shapes with batch axis, or None."""

    layers: tuple[DeclaredLayer, ...] = ()
    inputs: Outputs | None = None
    outputs: Outputs | None = None

    @property
    def complete(self) -> bool:
        """Whether the weights of every layer are known."""
        return bool(self.layers) and all(layer.weights is not None for layer in self.layers)

    @cached_property
    def lower_bound(self) -> int:
        """The parameters of the layers that are known; never more than 10**500."""
        total = 0
        for layer in self.layers:
            for _, shape in layer.weights or ():
                total += _elements(shape)
        return min(total, _MOST)

    @property
    def parameters(self) -> int | None:
        """All parameters, trainable or not; None where a layer is not known."""
        return self.lower_bound if self.complete else None

    def of(self, layer_name: str) -> list[tuple[int, ...]] | None:
        """Return the shapes of all weights under a layer of the outermost model, or None.

        The order is that of the layers; a file lists trainable weights first.
        """
        return self._by_layer.get(layer_name)

    @cached_property
    def _by_layer(self) -> dict[str, list[tuple[int, ...]] | None]:
        found: dict[str, list[tuple[int, ...]] | None] = {}
        for layer in self.layers:
            shapes = found.setdefault(layer.layer, [])
            if layer.weights is None:
                found[layer.layer] = None
            elif shapes is not None:
                shapes.extend(shape for _, shape in layer.weights)
        return found


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count = min(count * side, _MOST)
    return count


def declare(config: object) -> Declared:
    """Return what ``config`` declares, the root node ``{"class_name": ..., "config": ...}``.

    Keras 2, Keras 3 and the metadata of a SavedModel. Never raises, whatever stands there.
    """
    try:
        if not (isinstance(config, dict) and _is_model(config)):
            return Declared()
        walk = _Walk()
        inputs = walk.own_inputs(config, 0)
        layers, outputs = walk.model(config, inputs, _Place(depth=0))
        known = inputs is not None and None not in inputs
        return Declared(tuple(layers), inputs if known else None, outputs)  # type: ignore[arg-type]
    except Exception:  # hostile beyond what the rules foresee: nothing is known
        return Declared()


_Given = tuple[Shape | None, ...] | None
_Result = tuple[list[DeclaredLayer], Outputs | None]


@dataclass(frozen=True)
class _Place:
    """Where a model stands. listing: its layers are wanted, not only what it returns."""

    depth: int
    prefix: str = ""
    layer: str | None = None
    listing: bool = True

    def inside(self, name: str) -> _Place:
        outermost = name if self.layer is None else self.layer
        return _Place(self.depth + 1, f"{self.address(name)}/", outermost, self.listing)

    def address(self, name: str) -> str:
        return (self.prefix + name[:_MAX_NAME])[:_MAX_ADDRESS]

    def row(
        self, node: Mapping[str, Any], name: str, weights: Weights | None, outputs: Outputs | None
    ) -> list[DeclaredLayer]:
        if not self.listing:
            return []
        class_name = node.get("class_name")
        kind = class_name if isinstance(class_name, str) else ""
        outermost = name if self.layer is None else self.layer
        return [DeclaredLayer(self.address(name), outermost, kind, weights, outputs)]


class _Reference(NamedTuple):
    """A tensor: output ``tensor`` of call ``call`` of layer ``layer``."""

    layer: int
    call: int
    tensor: int


@dataclass(frozen=True)
class _Use:
    """One call of a layer, before its shapes are known."""

    references: tuple[_Reference, ...] = ()
    names: tuple[str, ...] = ()
    plain: bool = True


@dataclass
class _Graph:
    """A Functional model. uses: the calls of each layer. first: the number of its first call."""

    layers: list[Mapping[str, Any]]
    uses: list[list[_Use]]
    inputs: _Use
    outputs: _Use
    first: list[int]

    @property
    def size(self) -> int:
        """How much a pass over it costs."""
        return sum(1 + len(use.references) for uses in self.uses for use in uses)

    def key(self, reference: _Reference) -> tuple[int, int]:
        """Return layer and position of the call; nested models of Functional count from 1."""
        return reference.layer, reference.call - self.first[reference.layer]


def _is_model(node: Mapping[str, Any]) -> bool:
    return node.get("class_name") in _MODELS


def _layers(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the nodes of a model; a Sequential before Keras 2.2.3 is only their list."""
    config = node.get("config")
    listed = items(config.get("layers") if isinstance(config, dict) else config)
    return [layer if isinstance(layer, dict) else {} for layer in listed]


def _settings(node: Mapping[str, Any]) -> Mapping[str, Any]:
    config = node.get("config")
    return config if isinstance(config, dict) else {}


def _is_graph(node: Mapping[str, Any]) -> bool:
    return node.get("class_name") != "Sequential"


def _name(node: Mapping[str, Any], position: int) -> str:
    for name in (node.get("name"), _settings(node).get("name")):
        if isinstance(name, str):
            return name
    return f"layer_{position}"


def _stated(node: Mapping[str, Any], keys: tuple[str, ...] = _SHAPE_KEYS) -> Shape | None:
    """Return the input shape that a layer states of itself."""
    settings = _settings(node)
    for key in keys:
        if settings.get(key) is not None:
            return _shape(settings[key])
    for key in ("shape", "input_shape"):
        if node.get("class_name") == "InputLayer" and settings.get(key) is not None:
            shape = _shape(settings[key])
            return None if shape is None else _shape([settings.get("batch_size"), *shape])
    return None


def _shape(value: object) -> Shape | None:
    try:
        return read_shape(value)
    except (NotKnownError, OverflowError):
        return None


def _built(node: Mapping[str, Any]) -> Call:
    """Return the call that a Keras 3 layer was built for."""
    build = node.get("build_config")
    build = build if isinstance(build, dict) else {}
    shapes = build.get("shapes_dict")
    if isinstance(shapes, dict):
        names = tuple(str(name)[:_MAX_NAME].removesuffix("_shape") for name in shapes)
        return Call(tuple(_shape(value) for value in shapes.values()), names)
    return Call((_shape(build.get("input_shape")),))


_Tensor = tuple[str, int, int, object]  # layer, call, output, keywords that stand beside it


def _tensor(value: object) -> _Tensor | None:
    """Return the tensor that ``value`` names, in the words of Keras 3 or of Keras 2."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        value = _settings(value).get("keras_history")
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
        inner = [(child, keyword or str(key)[:_MAX_NAME]) for key, child in value.items()]
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
        stack = [*stack, *((value, str(key)[:_MAX_NAME]) for key, value in named)][::-1]
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


def _graph(node: Mapping[str, Any]) -> _Graph:
    layers, settings = _layers(node), _settings(node)
    places: dict[str, int] = {}
    for position, layer in enumerate(layers):
        places.setdefault(_name(layer, position), position)
    last: dict[int, int] = {}

    def resolve(value: object) -> _Use:
        found, plain = _scan(value)
        references = []
        for (name, call, tensor, _), _keyword in found:
            layer = places.get(name, -1)
            last[layer] = max(call, last.get(layer, 0))
            references.append(_Reference(layer, call, tensor))
        return _Use(tuple(references), tuple(keyword for _, keyword in found), plain)

    uses = [[resolve(use) for use in _uses(layer)] for layer in layers]
    inputs, outputs = (resolve(settings.get(key)) for key in ("input_layers", "output_layers"))
    # A nested Functional has a call of its own, number 0, that is not written.
    first = [int(last.get(i) == len(own)) for i, own in enumerate(uses)]
    return _Graph(layers, uses, inputs, outputs, first)


def _order(graph: _Graph) -> list[tuple[int, int]]:
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


class _Walk:
    """One pass over a configuration; nested models are listed once and may be passed again."""

    def __init__(self) -> None:
        self._left = _MAX_CALLS
        self._graphs: dict[int, tuple[_Graph, list[tuple[int, int]]]] = {}
        self._returned: dict[tuple[int, _Given], Outputs | None] = {}

    def _graph(self, node: Mapping[str, Any]) -> tuple[_Graph, list[tuple[int, int]]]:
        if id(node) not in self._graphs:
            graph = _graph(node)
            self._graphs[id(node)] = graph, _order(graph)
        return self._graphs[id(node)]

    def own_inputs(self, node: Mapping[str, Any], depth: int) -> _Given:
        """Return the input shapes that a model states itself."""
        try:
            return self._own_inputs(node, depth)
        except Exception:  # hostile: the layers may be known all the same
            return None

    def _own_inputs(self, node: Mapping[str, Any], depth: int) -> _Given:
        if _is_graph(node):
            graph, _ = self._graph(node)
            at = [ref.layer for ref in graph.inputs.references]
            return tuple(_stated(graph.layers[i]) if i >= 0 else None for i in at) or None
        layers = _layers(node)
        if layers and _is_model(layers[0]) and depth < _MAX_DEPTH:
            return self._own_inputs(layers[0], depth + 1)
        shape = _stated(layers[0]) if layers else None
        shape = shape or _stated(node, ("build_input_shape",)) or _built(node).shapes[0]
        return None if shape is None else (shape,)

    def model(self, node: Mapping[str, Any], given: _Given, place: _Place) -> _Result:
        """Return the layers of a model and what it returns for inputs of shapes ``given``."""
        if place.depth > _MAX_DEPTH or is_custom(node):
            raise NotKnownError
        walk = self._functional if _is_graph(node) else self._sequential
        return walk(node, given, place)

    def _sequential(self, node: Mapping[str, Any], given: _Given, place: _Place) -> _Result:
        listed: list[DeclaredLayer] = []
        call = Call(given or (None,))
        for position, layer in enumerate(_layers(node)):
            layers, outputs = self._layer(layer, call, place, _name(layer, position))
            call = Call(outputs or (None,))
            listed += layers
        return listed, None if None in call.shapes else call.shapes  # type: ignore[return-value]

    def _functional(self, node: Mapping[str, Any], given: _Given, place: _Place) -> _Result:
        graph, order = self._graph(node)
        inputs = dict(zip((r.layer for r in graph.inputs.references), given or (), strict=False))
        listed: list[list[DeclaredLayer]] = [[] for _ in graph.layers]
        done: dict[tuple[int, int], Outputs | None] = {}

        def shapes(use: _Use) -> tuple[Shape | None, ...]:
            found: list[Shape | None] = []
            for reference in use.references:
                outputs = done.get(graph.key(reference)) if reference.layer >= 0 else None
                inside = outputs is not None and reference.tensor < len(outputs)
                found.append(outputs[reference.tensor] if outputs and inside else None)
            return tuple(found)

        for i, k in order:
            layer, use = graph.layers[i], graph.uses[i][k]
            call = Call(shapes(use), use.names, use.plain)
            if _is_input(layer):
                call = Call((inputs.get(i) or _stated(layer),))
            where = replace(place, listing=place.listing and k == 0)
            layers, done[i, k] = self._layer(layer, call, where, _name(layer, i))
            listed[i] += layers
        outputs = shapes(graph.outputs)
        known = outputs and None not in outputs
        return [layer for layers in listed for layer in layers], outputs if known else None  # type: ignore[return-value]

    def _layer(self, node: Mapping[str, Any], call: Call, place: _Place, name: str) -> _Result:
        try:
            return self._pass(node, call, place, name)
        except Exception:  # hostile: this layer is not known, the others still count
            return place.row(node, name, None, None), None

    def _pass(self, node: Mapping[str, Any], call: Call, place: _Place, name: str) -> _Result:
        if place.listing and not (call.shapes and call.shapes[0]):
            call = _built(node)
        if _is_input(node):
            outputs: Outputs | None = (call.shapes[0],) if call.shapes[0] else None
            weights: Weights | None = ()
        elif _is_model(node):
            return self._nested(node, call, place.inside(name))
        elif node.get("class_name") in WRAPPERS:
            return self._wrapped(node, call, place, name)
        else:
            outputs = declared_outputs(node, call)
            weights = declared_weights(node, call) if place.listing else None
        return place.row(node, name, weights, outputs), outputs

    def _nested(self, node: Mapping[str, Any], call: Call, place: _Place) -> _Result:
        """Return the layers of a model within a model, built for the inputs it states itself."""
        given: _Given = call.shapes if call.shapes and None not in call.shapes else None
        own = self.own_inputs(node, place.depth)
        if own is None or None in own:
            own = given or own
        if not place.listing:
            return [], self._outputs(node, given or own, place)
        layers, outputs = self.model(node, own, place)
        if given is not None and given != own:
            outputs = self._outputs(node, given, place)
        return layers, outputs

    def _outputs(self, node: Mapping[str, Any], given: _Given, place: _Place) -> Outputs | None:
        """Return what a model returns, once for each set of shapes and within bounds."""
        key = (id(node), given)
        if key not in self._returned:
            size = self._graph(node)[0].size if _is_graph(node) else len(_layers(node))
            self._left -= size
            silent = replace(place, listing=False)
            enough = self._left > 0
            self._returned[key] = self.model(node, given, silent)[1] if enough else None
        return self._returned[key]

    def _wrapped(self, node: Mapping[str, Any], call: Call, place: _Place, name: str) -> _Result:
        """Return what a wrapper declares: the layers of a model inside, or itself with weights."""
        inner, within = _settings(node).get("layer"), place.inside(name)
        if not isinstance(inner, dict) or is_custom(node) or place.depth > _MAX_DEPTH:
            raise NotKnownError
        pair = [inner]
        if node["class_name"] == "Bidirectional":
            pair = [inner, _settings(node).get("backward_layer") or inner]
            # Only around plain layers: two passes at each level would double with the depth.
            if any(_is_model(part) or part.get("class_name") in WRAPPERS for part in pair):
                raise NotKnownError
        passed = wrapped_call(node, call)
        results = [self._layer(part, passed, within, _name(part, 0)) for part in pair]
        outputs = wrapped_outputs(node, call, [outputs for _, outputs in results])
        if _is_model(inner):
            return results[0][0], outputs
        parts = [layer.weights for layers, _ in results for layer in layers]
        weights = None if None in parts else tuple(w for part in parts for w in part or ())
        return place.row(node, name, weights, outputs), outputs


def _is_input(node: Mapping[str, Any]) -> bool:
    return node.get("class_name") == "InputLayer"
