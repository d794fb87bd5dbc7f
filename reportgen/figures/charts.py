"""Curves, bars and matrices with matplotlib, as SVG without any state of pyplot."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager, get_font
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray

from reportgen.blocks import Bars, HeatMap, Lines
from reportgen.figures import matrix, series
from reportgen.figures.kernels import Drawing
from reportgen.rendering import text
from reportgen.rendering.templates import template_folder

# A figure's size is given in CSS pixels, 96 to the inch. Its text has 12 of them.
PIXELS_PER_INCH = 96
WIDTH = 680
THUMBNAIL = (120, 80)

INK = "#1a1f27"
QUIET = "#5f6b7a"

_SETTINGS: dict[str, Any] = {
    "font.family": ["Inter", "DejaVu Sans"],
    "font.size": 9,
    "text.parse_math": False,
    "text.usetex": False,
    "axes.unicode_minus": True,
    "svg.fonttype": "path",
    "svg.hashsalt": "reportgen",
    "path.simplify": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.labelsize": 9,
    "axes.axisbelow": True,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "grid.color": "#d5d9df",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.constrained_layout.use": True,
}


def draw(
    block: Lines | Bars | HeatMap, values: NDArray[Any] | None = None, *, small: bool = False
) -> Drawing:
    """Draw one block as SVG on a transparent ground.

    values: the matrix ``(rows, columns)`` of a `HeatMap`.
    small: a thumbnail of 120 x 80 pixels without any text.
    """
    paint, width, height = _plan(block, values)
    if small:
        width, height = THUMBNAIL
    with _style():
        figure = Figure(figsize=(width / PIXELS_PER_INCH, height / PIXELS_PER_INCH))
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        paint(axes)
        if small:
            _strip(figure)
        return Drawing(_svg(figure), width, height)


def _plan(
    block: Lines | Bars | HeatMap, values: NDArray[Any] | None
) -> tuple[Callable[[Axes], None], int, int]:
    if isinstance(block, Lines):
        width, height = (440, 420) if block.square else (WIDTH, 320)
        return lambda axes: series.draw_lines(axes, block, drawable), width, height
    if isinstance(block, Bars):
        width, height = series.bars_size(block)
        return lambda axes: series.draw_bars(axes, block, drawable), width, height
    if values is None:
        raise ValueError(f"heat map {block.id}: its values are missing")
    matrix_values = values
    width, height = matrix.size(block)
    return lambda axes: matrix.draw(axes, block, matrix_values, drawable), width, height


@contextmanager
def _style() -> Iterator[None]:
    _fonts()
    with matplotlib.rc_context(_SETTINGS):
        yield


@cache
def _fonts() -> tuple[FT2Font, ...]:
    fontManager.addfont(template_folder() / "fonts" / "inter-400.ttf")
    families = ("Inter", "DejaVu Sans")
    return tuple(
        get_font(fontManager.findfont(FontProperties(family=family), fallback_to_default=False))
        for family in families
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
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return stream.getvalue()
