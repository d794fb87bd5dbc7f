"""A matrix with named rows and columns on an axes of matplotlib."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from reportgen.figures import charts, colour
from reportgen.figures.drawing import THUMBNAIL, Drawing, Find
from reportgen.figures.fonts import drawable
from reportgen.figures.frame import dress_bar, thinned
from reportgen.figures.kernels import short_number
from reportgen.report.blocks import HeatMap
from reportgen.text import number

MOST_NUMBERED = 25
MOST_LABELS = 40


def size(block: HeatMap) -> tuple[int, int]:
    """Width and height in CSS pixels: square cells, room for the names and the scale."""
    rows, columns = max(1, len(block.row_labels)), max(1, len(block.column_labels))
    cell = min(40.0, 500 / columns, 560 / rows)
    cell = max(cell, 3.0 if max(rows, columns) < 180 else 0.0)
    width = min(680, round(max(columns * cell, 160) + 180))
    height = min(680, round(max(rows * cell, 60) + 110))
    return max(width, 380), max(height, 170)


def draw(block: HeatMap, find: Find) -> Drawing | None:
    """Draw the cells, their names (some, if there are many), their numbers and the scale."""
    values = find(block.values)
    if values is None:
        return None
    return charts.paint(size(block), lambda figure: _draw_matrix(figure.subplots(), block, values))


def thumbnail(block: HeatMap, find: Find) -> Drawing | None:
    """Draw the cells alone."""
    values = find(block.values)
    if values is None:
        return None
    return charts.paint(
        THUMBNAIL, lambda figure: _draw_matrix(figure.subplots(), block, values), bare=True
    )


def _draw_matrix(axes: Axes, block: HeatMap, values: NDArray[Any]) -> None:
    cells = np.atleast_2d(np.asarray(values, dtype=np.float64))
    rows, columns = cells.shape
    painted = colour.paint(cells, block.scale)
    # Enlarged here, because not every viewer of SVG leaves the edges of pixels sharp.
    factor = max(1, 600 // max(rows, columns))
    axes.imshow(
        np.kron(painted, np.ones((factor, factor, 1), np.uint8)),
        extent=(-0.5, columns - 0.5, rows - 0.5, -0.5),
        interpolation="none",
        aspect="auto",
    )
    _name_axes(axes, block, rows, columns)
    if block.numbers and max(rows, columns) <= MOST_NUMBERED:
        _write_numbers(axes, cells, painted)
    _draw_scale(axes, block)


def _name_axes(axes: Axes, block: HeatMap, rows: int, columns: int) -> None:
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
    shown = [i for i in thinned(rows, MOST_LABELS) if i < len(block.row_labels)]
    axes.set_yticks(shown, [drawable(block.row_labels[i], 22) for i in shown])
    shown = [i for i in thinned(columns, MOST_LABELS) if i < len(block.column_labels)]
    names = [drawable(block.column_labels[i], 18) for i in shown]
    # A name has about 5.5 pixels a letter, and the width of its cell.
    room = (size(block)[0] - 180) / max(1, len(names))
    turned = max((len(name) for name in names), default=0) * 5.5 > room
    axes.set_xticks(shown, names, rotation=90 if turned else 0)
    axes.set_xlabel(drawable(block.column_title, 60))
    axes.set_ylabel(drawable(block.row_title, 60))


def _write_numbers(axes: Axes, cells: NDArray[np.float64], painted: colour.Bytes) -> None:
    rows, columns = cells.shape
    room = 9.0 if max(rows, columns) <= 12 else 6.0
    for row, column in zip(*np.nonzero(cells), strict=True):
        # A zero says nothing that its colour does not; empty cells let the others be seen.
        value = float(cells[row, column])
        written = (
            str(int(value)) if value.is_integer() and abs(value) < 1e4 else short_number(value)
        )
        axes.text(
            float(column),
            float(row),
            written,
            ha="center",
            va="center",
            fontsize=room,
            color=colour.ink_on(painted[row, column]),
        )


def _draw_scale(axes: Axes, block: HeatMap) -> None:
    low, high = colour.limits(block.scale)
    steps = colour.table(block.scale.map)[: colour.STEPS][::-1][:, None]
    bar = axes.inset_axes((1.03, 0.0, 0.025, 1.0))
    bar.imshow(steps, extent=(0, 1, low, high), aspect="auto", interpolation="none")
    ends = [low, 0.0, high] if block.scale.map == "signed" else [low, high]
    ticks = [(end, number(end, 3)) for end in ends]
    dress_bar(bar, low, high, ticks, drawable(block.scale.unit, 40))
