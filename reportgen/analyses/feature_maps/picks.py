"""Which channels are shown, and why: those that tell classes apart, and those that vary most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.census import Census, ChannelCensus, UnitCensus
from reportgen.subject.census.units import Selectivity

TWIN = 0.999  # correlation of responses from which two channels say the same
_FEWEST_RESPONSES = 5  # with fewer samples that excite a unit, a correlation says nothing


@dataclass(frozen=True)
class Pick:
    """A channel, and why it is shown."""

    channel: int
    why: str


@dataclass(frozen=True)
class ShownChannels:
    """Channels of a layer in a sample's path and in the layer's mosaic, in their own order."""

    path: NDArray[np.int64]
    mosaic: NDArray[np.int64]


def choose_shown(
    census: Census, path: int, mosaic: int, classes: Sequence[str]
) -> dict[str, ShownChannels]:
    """For every layer: `choose_units` for the path, what varies most for the mosaic."""
    shown = {}
    for layer in census.layers:
        units = sorted(pick.channel for pick in choose_units(layer, path, classes))
        short = np.array(units, np.int64) if units else choose_channels(layer, path)
        shown[layer.address] = ShownChannels(short, choose_channels(layer, mosaic))
    return shown


def rank_channels(layer: ChannelCensus) -> NDArray[np.int64]:
    """Channels by how much they vary over all samples and positions, most first."""
    spread = np.where(np.isfinite(layer.spread), layer.spread, 0.0)
    return np.argsort(-spread, kind="stable")


def choose_channels(layer: ChannelCensus, most: int) -> NDArray[np.int64]:
    """The channels that vary most, in their own order."""
    return np.sort(rank_channels(layer)[:most])


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
    r, low, high = found.r[channel], found.low[channel], found.high[channel]
    return f"{classes[found.best[channel]]} (r = {r:.2f}, {low:.2f} to {high:.2f})"


def find_twins(units: UnitCensus) -> list[tuple[int, ...]]:
    """Groups of channels whose responses correlate above `TWIN` in size over the samples."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    alive = units.samples - units.silent >= _FEWEST_RESPONSES
    own = np.arange(len(units.nearest))
    twin = (np.abs(units.likeness) > TWIN) & alive & (units.nearest >= 0)
    if not twin.any():
        return []
    edges = coo_array(
        (np.ones(int(twin.sum())), (own[twin], units.nearest[twin])), shape=(len(own), len(own))
    )
    _, groups = connected_components(edges, directed=False)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups[twin])]
    return [tuple(int(i) for i in group) for group in members if len(group) > 1]


def choose_unit_layers(census: Census, most: int) -> list[ChannelCensus]:
    """Layers with units that respond, spread over the depth, ends kept."""
    layers = [layer for layer in census.layers if layer.units and not layer.constant.all()]
    if len(layers) <= most:
        return layers
    return [layers[i] for i in sorted({round(i) for i in np.linspace(0, len(layers) - 1, most)})]
