"""Which filters are drawn first where there is no room for all: the census picks them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.weights.flags import Flag
from reportgen.subject.census import Census


def rank_filters(census: Census, flags: Iterable[Flag]) -> dict[str, NDArray[np.int64]]:
    """Filters of each layer: flagged ones first, then those whose output varies most."""
    flagged: dict[str, set[int]] = {}
    for flag in flags:
        flagged.setdefault(flag.address, set()).update(flag.filters)
    ranks = {}
    for layer in census.layers:
        if layer.units is None:
            continue
        spread = np.where(np.isfinite(layer.spread), layer.spread, 0.0)
        first = np.isin(np.arange(len(spread)), list(flagged.get(layer.units.head, ())))
        ranks[layer.units.head] = np.lexsort((-spread, ~first))
    return ranks
