"""The objects of a SavedModel of Keras 2: which layer owns which stored variable."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from reportgen.errors import InputError, UnsafeInputError
from reportgen.subject.model_file.configuration import parse
from reportgen.subject.model_file.content import Array
from reportgen.subject.model_file.saved_model.checkpoint import Checkpoint
from reportgen.subject.model_file.saved_model.protocol import Message

_DAMAGED = "holds a broken list of objects ({}). Copy the folder again."
# What hangs on a layer and is no weight: state of random numbers, metrics, losses, signatures.
_NO_WEIGHTS = {"_rng", "_random_generator", "keras_api", "metrics", "optimizer", "signatures"}
# A list may be named by many layers: what is read of a small file is bounded too.
MAX_STEPS = 1_000_000
_VALUE = "VARIABLE_VALUE"
_LAYER = re.compile(r"layer-(\d{1,9})", re.ASCII)


@dataclass(frozen=True)
class KerasObject:
    """What Keras wrote of one object: its kind, such as ``_tf_keras_layer``, and JSON."""

    identifier: str
    metadata: str


class Objects:
    """The object graph of a SavedModel.

    Raises:
        InputError: it points to objects that it does not have.
    """

    def __init__(self, graph: Message) -> None:
        self._nodes = graph.nodes
        self._children: dict[int, dict[str, int]] = {}
        self._steps = 0

    def __len__(self) -> int:
        return len(self._nodes)

    def children(self, node: int) -> dict[str, int]:
        """Attribute name to node, in the order in which they were written.

        Raises:
            InputError: there is no such node, or it points to one that is missing.
            UnsafeInputError: more was asked for than any network has.
        """
        if node not in self._children:
            self._children[node] = _children(self._nodes, node)
        self._steps += 1 + len(self._children[node])
        if self._steps > MAX_STEPS:
            raise UnsafeInputError("lists more objects than any network has.")
        return self._children[node]

    def has_variables(self) -> bool:
        """Whether any variable is part of it."""
        return any(node.HasField("variable") for node in self._nodes)

    def is_variable(self, node: int) -> bool:
        """Whether ``node`` is a variable."""
        return bool(self._nodes[node].HasField("variable"))

    def variable_name(self, node: int) -> str:
        """As Keras 2 shows it: ``conv1/kernel:0``."""
        return f"{self._nodes[node].variable.name}:0"

    def weights(self, layer: int, frozen: Callable[[int], bool]) -> list[int]:
        """The variables of a layer, trainable ones first: the order of `layer.get_weights`.

        frozen: whether a layer, by its node, was set to be no longer trained.
        """
        children = self.children(layer)
        if "variables" not in children:  # written with save_traces=False, or a preprocessing layer
            found = list(self._walk_variables(layer, frozen))
            return [node for node, trained in sorted(found, key=lambda pair: not pair[1])]
        api = self.children(children["keras_api"]) if "keras_api" in children else {}
        lists = [
            children.get("trainable_variables"),
            api.get("non_trainable_variables"),
            children["variables"],
        ]
        members = (self.children(node).values() for node in lists if node is not None)
        ordered = dict.fromkeys(node for group in members for node in group)
        return [node for node in ordered if self.is_variable(node)]

    def _walk_variables(
        self, layer: int, frozen: Callable[[int], bool]
    ) -> Iterator[tuple[int, bool]]:
        """Each variable and whether it is trained, layer by layer, as Keras walks them."""
        seen: set[int] = set()
        stack = [(layer, True)]
        while stack:
            node, trained = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            if self.is_variable(node):
                yield node, trained and self._nodes[node].variable.trainable
            else:
                trained = trained and not frozen(node)
                stack.extend((child, trained) for child in reversed(self._parts(node)))

    def _parts(self, node: int) -> list[int]:
        """Own variables, then the layers of a model by number, then other attributes."""

        def rank(part: tuple[str, int]) -> tuple[int, int]:
            number = _LAYER.fullmatch(part[0])
            return (1, int(number[1])) if number else (0 if self.is_variable(part[1]) else 2, 0)

        parts = [part for part in self.children(node).items() if part[0] not in _NO_WEIGHTS]
        return [child for _, child in sorted(parts, key=rank)]

    def checkpoint_keys(self, checkpoint: Checkpoint) -> dict[int, str]:
        """Where the value of each variable stands: both graphs are walked along one another."""
        stored = checkpoint.object_graph()
        if stored is None or not stored.nodes or not len(self):
            raise InputError(_DAMAGED.format("the checkpoint has none"))
        names: dict[int, dict[str, int]] = {}
        twins, queue = {0: 0}, deque([0])
        while queue:
            node = queue.popleft()
            twin = twins[node]
            if twin not in names:
                names[twin] = _children(stored.nodes, twin)
            for name, child in self.children(node).items():
                if child not in twins and name in names[twin]:
                    twins[child] = names[twin][name]
                    queue.append(child)
        return {
            node: key
            for node, twin in twins.items()
            if self.is_variable(node) and (key := _key_of(stored.nodes[twin]))
        }


def _children(nodes: Any, node: int) -> dict[str, int]:
    if not 0 <= node < len(nodes):
        raise InputError(_DAMAGED.format("one of them is missing"))
    children = {child.local_name: child.node_id for child in nodes[node].children}
    if not all(0 <= child < len(nodes) for child in children.values()):
        raise InputError(_DAMAGED.format("one of them is missing"))
    return children


def _key_of(node: Message) -> str:
    keys = [stored.checkpoint_key for stored in node.attributes if stored.name == _VALUE]
    return str(keys[0]) if keys else ""


def list_arrays(
    objects: Objects,
    keras: Mapping[int, KerasObject],
    layers: Iterable[Any],
    checkpoint: Checkpoint,
) -> tuple[Array, ...]:
    """The weights of ``layers`` (of the outermost model's configuration), in their order.

    Raises:
        InputError: the checkpoint does not hold one of them.
    """
    by_name = _name_layers(objects, keras)
    keys = objects.checkpoint_keys(checkpoint)

    @cache
    def frozen(node: int) -> bool:
        settings = _settings(keras[node]) if node in keras else {}
        return settings.get("trainable") is False

    arrays = []
    for name in dict.fromkeys(_name_of(layer) for layer in layers):
        # Input layers of a Sequential are in its configuration and not among the objects.
        for node in objects.weights(by_name[name], frozen) if name in by_name else ():
            key = keys.get(node, "")
            if key not in checkpoint:
                missing = objects.variable_name(node)[:80]
                raise InputError(
                    f"holds no values for {missing!r} of layer {name[:80]!r}. "
                    "Copy the whole folder again."
                )
            arrays.append(Array(name, objects.variable_name(node), key, *checkpoint.describe(key)))
    return tuple(arrays)


def _name_layers(objects: Objects, keras: Mapping[int, KerasObject]) -> dict[str, int]:
    names: dict[str, int] = {}
    for node in dict.fromkeys(objects.children(0).values()):
        if node in keras:
            names.setdefault(_name_of(_settings(keras[node])), node)
    return names


def _settings(written: KerasObject) -> dict[str, Any]:
    settings = parse(written.metadata, "The metadata of a layer")
    return settings if isinstance(settings, dict) else {}


def _name_of(layer: Any) -> str:
    config = layer.get("config") if isinstance(layer, dict) else None
    name = config.get("name") if isinstance(config, dict) else None
    return str(name or (layer.get("name") if isinstance(layer, dict) else "") or "")
