"""What the census says is wrong, each channel named once, where it first happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from reportgen.analyses.feature_maps.census import ChannelCensus

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall

# Layers whose channel c depends on channel c of their one input and on nothing else.
_CHANNELWISE = ("Normalization", "Activation", "ReLU", "ELU", "Softmax", "Pooling", "Dropout",
                "Padding", "Cropping", "UpSampling", "Rescaling", "DepthwiseConv")  # fmt: skip
_JUDGED = ("Conv", "Dense", "Normalization", "Activation", "ReLU", "ELU")


@dataclass(frozen=True)
class Problem:
    """Channels of one layer, and what they do."""

    address: str
    channels: tuple[int, ...]
    of: int
    remark: str


@dataclass(frozen=True)
class Problems:
    """By check. channels, bounded: how many channels and bounded layers were looked at."""

    non_finite: tuple[Problem, ...]
    dead: tuple[Problem, ...]
    saturated: tuple[Problem, ...]
    channels: int
    bounded: int


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
    thresholds: Thresholds,
) -> Problems:
    """Go through the layers in order of execution; the model's outputs are left out of
    saturation and constancy: a sure answer is no fault."""
    counted = {entry.address: entry for entry in census}
    outputs = {
        calls[position].address for group in output_calls for position in group if position >= 0
    }
    dead: list[Problem] = []
    saturated: list[Problem] = []
    bad: list[Problem] = []
    bounded, channels = 0, 0
    for call in calls:
        entry = counted.get(call.address)
        if entry is None or bad:
            continue  # behind NaN or infinity everything is its consequence
        if entry.non_finite:
            bad.append(Problem(call.address, (), len(entry.low), f"{entry.non_finite} values"))
        if call.address in outputs or not any(kind in call.class_name for kind in _JUDGED):
            continue
        channels += len(entry.low)
        own = np.flatnonzero(entry.constant & ~_inherited(call, calls, counted))
        if len(own):
            remark = _say_values(entry.low[own])
            dead.append(Problem(call.address, tuple(own.tolist()), len(entry.low), remark))
        if entry.pinned is not None:
            bounded += 1
            pinned = np.flatnonzero(entry.pinned > thresholds.pinned_share)
            if len(pinned) > thresholds.saturated_share * len(entry.pinned):
                remark = f"{entry.pinned.mean():.1%} of values at the bounds of {call.activation}"
                saturated.append(
                    Problem(call.address, tuple(pinned.tolist()), len(entry.low), remark)
                )
    return Problems(tuple(bad), tuple(dead), tuple(saturated), channels, bounded)


def _say_values(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    if (values == values[0]).all():
        return f"always {values[0]:.3g}"
    more = f" and {len(values) - 4} more" if len(values) > 4 else ""
    return "always at " + ", ".join(f"{value:.3g}" for value in values[:4]) + more


def _inherited(
    call: LayerCall, calls: Sequence[LayerCall], counted: dict[str, ChannelCensus]
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
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
