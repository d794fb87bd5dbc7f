"""Figures of matplotlib in our style, as SVG without any state of pyplot."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reportgen import theme
from reportgen.figures import fonts, svg
from reportgen.figures.drawing import Drawing
from reportgen.figures.frame import PIXELS_PER_INCH

# How wide a chart is, in CSS pixels, unless it has a reason to be another.
WIDTH = 680

_SETTINGS: dict[str, Any] = {
    "font.family": fonts.FAMILIES,
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


def paint(
    size: tuple[int, int], painter: Callable[[Figure], None], *, bare: bool = False
) -> Drawing:
    """Draw a figure of ``size`` CSS pixels as SVG on a transparent ground.

    bare: leave the plot alone, without words and ticks, as a thumbnail needs it.
    """
    with _style():
        width, height = size
        figure = Figure(figsize=(width / PIXELS_PER_INCH, height / PIXELS_PER_INCH))
        FigureCanvasAgg(figure)
        painter(figure)
        if bare:
            _strip(figure)
        return Drawing(_svg(figure), width, height)


@contextmanager
def _style() -> Iterator[None]:
    fonts.load()
    with matplotlib.rc_context(_SETTINGS):
        yield


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
