"""A field over a plane: cells by colour, contour lines, paths, marks, a scale and a legend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reportgen import theme
from reportgen.figures import charts, colour, hatching, isolines, keys, plane, trail
from reportgen.figures.drawing import THUMBNAIL, Drawing, Find
from reportgen.figures.fonts import drawable, words_width
from reportgen.figures.frame import (
    PIXELS_PER_INCH,
    Box,
    Places,
    dress_bar,
    overlay,
    place_axes,
)
from reportgen.figures.plane import CENSORED, Plane
from reportgen.report.blocks import Contour
from reportgen.text import number

SIDE = 420
# Axes of equal units are as long as their ranges up to this ratio.
MOST_OBLONG = 3.0
TICK_SIZE = 8.5
# Pixels to the CSS pixel of what is drawn as such: the dots.
DENSITY = 2
_MARGIN = 8.0
_BAR_GAP, _BAR_WIDTH = 18.0, 12.0


@dataclass(frozen=True)
class Layout:
    """Where the parts of a picture are, in CSS pixels."""

    width: int
    height: int
    plot: Box
    bar: Box
    ticks: tuple[tuple[float, str], ...]
    legend: tuple[tuple[keys.Key, ...], ...]


def lay_out(block: Contour, field: Plane) -> Layout:
    """Give every part its room: words are measured, so that none is cut."""
    plot_width, plot_height = _plot_size(block, field)
    _, _, bottom, top = field.extent
    across = max(words_width(words, TICK_SIZE) for words in _tick_words(bottom, top))
    start = _MARGIN + (16 if block.y_label else 0) + across + 8
    scale_ticks = tuple(plane.ticks(field, plot_height))
    scale_words = max(words_width(words, TICK_SIZE) for _, words in scale_ticks)
    unit = 20 if block.scale.unit else 0
    end = _BAR_GAP + _BAR_WIDTH + 8 + scale_words + unit + _MARGIN
    width = start + plot_width + end
    legend = keys.rows(keys.of(block, field), width - start - _MARGIN)
    base = 42.0 if block.x_label else 26.0
    plot = Box(start, base, plot_width, plot_height)
    return Layout(
        width=round(width),
        height=round(base + plot_height + 10 + keys.ROW * len(legend)),
        plot=plot,
        bar=Box(plot.right + _BAR_GAP, base, _BAR_WIDTH, plot_height),
        ticks=scale_ticks,
        legend=legend,
    )


def _plot_size(block: Contour, field: Plane) -> tuple[float, float]:
    if not block.equal:
        return SIDE, SIDE
    left, right, bottom, top = field.extent
    ratio = min(max((right - left) / (top - bottom), 1 / MOST_OBLONG), MOST_OBLONG)
    return (SIDE, SIDE / ratio) if ratio > 1 else (SIDE * ratio, SIDE)


def _tick_words(low: float, high: float) -> list[str]:
    return [number(tick, 3) for tick in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high)]


def draw(block: Contour, find: Find) -> Drawing | None:
    """Draw the whole picture, as large as its parts need it."""
    field = plane.read(block, find, block.states)
    if field is None:
        return None
    layout = lay_out(block, field)
    size = (layout.width, layout.height)
    return charts.paint(size, lambda figure: paint(figure, block, field, layout))


def thumbnail(block: Contour, find: Find) -> Drawing | None:
    """Draw the field with its lines and paths, without words."""
    field = plane.read(block, find, block.states)
    if field is None:
        return None
    size = small_size(block, field, THUMBNAIL)
    return charts.paint(size, lambda figure: _paint_small(figure, block, field))


def paint(figure: Figure, block: Contour, field: Plane, layout: Layout) -> None:
    """Put every part into its place on ``figure``."""
    figure.set_layout_engine("none")
    axes = place_axes(figure, layout.plot)
    page = overlay(figure)
    _draw_field(axes, field)
    hatching.draw(axes, layout.plot, field, _inks(field))
    _name_axes(axes, block)
    levels = isolines.drawn_levels(field, block.levels)
    lines = isolines.draw(axes, field, levels) if levels else None
    if keys.dotted(field):
        _draw_dots(axes, field, layout.plot)
    for index, path in enumerate(block.paths):
        trail.draw_path(axes, path, index, block.scale.map)
    for mark in block.marks:
        trail.draw_mark(axes, mark)

    def pixels(x: plane.Floats, y: plane.Floats) -> tuple[plane.Floats, plane.Floats]:
        left, right, bottom, top = field.extent
        plot = layout.plot
        return (
            plot.left + (x - left) / (right - left) * plot.width,
            plot.bottom + (y - bottom) / (top - bottom) * plot.height,
        )

    places = Places(layout.plot)
    trail.occupy(places, block.paths, pixels)
    trail.name_marks(page, places, block.marks, pixels)
    trail.name_points(page, places, block.paths, pixels)
    if lines is not None:
        isolines.name(page, places, field, lines, levels, pixels)
    _draw_scale(figure, block, field, layout, levels)
    keys.draw(page, layout.legend, layout.plot.left, layout.height - 6, field)


def _paint_small(figure: Figure, block: Contour, field: Plane) -> None:
    figure.set_layout_engine("none")
    width, height = (float(side) * PIXELS_PER_INCH for side in figure.get_size_inches())
    room = Box(1, 1, width - 2, height - 2)
    axes = place_axes(figure, room)
    _draw_field(axes, field)
    hatching.draw(axes, room, field, _inks(field))
    if levels := isolines.drawn_levels(field, block.levels):
        isolines.draw(axes, field, levels, small=True)
    for index, path in enumerate(block.paths):
        trail.draw_path(axes, path, index, block.scale.map, small=True)
    for mark in block.marks:
        trail.draw_mark(axes, mark, small=True)
    axes.set(xticks=[], yticks=[])


def small_size(block: Contour, field: Plane, room: tuple[int, int]) -> tuple[int, int]:
    """Width and height of the thumbnail inside ``room``: as oblong as the plot."""
    if not block.equal:
        return room
    width, height = _plot_size(block, field)
    factor = min(room[0] / width, room[1] / height)
    return round(width * factor), round(height * factor)


def _draw_field(axes: Axes, field: Plane) -> None:
    axes.imshow(
        plane.raster(field),
        extent=field.extent,
        origin="lower",
        interpolation="none",
        aspect="auto",
    )
    left, right, bottom, top = field.extent
    # Paths may leave the plane; the picture does not follow them.
    axes.set(xlim=(left, right), ylim=(bottom, top), autoscale_on=False)
    for spine in axes.spines.values():
        spine.set(visible=True, color=theme.QUIET, linewidth=0.6)


def _inks(field: Plane) -> dict[int, str]:
    return {CENSORED: colour.ink_on(colour.table(field.scale.map)[colour.STEPS - 1])}


def _name_axes(axes: Axes, block: Contour) -> None:
    plain = FuncFormatter(lambda value, _: number(round(value, 12), 3))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(plain)
    axes.tick_params(length=3, width=0.6)
    axes.set_xlabel(drawable(block.x_label, 70))
    axes.set_ylabel(drawable(block.y_label, 60))


def _draw_dots(axes: Axes, field: Plane, plot: Box) -> None:
    # A thousand dots are smaller as pixels than as shapes of SVG.
    dots = plane.dots(field, round(plot.width * DENSITY), round(plot.height * DENSITY))
    axes.imshow(
        dots,
        extent=field.extent,
        origin="lower",
        interpolation="none",
        aspect="auto",
        zorder=3.5,
    )


def _draw_scale(
    figure: Figure,
    block: Contour,
    field: Plane,
    layout: Layout,
    levels: list[float],
) -> None:
    low, high = colour.limits(field.scale)
    bar = place_axes(figure, layout.bar)
    steps = colour.table(field.scale.map)[: colour.STEPS][:, None]
    bar.imshow(
        np.repeat(steps, 2, axis=0),
        extent=(0, 1, low, high),
        aspect="auto",
        origin="lower",
        interpolation="none",
    )
    for level in levels:
        height = field.height(level)
        if low <= height <= high:
            ink = colour.ink_on(colour.paint(np.array([height]), field.scale)[0])
            bar.plot((0, 1), (height, height), color=ink, linewidth=0.8, alpha=0.75)
    dress_bar(bar, low, high, layout.ticks, drawable(block.scale.unit, 40))
