"""The layers of a model as they are called: addresses, shapes and who feeds whom.

A layer's address is the names on the way to it: ``outer/inner/layer``. A layer that is
called again (shared weights) gets ``#2``, ``#3`` ... for the later calls.

How it works: the model is called once inside a traced function while every leaf layer (and
every bare Keras operation) notes its calls. That is the same for functional, sequential and
subclassed models, nested and shared ones, because it watches what happens instead of
reading how the model was put together.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
import tensorflow as tf
from keras import tree

from reportgen.subject.attention import watch_attention
from reportgen.subject.channels import find_channel_axis, find_input_axis

STANDALONE_ACTIVATIONS = frozenset(
    {"Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "ThresholdedReLU"}
)
Shape = tuple[int | None, ...]
Tensor = Any  # of TensorFlow, which has no types to check


@dataclass(frozen=True)
class LayerCall:
    """One call of one layer.

    inputs: positions in the list of calls that feed this one; -1 is the model's input.
    input_shapes, output_shape: with the batch as first entry (None if free).
    activation: name of the activation function, fused or standalone; None if linear.
    fused: the layer computes something before its activation function.
    channel_axis: of the channels in the output, the batch counted as 0.
    attention_shape: of the attention probabilities ``(n, heads, queries, keys)``; None: no
    attention. between: operations of TensorFlow between ``inputs`` and this call that are no
    layers, such as a bare sum in a subclassed model. outputs: tensors that it returns.
    per_sample: the first axis of the output counts the samples; not so of a mean over the batch.
    """

    address: str
    layer: Any
    class_name: str
    inputs: tuple[int, ...]
    input_shapes: tuple[tuple[int | None, ...], ...]
    output_shape: tuple[int | None, ...]
    activation: str | None
    fused: bool
    channel_axis: int
    dtype: str = "float32"
    attention_shape: tuple[int | None, ...] | None = None
    between: frozenset[str] = frozenset()
    outputs: int = 1
    per_sample: bool = True

    @property
    def channels_first(self) -> bool:
        """Whether positions come after the channels."""
        return self.channel_axis == 1 and len(self.output_shape) > 2

    @property
    def has_attention(self) -> bool:
        """Whether its attention probabilities can be read."""
        return self.attention_shape is not None


@dataclass
class Trace:
    """What was seen while the model was called once."""

    calls: list[LayerCall] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    before: dict[str, Tensor] = field(default_factory=dict)
    after: dict[str, Tensor] = field(default_factory=dict)
    attention: dict[str, Tensor] = field(default_factory=dict)


def activation_name(layer: Any) -> str | None:
    """Name of the layer's activation function; None if it has none or a linear one."""
    class_name = type(layer).__name__
    if class_name in STANDALONE_ACTIVATIONS - {"Activation"}:
        return class_name.lower()
    function = getattr(layer, "activation", None)
    if function is None or isinstance(layer, keras.layers.RNN):
        return None
    name = getattr(function, "__name__", None) or getattr(function, "name", type(function).__name__)
    return None if name == "linear" else str(name)


def contained(layer: Any) -> list[Any] | None:
    """The parts of a container of layers in order; None for a leaf."""
    if _distributes_model(layer):
        return [layer.layer]
    if not isinstance(layer, keras.Model):
        return None
    inner = getattr(layer, "_functional", None) or layer
    parts = getattr(inner, "operations", None) or layer.layers
    return [part for part in parts if not isinstance(part, keras.layers.InputLayer)]


def _distributes_model(layer: Any) -> bool:
    """Whether it calls a model of its own on each step of a sequence."""
    return isinstance(layer, keras.layers.TimeDistributed) and contained(layer.layer) is not None


class Reached(BaseException):
    """All calls that were waited for have been seen: the rest of the model need not run."""


class Listener:
    """Notes the calls of all leaves of ``model`` while it is called.

    until: addresses of calls; when all have been seen `Reached` is raised from within the call.
    instead: by address, what makes the result in place of the layer: it gets the layer's own call
        and its arguments.
    """

    def __init__(
        self,
        model: keras.Model,
        until: frozenset[str] = frozenset(),
        instead: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        self.trace = Trace()
        self._instead = instead or {}
        self._until = until
        self._stack: list[str] = []
        self._counts: Counter[str] = Counter()
        self._producers: dict[str, int] = {}
        self._patched: list[tuple[Any, str, Any]] = []
        self._seen: set[int] = set()
        self._model = model
        self._input_shape: Shape = ()
        self._steps: list[Any] = []  # lengths of the sequences whose steps are the batch now
        self._deaf = False

    @contextmanager
    def listening(self, inputs: list[Tensor]) -> Iterator[Trace]:
        """Patch the layers' instances, and put everything back at the end."""
        self._producers = {tensor.name: -1 for tensor in inputs}
        self._input_shape = shape_of(inputs[0])
        try:
            for part in contained(self._model) or []:
                self._patch(part)
            yield self.trace
        finally:
            for layer, name, original in reversed(self._patched):
                if original is None:
                    del layer.__dict__[name]
                else:
                    layer.__dict__[name] = original

    def _patch(self, layer: Any) -> None:
        if id(layer) in self._seen:
            return
        self._seen.add(id(layer))
        parts = contained(layer)
        if parts is None:
            # What Keras calls where a layer's kernel is stored as whole numbers.
            name = "quantized_call" if getattr(layer, "quantization_mode", None) else "call"
            self._replace(layer, name, self._leaf(layer, getattr(layer, name)))
            return
        inside = self._sequence if _distributes_model(layer) else self._container
        self._replace(layer, "call", inside(layer, layer.call))
        for part in parts:
            self._patch(part)

    def _replace(self, layer: Any, name: str, wrapper: Callable[..., Any]) -> None:
        # An entry in the instance's dictionary shadows the class' method and passes by
        # Keras' attribute tracking; deleting it (or putting back what a user had put there)
        # restores the layer exactly.
        self._patched.append((layer, name, layer.__dict__.get(name)))
        layer.__dict__[name] = wrapper

    def _container(self, layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self._stack.append(layer.name)
            try:
                return call(*args, **kwargs)
            finally:
                self._stack.pop()

        return wrapper

    def _sequence(self, layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        """All steps of all sequences as one batch, so that each layer inside is called once."""

        def wrapper(inputs: Tensor, training: Any = None, mask: Any = None) -> Any:
            if mask is not None:
                return self._unheard(layer, call, inputs, training=training, mask=mask)
            size, length = inputs.shape[:2]
            shape = tf.shape(inputs)
            folded = tf.reshape(inputs, tf.concat([[-1], shape[2:]], 0))
            folded.set_shape([size and length and size * length, *inputs.shape[2:]])
            self._stack.append(layer.name)
            self._steps.append(length or shape[1])
            try:
                made = layer.layer.call(folded, training=training)
                return tree.map_structure(lambda t: _unfold(t, self._steps[-1:]), made)
            finally:
                self._stack.pop()
                self._steps.pop()

        return wrapper

    def _unheard(self, layer: Any, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A layer that is not looked into: its parts are called once for each step."""
        self._deaf = True
        try:
            return self._leaf(layer, call, hears=True)(*args, **kwargs)
        finally:
            self._deaf = False

    def _leaf(
        self, layer: Any, call: Callable[..., Any], *, hears: bool = False
    ) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if self._deaf and not hears:
                return call(*args, **kwargs)
            address = self._next_address(layer)
            given = [t for t in tree.flatten((args, kwargs)) if _is_symbolic(t)]
            keep = partial(self._keep_attention, address)
            with self._watch_activation(layer, address, given), watch_attention(layer, keep):
                replaced = self._instead.get(address)
                result = replaced(call, *args, **kwargs) if replaced else call(*args, **kwargs)
            made = [t for t in tree.flatten(result) if _is_symbolic(t)]
            if made:
                self._note(layer, address, given, made)
            if self._until and self._until <= self.trace.after.keys():
                raise Reached
            return result

        return wrapper

    def _keep_attention(self, address: str, scores: Tensor) -> None:
        if not self._steps:  # with steps there is an axis more than readers of attention know
            self.trace.attention[address] = scores

    def _next_address(self, layer: Any) -> str:
        address = "/".join([*self._stack, layer.name])
        self._counts[address] += 1
        return address if self._counts[address] == 1 else f"{address}#{self._counts[address]}"

    @contextmanager
    def _watch_activation(self, layer: Any, address: str, given: list[Tensor]) -> Iterator[None]:
        if activation_name(layer) is None:
            yield
            return
        if type(layer).__name__ in STANDALONE_ACTIVATIONS:
            if given:
                self.trace.before[address] = _unfold(given[0], self._steps)
            yield
            return
        if "activation" not in layer.__dict__:
            yield  # a property of a custom layer: it cannot be watched from outside
            return
        original = layer.__dict__["activation"]

        def wrapper(values: Tensor, *args: Any, **kwargs: Any) -> Any:
            self.trace.before[address] = _unfold(values, self._steps)
            return original(values, *args, **kwargs)

        layer.__dict__["activation"] = wrapper
        try:
            yield
        finally:
            layer.__dict__["activation"] = original

    def _note(self, layer: Any, address: str, given: list[Tensor], made: list[Tensor]) -> None:
        found = [self._sources(tensor) for tensor in given]
        sources = tuple(sorted({i for calls, _ in found for i in calls}))
        position = len(self.trace.calls)
        for tensor in made:
            # A layer that hands its input on (dropout at rest) becomes its new source.
            self._producers[tensor.name] = position
        after = self.trace.after[address] = _unfold(made[0], self._steps)
        shapes = tuple(shape_of(_unfold(t, self._steps)) for t in given if t.shape.rank)
        shape = shape_of(after)
        self.trace.calls.append(
            LayerCall(
                address=address,
                layer=layer,
                class_name=type(layer).__name__,
                inputs=sources,
                input_shapes=shapes,
                output_shape=shape,
                activation=activation_name(layer),
                fused=type(layer).__name__ not in STANDALONE_ACTIVATIONS,
                channel_axis=self._find_channels(layer, shape, sources, shapes),
                dtype=after.dtype.name,
                attention_shape=self._attention_shape(address),
                between=frozenset().union(*(operations for _, operations in found)),
                outputs=len(made),
                per_sample=bool(shape) and shape[0] in (None, self._input_shape[0]),
            )
        )

    def _find_channels(
        self, layer: Any, made: Shape, sources: tuple[int, ...], given: tuple[Shape, ...]
    ) -> int:
        known = []
        for i in sources:
            if i < 0:
                rank = len(self._input_shape)
                known.append((self._input_shape, find_input_axis(self._model, rank)))
            else:
                call = self.trace.calls[i]
                known.append((call.output_shape, call.channel_axis))
        return find_channel_axis(layer, made, known, given[0] if given else ())

    def _attention_shape(self, address: str) -> Shape | None:
        scores = self.trace.attention.get(address)
        return None if scores is None else shape_of(scores)

    def _sources(self, tensor: Tensor) -> tuple[list[int], set[str]]:
        """Calls that ``tensor`` was made from, and the bare operations on the way."""
        found: list[int] = []
        operations: set[str] = set()
        stack, visited = [tensor], set[str]()
        while stack:
            current = stack.pop()
            if current.name in visited:
                continue
            visited.add(current.name)
            if current.name in self._producers:
                found.append(self._producers[current.name])
            else:
                operations.add(current.op.type)
                stack.extend(current.op.inputs)
        return sorted(found), operations

    def producers_of(self, tensor: Tensor) -> list[int]:
        """Positions of the calls that a tensor of the model's output comes from."""
        return self._sources(tensor)[0]


def _unfold(tensor: Tensor, steps: list[Any]) -> Tensor:
    """``(samples * steps, ...)`` -> ``(samples, steps, ...)``; other tensors as they are."""
    known = [step if isinstance(step, int) else None for step in steps]
    first = tensor.shape[0] if tensor.shape.rank else 0
    whole = None if None in known else math.prod(step for step in known if step)
    if not steps or first == 0 or (first and whole and first % whole):
        return tensor
    unfolded = tf.reshape(tensor, tf.concat([[-1], steps, tf.shape(tensor)[1:]], 0))
    unfolded.set_shape([first and whole and first // whole, *known, *tensor.shape[1:]])
    return unfolded


def _is_symbolic(value: Any) -> bool:
    """Whether it is a tensor of the graph; numbers that the file stores as arguments are none."""
    return tf.is_tensor(value) and not hasattr(value, "numpy")


def shape_of(tensor: Tensor) -> Shape:
    """With the batch first; None where TensorFlow does not know a side; empty for a scalar."""
    return tuple(tensor.shape.as_list()) if tensor.shape.rank else ()
