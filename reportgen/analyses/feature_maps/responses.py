"""Layers of models whose samples are no pictures: what each unit says to each sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.feature_maps.compute import FeatureMapsResult
from reportgen.analyses.feature_maps.drawing import list_stages, scale_of, shape_of
from reportgen.analyses.feature_maps.layers import FloatArray, ShownLayer
from reportgen.report.blocks import Block, ImageGrid, Panel
from reportgen.text import slug

_MOST_TILES = 12


def draw_responses(result: FeatureMapsResult, arrays: dict[str, NDArray[Any]]) -> list[Block]:
    """A block for each layer: a row a sample, or a tile a sample where there are positions."""
    return [_draw(result, layer, i, arrays) for i, layer in enumerate(result.layers)]


def _draw(
    result: FeatureMapsResult, layer: ShownLayer, index: int, arrays: dict[str, NDArray[Any]]
) -> ImageGrid:
    name = slug(index, layer.address)
    panels = []
    for stage, maps in list_stages(layer, layer.after, layer.before):
        key = f"units_{name}_{'before' if stage.startswith('before') else 'after'}"
        arrays[key] = _as_tiles(layer, maps).astype(np.float32)
        panels.append(
            Panel(
                title=stage,
                tiles=f"feature_maps/{key}",
                columns=_columns(arrays[key]),
                scale=scale_of(layer, signed=layer.signed),
            )
        )
    return ImageGrid(
        id=f"feature_maps-units-{name}",
        title=layer.address,
        caption=f"{layer.class_name}, {shape_of(layer)}. {_caption(result, layer)}",
        alt=f"Responses of the units of {layer.address} to {len(result.samples)} samples.",
        panels=tuple(panels),
    )


def _as_tiles(layer: ShownLayer, maps: FloatArray) -> FloatArray:
    if layer.has_positions:  # (n, channels, 1, positions)
        return maps[:_MOST_TILES].reshape(min(len(maps), _MOST_TILES), maps.shape[1], -1)
    flat = maps.reshape(len(maps), -1)
    drawn = ~np.isnan(flat).all(axis=0)  # the rest of the last row is filled with NaN
    return flat[:, drawn if drawn.any() else slice(None)][None]


def _columns(tiles: FloatArray) -> int:
    """As many side by side as keep about 64 values in a row, so that each is seen."""
    return int(np.clip(64 // tiles.shape[2], 1, min(4, len(tiles))))


def _caption(result: FeatureMapsResult, layer: ShownLayer) -> str:
    names = [sample.name for sample in result.samples]
    if layer.has_positions:
        left = f" {layer.channels_left} channels that vary less are not drawn."
        return (
            f"A tile is a sample ({', '.join(names[:_MOST_TILES])}), a row a channel, a column a "
            f"position.{left * bool(layer.channels_left)} A row of one colour is a channel that "
            "does not respond."
        )
    whys = {sample.why for sample in result.samples}
    order = whys.pop() if len(whys) == 1 else ", ".join(names)
    return (
        f"A row is a sample ({order}), a column a unit. A column of one colour is a unit that "
        "does not respond."
    )
