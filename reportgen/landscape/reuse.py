"""What all points of a plane have in common, computed once.

- What no moved weight reaches: a frozen backbone is run once for each sample, not for each point.
- The first layers that a moved weight reaches, where they are linear in their weights: for
  ``w + a d1 + b d2`` such a layer gives ``y0 + a y1 + b y2``, so three products serve the whole
  plane. Exact; it pays where a product costs more than reading three results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reportgen.landscape.model import Model
from reportgen.subject.at_rest import answer
from reportgen.subject.channel_weights import filter_axes
from reportgen.subject.layers import LayerCall, Listener
from reportgen.subject.shadowing import HALF, computing_in, shadowed

Tensor = Any  # of TensorFlow, which has no types to check
_MOST_BYTES = 2**30  # of what is kept for all samples
# Products for one output value, from which the sum of three results is cheaper.
_WORTH = 128
_LINEAR = ("Dense", "EinsumDense", "Conv", "DepthwiseConv")


@dataclass(frozen=True, eq=False)
class Reuse:
    """What is computed once. frozen, linear: the calls whose results are kept."""

    frozen: tuple[LayerCall, ...]
    linear: tuple[LayerCall, ...]
    _functions: dict[Any, Any] = field(default_factory=dict)

    def substitutes(
        self, held: Sequence[Tensor], steps: Tensor | None
    ) -> dict[str, Callable[..., Tensor]]:
        """What takes the place of the layers, by address."""
        made: dict[str, Callable[..., Tensor]] = {
            call.address: partial(_ignore, held[i]) for i, call in enumerate(self.frozen)
        }
        if steps is not None:
            for i, call in enumerate(self.linear):
                first = len(self.frozen) + 3 * i
                parts = held[first : first + 3]
                made[call.address] = partial(_combine, call.layer, parts, steps)
        return made

    def hold_frozen(self, model: Model, inputs: Tensor) -> tuple[Tensor, ...]:
        """Results of the frozen calls for these inputs."""
        if not self.frozen:
            return ()

        def run(inputs: Tensor) -> list[Tensor]:
            return self._read(model, None, inputs, (), self.frozen, linear=False)

        return tuple(self._traced("frozen", run, inputs)(inputs))

    def hold_plane(
        self, model: Model, inputs: Tensor, frozen: tuple[Tensor, ...], ways: list[list[Tensor]]
    ) -> tuple[Tensor, ...]:
        """The frozen results, and of each linear call its result for each of three weights."""
        if not self.linear:
            return frozen

        def run(inputs: Tensor, frozen: tuple[Tensor, ...], ways: list[list[Tensor]]) -> Any:
            return [
                self._read(model, way, inputs, frozen, self.linear, linear=True) for way in ways
            ]

        made = self._traced("plane", run, inputs, frozen, ways)(inputs, frozen, ways)
        by_call = zip(*made, strict=True)
        return (*frozen, *(part for call in by_call for part in call))

    def _traced(self, name: str, run: Callable[..., Any], *given: Any) -> Any:
        shapes = tuple(tuple(t.shape) for t in tf.nest.flatten(given))
        if (name, shapes) not in self._functions:
            specs = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), given)
            traced = tf.function(run, autograph=False).get_concrete_function(*specs)
            self._functions[name, shapes] = traced
        return self._functions[name, shapes]

    def _read(
        self,
        model: Model,
        values: Sequence[Tensor] | None,
        inputs: Tensor,
        frozen: Sequence[Tensor],
        wanted: Sequence[LayerCall],
        *,
        linear: bool,
    ) -> list[Tensor]:
        """Results of ``wanted``; the rest of the network falls away when the graph is pruned."""
        seen: dict[str, Tensor] = {}

        def keep(
            address: str, layer: Any, call: Callable[..., Tensor], *given: Any, **named: Any
        ) -> Tensor:
            with ExitStack() as stack:
                if linear:
                    stack.enter_context(shadowed(layer, "activation", None))
                seen[address] = call(*given, **named)
            return seen[address]

        instead = self.substitutes(frozen, None) if linear else {}
        instead |= {c.address: partial(keep, c.address, c.layer) for c in wanted}
        pairs = list(zip(model.parameters.variables, values or (), strict=False))
        with ExitStack() as stack:
            for half in HALF:
                stack.enter_context(computing_in(model.network, "float32", instead_of=half))
            stack.enter_context(keras.StatelessScope(state_mapping=pairs))
            listener = Listener(model.network, instead=instead)
            stack.enter_context(listener.listening([inputs]))
            answer(model.network, inputs)
        return [seen[call.address] for call in wanted]


def _ignore(held: Tensor, call: Callable[..., Tensor], *given: Any, **named: Any) -> Tensor:
    return held


def _combine(
    layer: Any,
    parts: Sequence[Tensor],
    steps: Tensor,
    call: Callable[..., Tensor],
    *given: Any,
    **named: Any,
) -> Tensor:
    base, first, second = parts
    values = base + steps[0] * first + steps[1] * second
    return values if layer.activation is None else layer.activation(values)


def plan_reuse(
    model: Model, calls: Sequence[LayerCall], samples: int, most_bytes: int = _MOST_BYTES
) -> Reuse | None:
    """What of the network is the same for all points; None if nothing is worth keeping.

    Args:
        calls: every call of a layer, in order. samples: how many results are kept of each.
        most_bytes: that they may take; beyond it the network runs as a whole.
    """
    moved = {id(variable) for variable in model.parameters.variables}
    reached: list[bool] = []
    for call in calls:
        own = any(id(weight) in moved for weight in getattr(call.layer, "weights", ()))
        reached.append(own or any(reached[i] for i in call.inputs if i >= 0))
    frontier = sorted(
        {
            i
            for k, call in enumerate(calls)
            if reached[k]
            for i in call.inputs
            if i >= 0 and not reached[i]
        }
    )
    frozen = tuple(calls[i] for i in frontier if _is_worth_keeping(calls, i))
    if len(frozen) != len([i for i in frontier if not _is_free(calls, i)]):
        frozen = ()
    linear = tuple(
        call
        for k, call in enumerate(calls)
        if reached[k]
        and not any(reached[i] for i in call.inputs if i >= 0)
        and _is_linear(call, moved)
        and call.outputs == 1
    )
    kept = sum(_elements(c) for c in frozen) + 3 * sum(_elements(c) for c in linear)
    if 4 * kept * samples > most_bytes or not (frozen or linear):
        return None
    return Reuse(frozen, linear)


def _is_worth_keeping(calls: Sequence[LayerCall], position: int) -> bool:
    return calls[position].outputs == 1 and not _is_free(calls, position)


def _is_free(calls: Sequence[LayerCall], position: int) -> bool:
    """Whether nothing before it costs anything: no layer with weights, no change of size."""
    pending = [position]
    while pending:
        call = calls[pending.pop()]
        if getattr(call.layer, "weights", ()) or call.class_name in ("Resizing",):
            return False
        pending += [i for i in call.inputs if i >= 0]
    return True


def _is_linear(call: LayerCall, moved: set[int]) -> bool:
    layer, name = call.layer, call.class_name
    # A class of the user's may well extend one of Keras and add what is not linear.
    of_keras = type(layer).__module__.startswith("keras.")
    if not (of_keras and name.startswith(_LINEAR)) or getattr(layer, "quantization_mode", None):
        return False
    kernel = getattr(layer, "kernel", None)
    own = {id(w) for w in layer.weights}
    plain = {id(kernel), id(getattr(layer, "bias", None))}
    if kernel is None or not own <= plain or not own <= moved:
        return False
    axes = filter_axes(layer, "kernel", len(kernel.shape))
    filters = int(np.prod([kernel.shape[axis] for axis in axes]))
    return int(np.prod(kernel.shape)) >= _WORTH * filters


def _elements(call: LayerCall) -> int:
    return int(np.prod([side or 1 for side in call.output_shape[1:]]))
