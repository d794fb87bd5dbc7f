"""Which units are shown, and why: those that tell classes apart, and those that vary most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.census import Census, ChannelCensus
from reportgen.subject.census.units import Selectivity


@dataclass(frozen=True)
class Pick:
    """A channel, and why it is shown."""

    channel: int
    why: str


def rank_channels(layer: ChannelCensus) -> NDArray[np.int64]:
    """Channels by how much they vary over all samples and positions, most first."""
    spread = np.where(np.isfinite(layer.spread), layer.spread, 0.0)
    return np.argsort(-spread, kind="stable")


def choose_units(layer: ChannelCensus, most: int, classes: Sequence[str]) -> list[Pick]:
    """Half by class, the clearest unit of each class in turn; half by variation; no constant.

    Units that reach the same peak on every sample come last: no sample excites them most.
    """
    units, picks = layer.units, dict[int, str]()
    if units is None:
        return []
    usable = ~layer.constant & (layer.low <= layer.high) & np.isfinite(layer.spread)
    if units.selectivity is not None and classes:
        for channel in _by_class(units.selectivity, usable)[: (most + 1) // 2]:
            picks[channel] = f"mean highest for {_say_class(units.selectivity, channel, classes)}"
    alike = units.most_values[:, 0] <= units.least_values[:, 0]
    ranked = rank_channels(layer)
    for channel in ranked[np.argsort(alike[ranked], kind="stable")]:
        if len(picks) >= most:
            break
        if usable[channel] and channel not in picks:
            picks[int(channel)] = "varies most" if len(picks) == 0 else "varies much"
    return [Pick(channel, why) for channel, why in picks.items()]


def _by_class(found: Selectivity, usable: NDArray[np.bool_]) -> list[int]:
    """Clearly selective units: the best of each class first, then the second best of each ..."""
    order = [int(i) for i in np.argsort(-found.r, kind="stable") if found.clear[i] and usable[i]]
    seen: dict[int, int] = {}
    ranks: list[tuple[int, int, int]] = []
    for channel in order:
        best = int(found.best[channel])
        ranks.append((seen.get(best, 0), len(ranks), channel))
        seen[best] = seen.get(best, 0) + 1
    return [channel for _, _, channel in sorted(ranks)]


def _say_class(found: Selectivity, channel: int, classes: Sequence[str]) -> str:
    return f"{classes[found.best[channel]]} (r = {found.r[channel]:.2f})"


def choose_unit_layers(census: Census, most: int) -> list[ChannelCensus]:
    """Layers with units that respond, spread over the depth, ends kept."""
    layers = [layer for layer in census.layers if layer.units and not layer.constant.all()]
    if len(layers) <= most:
        return layers
    return [layers[i] for i in sorted({round(i) for i in np.linspace(0, len(layers) - 1, most)})]
