"""The legend above a plane: its paths, and those states of cells that occur."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from reportgen import theme
from reportgen.figures import colour, hatching, trail
from reportgen.figures.fonts import drawable, words_width
from reportgen.figures.frame import Box
from reportgen.figures.plane import (
    CENSORED,
    INTERPOLATED,
    MEASURED,
    NOT_COMPUTED,
    NOT_FINITE,
    Plane,
)
from reportgen.report.blocks import Contour

ROW = 18.0
SIZE = 8.5
MOST_DOTTED = 1000
SWATCH_HEIGHT = 11.0
SWATCH_WIDTH = {"state": 18.0, "path": 34.0}
_GAP, _APART = 6.0, 18.0

NAMES = {
    MEASURED: "measured",
    INTERPOLATED: "interpolated",
    NOT_FINITE: "not finite",
    CENSORED: "beyond the scale (stopped early)",
    NOT_COMPUTED: "not computed",
}


@dataclass(frozen=True)
class Key:
    """A swatch and its words; ``number`` is a state or the position of a path."""

    kind: Literal["state", "path"]
    number: int
    words: str

    @property
    def width(self) -> float:
        """Room that it takes, in CSS pixels."""
        return SWATCH_WIDTH[self.kind] + _GAP + words_width(self.words, SIZE)


def dotted(field: Plane) -> bool:
    """Whether dots show where the field was measured: it was not everywhere, or they are few."""
    measured = field.states == MEASURED
    return bool(measured.any() and (not measured.all() or measured.size <= MOST_DOTTED))


def of(block: Contour, field: Plane) -> list[Key]:
    """Paths by name, then the states that occur."""
    paths = [
        Key("path", index, words)
        for index, path in enumerate(block.paths)
        if path.x and (words := drawable(path.name, 40)).strip()
    ]
    found = set(np.unique(field.states).tolist())
    if not dotted(field):
        found.discard(MEASURED)
    return paths + [Key("state", state, NAMES[state]) for state in NAMES if state in found]


def rows(entries: list[Key], room: float) -> tuple[tuple[Key, ...], ...]:
    """Break ``entries`` into rows of at most ``room`` CSS pixels."""
    broken: list[list[Key]] = []
    used = 0.0
    for key in entries:
        if not broken or used + _APART + key.width > room:
            broken.append([])
            used = -_APART
        broken[-1].append(key)
        used += _APART + key.width
    return tuple(tuple(row) for row in broken)


def draw(
    page: Axes, legend: tuple[tuple[Key, ...], ...], left: float, top: float, field: Plane
) -> None:
    """Draw the rows downwards from ``top``."""
    for line, entries in enumerate(legend):
        x = left
        middle = top - ROW * line - ROW / 2 + 3
        for key in entries:
            box = Box(x, middle - SWATCH_HEIGHT / 2, SWATCH_WIDTH[key.kind], SWATCH_HEIGHT)
            (_draw_state if key.kind == "state" else _draw_path)(page, box, key.number, field)
            x = box.right + _GAP
            page.text(x, middle, key.words, fontsize=SIZE, color=theme.INK, va="center_baseline")
            x += words_width(key.words, SIZE) + _APART


def _draw_state(page: Axes, box: Box, state: int, field: Plane) -> None:
    fill = {NOT_FINITE: colour.MISSING, CENSORED: colour.STEPS - 1}.get(
        state, colour.STEPS * 2 // 5
    )
    ground = colour.table(field.scale.map)[fill]
    page.add_patch(
        Rectangle(
            (box.left, box.bottom),
            box.width,
            box.height,
            facecolor=theme.WHITE if state == NOT_COMPUTED else colour.hex_colour(ground),
            edgecolor=theme.RIM,
            linewidth=0.5,
        )
    )
    if state == MEASURED:
        dots = np.array([0.25, 0.75])
        page.plot(
            box.left + dots * box.width,
            np.full(2, box.bottom + box.height / 2),
            "o",
            color=colour.ink_on(ground),
            alpha=0.8,
            markersize=1.6,
            markeredgewidth=0,
        )
    if state in hatching.HATCHES:
        hatch = hatching.HATCHES[state]
        steps = (round(box.height * hatching.FINE), round(box.width * hatching.FINE))
        ink = colour.ink_on(ground) if state == CENSORED else hatch.colour
        hatching.stroke(page, hatching.lines(np.ones(steps, np.bool_), hatch, box), hatch, ink)


def _draw_path(page: Axes, box: Box, index: int, field: Plane) -> None:
    middle, end = box.bottom + box.height / 2, box.right - 7
    (line,) = page.plot((box.left, end), (middle, middle), color=theme.INK, linewidth=1.1)
    if dash := trail.DASHES[index % len(trail.DASHES)]:
        line.set_dashes(dash)
    fill = trail.shades(field.scale.map, 3)[:2]
    dots = (box.left + 3, box.left + 12)
    page.scatter(dots, (middle, middle), 17, fill, edgecolors=theme.INK, linewidths=0.6, zorder=5)
    trail.draw_star(page, np.array([end]), np.array([middle]), field.scale.map)
