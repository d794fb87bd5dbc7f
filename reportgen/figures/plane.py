"""The numbers of a plane made ready to be drawn: cells, their edges, states and colours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen import theme
from reportgen.figures import colour
from reportgen.figures.drawing import Find
from reportgen.report.blocks import ColourScale, Contour, Surface
from reportgen.text import number

Floats = NDArray[np.float64]

MEASURED, INTERPOLATED, NOT_FINITE, CENSORED, NOT_COMPUTED = range(5)

# Pixels along one side of the raster: enough that an edge between cells of uneven width is less
# than half a CSS pixel from its place.
SIDE = 600
UNEVEN_SIDE = 960


@dataclass(frozen=True)
class Plane:
    """A field over a plane as it is drawn.

    heights: ``(rows, columns)``: the values, or their decimal logarithms. NaN: no number.
    states: of the same shape, see `Contour`.
    scale: the colour scale in the unit of ``heights``.
    """

    x: Floats
    y: Floats
    heights: Floats
    states: NDArray[np.uint8]
    scale: ColourScale
    log: bool

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top: exactly half a cell around the outer coordinates."""
        x, y = edges(self.x), edges(self.y)
        return float(x[0]), float(x[-1]), float(y[0]), float(y[-1])

    def height(self, value: float) -> float:
        """Where ``value`` lies on the scale; NaN if it has no logarithm."""
        if not self.log:
            return value
        return math.log10(value) if value > 0 else math.nan

    def value(self, height: float) -> float:
        """The value at ``height``, the inverse of `height`."""
        return 10.0**height if self.log else height


def make(block: Contour | Surface, values: NDArray[Any], states: NDArray[Any] | None) -> Plane:
    """Join a block and its arrays.

    Raises:
        ValueError: ``values`` have another shape than the block's coordinates.
    """
    x, y = (np.asarray(axis, dtype=float) for axis in (block.x, block.y))
    numbers = np.asarray(values, dtype=float)
    if numbers.shape != (len(y), len(x)) or not numbers.size:
        wanted = (len(y), len(x))
        raise ValueError(f"{block.kind} {block.id}: expected {wanted}, got {numbers.shape}")
    log = block.log and min(block.scale.low, block.scale.high) > 0
    return Plane(
        x,
        y,
        _heights(numbers, block.scale, log),
        _states(numbers, states),
        _logarithmic(block.scale) if log else block.scale,
        log,
    )


def read(block: Contour | Surface, find: Find, states: str | None = None) -> Plane | None:
    """Join a block and the arrays that it names; None where they are missing or of another shape.

    states: the key of the array that says how the values came about.
    """
    values = find(block.values)
    if values is None or values.shape != (len(block.y), len(block.x)):
        return None
    return make(block, values, find(states) if states else None)


def _heights(numbers: Floats, scale: ColourScale, log: bool) -> Floats:
    finite = np.where(np.isfinite(numbers), numbers, np.nan)
    # What has no logarithm lies far beneath the scale, not nowhere.
    return np.log10(np.maximum(finite, scale.low * 1e-6)) if log else finite


def _states(numbers: Floats, given: NDArray[Any] | None) -> NDArray[np.uint8]:
    states = np.zeros(numbers.shape, np.uint8)
    if given is not None and given.shape == numbers.shape:
        states = np.asarray(given, np.uint8).copy()
    states[~np.isfinite(numbers) & (states <= INTERPOLATED)] = NOT_FINITE
    states[states > NOT_COMPUTED] = NOT_COMPUTED
    return states


def _logarithmic(scale: ColourScale) -> ColourScale:
    ends = {"low": math.log10(scale.low), "high": math.log10(scale.high)}
    return scale.model_copy(update=ends)


def edges(centres: Floats) -> Floats:
    """Borders of cells: midway between ``centres``, and as far beyond the outer ones."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[:-1] + centres[1:]) / 2
    first, last = 2 * centres[0] - middle[0], 2 * centres[-1] - middle[-1]
    return np.concatenate([[first], middle, [last]])


def cells_of(centres: Floats, pixels: int) -> NDArray[np.intp]:
    """For each of ``pixels`` equal steps between the outer edges, the cell its middle is in."""
    borders = edges(centres)
    step = (borders[-1] - borders[0]) / pixels
    middles = borders[0] + (np.arange(pixels) + 0.5) * step
    cells: NDArray[np.intp] = np.clip(np.searchsorted(borders, middles) - 1, 0, len(centres) - 1)
    return cells


def raster_side(centres: Floats) -> int:
    """Pixels along an axis; a multiple of the cells where they are equally wide."""
    steps = np.diff(centres)
    if len(steps) and not np.allclose(steps, steps[0], rtol=1e-6, atol=0):
        return UNEVEN_SIDE
    return len(centres) * max(1, SIDE // len(centres))


def colours(plane: Plane) -> NDArray[np.uint8]:
    """Colours of the cells, ``(rows, columns, 4)``: what was not computed is transparent."""
    rows = colour.indices(np.where(np.isnan(plane.heights), 0.0, plane.heights), plane.scale)
    rows[plane.states == NOT_FINITE] = colour.MISSING
    rows[plane.states == CENSORED] = colour.STEPS - 1
    alpha = np.where(plane.states == NOT_COMPUTED, 0, 255).astype(np.uint8)
    return np.concatenate([colour.table(plane.scale.map)[rows], alpha[..., None]], axis=-1)


def raster(plane: Plane) -> NDArray[np.uint8]:
    """The cells as pixels, ``(h, w, 4)``, the bottom row first.

    Enlarged here, because not every viewer of SVG leaves the edges of pixels sharp.
    """
    rows = cells_of(plane.y, raster_side(plane.y))
    columns = cells_of(plane.x, raster_side(plane.x))
    enlarged: NDArray[np.uint8] = colours(plane)[rows][:, columns]
    return enlarged


def dots(plane: Plane, width: int, height: int, side: int = 2) -> NDArray[np.uint8]:
    """A square dot at the place of each measured cell, ``(height, width, 4)``, from the bottom.

    The dots are half transparent: black on light colours, white on dark ones.
    """
    left, right, bottom, top = plane.extent
    rows, columns = np.nonzero(plane.states == MEASURED)
    across = np.rint((plane.x[columns] - left) / (right - left) * width - side / 2).astype(int)
    up = np.rint((plane.y[rows] - bottom) / (top - bottom) * height - side / 2).astype(int)
    inks = [255 * (colour.ink_on(rgb) == theme.WHITE) for rgb in colours(plane)[rows, columns, :3]]
    picture = np.zeros((height, width, 4), np.uint8)
    for dx in range(side):
        for dy in range(side):
            at = np.clip(up + dy, 0, height - 1), np.clip(across + dx, 0, width - 1)
            picture[at] = np.stack([inks, inks, inks, np.full(len(inks), 128)], axis=-1)
    return picture


def known(plane: Plane) -> Floats:
    """Heights where there is a number to draw a contour line by; NaN elsewhere."""
    return np.where(plane.states <= INTERPOLATED, plane.heights, np.nan)


def ticks(plane: Plane, pixels: float, apart: float = 17) -> list[tuple[float, str]]:
    """Heights and words of the ticks of a scale ``pixels`` long: its ends, and between them."""
    low, high = colour.limits(plane.scale)
    chosen = [low, high]
    room = apart * (high - low) / pixels
    for height in _round_heights(plane, low, high):
        if low < height < high and all(abs(height - other) >= room for other in chosen):
            chosen.append(height)
    return [(height, number(plane.value(height), 3)) for height in sorted(chosen)]


def _round_heights(plane: Plane, low: float, high: float) -> list[float]:
    if not plane.log:
        step = 10.0 ** math.floor(math.log10((high - low) / 2))
        step *= 2 if (high - low) / step > 8 else 1
        first, last = math.ceil(low / step), math.floor(high / step)
        return [round(i * step, 12) if step > 1e-9 else i * step for i in range(first, last + 1)]
    decades = range(math.floor(low), math.ceil(high) + 1)
    return [d + math.log10(factor) for factor in (1, 3, 2, 5) for d in decades]
