"""Which channels of a layer are drawn, and which say the same as another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.census import Census, ChannelCensus, UnitCensus
from reportgen.subject.top_activating.choice import choose_units, rank_channels

TWIN = 0.999  # correlation of responses from which two channels say the same
_FEWEST_RESPONSES = 5  # with fewer samples that excite a unit, a correlation says nothing


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


def choose_channels(layer: ChannelCensus, most: int) -> NDArray[np.int64]:
    """The channels that vary most, in their own order."""
    return np.sort(rank_channels(layer)[:most])


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
