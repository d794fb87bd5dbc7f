"""Paths and marks on a plane: thin lines, points from first to last, and words that keep apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import NDArray

from reportgen.figures.colour import Map
from reportgen.figures.fonts import drawable, words_width
from reportgen.figures.frame import Box, Places, around, beside, write
from reportgen.report.blocks import PlaneMark, PlanePath
from reportgen.theme import INK, WHITE

Floats = NDArray[np.float64]
# Data coordinates to CSS pixels.
ToPixels = Callable[[Floats, Floats], tuple[Floats, Floats]]

MOST_POINTS = 41
MOST_VECTOR_STEPS = 600
MOST_LABELS = 6
LINE_HEIGHT = 12.0

# A ramp from nearly white to dark in a hue that the field's map lacks.
RAMPS: dict[Map, str] = {"viridis": "Reds", "magma": "Blues", "signed": "Greys"}
DASHES: tuple[tuple[float, ...], ...] = ((), (5, 2), (1.5, 1.5), (6, 2, 1.5, 2))
_STAR = 11.0


def spread(count: int, most: int) -> list[int]:
    """Up to ``most`` positions of ``count``, evenly apart, the first and the last among them."""
    return sorted(set(np.rint(np.linspace(0, count - 1, min(count, most))).astype(int).tolist()))


def shades(name: Map, count: int) -> NDArray[np.float64]:
    """Colours of ``count`` points from first to last, ``(count, 4)``."""
    shade: NDArray[np.float64] = colormaps[RAMPS[name]](np.linspace(0.05, 0.95, count))
    return shade


def draw_path(axes: Axes, path: PlanePath, index: int, name: Map, *, small: bool = False) -> None:
    """One path in data coordinates: a line with a white halo, its points and its last one."""
    if not path.x:
        return
    x, y = np.asarray(path.x), np.asarray(path.y)
    width = 0.8 if small else 1.1
    (line,) = axes.plot(x, y, color=INK, linewidth=width, zorder=4, solid_joinstyle="round")
    line.set_path_effects([Stroke(linewidth=width + 2, foreground=WHITE, alpha=0.9), Normal()])
    line.set_rasterized(len(x) > MOST_VECTOR_STEPS)
    if dash := DASHES[index % len(DASHES)]:
        line.set_dashes(dash)
    if not small:
        shown = spread(len(x), MOST_POINTS)[:-1]
        fill = shades(name, len(x))[shown]
        axes.scatter(x[shown], y[shown], 17, fill, edgecolors=INK, linewidths=0.6, zorder=5)
    draw_star(axes, x[-1:], y[-1:], name, small=small)


def draw_star(axes: Axes, x: Floats, y: Floats, name: Map, *, small: bool = False) -> None:
    """The end of a path."""
    axes.plot(
        x,
        y,
        "*",
        markersize=_STAR * (0.7 if small else 1),
        markerfacecolor=shades(name, 2)[-1],
        markeredgecolor=WHITE,
        markeredgewidth=0.8,
        zorder=6,
    )


def draw_mark(axes: Axes, mark: PlaneMark, *, small: bool = False) -> None:
    """A cross with a white halo."""
    size = 5.0 if small else 7.0
    for colour, width in ((WHITE, 3.2), (INK, 1.4)):
        axes.plot(
            mark.x,
            mark.y,
            "x",
            color=colour,
            markersize=size + (width - 1.4) / 2,
            markeredgewidth=width,
            zorder=7,
        )


def occupy(places: Places, paths: tuple[PlanePath, ...], pixels: ToPixels) -> None:
    """Take the places of the points, so that words keep off them."""
    for path in paths:
        for x, y in zip(*pixels(np.asarray(path.x), np.asarray(path.y)), strict=True):
            places.taken.append(around(float(x), float(y), 5, 5))


def name_marks(
    page: Axes,
    places: Places,
    marks: tuple[PlaneMark, ...],
    pixels: ToPixels,
) -> None:
    """Write the names of the marks that are inside the picture."""
    for mark in marks:
        x, y = pixels(np.array([mark.x]), np.array([mark.y]))
        spot = around(float(x[0]), float(y[0]), 8, 8)
        if not places.room.holds(spot):
            continue
        places.taken.append(spot)
        _name_point(page, places, spot, drawable(mark.text, 30), needed=True)


def name_points(
    page: Axes,
    places: Places,
    paths: tuple[PlanePath, ...],
    pixels: ToPixels,
) -> None:
    """Write the labels of the first and last point, then of some between while there is room."""
    for needed in (True, False):
        for path in paths:
            x, y = pixels(np.asarray(path.x), np.asarray(path.y))
            ends = {0, len(path.labels) - 1}
            for i in spread(len(path.labels), MOST_LABELS) if path.labels else ():
                spot = around(float(x[i]), float(y[i]), 1, 1)
                if (i in ends) is needed and places.room.holds(spot):
                    _name_point(page, places, spot, drawable(path.labels[i], 16), needed=needed)


def _name_point(page: Axes, places: Places, spot: Box, words: str, *, needed: bool) -> None:
    if not words.strip():
        return
    x, y = spot.left + spot.width / 2, spot.bottom + spot.height / 2
    choices = beside(x, y, words_width(words, 8.0) + 3, LINE_HEIGHT)
    box = next((choice for choice in choices if places.free(choice)), None)
    if box is None and needed:
        box = places.best([*choices, *beside(x, y, words_width(words, 8.0) + 3, LINE_HEIGHT, 14)])
    if box is not None:
        places.taken.append(box)
        write(page, box, words)
