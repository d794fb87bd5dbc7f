"""A field over a plane in perspective, with matplotlib's toolkit for three dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from mpl_toolkits.mplot3d import Axes3D
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from mpl_toolkits.mplot3d.proj3d import proj_transform
from numpy.typing import NDArray

from reportgen import theme
from reportgen.figures import charts, colour, plane, trail
from reportgen.figures.drawing import Drawing, Find
from reportgen.figures.fonts import drawable
from reportgen.figures.frame import PIXELS_PER_INCH, Box, Places, overlay
from reportgen.figures.plane import Plane
from reportgen.report.blocks import PlanePath, Surface
from reportgen.text import number

SIZE = (600, 420)
SMALL_SIZE = (100, 80)
# Degrees above the plane and around it: a minimum in the middle is seen over the nearest rim.
ELEVATION, AZIMUTH = 42.0, -60.0
HEIGHT = 0.45
# Of the sheet, which is drawn as pixels: enough for a screen of two to the CSS pixel.
DPI = 1.4 * PIXELS_PER_INCH

Floats = NDArray[np.float64]


def draw(block: Surface, find: Find) -> Drawing | None:
    """Draw the surface with its axes and its path."""
    field = plane.read(block, find)
    if field is None:
        return None
    return charts.paint(SIZE, lambda figure: _paint(figure, block, field))


def thumbnail(block: Surface, find: Find) -> Drawing | None:
    """Draw the sheet alone."""
    field = plane.read(block, find)
    if field is None:
        return None
    return charts.paint(SMALL_SIZE, lambda figure: _paint_small(figure, field))


def _paint(figure: Figure, block: Surface, field: Plane) -> None:
    axes = stage(figure, field, zoom=0.84)
    axes.set_position((-0.1, -0.08, 1.12, 1.24))
    _draw_sheet(axes, field, lines=True)
    _name_axes(axes, block, field)
    if block.path is not None:
        _draw_path(figure, axes, block, block.path, field)


def _paint_small(figure: Figure, field: Plane) -> None:
    axes = stage(figure, field, zoom=1.5)
    axes.set_position((0, -0.02, 1, 1))
    axes.set_axis_off()
    _draw_sheet(axes, field, lines=False)


def stage(figure: Figure, field: Plane, *, zoom: float) -> Any:
    """Axes in perspective, seen by the camera."""
    figure.set_layout_engine("none")
    figure.set_dpi(DPI)
    axes = Axes3D(figure, computed_zorder=False)
    figure.add_axes(axes)
    axes.view_init(elev=ELEVATION, azim=AZIMUTH)
    axes.set_box_aspect((1, 1, HEIGHT), zoom=zoom)
    return axes


def quads(field: Plane) -> tuple[Floats, Floats]:
    """Corners ``(n, 4, 3)`` and mean heights ``(n,)`` of the sheet between the coordinates.

    What is beyond the scale is cut off there; a quad with a corner that is no number is a hole.
    """
    low, high = colour.limits(field.scale)
    heights = np.clip(plane.known(field), low, high)
    x, y = np.meshgrid(field.x, field.y)
    points = np.stack([x, y, heights], axis=-1)
    corners = np.stack(
        [points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1]], axis=2
    ).reshape(-1, 4, 3)
    whole = corners[np.isfinite(corners).all(axis=(1, 2))]
    return whole, whole[:, :, 2].mean(axis=1)


def _draw_sheet(axes: Any, field: Plane, *, lines: bool) -> None:
    corners, heights = quads(field)
    low, high = colour.limits(field.scale)
    axes.set(xlim=_span(field.x), ylim=_span(field.y), zlim=(low, high))
    if not len(corners):
        return
    painted = colour.paint(heights, field.scale) / 255
    edge = painted * 0.8 if lines else painted
    sheet = Poly3DCollection(corners, facecolors=painted, edgecolors=edge, linewidths=0.35)
    sheet.set(rasterized=True, zorder=1)
    axes.add_collection3d(sheet, autolim=False)


def _span(centres: Floats) -> tuple[float, float]:
    if len(centres) == 1:
        return float(centres[0]) - 0.5, float(centres[0]) + 0.5
    return float(centres[0]), float(centres[-1])


def _name_axes(axes: Any, block: Surface, field: Plane) -> None:
    plain = FuncFormatter(lambda value, _: number(round(value, 12), 3))
    for axis, label in ((axes.xaxis, block.x_label), (axes.yaxis, block.y_label)):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(plain)
        axis.set_label_text(drawable(label, 40))
    axes.zaxis.set_rotate_label(True)
    axes.zaxis.set_label_text(drawable(block.z_label, 40))
    shown = plane.ticks(field, HEIGHT * 220, apart=17)
    axes.set_zticks([height for height, _ in shown], [words for _, words in shown])
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color(theme.PANE)
        axis.line.set(color=theme.QUIET, linewidth=0.8)
        axis._axinfo["grid"].update(color=theme.PANE_GRID, linewidth=0.6)
        axis._axinfo["tick"].update(inward_factor=0.0, outward_factor=0.25)
        axis.pane.set_edgecolor(theme.PANE_GRID)
    axes.tick_params(pad=1)


def _draw_path(figure: Figure, axes: Any, block: Surface, path: PlanePath, field: Plane) -> None:
    """Draw the path flat upon the picture, where its points are seen."""
    if not block.z or len(block.z) != len(path.x):
        return
    low, high = colour.limits(field.scale)
    heights = np.clip(np.nan_to_num([field.height(z) for z in block.z], nan=low), low, high)
    x, y = pixels(figure, axes, np.asarray(path.x), np.asarray(path.y), heights)
    flat = path.model_copy(update={"x": tuple(x.tolist()), "y": tuple(y.tolist())})
    page = overlay(figure)
    trail.draw_path(page, flat, 0, field.scale.map)
    places = Places(Box(0, 0, *SIZE))
    trail.occupy(places, (flat,), lambda x, y: (x, y))
    trail.name_points(page, places, (flat,), lambda x, y: (x, y))


def pixels(figure: Figure, axes: Any, x: Floats, y: Floats, z: Floats) -> tuple[Floats, Floats]:
    """Where points in space are seen, in CSS pixels from the lower left corner."""
    axes.apply_aspect()
    across, up, _ = proj_transform(x, y, z, axes.get_proj())
    shown = axes.transData.transform(np.stack([across, up], axis=-1))
    shown = shown * PIXELS_PER_INCH / figure.get_dpi()
    return shown[:, 0], shown[:, 1]
