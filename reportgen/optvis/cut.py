"""The model from its input to the places that an objective reads, and no further."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from reportgen.errors import UsageError
from reportgen.optvis.places import Head, Place, Tensor
from reportgen.optvis.rectifiers import redirected_rectifiers
from reportgen.subject.at_rest import answer
from reportgen.subject.complaints import find_reason
from reportgen.subject.derivatives import differentiable
from reportgen.subject.layers import Listener, Reached, Trace
from reportgen.subject.probe import Tap
from reportgen.subject.scores import is_closed, scores_behind
from reportgen.subject.shadowing import computing_in, shadowed

_MOST_FROZEN = 256 * 2**20  # bytes of weights
# Of a probability that its scores cannot be found behind: as far as float32 can tell from 0 and 1.
_LEAST = 1e-7


class Cut:
    """Reads ``places`` of ``model`` inside a traced function.

    held: for models with several inputs, one sample for each of the others, by position.
    policy: precision that the layers compute in, such as ``mixed_bfloat16``; None as they are.
    redirect: let gradients through ReLUs that are silent everywhere, see `rectifiers`.
    weights: see `read_small_weights`, where several cuts share them.
    """

    def __init__(
        self,
        model: keras.Model,
        places: Sequence[Place],
        *,
        position: int = 0,
        held: dict[int, NDArray[Any]] | None = None,
        policy: str | None = None,
        redirect: bool = False,
        weights: dict[int, NDArray[Any]] | None = None,
    ) -> None:
        self.model = model
        self.places = tuple(places)
        self.position = position
        self.held = held or {}
        self.policy = policy
        self.redirect = redirect
        self._frozen = read_small_weights(model) if weights is None else weights

    def read(self, inputs: Tensor, chosen: Tensor | None = None) -> dict[Place, Tensor]:
        """Values at the places, channels last, float32, for inputs ``(b, ...)`` of any size.

        chosen: ``(b,)``, the images whose gradients are redirected; None: all.

        Raises:
            UsageError: no such layer, or inputs of this size do not reach it.
        """
        taps = [place for place in self.places if isinstance(place, Tap)]
        until = frozenset(tap.address for tap in taps) if len(taps) == len(self.places) else None
        trace, outputs = self._run(inputs, until or frozenset(), chosen)
        self._check(taps, trace)
        return {
            place: _read_tap(trace, place)
            if isinstance(place, Tap)
            else _read_head(outputs, place, trace)
            for place in self.places
        }

    def _run(
        self, inputs: Tensor, until: frozenset[str], chosen: Tensor | None
    ) -> tuple[Trace, list[Tensor]]:
        given = self._complete(inputs)
        listener = Listener(self.model, until)
        with ExitStack() as stack:
            if self.policy:
                stack.enter_context(computing_in(self.model, self.policy))
            if self.redirect:
                stack.enter_context(redirected_rectifiers(self.model, chosen))
            stack.enter_context(any_size(self.model))
            stack.enter_context(differentiable())
            short = self.policy == "mixed_bfloat16"
            stack.enter_context(_Constants(self._frozen, short=short))
            trace = stack.enter_context(listener.listening(given))
            try:
                made = answer(self.model, self._arrange(given))
            except Reached:
                return trace, []
            except (ValueError, tf.errors.InvalidArgumentError) as error:
                raise UsageError(self._explain(inputs, error)) from None
        return trace, [tf.cast(t, tf.float32) for t in made]

    def _complete(self, inputs: Tensor) -> list[Tensor]:
        count = len(getattr(self.model, "inputs", None) or (inputs,))  # unknown: of own classes
        missing = [i for i in range(count) if i != self.position and i not in self.held]
        if missing:
            names = ", ".join(f"{i} ({self.model.inputs[i].name})" for i in missing)
            raise UsageError(
                f"The model has {count} inputs. Say at which sample the others are held: {names}."
            )
        given = []
        for i in range(count):
            if i == self.position:
                given.append(inputs)
            else:
                sample = tf.cast(self.held[i], self.model.inputs[i].dtype)[None]
                times = [tf.shape(inputs)[0], *[1] * (len(sample.shape) - 1)]
                given.append(tf.tile(sample, times))
        return given

    def _arrange(self, given: list[Tensor]) -> Any:
        """As the model was declared to be called: one, a list or a dictionary."""
        declared = getattr(self.model, "_inputs_struct", None)
        if isinstance(declared, dict):
            return keras.tree.pack_sequence_as(declared, given)
        return given if len(given) > 1 or isinstance(declared, list) else given[0]

    def _explain(self, inputs: Tensor, error: Exception) -> str:
        size = tuple(inputs.shape[1:])
        return (
            f"Images of {size} do not get as far as {', '.join(self._names())}: "
            f"{find_reason(error)}. Leave the size out to use the one that the model was made for."
        )

    def _names(self) -> list[str]:
        return [p.address if isinstance(p, Tap) else f"output {p.index}" for p in self.places]

    def _check(self, taps: Sequence[Tap], trace: Trace) -> None:
        for tap in taps:
            if tap.address not in trace.after:
                last = tap.address.split("/")[-1]
                known = [call.address for call in trace.calls]
                near = [address for address in known if address.split("/")[-1] == last]
                listed = ", ".join((near or known)[:12])
                raise UsageError(f"No layer {tap.address!r} in this model. There are: {listed}.")


class _Constants(keras.StatelessScope):  # type: ignore[misc]
    """The weights as constants of the graph: TensorFlow prepares them once, not every step.

    Each is made when it is first read, so that a cut near the input does not carry the rest.
    short: kernels in bfloat16, which layers that compute in it would otherwise cast every step.
    """

    def __init__(self, frozen: dict[int, NDArray[Any]], *, short: bool) -> None:
        super().__init__()
        self._frozen = frozen
        self._short = short
        # A loop inside a layer is a graph of its own, whose constants nobody else could read.
        self._graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()

    def get_current_value(self, variable: Any) -> Tensor | None:
        """The constant; None for variables that are not frozen."""
        value = super().get_current_value(variable)
        if value is None and id(variable) in self._frozen:
            with self._graph.as_default() if self._graph else nullcontext():
                kernel = self._short and variable.name.endswith("kernel")
                dtype = tf.bfloat16 if kernel else None
                value = tf.constant(self._frozen[id(variable)], dtype)
            self.state_mapping[id(variable)] = value
        return value


def read_small_weights(model: keras.Model) -> dict[int, NDArray[Any]]:
    """By id, weights that a graph can hold as constants: none of a large model, for its memory."""
    total = sum(int(np.prod(weight.shape)) * 4 for weight in model.weights)
    return {id(w): w.numpy() for w in model.weights} if total <= _MOST_FROZEN else {}


def _read_tap(trace: Trace, tap: Tap) -> Tensor:
    call = next(call for call in trace.calls if call.address == tap.address)
    before = tap.stage == "before" and tap.address in trace.before
    values = tf.cast((trace.before if before else trace.after)[tap.address], tf.float32)
    axis, rank = call.channel_axis, values.shape.rank
    if axis != rank - 1:
        values = tf.transpose(values, [*(i for i in range(rank) if i != axis), axis])
    return values


def _read_head(outputs: Sequence[Tensor], head: Head, trace: Trace) -> Tensor:
    if head.index >= len(outputs):
        raise UsageError(f"The model has {len(outputs)} outputs, there is no output {head.index}.")
    output = outputs[head.index]
    return output if head.stage == "output" else find_scores(output)


def find_scores(output: Tensor) -> Tensor:
    """What goes into the last softmax or sigmoid; ``output`` itself if it comes from neither.

    The graph is walked back, so it does not matter whether a layer, an activation or a bare
    operation made the probabilities. Where they come out of a closed function, their log-odds.
    """
    scores = scores_behind(output)
    if scores is not None:
        return tf.cast(scores, tf.float32)
    if is_closed(output):
        inside = tf.clip_by_value(output, _LEAST, 1 - _LEAST)
        is_probability = tf.reduce_all((output >= 0) & (output <= 1))
        return tf.where(is_probability, tf.math.log(inside) - tf.math.log1p(-inside), output)
    return output


@contextmanager
def any_size(model: keras.Model) -> Iterator[None]:
    """Let containers of layers take images of another size or type than they were built for.

    Convolutions do not mind; a dense layer behind a flattening does, and says so. Inputs that
    were declared as whole numbers would be rounded, which has no gradient.
    """
    containers = [model, *(part for part in model._flatten_layers() if _contains(part))]
    containers += [inner for part in containers if (inner := getattr(part, "_functional", None))]
    with ExitStack() as stack:
        for part in {id(part): part for part in containers}.values():
            stack.enter_context(shadowed(part, "_assert_input_compatibility", lambda arg: None))
            stack.enter_context(shadowed(part, "_convert_inputs_to_tensors", lambda flat: flat))
        yield


def _contains(part: Any) -> bool:
    return isinstance(part, keras.Model)
