"""Layer by layer as one figure: where the classes come apart, and which layers add nothing."""

from __future__ import annotations

import numpy as np

from reportgen.analyses.feature_maps.depth import Depth, LayerDepth
from reportgen.analyses.intervals import wilson_bounds
from reportgen.report.blocks import Block, Lines, Series, Table


def draw_depth(depth: Depth) -> list[Block]:
    """The curve of separability, and a table with the numbers; nothing without layers."""
    blocks: list[Block] = []
    if depth.scored and len(depth.layers) > 1:
        blocks.append(_curve(depth))
    if depth.layers:
        blocks.append(_table(depth))
    return blocks


def _curve(depth: Depth) -> Lines:
    positions = tuple(float(i) for i in range(len(depth.layers)))
    hits = np.array([layer.hits or 0 for layer in depth.layers], np.float64)
    low, high = wilson_bounds(hits, np.full(len(hits), depth.scored))
    return Lines(
        id="feature_maps-depth",
        title="Where the classes come apart",
        caption=(
            f"How many of {depth.scored} samples are told right by the nearest class centre, layer "
            f"by layer, with 95 % intervals; each sample by centres that did not see it. "
            f"{describe_steps(depth, low, high)} Layers are numbered as in the table below."
        ),
        alt=(
            f"A curve through {len(depth.layers)} layers, from {hits[0] / depth.scored:.0%} to "
            f"{hits[-1] / depth.scored:.0%}."
        ),
        series=(
            Series(
                name="most frequent class",
                x=(positions[0], positions[-1]),
                y=(depth.chance, depth.chance),
                style="reference",
            ),
            Series(
                name="nearest class centre",
                x=positions,
                y=tuple((hits / depth.scored).tolist()),
                low=tuple(low.tolist()),
                high=tuple(high.tolist()),
                style="line",
            ),
        ),
        x_label="layer",
        y_label="share told right",
        y_range=(0, 1),
    )


def describe_steps(depth: Depth, low: np.ndarray, high: np.ndarray) -> str:
    """The layer from which nothing after is clearly better, and the layer that is best."""
    hits = [layer.hits or 0 for layer in depth.layers]
    best = int(np.argmax(hits))
    first = next(
        i for i in range(len(hits)) if high[i] >= low[best] and hits[i] >= low[best] * depth.scored
    )
    layer = depth.layers[first].address
    if first == len(hits) - 1:
        return f"The last layer ({layer}) is clearly better than all before it."
    return f"From {layer} (layer {first}) on, no layer is clearly better than this one."


def _table(depth: Depth) -> Table:
    return Table(
        id="feature_maps-depth-table",
        title="Layer by layer",
        caption=(
            "Effective rank: in how many directions the samples differ in this layer. A rank near "
            "1 in a wide layer: it passes on little. "
            + (depth.unscored or "Told right: by the nearest class centre.")
        ),
        header=("Number", "Layer", "Channels", "Effective rank", "Told right"),
        rows=tuple(_row(i, layer, depth) for i, layer in enumerate(depth.layers)),
    )


def _row(number: int, layer: LayerDepth, depth: Depth) -> tuple[int | str, ...]:
    share = "" if layer.hits is None else f"{layer.hits / depth.scored:.1%}"
    rank = "" if layer.effective_rank is None else f"{layer.effective_rank:.1f}"
    return number, layer.address, layer.features, rank, share
