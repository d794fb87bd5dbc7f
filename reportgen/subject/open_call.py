"""A model called inside a traced function so that everything on the way can be differentiated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from reportgen.subject.at_rest import answer
from reportgen.subject.derivatives import differentiable
from reportgen.subject.layers import Listener, Reached, Trace
from reportgen.subject.other_inputs import OtherInputs
from reportgen.subject.shadowing import shadowed

Tensor = Any  # of TensorFlow, which has no types to check
_MOST_FROZEN = 256 * 2**20  # bytes of weights


class OpenCall:
    """Calls ``model`` through one of its inputs, at rest, and lets every layer be read.

    position, held: see `OtherInputs`. weights: arrays that stand for weights as constants of the
    graph, by id of the variable; None: see `read_small_weights`.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        position: int = 0,
        held: Mapping[int, NDArray[Any]] | None = None,
        weights: dict[int, NDArray[Any]] | None = None,
    ) -> None:
        self.model = model
        self._others = OtherInputs(model, position, held or {})
        self._frozen = read_small_weights(model) if weights is None else weights

    def run(
        self,
        inputs: Tensor,
        *,
        until: frozenset[str] = frozenset(),
        within: tuple[AbstractContextManager[Any], ...] = (),
        short: bool = False,
        values: Mapping[int, Tensor] | None = None,
        instead: Mapping[str, Callable[..., Any]] | None = None,
    ) -> tuple[Trace, list[Tensor]]:
        """What the layers and the model make of ``(b, ...)``; inside a traced function.

        Args:
            until: addresses of calls after which the rest of the model need not run; then there
                are no outputs.
            within: what surrounds the call.
            short: kernels as constants in bfloat16, for layers that compute in it.
            values: tensors in place of weights, by id of the variable.
            instead: see `Listener`.

        Raises:
            UsageError: another input needs a sample and has none.
        """
        given = self._others.complete(inputs)
        listener = Listener(self.model, until, instead)
        with ExitStack() as stack:
            for context in within:
                stack.enter_context(context)
            stack.enter_context(any_size(self.model))
            stack.enter_context(differentiable())
            stack.enter_context(_Constants(self._frozen, values or {}, short=short))
            trace = stack.enter_context(listener.listening(given))
            try:
                made = answer(self.model, self._others.arrange(given))
            except Reached:
                return trace, []
        return trace, [tf.cast(t, tf.float32) for t in made]


class _Constants(keras.StatelessScope):  # type: ignore[misc]
    """The weights as constants of the graph: TensorFlow prepares them once, not every step.

    Each is made when it is first read, so that a call that ends early does not carry the rest.
    values: stand for weights before the constants do. short: kernels in bfloat16, which layers
    that compute in it would otherwise cast every step.
    """

    def __init__(
        self, frozen: dict[int, NDArray[Any]], values: Mapping[int, Tensor], *, short: bool
    ) -> None:
        super().__init__()
        self.state_mapping.update(values)
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
