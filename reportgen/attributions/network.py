"""A model as attributions ask it: scores and their derivatives, at its input and at its layers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from reportgen.attributions.cells import Grid
from reportgen.progress import tell
from reportgen.subject.batch_statistics import list_norms, normalise_by_batch
from reportgen.subject.inputs import InputSpec
from reportgen.subject.layers import LayerCall, Trace
from reportgen.subject.open_call import OpenCall
from reportgen.subject.outputs import Reading
from reportgen.subject.scores import find_scores

Tensor = Any  # of TensorFlow, which has no types to check
FloatArray = NDArray[np.float32]
Ints = NDArray[np.int64]
Values = Mapping[int, Tensor]  # in place of weights, by id of the variable; often empty
_MOST_AT_ONCE = 128
_FORWARD_BYTES = 128 * 2**20
_GRADIENT_BYTES = 512 * 2**20


class Network:
    """A model of one audited output.

    Pictures are scaled and channels last everywhere, ``(n, h, w, c)`` float32: what the model
    takes, but for the layout. A score is the inner product of an output before its softmax or
    sigmoid with a direction ``(units,)``: one class, one class against another, or the negative of
    a sigmoid's only unit.

    Every function is traced once, for the model's own weights, as constants, and once more where
    others are put in their place.
    """

    def __init__(
        self,
        model: keras.Model,
        spec: InputSpec,
        reading: Reading,
        calls: Sequence[LayerCall],
        *,
        position: int = 0,
        held: Mapping[int, NDArray[Any]] | None = None,
    ) -> None:
        self.model = model
        self.spec = spec
        self.reading = reading
        self.calls = tuple(calls)
        self.static_batch: int | None = model.inputs[position].shape[0]
        self._call = OpenCall(model, position=position, held=held)
        self._functions: dict[Any, Any] = {}
        self._limits: dict[str, int] = {}
        self._weights: tuple[FloatArray, ...] = ()
        self.traces = 0

    @property
    def units(self) -> int:
        """Values of the audited output."""
        return self.reading.output.units

    def with_weights(self, weights: Sequence[NDArray[Any]]) -> Network:
        """The same with other weights, in the order of ``model.weights``; the model keeps its."""
        other = copy.copy(self)
        other._weights = tuple(weights)
        return other

    def logits(self, pictures: FloatArray, label: str = "asking") -> FloatArray:
        """What goes into the last softmax or sigmoid, ``(n, units)``."""

        def forward(values: Values, inputs: Tensor) -> list[Tensor]:
            return [self._logits(values, inputs)[1]]

        made = self._run("logits", forward, [self._pictures()], len(pictures), label)
        return np.concatenate([part for (part,) in made(lambda rows: [pictures[rows]])])

    def gradients(
        self, make: Callable[[Ints], FloatArray], directions: FloatArray, of: Ints, label: str
    ) -> Iterator[tuple[Ints, FloatArray, FloatArray]]:
        """Scores and their gradients, batch by batch.

        Args:
            make: numbers of items -> pictures ``(b, h, w, c)``. of: for each item, which of the
                directions ``(n, units)`` it is asked for, ``(items,)``.

        Yields: numbers of items ``(b,)``, scores ``(b,)``, gradients ``(b, h, w, c)``.
        """

        def forward(values: Values, inputs: Tensor, wanted: Tensor) -> list[Tensor]:
            score = tf.reduce_sum(self._logits(values, inputs)[1] * wanted, axis=1)
            return [score, _derive(score, inputs)]

        signature = [self._pictures(), self._directions()]
        run = self._run("gradients", forward, signature, len(of), label, wide=True)
        start = 0
        for score, gradient in run(lambda rows: [make(rows), directions[of[rows]]]):
            yield np.arange(start, start + len(score)), score, gradient
            start += len(score)

    def maps(
        self, pictures: FloatArray, directions: FloatArray, call: LayerCall, label: str = "maps"
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Activations of a layer, the gradients of the scores by them, and the scores.

        Returns: ``(n, h, w, k)`` twice, ``(n,)``.
        """

        def forward(values: Values, inputs: Tensor, wanted: Tensor) -> list[Tensor]:
            trace, logits = self._logits(values, inputs)
            score = tf.reduce_sum(logits * wanted, axis=1)
            found = trace.after[call.address]
            both = [found, _derive(score, found)]
            return [*(_channels_last(t, call.channel_axis) for t in both), score]

        signature = [self._pictures(), self._directions()]
        key = f"maps {call.address}"
        run = self._run(key, forward, signature, len(pictures), label, wide=True)
        parts = list(run(lambda rows: [pictures[rows], directions[rows]]))
        found, gradients, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
        return found, gradients, scores

    def activations(self, pictures: FloatArray, call: LayerCall) -> FloatArray:
        """What a layer makes of the pictures, ``(n, h, w, k)``."""

        def forward(values: Values, inputs: Tensor) -> list[Tensor]:
            until = frozenset({call.address})
            trace, _ = self._call.run(self._arrange(inputs), values=values, until=until)
            return [_channels_last(trace.after[call.address], call.channel_axis)]

        key = f"activations {call.address}"
        run = self._run(key, forward, [self._pictures()], len(pictures), "maps")
        return np.concatenate([part for (part,) in run(lambda rows: [pictures[rows]])])

    def without(self, pictures: FloatArray, call: LayerCall) -> FloatArray:
        """Logits with all activations of a layer at zero, ``(n, units)``."""

        def silence(layer: Any, *args: Any, **named: Any) -> Any:
            return tf.nest.map_structure(tf.zeros_like, layer(*args, **named))

        def forward(values: Values, inputs: Tensor) -> list[Tensor]:
            return [self._logits(values, inputs, {call.address: silence})[1]]

        key = f"without {call.address}"
        run = self._run(key, forward, [self._pictures()], len(pictures), "silencing a layer")
        return np.concatenate([part for (part,) in run(lambda rows: [pictures[rows]])])

    def covered(
        self,
        pictures: FloatArray,
        fills: FloatArray,
        of: Ints,
        grid: Grid,
        patterns: NDArray[np.bool_],
        label: str,
    ) -> FloatArray:
        """Logits with some cells replaced, ``(items, units)``.

        Args:
            fills: what stands in place of each picture, ``(n, h, w, c)``. of: picture of each
                item. patterns: cells that are replaced, ``(items, cells)``.
        """
        where = tf.constant(grid.cells, tf.int32)

        def forward(
            values: Values, all_: Tensor, instead: Tensor, rows: Tensor, cells: Tensor
        ) -> list[Tensor]:
            covered = tf.gather(cells, where, axis=1)[..., None]
            inputs = tf.where(covered, tf.gather(instead, rows), tf.gather(all_, rows))
            return [self._logits(values, self._sized(inputs))[1]]

        some = tf.TensorSpec([None, *self.spec.pixels], tf.float32)
        number = tf.TensorSpec([self.static_batch], tf.int32)
        cells = tf.TensorSpec([self.static_batch, grid.count], tf.bool)
        key = f"covered {grid.rows} {grid.columns}"
        run = self._run(key, forward, [some, some, number, cells], len(of), label)
        both = [tf.constant(pictures, tf.float32), tf.constant(fills, tf.float32)]
        made = run(lambda rows: [*both, of[rows].astype(np.int32), patterns[rows]])
        return np.concatenate([part for (part,) in made])

    def masked(
        self,
        pictures: FloatArray,
        fills: FloatArray,
        of: Ints,
        masks: FloatArray,
        which: Ints,
        label: str,
    ) -> FloatArray:
        """Logits of ``x m + fill (1 - m)``, ``(items, units)``.

        Args:
            masks: ``(m, a, b)``, enlarged to the picture by half-pixel bilinear. of, which: picture
                and mask of each item.
        """

        def forward(
            values: Values,
            all_: Tensor,
            instead: Tensor,
            given: Tensor,
            rows: Tensor,
            whose: Tensor,
        ) -> list[Tensor]:
            mask = tf.image.resize(tf.gather(given, whose)[..., None], self.spec.pixels[:2])
            inputs = mask * tf.gather(all_, rows) + (1 - mask) * tf.gather(instead, rows)
            return [self._logits(values, self._sized(inputs))[1]]

        some = tf.TensorSpec([None, *self.spec.pixels], tf.float32)
        number = tf.TensorSpec([self.static_batch], tf.int32)
        mask = tf.TensorSpec([None, *masks.shape[1:]], tf.float32)
        key = f"masked {masks.shape[1:]}"
        run = self._run(key, forward, [some, some, mask, number, number], len(of), label)
        all_ = [tf.constant(values, tf.float32) for values in (pictures, fills, masks)]
        made = run(lambda rows: [*all_, *(t[rows].astype(np.int32) for t in (of, which))])
        return np.concatenate([part for (part,) in made])

    def statistics(self, pictures: FloatArray) -> dict[Any, tuple[FloatArray, FloatArray]]:
        """Of every BatchNormalization, the mean and variance that reach it, ``(channels,)`` each.

        Each layer normalises by its own batch while that is measured: so these are the statistics
        that the network would have stored. Of as many pictures as one pass takes, spread over all.
        """
        norms = list_norms(self.calls)
        if not norms:
            return {}

        def forward(values: Values, inputs: Tensor) -> list[Tensor]:
            moments: dict[str, tuple[Tensor, Tensor]] = {}
            self._logits(values, inputs, normalise_by_batch(norms, moments, own=True))
            return [part for address in norms for part in moments[address]]

        function = self._function("statistics", forward, [self._pictures()])
        size = self.static_batch or self._size(wide=False)
        spread = np.linspace(0, len(pictures) - 1, min(size, len(pictures))).astype(np.int64)
        some = pictures[np.resize(spread, self.static_batch or len(spread))]
        given = map(tf.constant, (some, *self._weights))
        made = [part.numpy() for part in function(*given)]
        pairs = zip(made[::2], made[1::2], strict=True)
        return {norms[address].layer: pair for address, pair in zip(norms, pairs, strict=True)}

    def attention(self, pictures: FloatArray) -> list[FloatArray]:
        """Attention probabilities of every layer that has them, ``(n, heads, tokens, tokens)``."""

        def forward(values: Values, inputs: Tensor) -> list[Tensor]:
            trace, _ = self._logits(values, inputs)
            return [tf.cast(t, tf.float32) for t in trace.attention.values()]

        run = self._run("attention", forward, [self._pictures()], len(pictures), "attention")
        parts = list(run(lambda rows: [pictures[rows]]))
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    def _logits(
        self,
        values: Values,
        pictures: Tensor,
        instead: Mapping[str, Callable[..., Any]] | None = None,
    ) -> tuple[Trace, Tensor]:
        trace, outputs = self._call.run(self._arrange(pictures), values=values, instead=instead)
        made = find_scores(outputs[self.reading.output.index])
        return trace, tf.reshape(tf.cast(made, tf.float32), [-1, self.units])

    def _arrange(self, pictures: Tensor) -> Tensor:
        if self.spec.layout == "channels_first":
            return tf.transpose(pictures, (0, 3, 1, 2))
        return pictures[..., 0] if self.spec.layout == "no_channel" else tf.identity(pictures)

    def _sized(self, pictures: Tensor) -> Tensor:
        """The same; the number of pictures is known where it is fixed."""
        return tf.ensure_shape(pictures, [self.static_batch, *self.spec.pixels])

    def _pictures(self) -> Any:
        return tf.TensorSpec([self.static_batch, *self.spec.pixels], tf.float32)

    def _directions(self) -> Any:
        return tf.TensorSpec([self.static_batch, self.units], tf.float32)

    def _run(
        self,
        key: str,
        forward: Callable[..., list[Tensor]],
        signature: list[Any],
        count: int,
        label: str,
        *,
        wide: bool = False,
    ) -> Callable[..., Iterator[list[NDArray[Any]]]]:
        """A function of what makes arguments of numbers of items; it goes through all items.

        wide: it keeps all activations, for the gradient. Where the memory does not suffice, it goes
        on with half as many items at once.
        """
        function = self._function(key, forward, signature)
        size = self.static_batch or self._limits.setdefault(key, self._size(wide=wide))

        def through(make: Callable[[Ints], list[Any]]) -> Iterator[list[NDArray[Any]]]:
            nonlocal size
            start = 0
            while start < count:
                tell(start, count, label)
                rows = np.arange(start, min(count, start + size))
                given = make(np.resize(rows, self.static_batch or len(rows)))
                try:
                    made = function(*map(tf.convert_to_tensor, given), *self._weights)
                except tf.errors.ResourceExhaustedError:
                    if self.static_batch or size == 1:
                        raise
                    size = self._limits[key] = size // 2
                    continue
                yield [values.numpy()[: len(rows)] for values in made]
                start += len(rows)
            tell(count, count, label)

        return through

    def _function(
        self, key: str, forward: Callable[..., list[Tensor]], signature: list[Any]
    ) -> Any:
        own = (key, bool(self._weights))
        if own not in self._functions:
            specs = [tf.TensorSpec(w.shape, w.dtype) for w in self._weights]

            def traced(*given: Tensor) -> list[Tensor]:
                self.traces += 1
                inputs, weights = given[: len(signature)], given[len(signature) :]
                pairs = zip(self.model.weights, weights, strict=False)
                return forward({id(variable): value for variable, value in pairs}, *inputs)

            function = tf.function(traced, input_signature=[*signature, *specs], autograph=False)
            self._functions[own] = function.get_concrete_function()
        return self._functions[own]

    def _size(self, *, wide: bool) -> int:
        """Pictures at once, so that what a pass holds stays within a fixed amount of memory."""
        sizes = [_elements(call.output_shape) for call in self.calls] or [1]
        picture = int(np.prod(self.spec.pixels))
        a_picture = 4 * (2 * sum(sizes) if wide else 4 * max(sizes)) + 16 * picture
        most = (_GRADIENT_BYTES if wide else _FORWARD_BYTES) // a_picture
        return int(np.clip(most, 1, _MOST_AT_ONCE))


def _derive(score: Tensor, values: Tensor) -> Tensor:
    """d score / d values, each by its own; zeros where the score does not depend on them."""
    (found,) = tf.gradients(score, values)
    return tf.zeros_like(values) if found is None else tf.convert_to_tensor(found)


def _channels_last(values: Tensor, axis: int) -> Tensor:
    rank = values.shape.rank
    values = tf.cast(values, tf.float32)
    if axis == rank - 1:
        return values
    return tf.transpose(values, [*(i for i in range(rank) if i != axis), axis])


def _elements(shape: tuple[int | None, ...]) -> int:
    return int(np.prod([side or 1 for side in shape[1:]])) if shape else 1
