"""The census as arrays beside the report: one table a layer, for whoever wants every number."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.census import Census, ChannelCensus
from reportgen.text import slug

COLUMNS = (
    "mean",
    "spread",
    "low",
    "high",
    "zeros",
    "pinned",
    "non_finite",
    "best_class",
    "r",
    "r_low",
    "r_high",
    "nearest",
    "likeness",
    "silent",
)


def tabulate(census: Census) -> dict[str, NDArray[Any]]:
    """``census_<layer>``: ``(channels, len(COLUMNS))`` float64, NaN where a number does not apply.

    In the order of execution; addresses are cut to letters, digits and underscores.
    """
    return {
        f"census_{slug(index, layer.address)}": _table(layer)
        for index, layer in enumerate(census.layers)
    }


def _table(layer: ChannelCensus) -> NDArray[np.float64]:
    units, chosen = layer.units, layer.units.selectivity if layer.units else None
    columns = {
        "mean": layer.mean,
        "spread": layer.spread,
        "low": layer.low,
        "high": layer.high,
        "zeros": layer.zeros,
        "pinned": layer.pinned,
        "non_finite": layer.non_finite,
        "best_class": chosen.best if chosen else None,
        "r": chosen.r if chosen else None,
        "r_low": chosen.low if chosen else None,
        "r_high": chosen.high if chosen else None,
        "nearest": units.nearest if units else None,
        "likeness": units.likeness if units else None,
        "silent": units.silent if units else None,
    }
    table = np.full((len(layer.mean), len(COLUMNS)), np.nan)
    for position, name in enumerate(COLUMNS):
        values = columns[name]
        if values is not None:
            table[:, position] = values
    return table
