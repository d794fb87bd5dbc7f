"""Walking a whole configuration, models within models, from its inputs to its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reportgen.subject.model_file.declared.declaration import Declared, DeclaredLayer
from reportgen.subject.model_file.declared.graph import Graph, Use, call_order, read_graph
from reportgen.subject.model_file.declared.nodes import (
    MAX_NAME,
    built_call,
    is_graph,
    is_input,
    is_model,
    layers_of,
    node_name,
    settings_of,
    stated_shape,
)
from reportgen.subject.model_file.declared.reading import (
    TRIPPED,
    Call,
    NotKnownError,
    Outputs,
    Shape,
    Weights,
)
from reportgen.subject.model_file.declared.single_layer import (
    declared_outputs,
    declared_weights,
    is_custom,
)
from reportgen.subject.model_file.declared.wrappers import WRAPPERS, wrapped_call, wrapped_outputs

_MAX_DEPTH = 64  # models within models
_MAX_ADDRESS = 1000  # characters
_MAX_CALLS = 60_000  # layers passed again because a nested model is called with other shapes

_Given = tuple[Shape | None, ...] | None
_Result = tuple[list[DeclaredLayer], Outputs | None]


def declare(config: object) -> Declared:
    """Return what ``config`` declares, the root node ``{"class_name": ..., "config": ...}``.

    Keras 2, Keras 3 and the metadata of a SavedModel. What cannot be read is not known, and
    `Declared.unjudged` names it; nothing that stands there raises but what takes endless memory.
    """
    if config is None:
        return Declared()
    try:
        if not (isinstance(config, dict) and is_model(config)):
            return Declared(walked=False)
        walk = _Walk()
        inputs = walk.own_inputs(config, 0)
        layers, outputs = walk.model(config, inputs, _Place(depth=0))
        known = inputs is not None and None not in inputs
        return Declared(tuple(layers), inputs if known else None, outputs)  # type: ignore[arg-type]
    except TRIPPED:  # hostile beyond what the rules foresee: nothing is known
        return Declared(walked=False)


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
        return (self.prefix + name[:MAX_NAME])[:_MAX_ADDRESS]

    def row(
        self, node: Mapping[str, Any], name: str, weights: Weights | None, outputs: Outputs | None
    ) -> list[DeclaredLayer]:
        if not self.listing:
            return []
        class_name = node.get("class_name")
        kind = class_name if isinstance(class_name, str) else ""
        outermost = name if self.layer is None else self.layer
        return [DeclaredLayer(self.address(name), outermost, kind, weights, outputs)]


class _Walk:
    """One pass over a configuration; nested models are listed once and may be passed again."""

    def __init__(self) -> None:
        self._left = _MAX_CALLS
        self._graphs: dict[int, tuple[Graph, list[tuple[int, int]]]] = {}
        self._returned: dict[tuple[int, _Given], Outputs | None] = {}

    def _graph(self, node: Mapping[str, Any]) -> tuple[Graph, list[tuple[int, int]]]:
        if id(node) not in self._graphs:
            graph = read_graph(node)
            self._graphs[id(node)] = graph, call_order(graph)
        return self._graphs[id(node)]

    def own_inputs(self, node: Mapping[str, Any], depth: int) -> _Given:
        """Return the input shapes that a model states itself."""
        try:
            return self._own_inputs(node, depth)
        except TRIPPED:  # hostile: the layers may be known all the same
            return None

    def _own_inputs(self, node: Mapping[str, Any], depth: int) -> _Given:
        if is_graph(node):
            graph, _ = self._graph(node)
            at = [ref.layer for ref in graph.inputs.references]
            return tuple(stated_shape(graph.layers[i]) if i >= 0 else None for i in at) or None
        layers = layers_of(node)
        if layers and is_model(layers[0]) and depth < _MAX_DEPTH:
            return self._own_inputs(layers[0], depth + 1)
        shape = stated_shape(layers[0]) if layers else None
        shape = shape or stated_shape(node, ("build_input_shape",)) or built_call(node).shapes[0]
        return None if shape is None else (shape,)

    def model(self, node: Mapping[str, Any], given: _Given, place: _Place) -> _Result:
        """Return the layers of a model and what it returns for inputs of shapes ``given``."""
        if place.depth > _MAX_DEPTH or is_custom(node):
            raise NotKnownError
        walk = self._functional if is_graph(node) else self._sequential
        return walk(node, given, place)

    def _sequential(self, node: Mapping[str, Any], given: _Given, place: _Place) -> _Result:
        listed: list[DeclaredLayer] = []
        call = Call(given or (None,))
        for position, layer in enumerate(layers_of(node)):
            layers, outputs = self._layer(layer, call, place, node_name(layer, position))
            call = Call(outputs or (None,))
            listed += layers
        return listed, None if None in call.shapes else call.shapes  # type: ignore[return-value]

    def _functional(self, node: Mapping[str, Any], given: _Given, place: _Place) -> _Result:
        graph, order = self._graph(node)
        inputs = dict(zip((r.layer for r in graph.inputs.references), given or (), strict=False))
        listed: list[list[DeclaredLayer]] = [[] for _ in graph.layers]
        done: dict[tuple[int, int], Outputs | None] = {}

        def shapes(use: Use) -> tuple[Shape | None, ...]:
            found: list[Shape | None] = []
            for reference in use.references:
                outputs = done.get(graph.key(reference)) if reference.layer >= 0 else None
                inside = outputs is not None and reference.tensor < len(outputs)
                found.append(outputs[reference.tensor] if outputs and inside else None)
            return tuple(found)

        for i, k in order:
            layer, use = graph.layers[i], graph.uses[i][k]
            call = Call(shapes(use), use.names, use.plain)
            if is_input(layer):
                call = Call((inputs.get(i) or stated_shape(layer),))
            where = replace(place, listing=place.listing and k == 0)
            layers, done[i, k] = self._layer(layer, call, where, node_name(layer, i))
            listed[i] += layers
        outputs = shapes(graph.outputs)
        known = outputs and None not in outputs
        return [layer for layers in listed for layer in layers], outputs if known else None  # type: ignore[return-value]

    def _layer(self, node: Mapping[str, Any], call: Call, place: _Place, name: str) -> _Result:
        try:
            return self._pass(node, call, place, name)
        except TRIPPED:  # hostile: this layer is not known, the others still count
            return place.row(node, name, None, None), None

    def _pass(self, node: Mapping[str, Any], call: Call, place: _Place, name: str) -> _Result:
        if place.listing and not (call.shapes and call.shapes[0]):
            call = built_call(node)
        if is_input(node):
            outputs: Outputs | None = (call.shapes[0],) if call.shapes[0] else None
            weights: Weights | None = ()
        elif is_model(node):
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
            size = self._graph(node)[0].size if is_graph(node) else len(layers_of(node))
            self._left -= size
            silent = replace(place, listing=False)
            enough = self._left > 0
            self._returned[key] = self.model(node, given, silent)[1] if enough else None
        return self._returned[key]

    def _wrapped(self, node: Mapping[str, Any], call: Call, place: _Place, name: str) -> _Result:
        """Return what a wrapper declares: the layers of a model inside, or itself with weights."""
        inner, within = settings_of(node).get("layer"), place.inside(name)
        if not isinstance(inner, dict) or is_custom(node) or place.depth > _MAX_DEPTH:
            raise NotKnownError
        pair = [inner]
        if node["class_name"] == "Bidirectional":
            pair = [inner, settings_of(node).get("backward_layer") or inner]
            # Only around plain layers: two passes at each level would double with the depth.
            if any(is_model(part) or part.get("class_name") in WRAPPERS for part in pair):
                raise NotKnownError
        passed = wrapped_call(node, call)
        results = [self._layer(part, passed, within, node_name(part, 0)) for part in pair]
        outputs = wrapped_outputs(node, call, [outputs for _, outputs in results])
        if is_model(inner):
            return results[0][0], outputs
        parts = [layer.weights for layers, _ in results for layer in layers]
        weights = None if None in parts else tuple(w for part in parts for w in part or ())
        return place.row(node, name, weights, outputs), outputs
