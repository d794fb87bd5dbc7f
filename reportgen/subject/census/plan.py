"""What the census reads, what follows without reading, and which layers are made of units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall

_RECTIFIERS = frozenset({"relu", "relu6"})
_MERGES = frozenset({"Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"})
_AT_REST = frozenset(
    {
        "Dropout",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
        "AlphaDropout",
        "GaussianDropout",
        "GaussianNoise",
    }
)
_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel", "embeddings", "cell", "forward_layer")
Kind = Literal["unit", "plain", "before_norm", "behind_norm", "same"]


@dataclass(frozen=True)
class Reading:
    """How the census learns about one call.

    kind: ``unit`` and ``plain`` are read in the pass, units in more detail; ``before_norm`` follows
        from the BatchNormalization that alone takes it, ``behind_norm`` is a BatchNormalization
        that follows from what it takes, ``same`` is the call before it.
    source: address of the call it follows from. norm: the BatchNormalization between them.
    head: the layer whose filters a unit belongs to. counts_zeros: its activation function makes
        exact zeros. follows_low: its lowest value is that of the source, rectified, and need not
        be read.
    """

    call: LayerCall
    kind: Kind
    source: str = ""
    head: str = ""
    counts_zeros: bool = False
    follows_low: bool = False
    norm: Any = None

    @property
    def is_read(self) -> bool:
        """Whether its values are looked at in the pass."""
        return self.kind in ("unit", "plain")


def plan_readings(
    calls: Sequence[LayerCall], output_calls: Sequence[Sequence[int]]
) -> list[Reading]:
    """A reading for each call that has channels, in the order of execution.

    A convolution, its BatchNormalization and its activation function are one set of units: they
    are looked at closely where the set leaves for the next layer, and the model's outputs are not
    units. BatchNormalization at rest is linear, so what is known on one side of it is known on the
    other. It is read behind, where TensorFlow has fused it with the convolution before it.
    """
    users = _users(calls)
    outputs = {position for group in output_calls for position in group}
    planned: dict[int, Reading] = {}
    for position, call in enumerate(calls):
        if not has_channels(call):
            continue
        source = call.inputs[0] if len(call.inputs) == 1 else -1
        known = planned.get(source)
        head = _head(call, known)
        ends = head and not _continues(position, calls, users)
        zeros = call.activation in _RECTIFIERS
        if ends and position not in outputs and call.class_name not in _AT_REST:
            follows = known is not None and known.is_read and zeros and not call.fused
            before = known.call.address if known and follows else ""
            planned[position] = Reading(call, "unit", before, head, zeros, follows)
        elif known and call.class_name in _AT_REST:
            planned[position] = Reading(call, "same", known.call.address, head)
        elif norm := _normalised_alone(position, calls, users, outputs):
            planned[position] = Reading(call, "before_norm", norm.address, head, norm=norm.layer)
        elif known and known.is_read and _is_linear(call, known.call):
            address = known.call.address
            planned[position] = Reading(call, "behind_norm", address, head, norm=call.layer)
        else:
            planned[position] = Reading(call, "plain", head=head, counts_zeros=zeros)
    return list(planned.values())


def has_channels(call: LayerCall) -> bool:
    """Whether the call's output is float with a known number of channels, for each sample."""
    shape = call.output_shape if call.per_sample else ()
    known = len(shape) >= 2 and shape[call.channel_axis]
    return bool(known) and call.dtype.startswith(("float", "bfloat"))


def _users(calls: Sequence[LayerCall]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for position, call in enumerate(calls):
        for source in call.inputs:
            found.setdefault(source, []).append(position)
    return found


def _head(call: LayerCall, before: Reading | None) -> str:
    """Address of the layer whose units these are; empty where they are no units of a layer."""
    if call.class_name in _MERGES or any(hasattr(call.layer, name) for name in _KERNELS):
        return call.address
    passes = _is_normalised(call) or _is_activation(call) or call.class_name in _AT_REST
    return before.head if before and passes else ""


def _continues(position: int, calls: Sequence[LayerCall], users: dict[int, list[int]]) -> bool:
    """Whether the units go on through one normalisation or activation and nowhere else."""
    after = users.get(position, [])
    if len(after) != 1 or len(calls[after[0]].inputs) != 1:
        return False
    user = calls[after[0]]
    return (_is_normalised(user) or _is_activation(user)) and has_channels(user)


def _is_normalised(call: LayerCall) -> bool:
    return call.class_name == "BatchNormalization"


def _normalised_alone(
    position: int,
    calls: Sequence[LayerCall],
    users: dict[int, list[int]],
    outputs: set[int],
) -> LayerCall | None:
    """The linear BatchNormalization that takes this call's output and that nothing else does."""
    call, after = calls[position], users.get(position, [])
    if len(after) != 1 or position in outputs or call.activation is not None:
        return None
    user = calls[after[0]]
    return user if len(user.inputs) == 1 and _is_linear(user, call) else None


def _is_linear(call: LayerCall, before: LayerCall) -> bool:
    """BatchNormalization of the same channels whose parameters are finite: NaN must be seen
    where it begins."""
    if not _is_normalised(call) or before.channel_axis != call.channel_axis:
        return False
    return all(np.isfinite(np.asarray(weight)).all() for weight in call.layer.weights)


def _is_activation(call: LayerCall) -> bool:
    return not call.fused and call.activation is not None
