"""Image grids laid out: which panels stand beside each other, and how large they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from numpy.typing import NDArray

from reportgen.figures import kernels, tiles
from reportgen.rendering.pictures import (
    Gallery,
    Legend,
    Picture,
    at_height,
    enlarge,
    finite_range,
)
from reportgen.report.blocks import ColourScale, ImageGrid, Panel, Share, TileLabel

Item = TypeVar("Item")

GAP = 16
MOST_TILE_COLUMNS = 12
SHARES_WIDTH = 150
# Two grids of either kind have to find room on a page.
HIGHEST_MOSAIC = {"screen": 720, "paper": 350}
HIGHEST_OF_MANY = {"screen": 180, "paper": 100}
# How wide one tile wants to be, by how many of them a panel has.
_WANTED = ((1, 160), (8, 112), (32, 80), (128, 56))
_WANTED_MANY = 44


@dataclass(frozen=True)
class LabelledTile:
    """A tile of its own and what stands under it."""

    picture: Picture
    label: TileLabel


@dataclass(frozen=True)
class PanelView:
    """A panel ready to print. ``missing``: its array was not there."""

    title: str
    note: str
    picture: Picture | None
    tile_rows: tuple[tuple[LabelledTile, ...], ...]
    columns: int
    legend: Legend | None
    shares: tuple[Share, ...]
    missing: bool
    omitted: bool


@dataclass(frozen=True)
class GridView:
    """Panels in rows of ``per_row``.

    legend: the one scale that all panels have. unit: what their different scales measure.
    """

    rows: tuple[tuple[PanelView, ...], ...]
    per_row: int
    legend: Legend | None
    unit: str


def lay_out(block: ImageGrid, gallery: Gallery) -> GridView:
    """All panels of ``block`` as pictures, legends and rows."""
    per_row = _panels_in_a_row(block, gallery)
    room = (gallery.room - (per_row - 1) * GAP) // per_row
    scales = {panel.scale for panel in block.panels if panel.scale and panel.tiles}
    shared = len(scales) == 1 and len(block.panels) > 1
    views = [
        _panel(f"{block.id}/{index}", panel, block.alt, gallery, room, shared_legend=shared)
        for index, panel in enumerate(block.panels)
    ]
    if per_row > 1:
        views = _equal_heights(views, room, gallery.encoding.target)
    legend = gallery.legend(next(iter(scales))) if shared else None
    # Narrow panels have no room for the unit: it is said once where they all have the same.
    units = {scale.unit for scale in scales}
    unit = units.pop() if len(units) == 1 and per_row > 1 and not shared else ""
    return GridView(batches(views, per_row), per_row, legend, unit)


def batches(items: Sequence[Item], size: int) -> tuple[tuple[Item, ...], ...]:
    """``items`` in groups of ``size``."""
    return tuple(tuple(items[i : i + size]) for i in range(0, len(items), max(1, size)))


def _panels_in_a_row(block: ImageGrid, gallery: Gallery) -> int:
    count = len(block.panels)
    if count <= 1:
        return 1
    arrays = [gallery.array(panel.tiles) if panel.tiles else None for panel in block.panels]
    if any(panel.labels and len(panel.labels) > 1 for panel in block.panels):
        return 1
    most = 5
    for panel, values in zip(block.panels, arrays, strict=True):
        if values is None or values.ndim < 3:
            continue
        width = _natural_width(panel, values)
        most = min(most, max(1, (gallery.room + GAP) // (min(width, gallery.room) + GAP)))
    if count <= most:
        return count
    # Six panels stand better as 3 + 3 than as 5 + 1.
    return -(-count // -(-count // most))


def _natural_width(panel: Panel, values: NDArray[Any]) -> int:
    if panel.numbers and kernels.can_show(values):
        columns = min(panel.columns, len(values))
        return columns * (int(values.shape[2]) * kernels.CELL + kernels.TILE_GAP)
    columns = min(panel.columns, len(values))
    tile = min(int(values.shape[2]), tiles.LARGEST_TILE)
    # Down to 24 pixels a tile (34 if they are larger, 56 for photographs), a panel may stand
    # beside others.
    large = 56 if values.ndim == 4 and tile > tiles.SMALL_PHOTOGRAPH else 34
    return min(columns * max(24, min(tile, large)), 420)


def _panel(
    key: str, panel: Panel, alt: str, gallery: Gallery, room: int, *, shared_legend: bool
) -> PanelView:
    values = gallery.array(panel.tiles) if panel.tiles else None
    usable = values is not None and _is_usable(values)
    picture: Picture | None = None
    labelled: list[LabelledTile] = []
    columns = panel.columns
    scale = panel.scale
    if values is not None and usable:
        if scale is None and values.ndim == 3:
            low, high = finite_range(values)
            scale = ColourScale(low=low, high=high)
        words = f"{panel.title}: {alt}" if panel.title else alt
        if panel.labels:
            columns = _tile_columns(panel, gallery.room)
            labelled = _tiles(key, panel, values, scale, gallery, room, columns, words)
        else:
            picture = _joined(key, panel, values, scale, gallery, room, words)
    numeric = values is not None and usable and values.ndim == 3
    return PanelView(
        title=panel.title,
        note=panel.note,
        picture=picture,
        tile_rows=batches(labelled, columns),
        columns=columns,
        legend=gallery.legend(scale) if scale and numeric and not shared_legend else None,
        shares=panel.shares,
        missing=bool(panel.tiles) and not usable,
        omitted=key in gallery.omit,
    )


def _is_usable(values: NDArray[Any]) -> bool:
    return values.ndim == 3 or (values.ndim == 4 and values.shape[-1] == 3)


def _joined(
    key: str,
    panel: Panel,
    values: NDArray[Any],
    scale: ColourScale | None,
    gallery: Gallery,
    room: int,
    alt: str,
) -> Picture:
    highest = HIGHEST_MOSAIC[gallery.encoding.target]
    if panel.numbers and scale is not None and kernels.can_show(values):
        return gallery.numbers(key, values, panel.columns, scale, alt, (room, highest))
    made = gallery.mosaic(key, values, panel.columns, scale, alt, (room, highest))
    whole = gallery.encoding.target == "screen"
    wanted = _wanted(len(values))
    return enlarge(made, (room, highest), values.shape[2], wanted, whole=whole)


def _wanted(count: int) -> int:
    return next((size for most, size in _WANTED if count <= most), _WANTED_MANY)


def _tile_columns(panel: Panel, room: int) -> int:
    columns = min(panel.columns, MOST_TILE_COLUMNS, len(panel.labels))
    if any(label.shares for label in panel.labels):
        columns = min(columns, room // SHARES_WIDTH)
    return max(1, columns)


def _tiles(
    key: str,
    panel: Panel,
    values: NDArray[Any],
    scale: ColourScale | None,
    gallery: Gallery,
    room: int,
    columns: int,
    alt: str,
) -> list[LabelledTile]:
    widest = min(144, (room - (columns - 1) * GAP) // columns)
    made = []
    for tile, label in zip(values, panel.labels, strict=False):
        words = f"{label.text}. {alt}" if label.text else alt
        one = tile[None]
        if panel.numbers and scale is not None and kernels.can_show(one):
            picture = gallery.numbers(key, one, 1, scale, words, (widest, widest))
        else:
            picture = gallery.mosaic(key, one, 1, scale, words, (widest, widest))
            whole = gallery.encoding.target == "screen"
            picture = enlarge(picture, (widest, widest), tile.shape[1], 128, whole=whole)
        made.append(LabelledTile(picture, label))
    return made


def _equal_heights(views: list[PanelView], room: int, medium: str) -> list[PanelView]:
    pictures = [view.picture for view in views if view.picture]
    if not pictures:
        return views
    # As high as half of the pictures are when they take all their width, within reason:
    # many panels are small multiples, two or three are there to be compared.
    highest = HIGHEST_OF_MANY[medium] if len(views) > 3 else 480
    heights = sorted(room * picture.height / picture.width for picture in pictures)
    height = round(max(72, min(heights[(len(heights) - 1) // 2], highest)))
    return [
        replace(view, picture=at_height(view.picture, height, room)) if view.picture else view
        for view in views
    ]
