"""Activations of any layers in one forward pass, before and after the activation function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from reportgen.errors import UsageError
from reportgen.progress import tell
from reportgen.subject.at_rest import answer
from reportgen.subject.endings import find_endings
from reportgen.subject.layers import LayerCall, Listener, Shape, Trace, shape_of
from reportgen.subject.other_inputs import OtherInputs

FloatArray = NDArray[np.float32]
# More costs time, as memory has to be found for it; fewer samples at once, too.
_BATCH_BYTES = 128 * 2**20
_MAX_BATCH = 256
_TELLING = 251  # samples of the pass that finds the layers: a prime that is no side of a layer
Reducer = Callable[[Mapping["Tap", Any]], Any]
RowReader = Callable[[NDArray[np.int64]], FloatArray]


@dataclass(frozen=True, order=True)
class Tap:
    """A place to read: the address of a layer call, before or after its activation function.

    Where a layer has no activation function both stages are the same values. The stage
    "attention" of an attention layer reads its probabilities ``(n, heads, queries, keys)``.
    """

    address: str
    stage: Literal["before", "after", "attention"] = "after"


@dataclass(frozen=True)
class _Layout:
    """What one trace tells of a model; see the properties of `Probe`."""

    calls: tuple[LayerCall, ...]
    output_calls: tuple[tuple[int, ...], ...]
    output_shapes: tuple[Shape, ...]
    output_endings: tuple[frozenset[str], ...]


class Probe:
    """Reads values inside ``model`` for inputs of one shape.

    shape: of one sample, without the batch. Every set of taps is traced once and kept.
    position, held: see `OpenCall`.
    """

    def __init__(
        self,
        model: keras.Model,
        shape: tuple[int, ...],
        *,
        position: int = 0,
        held: Mapping[int, NDArray[Any]] | None = None,
    ) -> None:
        self.model = model
        self.shape = shape
        self._others = OtherInputs(model, position, held or {})
        self._input = model.inputs[position] if model.inputs else None
        self.static_batch: int | None = None if self._input is None else self._input.shape[0]
        self.traces = 0
        self._functions: dict[Any, Any] = {}
        self._batch_limit = _MAX_BATCH

    @property
    def calls(self) -> tuple[LayerCall, ...]:
        """Every call of a layer, in the order of execution."""
        return self._layout.calls

    @property
    def output_calls(self) -> tuple[tuple[int, ...], ...]:
        """For each output of the model, positions in `calls` that it comes from."""
        return self._layout.output_calls

    @property
    def output_shapes(self) -> tuple[Shape, ...]:
        """For each output of the model what `predict` gives, with the batch as None first."""
        return self._layout.output_shapes

    @property
    def output_endings(self) -> tuple[frozenset[str], ...]:
        """For each output of the model the functions that it comes out of; see `find_endings`."""
        return self._layout.output_endings

    def call(self, address: str) -> LayerCall:
        """The call at ``address``.

        Raises:
            UsageError: no such address; the message lists near ones.
        """
        for call in self.calls:
            if call.address == address:
                return call
        near = [c.address for c in self.calls if c.address.split("/")[-1] == address.split("/")[-1]]
        known = near or [c.address for c in self.calls][:12]
        raise UsageError(f"No layer {address!r} in this model. There are: {', '.join(known)}.")

    def predict(self, inputs: RowReader, count: int, label: str = "predicting") -> list[FloatArray]:
        """All outputs of the model for ``count`` samples, in inference mode.

        Args:
            inputs: positions -> scaled samples ``(b, *shape)``.

        Returns: one array ``(count, ...)`` an output.
        """
        parts = [outputs for outputs, _ in self._batches(inputs, count, (), label)]
        return [np.concatenate(batches) for batches in zip(*parts, strict=True)]

    def activations(
        self, inputs: NDArray[Any], taps: Sequence[Tap], label: str = "forward pass"
    ) -> tuple[list[FloatArray], dict[Tap, FloatArray]]:
        """Outputs of the model and values at ``taps``, all from one forward pass.

        Args:
            inputs: ``(n, *shape)``, scaled.
            taps: where to read. Values are as the layer makes them, ``(n, ...)``.

        Raises:
            UsageError: a tap's address does not exist, or has no attention to read.
        """
        taps = tuple(dict.fromkeys(taps))
        parts = list(self._batches(lambda rows: inputs[rows], len(inputs), taps, label))
        outputs = [np.concatenate(p) for p in zip(*(o for o, _ in parts), strict=True)]
        seen = [np.concatenate(p) for p in zip(*(s for _, s in parts), strict=True)]
        return outputs, dict(zip(taps, seen, strict=True))

    def reduce(
        self, inputs: RowReader, count: int, taps: Sequence[Tap], reducer: Reducer, label: str
    ) -> Iterator[Any]:
        """Run ``reducer`` on the values at ``taps`` inside the traced pass, a batch at a time.

        Memory does not depend on ``count``: only what ``reducer`` returns leaves the pass.

        Args:
            inputs: positions -> scaled samples ``(b, *shape)``.
            count: number of samples.
            reducer: dictionary of tensors by tap -> nested structure of tensors. It sees only
                real samples, never padding.
        """
        taps = tuple(dict.fromkeys(taps))
        run = self._function(
            (taps, reducer), lambda _, seen: reducer(dict(zip(taps, seen, strict=True))), taps
        )
        for result in self._run(run, inputs, count, taps, label):
            yield tf.nest.map_structure(lambda t: t.numpy(), result)

    def batch_size(self, taps: Sequence[Tap]) -> int:
        """Samples a batch, so that the values read stay within a fixed amount of memory."""
        shapes = {Tap(call.address): call.output_shape for call in self.calls}
        largest = max((_elements(shape) for shape in shapes.values()), default=1)
        maps = {Tap(c.address, "attention"): c.attention_shape or () for c in self.calls}
        read = sum(
            _elements(maps[tap] if tap in maps else shapes.get(Tap(tap.address), ()))
            for tap in taps
        )
        # The pass itself holds a few of the largest maps beside what is read.
        a_sample = 4 * (read + 4 * largest + int(np.prod(self.shape)))
        return int(np.clip(_BATCH_BYTES // a_sample, 1, self._batch_limit))

    def _batches(
        self, inputs: RowReader, count: int, taps: tuple[Tap, ...], label: str
    ) -> Iterator[tuple[list[FloatArray], list[FloatArray]]]:
        run = self._function(taps, lambda outputs, seen: (outputs, seen), taps)
        for outputs, seen in self._run(run, inputs, count, taps, label):
            yield [t.numpy() for t in outputs], [t.numpy() for t in seen]

    def _run(
        self,
        run: Callable[[Any, Any], Any],
        inputs: RowReader,
        count: int,
        taps: tuple[Tap, ...],
        label: str,
    ) -> Iterator[Any]:
        """Run batch by batch; where the memory does not suffice, go on with half the batch."""
        start = 0
        while start < count:
            tell(start, count, label)
            size = self.static_batch or self.batch_size(taps)
            rows = np.arange(start, min(count, start + size))
            try:
                result = run(*self._pad(inputs(rows)))
            except tf.errors.ResourceExhaustedError:
                if self.static_batch or size == 1:
                    raise
                self._batch_limit = size // 2
                continue
            yield result
            start += len(rows)
        tell(count, count, label)

    def _pad(self, batch: NDArray[Any]) -> tuple[Any, Any]:
        real = len(batch)
        if self.static_batch and real < self.static_batch:
            filler = np.repeat(batch[:1], self.static_batch - real, axis=0)
            batch = np.concatenate([batch, filler])
        return tf.cast(batch, self._input_spec().dtype), tf.constant(real)

    def _function(
        self, key: Any, finish: Callable[[list[Any], list[Any]], Any], taps: tuple[Tap, ...]
    ) -> Any:
        if key not in self._functions:
            for tap in taps:
                self._check(tap)
            self._functions[key] = self._trace(taps, finish)
        return self._functions[key]

    def _check(self, tap: Tap) -> None:
        if tap.stage == "attention" and not self.call(tap.address).has_attention:
            known = [call.address for call in self.calls if call.has_attention]
            listed = f"Layers that have: {', '.join(known)}." if known else "No layer here has."
            raise UsageError(f"{tap.address!r} has no attention map to read. {listed}")
        if not self.call(tap.address).per_sample:
            raise UsageError(f"{tap.address!r} gives no value for each sample, so it has no rows.")

    def _trace(self, taps: tuple[Tap, ...], finish: Callable[[list[Any], list[Any]], Any]) -> Any:
        def forward(inputs: Any, real: Any) -> Any:
            self.traces += 1
            outputs, trace, _ = self._listen(inputs)
            seen = [_read(trace, tap)[:real] for tap in taps]
            return finish([output[:real] for output in outputs], seen)

        signature = [self._input_spec(), tf.TensorSpec([], tf.int32)]
        function = tf.function(forward, input_signature=signature, autograph=False)
        # Called as it is: TensorFlow would warn that several functions from this place are traced.
        return function.get_concrete_function()

    def _input_spec(self) -> tf.TensorSpec:
        declared = "float32" if self._input is None else self._input.dtype
        return tf.TensorSpec([self.static_batch, *self.shape], declared)

    def _listen(self, inputs: Any) -> tuple[list[Any], Trace, Listener]:
        listener = Listener(self.model)
        given = self._others.complete(inputs)
        with listener.listening(given) as trace:
            outputs = answer(self.model, self._others.arrange(given))
        return [_dense(output) for output in outputs], trace, listener

    @cached_property
    def _layout(self) -> _Layout:
        """Trace the model once, with a number of samples that tells their axis from others."""
        found: list[_Layout] = []

        def forward(inputs: Any) -> Any:
            self.traces += 1
            outputs, trace, listener = self._listen(inputs)
            found.append(
                _Layout(
                    calls=tuple(trace.calls if self.static_batch else map(_free, trace.calls)),
                    output_calls=tuple(tuple(listener.producers_of(o)) for o in outputs),
                    output_shapes=tuple((None, *shape_of(o)[1:]) for o in outputs),
                    output_endings=tuple(map(find_endings, outputs)),
                )
            )
            return outputs

        spec = self._input_spec()
        counted = tf.TensorSpec([self.static_batch or _TELLING, *self.shape], spec.dtype)
        tf.function(forward, autograph=False).get_concrete_function(counted)
        return found[-1]


def _read(trace: Trace, tap: Tap) -> Any:
    if tap.stage == "attention":
        return _dense(trace.attention[tap.address])
    if tap.stage == "before" and tap.address in trace.before:
        return _dense(trace.before[tap.address])
    return _dense(trace.after[tap.address])


def _dense(tensor: Any) -> Any:
    """float32, whatever precision the layer computes in: NumPy has no bfloat16."""
    return tf.cast(tensor, tf.float32)


def _free(call: LayerCall) -> LayerCall:
    """The call with its first axis open, wherever that counts the samples."""

    def free(shape: Shape) -> Shape:
        return (None, *shape[1:]) if shape[:1] == (_TELLING,) else shape

    given = tuple(map(free, call.input_shapes))
    attention = None if call.attention_shape is None else free(call.attention_shape)
    return replace(
        call,
        input_shapes=given,
        output_shape=free(call.output_shape),
        attention_shape=attention,
    )


def _elements(shape: tuple[int | None, ...]) -> int:
    return int(np.prod([size or 1 for size in shape[1:]])) if shape else 1
