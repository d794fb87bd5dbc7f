"""The units of every layer in tables: what they do, and which classes they answer to."""

from __future__ import annotations

import numpy as np

from reportgen.analyses.feature_maps.picks import TWIN, find_twins
from reportgen.report.blocks import Block, Cell, Table
from reportgen.subject.census import Census, ChannelCensus

_MOST_TWINS = 4


def table_units(census: Census, classes: tuple[str, ...]) -> list[Block]:
    """A row for each layer that has units of its own; which are twins; what tells classes."""
    layers = [layer for layer in census.layers if layer.units]
    if not layers:
        return []
    judged = [_tell(layer, classes) for layer in layers] if classes else []
    return [
        _table(layers, census.samples),
        *_twin_table(layers),
        *_class_table([row for row in judged if row]),
    ]


def _table(layers: list[ChannelCensus], samples: int) -> Table:
    return Table(
        id="feature_maps-units",
        title="Units, layer by layer",
        caption=(
            f"Over all {samples:,} samples. Silent: share of values that are exactly zero, behind "
            "a ReLU. Mean and spread: of a unit's values, averaged over the units."
        ),
        header=("Layer", "Units", "Never change", "Silent %", "Mean", "Spread", "Highest"),
        rows=tuple(_row(layer) for layer in layers),
    )


def _twin_table(layers: list[ChannelCensus]) -> list[Block]:
    found = [(layer.address, find_twins(layer.units)) for layer in layers if layer.units]
    rows = [(name, sum(map(len, twins)), _say_twins(twins)) for name, twins in found if twins]
    if not rows:
        return []
    return [
        Table(
            id="feature_maps-twins",
            title="Units that say the same",
            caption=(
                f"Twins: units whose mean responses correlate above {TWIN} in size over the "
                "samples. One of each group would do."
            ),
            header=("Layer", "Twins", "Which"),
            rows=tuple(rows),
        )
    ]


def _row(layer: ChannelCensus) -> tuple[Cell, ...]:
    return (
        layer.address,
        len(layer.low),
        int(layer.constant.sum()),
        None if layer.zeros is None else float(100 * layer.zeros.mean()),
        _mean(layer.mean),
        _mean(layer.spread),
        _finite(layer.high.max()),
    )


def _mean(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float | None:
    return _finite(values.mean())


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _say_twins(groups: list[tuple[int, ...]]) -> str:
    said = [" = ".join(map(str, group[:6])) + " …" * (len(group) > 6) for group in groups]
    more = f"; {len(said) - _MOST_TWINS} more groups" if len(said) > _MOST_TWINS else ""
    return "; ".join(said[:_MOST_TWINS]) + more


def _class_table(rows: list[tuple[Cell, ...]]) -> list[Block]:
    if not rows:
        return []
    return [
        Table(
            id="feature_maps-classes",
            title="Units that tell a class",
            caption=(
                "Clearest: the unit whose mean response goes with one class most. r is that "
                "correlation; 1 would be a perfect detector. Its interval allows for the choice of "
                "the best of all units and classes, and holds with at least 95 %. By chance: what "
                "r the best class of a unit reaches with shuffled labels, in 1 of 20 units. Clear: "
                "units whose own interval, for the best of all classes, lies above that."
            ),
            header=("Layer", "Clear units", "Clearest", "Class", "r", "Interval", "By chance"),
            rows=tuple(rows),
        )
    ]


def _tell(layer: ChannelCensus, classes: tuple[str, ...]) -> tuple[Cell, ...] | None:
    found = layer.units.selectivity if layer.units else None
    if found is None:
        return None
    best = int(found.r.argmax())
    low, high = found.bounds(best)
    return (
        layer.address,
        int(found.clear.sum()),
        best,
        classes[found.best[best]],
        float(found.r[best]),
        f"{low:.2f} to {high:.2f}",
        f"{found.chance:.2f}",
    )
