"""Hatches of the cells that hold no measured number, as plain lines that every viewer draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import NDArray

from reportgen import theme
from reportgen.figures.frame import Box
from reportgen.figures.plane import CENSORED, NOT_COMPUTED, NOT_FINITE, Plane, cells_of

Mask = NDArray[np.bool_]
# Steps to the CSS pixel in which the ends of a line are found.
FINE = 2


@dataclass(frozen=True)
class Hatch:
    """Parallel lines, ``apart`` CSS pixels from each other; ``rising`` like a slash."""

    apart: float
    rising: bool
    colour: str
    alpha: float


HATCHES = {
    NOT_FINITE: Hatch(4, True, theme.WHITE, 0.85),
    CENSORED: Hatch(9, True, theme.BLACK, 0.45),
    NOT_COMPUTED: Hatch(7, False, theme.UNKNOWN, 0.7),
}


def draw(axes: Axes, box: Box, plane: Plane, inks: dict[int, str]) -> None:
    """Hatch the cells of each state; ``axes`` fill ``box``. inks: colours other than usual."""
    rows = cells_of(plane.y, max(1, round(box.height * FINE)))
    columns = cells_of(plane.x, max(1, round(box.width * FINE)))
    states = plane.states[rows][:, columns]
    for state, hatch in HATCHES.items():
        if (mask := states == state).any():
            path = lines(mask, hatch, Box(0, 0, 1, 1))
            stroke(axes, path, hatch, inks.get(state, hatch.colour), transform=axes.transAxes)


def stroke(axes: Axes, path: Path, hatch: Hatch, ink: str, **options: Any) -> None:
    """Draw the lines of a hatch."""
    axes.add_patch(
        PathPatch(
            path, fill=False, edgecolor=ink, alpha=hatch.alpha, linewidth=0.6, zorder=2, **options
        )
    )


def lines(mask: Mask, hatch: Hatch, box: Box) -> Path:
    """The lines of ``hatch`` where ``mask``, the bottom row first, is set; it fills ``box``."""
    ends = segments(mask if hatch.rising else mask[:, ::-1], hatch.apart * FINE)
    if not hatch.rising:
        ends[:, :, 0] = mask.shape[1] - ends[:, :, 0]
    step = np.array([box.width / mask.shape[1], box.height / mask.shape[0]])
    points = (ends * step + np.array([box.left, box.bottom])).reshape(-1, 2)
    return Path(points, np.tile(np.array([Path.MOVETO, Path.LINETO], Path.code_type), len(ends)))


def segments(mask: Mask, apart: float) -> NDArray[np.float64]:
    """Pieces of rising diagonals inside ``mask``: ``(n, 2, 2)`` of ends ``(x, y)`` in steps."""
    height, width = mask.shape
    # On a diagonal x - y is constant; perpendicular lines are sqrt(2) closer than that.
    offsets = np.arange(-height + 1, width, max(1, round(apart * 2**0.5)))
    pieces = []
    for offset in offsets:
        inside = np.concatenate([[False], np.diagonal(mask, offset), [False]])
        turns = np.flatnonzero(inside[1:] != inside[:-1]).reshape(-1, 2)
        start = np.array([max(offset, 0), max(-offset, 0)])
        pieces.append(start + turns[:, :, None])
    return np.concatenate(pieces).astype(float) if pieces else np.empty((0, 2, 2))
