"""Contour lines of a plane, each with its number on it where there is room."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from numpy.typing import NDArray

from reportgen.figures import colour
from reportgen.figures.fonts import words_width
from reportgen.figures.frame import Box, Places, around
from reportgen.figures.plane import Plane, known
from reportgen.figures.trail import ToPixels
from reportgen.text import number

Floats = NDArray[np.float64]

SIZE = 7.5
HEIGHT = 10.0
# A line is named where it is this much longer than its name, and bends less than this (pixels).
LONGER = 2.5
STRAIGHT = 2.5
TRIES = 60


def drawn_levels(plane: Plane, levels: tuple[float, ...]) -> list[float]:
    """Those of ``levels`` that the field crosses, as they were given, rising."""
    heights = known(plane)
    if min(heights.shape) < 2 or not np.isfinite(heights).any():
        return []
    low, high = np.nanmin(heights), np.nanmax(heights)
    return [level for level in sorted(set(levels)) if low < plane.height(level) < high]


def draw(axes: Axes, plane: Plane, levels: list[float], *, small: bool = False) -> ContourSet:
    """The lines at ``levels``, dark on light colours and light on dark ones."""
    heights = [plane.height(level) for level in levels]
    lines = axes.contour(
        plane.x,
        plane.y,
        np.ma.masked_invalid(known(plane)),
        levels=heights,
        colors=[_ink(plane, height) for height in heights],
        linewidths=0.5 if small else 0.8,
        linestyles="solid",
        alpha=0.75,
        zorder=3,
    )
    return lines


def _ground(plane: Plane, height: float) -> colour.Bytes:
    ground: colour.Bytes = colour.paint(np.array([height]), plane.scale)[0]
    return ground


def _ink(plane: Plane, height: float) -> str:
    return colour.ink_on(_ground(plane, height))


def name(
    page: Axes,
    places: Places,
    plane: Plane,
    lines: ContourSet,
    levels: list[float],
    pixels: ToPixels,
) -> None:
    """Write each level once on its line, on a ground of its colour."""
    for level, path in zip(levels, lines.get_paths(), strict=True):
        words = number(level, 3)
        width = words_width(words, SIZE)
        polygons = (np.asarray(piece) for piece in path.to_polygons(closed_only=False))
        pieces = [pixels(piece[:, 0], piece[:, 1]) for piece in polygons]
        pieces.sort(key=lambda piece: -_length(*piece)[-1])
        found = (list(_spots(*piece, places, width)) for piece in pieces)
        if not (spots := next(filter(None, found), [])):
            continue
        # The most level one: a reader's head stays upright.
        spot = min(spots, key=lambda spot: abs(spot.angle))
        places.taken.append(spot.box)
        height = plane.height(level)
        page.text(
            spot.box.left + spot.box.width / 2,
            spot.box.bottom + spot.box.height / 2,
            words,
            rotation=spot.angle,
            ha="center",
            va="center",
            fontsize=SIZE,
            color=_ink(plane, height),
            bbox={
                "boxstyle": "round,pad=0.12,rounding_size=0.2",
                "facecolor": colour.hex_colour(_ground(plane, height)),
                "edgecolor": "none",
                "alpha": 0.85,
            },
        )


@dataclass(frozen=True)
class Spot:
    """A straight and free stretch of a line: room for words at an angle in degrees."""

    box: Box
    angle: float


def _spots(x: Floats, y: Floats, places: Places, width: float) -> Iterator[Spot]:
    along = _length(x, y)
    if along[-1] < LONGER * (width + 4):
        return
    half = width / 2 + 2
    for middle in np.linspace(half, along[-1] - half, TRIES):
        ends = np.array([middle - half, middle, middle + half])
        at_x, at_y = np.interp(ends, along, x), np.interp(ends, along, y)
        across, up = at_x[2] - at_x[0], at_y[2] - at_y[0]
        chord = math.hypot(across, up)
        bend = abs(across * (at_y[1] - at_y[0]) - up * (at_x[1] - at_x[0]))
        if chord < 1.6 * half or bend / chord > STRAIGHT:
            continue
        angle = math.degrees(math.atan2(up, across))
        angle -= 180 * round(angle / 180)
        box = around(float(at_x[1]), float(at_y[1]), *_turned(width + 4, HEIGHT, angle))
        if places.free(box):
            yield Spot(box, angle)


def _length(x: Floats, y: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])


def _turned(width: float, height: float, angle: float) -> tuple[float, float]:
    sine, cosine = abs(math.sin(math.radians(angle))), abs(math.cos(math.radians(angle)))
    return width * cosine + height * sine, width * sine + height * cosine
