"""Censuses made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from reportgen.subject.census import Census, ChannelCensus, UnitCensus
from reportgen.subject.census.units import Selectivity


@pytest.fixture(scope="session")
def unit_layer() -> Callable[..., ChannelCensus]:
    """``unit_layer(spread, ...)``: the census of one layer, all other numbers harmless."""

    def build(
        spread: Any,
        *,
        address: str = "conv",
        selectivity: Selectivity | None = None,
        peaks: Any = None,
        lowest: Any = None,
        nearest: Any = None,
        likeness: Any = None,
        silent: Any = 0,
        samples: int = 40,
        units: bool = True,
    ) -> ChannelCensus:
        spread = np.asarray(spread, float)
        count = len(spread)
        high = np.where(spread > 0, 1.0, 0.0)
        both = [
            np.full(count, default) if v is None else np.asarray(v, float)
            for v, default in ((peaks, 1.0), (lowest, 0.0))
        ]
        rows = np.zeros((count, 1), np.int64)
        found = UnitCensus(
            head=address,
            samples=samples,
            selectivity=selectivity,
            most=rows,
            most_values=both[0][:, None],
            least=rows,
            least_values=both[1][:, None],
            silent=np.broadcast_to(np.asarray(silent, np.int64), (count,)),
            nearest=np.full(count, -1) if nearest is None else np.asarray(nearest),
            likeness=np.zeros(count) if likeness is None else np.asarray(likeness, float),
        )
        return ChannelCensus(
            address=address,
            mean=np.zeros(count),
            spread=spread,
            low=np.zeros(count),
            high=high,
            zeros=None,
            pinned=None,
            non_finite=np.zeros(count, np.int64),
            units=found if units else None,
        )

    return build


@pytest.fixture(scope="session")
def census_of() -> Callable[..., Census]:
    """``census_of(*layers)``: a census of 40 samples."""
    return lambda *entries: Census(40, entries)


@pytest.fixture(scope="session")
def telling() -> Callable[..., Selectivity]:
    """``telling(best, r)``: units that answer to classes ``best`` with ``r`` ± 0.05, chance 0.2."""

    def build(best: Any, r: Any) -> Selectivity:
        found = np.asarray(r, float)
        deviation = np.full(len(found), 0.026)  # of 1,500 samples
        return Selectivity(np.asarray(best), found, deviation, 0.2, samples=1500, classes=2)

    return build
