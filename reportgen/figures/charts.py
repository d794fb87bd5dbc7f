"""Curves, bars and matrices with matplotlib, as SVG without any state of pyplot."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager, get_font
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray

from reportgen import text, theme
from reportgen.figures import contour, matrix, plane, series, surface, svg
from reportgen.figures.drawing import Drawing
from reportgen.figures.frame import FAMILIES, PIXELS_PER_INCH
from reportgen.report.blocks import Bars, Contour, HeatMap, Lines, Surface
from reportgen.resources import template_folder

WIDTH = 680
THUMBNAIL = (120, 80)

Chart = Lines | Bars | HeatMap | Contour | Surface

_SETTINGS: dict[str, Any] = {
    "font.family": FAMILIES,
    "font.size": 9,
    "text.parse_math": False,
    "text.usetex": False,
    "axes.unicode_minus": True,
    "svg.fonttype": "path",
    "svg.hashsalt": "reportgen",
    "path.simplify": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": theme.QUIET,
    "axes.labelcolor": theme.INK,
    "axes.linewidth": 0.8,
    "axes.labelsize": 9,
    "axes.axisbelow": True,
    "xtick.color": theme.QUIET,
    "ytick.color": theme.QUIET,
    "xtick.labelcolor": theme.INK,
    "ytick.labelcolor": theme.INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "grid.color": theme.GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.constrained_layout.use": True,
}


@dataclass(frozen=True)
class Plan:
    """How large a picture is in CSS pixels, and what draws it: all of it, or its thumbnail."""

    width: int
    height: int
    paint: Callable[[Figure], None]
    paint_small: Callable[[Figure], None] | None = None
    small: tuple[int, int] = THUMBNAIL


def draw(
    block: Chart,
    values: NDArray[Any] | None = None,
    states: NDArray[Any] | None = None,
    *,
    small: bool = False,
) -> Drawing:
    """Draw one block as SVG on a transparent ground.

    values: the matrix ``(rows, columns)`` of a `HeatMap`, `Contour` or `Surface`.
    states: how the values of a `Contour` came about.
    small: a thumbnail of at most 120 x 80 pixels without any text.
    """
    with _style():
        plan = _plan(block, values, states)
        width, height = plan.small if small else (plan.width, plan.height)
        figure = Figure(figsize=(width / PIXELS_PER_INCH, height / PIXELS_PER_INCH))
        FigureCanvasAgg(figure)
        if small and plan.paint_small:
            plan.paint_small(figure)
        else:
            plan.paint(figure)
            if small:
                _strip(figure)
        return Drawing(_svg(figure), width, height)


def _plan(block: Chart, values: NDArray[Any] | None, states: NDArray[Any] | None) -> Plan:
    if isinstance(block, Lines):
        width, height = (440, 420) if block.square else (WIDTH, 320)
        return Plan(width, height, lambda f: series.draw_lines(f.subplots(), block, drawable))
    if isinstance(block, Bars):
        width, height = series.bars_size(block)
        return Plan(width, height, lambda f: series.draw_bars(f.subplots(), block, drawable))
    if values is None:
        raise ValueError(f"{block.kind} {block.id}: its values are missing")
    if isinstance(block, HeatMap):
        width, height = matrix.size(block)
        return Plan(width, height, lambda f: matrix.draw(f.subplots(), block, values, drawable))
    return _plan_plane(block, plane.make(block, values, states))


def _plan_plane(block: Contour | Surface, field: plane.Plane) -> Plan:
    if isinstance(block, Surface):
        return Plan(
            *surface.SIZE,
            lambda figure: surface.draw(figure, block, field, drawable),
            lambda figure: surface.draw_small(figure, block, field),
            surface.SMALL_SIZE,
        )
    layout = contour.lay_out(block, field, drawable)
    return Plan(
        layout.width,
        layout.height,
        lambda figure: contour.draw(figure, block, field, layout, drawable),
        lambda figure: contour.draw_small(figure, block, field),
        contour.small_size(block, field, THUMBNAIL),
    )


@contextmanager
def _style() -> Iterator[None]:
    _fonts()
    with matplotlib.rc_context(_SETTINGS):
        yield


@cache
def _fonts() -> tuple[FT2Font, ...]:
    fontManager.addfont(template_folder() / "fonts" / "inter-400.ttf")
    return tuple(
        get_font(fontManager.findfont(FontProperties(family=family), fallback_to_default=False))
        for family in FAMILIES
    )


def drawable(words: str, limit: int = 40) -> str:
    """A short name of which every character has a glyph; the others become a white square."""
    fonts = _fonts()
    return "".join(
        char if any(font.get_char_index(ord(char)) for font in fonts) else "\u25a1"
        for char in text.name(words, limit)
    )


def _strip(figure: Figure) -> None:
    # Without words there is nothing to lay out: the axes take the whole picture.
    figure.set_layout_engine("none")
    for axes in list(figure.axes)[1:]:
        axes.remove()
    axes = figure.axes[0]
    axes.set(xlabel="", ylabel="", xticks=[], yticks=[], title="")
    axes.minorticks_off()
    for words in list(axes.texts):
        words.remove()
    if (legend := axes.get_legend()) is not None:
        legend.remove()
    axes.set_position((0.03, 0.04, 0.94, 0.92))


def _svg(figure: Figure) -> bytes:
    stream = io.BytesIO()
    # Without dpi, the one that the figure was born with would be taken.
    figure.savefig(
        stream, format="svg", transparent=True, metadata={"Date": None}, dpi=figure.get_dpi()
    )
    return svg.compact(stream.getvalue())
