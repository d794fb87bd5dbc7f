"""Curves and points on an axes of matplotlib."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from reportgen.figures import charts
from reportgen.figures.drawing import THUMBNAIL, Drawing, Find, nothing
from reportgen.figures.fonts import drawable
from reportgen.report.blocks import Lines, Series
from reportgen.text import number
from reportgen.theme import QUIET, SERIES

MOST_VECTOR_POINTS = 3000
_DASHES: tuple[tuple[float, ...], ...] = ((), (5, 2), (1.5, 1.5), (6, 2, 1.5, 2))
_MARKERS = "os^Dv"


def draw(block: Lines, find: Find = nothing) -> Drawing:
    """Draw all series with their axes, and a legend where there is more than one."""
    size = (440, 420) if block.square else (charts.WIDTH, 320)
    return charts.paint(size, lambda figure: _draw_lines(figure.subplots(), block))


def thumbnail(block: Lines, find: Find = nothing) -> Drawing:
    """Draw the curves alone."""
    return charts.paint(THUMBNAIL, lambda figure: _draw_lines(figure.subplots(), block), bare=True)


def _draw_lines(axes: Axes, block: Lines) -> None:
    coloured = 0
    for series in block.series:
        if series.style in ("reference", "rings"):
            draw = _draw_reference if series.style == "reference" else _draw_rings
            draw(axes, series)
            continue
        _draw_series(axes, series, coloured)
        coloured += 1
    _set_axes(axes, block)
    if len(block.series) > 1:
        columns = 1 if block.square else min(3, len(block.series))
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=columns,
            borderaxespad=0.2,
            handlelength=2.2,
        )


def _set_axes(axes: Axes, block: Lines) -> None:
    axes.set_xlabel(drawable(block.x_label, 90))
    axes.set_ylabel(drawable(block.y_label, 60))
    if block.x_log and _positive(block, "x"):
        axes.set_xscale("log")
    if block.y_log and _positive(block, "y"):
        axes.set_yscale("log")
    _plain_ticks(axes)
    whole = all(float(x).is_integer() for series in block.series for x in series.x)
    if whole and axes.get_xscale() != "log":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if block.x_range:
        axes.set_xlim(*_widened(block.x_range))
    if block.y_range:
        axes.set_ylim(*_widened(block.y_range))
    if block.square:
        axes.set_box_aspect(1)
    axes.grid(True)


def _plain_ticks(axes: Axes) -> None:
    # The default formatter of logarithmic axes writes TeX, which is switched off.
    for axis, scale in ((axes.xaxis, axes.get_xscale()), (axes.yaxis, axes.get_yscale())):
        if scale == "log":
            axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
            axis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 3)))
            axis.set_minor_formatter(NullFormatter())


def _widened(limits: tuple[float, float]) -> tuple[float, float]:
    low, high = limits
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _positive(block: Lines, axis: str) -> bool:
    values = [v for s in block.series for v in getattr(s, axis) if v is not None]
    return any(value > 0 for value in values)


def _draw_reference(axes: Axes, series: Series) -> None:
    axes.plot(
        series.x,
        _numbers(series.y),
        color=QUIET,
        linewidth=1,
        linestyle=(0, (2, 2)),
        label=_label(series),
        zorder=1.5,
    )


def _draw_rings(axes: Axes, series: Series) -> None:
    axes.plot(
        series.x,
        _numbers(series.y),
        "o",
        color=SERIES[-1],
        markersize=7,
        fillstyle="none",
        markeredgewidth=1,
        label=_label(series),
        rasterized=len(series.x) > MOST_VECTOR_POINTS,
    )


def _draw_series(axes: Axes, series: Series, index: int) -> None:
    colour = SERIES[index % len(SERIES)]
    x, y = np.asarray(series.x, dtype=float), _numbers(series.y)
    interval = None
    if len(series.low) == len(x) and len(series.high) == len(x):
        interval = _numbers(series.low), _numbers(series.high)
    label = _label(series)
    rasterized = len(x) > MOST_VECTOR_POINTS
    if series.style == "points":
        marker = _MARKERS[index % len(_MARKERS)]
        axes.plot(
            x,
            y,
            marker,
            color=colour,
            markersize=4 if len(x) < 200 else 2,
            alpha=0.85,
            label=label,
            rasterized=rasterized,
            markeredgewidth=0,
        )
        if interval:
            axes.vlines(x, *interval, color=colour, linewidth=1, alpha=0.7)
        return
    steps = series.style == "steps"
    (line,) = axes.plot(
        x,
        y,
        color=colour,
        linewidth=1.6,
        label=label,
        rasterized=rasterized,
        drawstyle="steps-mid" if steps else "default",
    )
    if dash := _DASHES[index % len(_DASHES)]:
        line.set_dashes(dash)
    if interval:
        axes.fill_between(
            x, *interval, color=colour, alpha=0.18, linewidth=0, step="mid" if steps else None
        )


def _label(series: Series) -> str:
    # A label that starts with an underscore would be kept out of the legend.
    return "\u200a" + drawable(series.name, 40) if series.name else "\u200a"


def _numbers(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=float)
