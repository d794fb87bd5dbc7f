"""What the census says is wrong, each channel named once, where it first happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reportgen.subject.census import ChannelCensus
    from reportgen.subject.layers import LayerCall

BoolArray = NDArray[np.bool_]
# Layers whose channel c depends on channel c of their one input and on nothing else.
_CHANNELWISE = (
    "Normalization",
    "Activation",
    "ReLU",
    "ELU",
    "Softmax",
    "Pooling",
    "Dropout",
    "Padding",
    "Cropping",
    "UpSampling",
    "Rescaling",
    "DepthwiseConv",
)
_JUDGED = ("Conv", "Dense", "Normalization", "Activation", "ReLU", "ELU")


@dataclass(frozen=True)
class Problem:
    """Channels of one layer, and what they do. effect: of setting them to zero, in words.

    silent: they are exactly zero on every sample, so there is nothing to set to zero.
    """

    address: str
    channels: tuple[int, ...]
    of: int
    remark: str
    effect: str = ""
    silent: bool = False


@dataclass
class Problems:
    """By check. channels, bounded: how many channels and bounded layers were looked at.

    by_weights: channels that never change because their filters are zero; not among ``dead``.
    """

    non_finite: list[Problem] = field(default_factory=list)
    dead: list[Problem] = field(default_factory=list)
    saturated: list[Problem] = field(default_factory=list)
    channels: int = 0
    bounded: int = 0
    by_weights: int = 0


class Thresholds(Protocol):
    """The options that `find_problems` reads."""

    @property
    def pinned_share(self) -> float:
        """Share of values at the bounds from which a channel is saturated."""

    @property
    def saturated_share(self) -> float:
        """Share of saturated channels from which a layer is."""


def find_problems(
    calls: Sequence[LayerCall],
    census: Sequence[ChannelCensus],
    output_calls: Sequence[Sequence[int]],
    zero_filters: Mapping[str, BoolArray],
    thresholds: Thresholds,
) -> Problems:
    """Go through the layers in order of execution; the model's outputs are left out of
    saturation and constancy: a sure answer is no fault.

    Args:
        zero_filters: by layer, the channels whose filters are zero, ``(channels,)``. That they do
            not change is no news: the weights section names them.
    """
    counted = {entry.address: entry for entry in census}
    outputs = {
        calls[position].address for group in output_calls for position in group if position >= 0
    }
    zero: dict[str, BoolArray] = {}
    found = Problems()
    for call in calls:
        entry = counted.get(call.address)
        if entry is None or found.non_finite:
            continue  # behind NaN or infinity everything is its consequence
        zero[call.address] = _trace_zero(call, calls, zero_filters, zero, len(entry.low))
        broken = np.flatnonzero(entry.non_finite)
        if len(broken):
            said = f"{entry.non_finite.sum():,} values"
            found.non_finite.append(_problem(call, broken, entry, said))
        if call.address in outputs or not any(kind in call.class_name for kind in _JUDGED):
            continue
        found.channels += len(entry.low)
        stuck = _find_saturated(call, entry, thresholds, found)
        begins = entry.constant & ~_inherited(call, calls, counted)
        found.by_weights += int((begins & zero[call.address]).sum())
        # A channel that its function holds at a bound is saturated; that says more.
        own = np.flatnonzero(begins & ~zero[call.address] & ~stuck)
        if len(own):
            dead = _problem(call, own, entry, _say_values(entry.low[own]))
            silent = not (entry.low[own].any() or entry.high[own].any())
            found.dead.append(replace(dead, silent=silent))
    return found


def _find_saturated(
    call: LayerCall, entry: ChannelCensus, thresholds: Thresholds, found: Problems
) -> BoolArray:
    """Note a saturated layer; the channels at its bounds, ``(channels,)``, if it is one."""
    none = np.zeros(len(entry.low), bool)
    if entry.pinned is None:
        return none
    found.bounded += 1
    pinned = entry.pinned > thresholds.pinned_share
    if pinned.sum() <= thresholds.saturated_share * len(pinned):
        return none
    said = f"{entry.pinned.mean():.1%} of values at the bounds of {call.activation}"
    found.saturated.append(_problem(call, np.flatnonzero(pinned), entry, said))
    return np.asarray(pinned)


def _problem(
    call: LayerCall, channels: NDArray[np.int64], entry: ChannelCensus, remark: str
) -> Problem:
    return Problem(call.address, tuple(channels.tolist()), len(entry.low), remark)


def _trace_zero(
    call: LayerCall,
    calls: Sequence[LayerCall],
    zero_filters: Mapping[str, BoolArray],
    known: Mapping[str, BoolArray],
    width: int,
) -> BoolArray:
    """Channels whose filter is zero, here or before layers that pass channels on.

    Weight decay leaves filters of 1e-20: their output still varies, and only what follows, such
    as BatchNormalization, makes a constant of it.
    """
    own = zero_filters.get(call.address)
    mask = np.zeros(width, bool) if own is None or len(own) != width else own.copy()
    source = calls[call.inputs[0]] if len(call.inputs) == 1 and call.inputs[0] >= 0 else None
    before = known.get(source.address) if source else None
    channelwise = any(kind in call.class_name for kind in _CHANNELWISE)
    if channelwise and before is not None and not width % len(before):
        mask |= np.repeat(before, width // len(before))
    return mask


def _say_values(values: NDArray[np.float64]) -> str:
    if (values == values[0]).all():
        return f"always {values[0]:.3g}"
    more = f" and {len(values) - 4} more" if len(values) > 4 else ""
    return "always at " + ", ".join(f"{value:.3g}" for value in values[:4]) + more


def _inherited(
    call: LayerCall, calls: Sequence[LayerCall], counted: dict[str, ChannelCensus]
) -> BoolArray:
    """Channels that are constant because all that they read is."""
    width = len(counted[call.address].low)
    sources = [counted.get(calls[i].address) if i >= 0 else None for i in call.inputs]
    known = [source.constant for source in sources if source is not None]
    if len(known) < len(sources) or not known:
        return np.zeros(width, bool)
    if all(constant.all() for constant in known):
        return np.ones(width, bool)
    channelwise = any(kind in call.class_name for kind in _CHANNELWISE)
    if not channelwise or len(known) != 1 or width % len(known[0]):
        return np.zeros(width, bool)
    # A depthwise convolution makes several channels of each, side by side.
    return np.repeat(known[0], width // len(known[0]))
