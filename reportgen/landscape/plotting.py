"""A plane or a line of the loss as a small picture, for a notebook.

The report draws its own, with the table and the words around it (`reportgen.figures`); this is
what `Survey.plot` and a cell that ends in a survey show. It needs Matplotlib and nothing of ours.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen import theme

FloatArray = NDArray[np.float64]
_LEVELS = 12
_DOTS = 110  # an inch


@dataclass(frozen=True, eq=False)
class Picture:
    """What is drawn.

    Attributes:
        x, y: coordinates of columns and rows; one ``y`` is a line.
        loss, error: ``(len(y), len(x))``; NaN where there is no number.
        lowest: row and column of the lowest loss that was measured, or None.
        title: in words.
    """

    x: FloatArray
    y: FloatArray
    loss: FloatArray
    error: FloatArray
    lowest: tuple[int, int] | None
    title: str


def draw(picture: Picture, axes: Any = None) -> Any:
    """Draw into ``axes`` of Matplotlib, or into a new figure; returns the figure."""
    if axes is None:
        from matplotlib.figure import Figure

        axes = Figure(figsize=(5.2, 4.2), layout="constrained").add_subplot()
    if len(picture.y) == 1:
        _draw_line(picture, axes)
    else:
        _draw_plane(picture, axes)
    axes.set_title(picture.title, fontsize="medium", color=theme.INK)
    return axes.figure


def as_png(picture: Picture) -> bytes:
    """The same as the bytes of a PNG file."""
    stream = io.BytesIO()
    draw(picture).savefig(stream, format="png", dpi=_DOTS)
    return stream.getvalue()


def _draw_line(picture: Picture, axes: Any) -> None:
    loss, error = picture.loss[0], np.nan_to_num(picture.error[0])
    axes.fill_between(picture.x, loss - error, loss + error, color=theme.BLUE, alpha=0.2, lw=0)
    axes.plot(picture.x, loss, color=theme.BLUE)
    _mark(picture, axes, heights=loss)
    axes.set(xlabel="step", ylabel="loss")


def _draw_plane(picture: Picture, axes: Any) -> None:
    """Contours of equal loss; evenly spaced in its logarithm where it spans two decades."""
    known = np.ma.masked_invalid(picture.loss)
    if known.count() > 2 and np.ptp(known.compressed()) > 0:
        levels = _choose_levels(known.compressed())
        filled = axes.contourf(picture.x, picture.y, known, levels=levels, cmap="viridis")
        axes.contour(picture.x, picture.y, known, levels=levels, colors=theme.WHITE, linewidths=0.5)
        axes.figure.colorbar(filled, ax=axes, label="loss", format="%.3g")
    else:
        axes.text(0.5, 0.5, "too few cells for contours", ha="center", transform=axes.transAxes)
        axes.set(xlim=picture.x[[0, -1]], ylim=picture.y[[0, -1]])
    axes.set_facecolor(theme.LIGHT["track"])  # what was not computed
    _mark(picture, axes)
    axes.set(xlabel="step along the first direction", ylabel="along the second", aspect="equal")


def _choose_levels(values: FloatArray) -> FloatArray:
    low, high = float(values.min()), float(values.max())
    if low > 0 and high / low > 100:
        return np.geomspace(low, high, _LEVELS)
    return np.linspace(low, high, _LEVELS)


def _mark(picture: Picture, axes: Any, heights: FloatArray | None = None) -> None:
    """A cross at the model, a ring at the lowest loss."""
    on_plane = heights is None
    row, column = int(np.abs(picture.y).argmin()), int(np.abs(picture.x).argmin())
    for marker, label, place in (
        ("x", "the model", (row, column)),
        ("o", "lowest", picture.lowest),
    ):
        if place is None:
            continue
        axes.plot(
            picture.x[place[1]],
            picture.y[place[0]] if heights is None else heights[place[1]],
            marker,
            color=theme.WHITE if on_plane else theme.INK,
            fillstyle="none",
            label=label,
        )
    axes.legend(
        fontsize="small",
        framealpha=0.6,
        facecolor=theme.QUIET if on_plane else theme.WHITE,
        labelcolor=theme.WHITE if on_plane else theme.INK,
    )
