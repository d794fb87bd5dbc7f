"""Bars by name on an axes of matplotlib."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from reportgen.figures import charts
from reportgen.figures.drawing import THUMBNAIL, Drawing, Find, nothing
from reportgen.figures.fonts import drawable
from reportgen.figures.frame import thinned
from reportgen.report.blocks import Bars
from reportgen.theme import SERIES

MOST_NAMED_BARS = 30
MOST_TICKS = 24


def draw(block: Bars, find: Find = nothing) -> Drawing:
    """Draw the bars with their names."""
    return charts.paint(size(block), lambda figure: _draw_bars(figure.subplots(), block))


def thumbnail(block: Bars, find: Find = nothing) -> Drawing:
    """Draw the bars alone."""
    return charts.paint(THUMBNAIL, lambda figure: _draw_bars(figure.subplots(), block), bare=True)


def size(block: Bars) -> tuple[int, int]:
    """Width and height in CSS pixels: lying bars while each has room for its name."""
    if len(block.names) > MOST_NAMED_BARS:
        return charts.WIDTH, 320
    bars = max(1, len(block.names)) * (10 + 12 * max(1, len(block.series)))
    return charts.WIDTH, 64 + bars + (22 if len(block.series) > 1 else 0)


def _draw_bars(axes: Axes, block: Bars) -> None:
    # Lying while they are few, else upright with some of the names.
    lying = len(block.names) <= MOST_NAMED_BARS
    count = max(1, len(block.series))
    thickness = 0.8 / count
    positions = np.arange(len(block.names))
    for index, (label, values) in enumerate(zip(block.series, block.values, strict=True)):
        offset = (index - (count - 1) / 2) * thickness
        kind = axes.barh if lying else axes.bar
        kind(
            positions + offset,
            values,
            thickness,
            color=SERIES[index % len(SERIES)],
            label="\u200a" + drawable(label, 40),
        )
    shown = thinned(len(block.names), MOST_NAMED_BARS if lying else MOST_TICKS)
    names = [drawable(block.names[i], 28 if lying else 16) for i in shown]
    if lying:
        axes.set_yticks(shown, names)
        axes.invert_yaxis()
        axes.set_xlabel(drawable(block.value_label, 90))
        axes.grid(True, axis="x")
        axes.tick_params(axis="y", length=0)
    else:
        axes.set_xticks(shown, names, rotation=90)
        axes.set_ylabel(drawable(block.value_label, 60))
        axes.set_xlim(-1, len(block.names))
        axes.grid(True, axis="y")
    if count > 1:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2)
