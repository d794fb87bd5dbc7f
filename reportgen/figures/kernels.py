"""Small tiles of numbers as tables: every cell in its colour with its value written in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.figures import colour
from reportgen.figures.drawing import Drawing
from reportgen.report.blocks import ColourScale
from reportgen.resources import render

LARGEST_SIDE = 7
MOST_CELLS = 1600
CELL = 34
TILE_GAP = 10


@dataclass(frozen=True)
class Cell:
    """One square: its upper left corner in pixels, its colours and its text."""

    x: int
    y: int
    fill: str
    ink: str
    text: str


def can_show(tiles: NDArray[Any]) -> bool:
    """Whether ``(n, h, w)`` numbers are few enough to be written out."""
    return tiles.ndim == 3 and max(tiles.shape[1:]) <= LARGEST_SIDE and tiles.size <= MOST_CELLS


def draw(tiles: NDArray[Any], columns: int, scale: ColourScale, widest: int) -> Drawing:
    """Draw ``(n, h, w)`` numbers; at most ``columns`` tiles in a row of ``widest`` pixels."""
    count, height, width = tiles.shape
    # A row may be a quarter too wide: it is then drawn a little smaller.
    fitting = max(1, (widest * 5 // 4 + TILE_GAP) // (width * CELL + TILE_GAP))
    columns = max(1, min(columns, count, fitting))
    if fitting <= columns < count:
        columns = -(-count // -(-count // columns))
    rows = -(-count // columns)
    fills = colour.paint(tiles, scale)
    cells = []
    for index, y, x in np.ndindex(count, height, width):
        tile_row, tile_column = divmod(index, columns)
        fill = fills[index, y, x]
        cells.append(
            Cell(
                x=tile_column * (width * CELL + TILE_GAP) + x * CELL,
                y=tile_row * (height * CELL + TILE_GAP) + y * CELL,
                fill=colour.hex_colour(fill),
                ink=colour.ink_on(fill),
                text=short_number(float(tiles[index, y, x])),
            )
        )
    total_width = columns * (width * CELL + TILE_GAP) - TILE_GAP
    total_height = rows * (height * CELL + TILE_GAP) - TILE_GAP
    svg = render(
        "figures/kernels.svg.jinja",
        cells=cells,
        size=CELL,
        width=total_width,
        height=total_height,
    )
    return Drawing(svg.encode(), total_width, total_height)


def short_number(value: float) -> str:
    """Two significant decimals in at most five characters: ``.12``, ``-1.3``, ``24``."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("\u221e" if value > 0 else "\u2212\u221e")
    size = abs(value)
    if size >= 999.5:
        text = f"{value:.0e}".replace("e+0", "e").replace("e+", "e")
    elif size >= 9.95:
        text = f"{value:.0f}"
    elif size >= 0.995:
        text = f"{value:.1f}"
    elif size >= 0.005:
        text = f"{value:.2f}".replace("0.", ".", 1)
    else:
        text = "0"
    return text.replace("-", "\u2212")
