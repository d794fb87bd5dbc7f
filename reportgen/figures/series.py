"""Curves and bars on an axes of matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from reportgen.report.blocks import Bars, Lines, Series
from reportgen.text import number
from reportgen.theme import QUIET, SERIES

# How a name from outside becomes text that the fonts can draw: (text, limit) -> text.
Drawable = Callable[[str, int], str]

MOST_NAMED_BARS = 30
MOST_TICKS = 24
MOST_VECTOR_POINTS = 3000
_DASHES: tuple[tuple[float, ...], ...] = ((), (5, 2), (1.5, 1.5), (6, 2, 1.5, 2))
_MARKERS = "os^Dv"


def draw_lines(axes: Axes, block: Lines, drawable: Drawable) -> None:
    """All series of ``block``; a legend where there is more than one."""
    coloured = 0
    for series in block.series:
        if series.style in ("reference", "rings"):
            draw = _draw_reference if series.style == "reference" else _draw_rings
            draw(axes, series, drawable)
            continue
        _draw_series(axes, series, coloured, drawable)
        coloured += 1
    _set_axes(axes, block, drawable)
    if len(block.series) > 1:
        columns = 1 if block.square else min(3, len(block.series))
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=columns,
            borderaxespad=0.2,
            handlelength=2.2,
        )


def _set_axes(axes: Axes, block: Lines, drawable: Drawable) -> None:
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


def _draw_reference(axes: Axes, series: Series, drawable: Drawable) -> None:
    axes.plot(
        series.x,
        _numbers(series.y),
        color=QUIET,
        linewidth=1,
        linestyle=(0, (2, 2)),
        label=_label(series, drawable),
        zorder=1.5,
    )


def _draw_rings(axes: Axes, series: Series, drawable: Drawable) -> None:
    axes.plot(
        series.x,
        _numbers(series.y),
        "o",
        color=SERIES[-1],
        markersize=7,
        fillstyle="none",
        markeredgewidth=1,
        label=_label(series, drawable),
        rasterized=len(series.x) > MOST_VECTOR_POINTS,
    )


def _draw_series(axes: Axes, series: Series, index: int, drawable: Drawable) -> None:
    colour = SERIES[index % len(SERIES)]
    x, y = np.asarray(series.x, dtype=float), _numbers(series.y)
    interval = None
    if len(series.low) == len(x) and len(series.high) == len(x):
        interval = _numbers(series.low), _numbers(series.high)
    label = _label(series, drawable)
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


def _label(series: Series, drawable: Drawable) -> str:
    # A label that starts with an underscore would be kept out of the legend.
    return "\u200a" + drawable(series.name, 40) if series.name else "\u200a"


def _numbers(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def bars_size(block: Bars) -> tuple[int, int]:
    """Width and height in CSS pixels: lying bars while each has room for its name."""
    if len(block.names) > MOST_NAMED_BARS:
        return 680, 320
    bars = max(1, len(block.names)) * (10 + 12 * max(1, len(block.series)))
    return 680, 64 + bars + (22 if len(block.series) > 1 else 0)


def draw_bars(axes: Axes, block: Bars, drawable: Drawable) -> None:
    """Bars by name, lying while they are few, else upright with some of the names."""
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


def thinned(count: int, most: int) -> list[int]:
    """Positions of the labels that are written: all, or every k-th so that ``most`` remain."""
    step = max(1, -(-count // most))
    return list(range(0, count, step))
