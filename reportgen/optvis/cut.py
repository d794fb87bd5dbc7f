"""The model from its input to the places that an objective reads, and no further."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import NDArray

from reportgen.errors import UsageError
from reportgen.optvis.places import Head, Place, Tensor
from reportgen.optvis.rectifiers import redirected_rectifiers
from reportgen.subject.complaints import find_reason
from reportgen.subject.layers import Trace
from reportgen.subject.open_call import OpenCall
from reportgen.subject.probe import Tap
from reportgen.subject.scores import find_scores
from reportgen.subject.shadowing import computing_in


class Cut:
    """Reads ``places`` of ``model`` inside a traced function.

    position, held, weights: see `OpenCall`; several cuts can share the weights.
    policy: precision that the layers compute in, such as ``mixed_bfloat16``; None as they are.
    redirect: let gradients through ReLUs that are silent everywhere, see `rectifiers`.
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
        self.policy = policy
        self.redirect = redirect
        self._call = OpenCall(model, position=position, held=held, weights=weights)

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
        within: list[AbstractContextManager[Any]] = []
        if self.policy:
            within.append(computing_in(self.model, self.policy))
        if self.redirect:
            within.append(redirected_rectifiers(self.model, chosen))
        short = self.policy == "mixed_bfloat16"
        try:
            return self._call.run(inputs, until=until, within=tuple(within), short=short)
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            raise UsageError(self._explain(inputs, error)) from None

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
