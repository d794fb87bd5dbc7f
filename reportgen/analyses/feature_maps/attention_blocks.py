"""Attention as pictures, a tile a head, and as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.feature_maps.attention import AttentionMaps
from reportgen.report.blocks import Block, Cell, ColourScale, ImageGrid, Panel, Table
from reportgen.text import slug


def draw_attention(
    layers: tuple[AttentionMaps, ...], names: dict[int, str], arrays: dict[str, NDArray[Any]]
) -> list[Block]:
    """A grid for each layer and a table of heads; nothing without attention.

    Args:
        names: of the samples, by row.
    """
    blocks: list[Block] = [_draw(layer, i, names, arrays) for i, layer in enumerate(layers)]
    return [_table(layers), *blocks] if layers else []


def _draw(
    layer: AttentionMaps, index: int, names: dict[int, str], arrays: dict[str, NDArray[Any]]
) -> ImageGrid:
    name = slug(index, layer.address)
    high = _reach(layer.maps)
    panels = []
    for position, row in enumerate(layer.rows):
        key = f"attention_{name}_{position}"
        arrays[key] = layer.maps[position]
        panels.append(
            Panel(
                title=names[int(row)],
                tiles=f"feature_maps/{key}",
                columns=min(8, layer.maps.shape[1]),
                scale=ColourScale(low=0, high=high, map="magma", unit="attention"),
            )
        )
    shown, (queries, keys) = layer.maps.shape[-2:], layer.tokens
    cut = (
        f" The first {shown[0]} × {shown[1]} of {queries} × {keys} tokens are drawn."
        if shown != layer.tokens
        else ""
    )
    return ImageGrid(
        id=f"feature_maps-attention-{name}",
        title=f"Attention of {layer.address}",
        caption=(
            "A tile is a head. A row is a token that asks, a column a token that it looks at; a "
            f"row sums to one.{cut} Stripes down: all tokens look at the same few. A diagonal: "
            "each looks at itself. Colours end at the 99.9 % quantile."
        ),
        alt=f"Attention weights of {layer.maps.shape[1]} heads of {layer.address}.",
        panels=tuple(panels),
    )


def _reach(maps: NDArray[np.float32]) -> float:
    """End of the colours: a single bright cell must not darken all others."""
    finite = np.nan_to_num(maps)
    return float(np.quantile(finite, 0.999)) or float(finite.max()) or 1.0


def _table(layers: tuple[AttentionMaps, ...]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    count = len(layers[0].rows)
    for layer in layers:
        for head, spread in enumerate(layer.spread):
            own = None if layer.own is None else 100 * float(layer.own[head])
            rows.append((layer.address, head, 100 * float(spread), own))
    return Table(
        id="feature_maps-heads",
        title="Attention heads",
        caption=(
            f"Over {count} sample{'s' * (count > 1)}. Evenness: 100 looks at all tokens alike, "
            "which adds nothing a mean would not; 0 looks at one token."
        ),
        header=("Layer", "Head", "Evenness %", "On itself %"),
        rows=tuple(rows),
    )
