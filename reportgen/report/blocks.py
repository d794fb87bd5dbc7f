"""The closed union of blocks that a section is made of.

A new kind of picture is a class here and in `Block`, a module of `figures` that draws it, and a
line of the table `figures.drawers.DRAWERS`. A new kind of words needs a template in
``templates/blocks`` and a line of `rendering.view.LAYOUTS`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field, FiniteFloat, model_validator

from reportgen.report.record import Record

ArrayKey = Annotated[str, Field(pattern=r"^[a-z_]+/[A-Za-z0-9_.-]+$")]


def _rising(values: tuple[float, ...]) -> tuple[float, ...]:
    if any(b <= a for a, b in pairwise(values)):
        raise ValueError("coordinates must rise")
    return values


Coordinates = Annotated[tuple[FiniteFloat, ...], Field(min_length=1), AfterValidator(_rising)]


class ColourScale(Record):
    """How numbers become colours. ``signed`` is diverging and has its middle at zero."""

    low: FiniteFloat
    high: FiniteFloat
    map: Literal["magma", "viridis", "signed"] = "viridis"
    unit: str = ""


class Share(Record):
    """A named part of one: a class and its probability. Drawn as a small bar."""

    name: str
    value: FiniteFloat
    tone: Literal["plain", "good", "bad"] = "plain"


class TileLabel(Record):
    """What stands under a tile. ``tone`` is never shown by colour alone."""

    text: str
    detail: str = ""
    tone: Literal["plain", "good", "bad"] = "plain"
    shares: tuple[Share, ...] = ()


class Panel(Record):
    """A group of equal tiles under one title.

    tiles: array ``(n, h, w, 3)`` uint8 pictures, or ``(n, h, w)`` numbers drawn through
        ``scale`` (NaN is drawn as a hatch-grey "no value"). None: only ``shares``.
    columns: tiles in a row.
    labels: none, and the tiles are joined into one picture; else one for each tile, and
        every tile is a picture of its own with its label under it.
    numbers: also write each value into its cell (small kernels as tables of numbers).
    shares: bars drawn instead of, or below, the tiles (output probabilities).
    """

    title: str = ""
    note: str = ""
    tiles: ArrayKey | None = None
    columns: int = Field(default=8, ge=1)
    scale: ColourScale | None = None
    labels: tuple[TileLabel, ...] = ()
    numbers: bool = False
    shares: tuple[Share, ...] = ()


class Spark(Record):
    """A histogram or curve small enough to stand in a table cell."""

    kind: Literal["spark"] = "spark"
    values: tuple[FiniteFloat, ...]
    alt: str


Cell = str | int | FiniteFloat | Spark | None


class Series(Record):
    """One curve. ``low``/``high`` is its interval, drawn as a band (bars for points).

    ``rings`` are drawn around points of other series.
    """

    name: str
    x: tuple[FiniteFloat, ...]
    y: tuple[FiniteFloat | None, ...]
    low: tuple[FiniteFloat | None, ...] = ()
    high: tuple[FiniteFloat | None, ...] = ()
    style: Literal["line", "points", "steps", "reference", "rings"] = "line"


class GraphNode(Record):
    """A box of the architecture graph."""

    id: str
    title: str
    detail: str = ""
    group: Literal["input", "conv", "dense", "norm", "activation", "pool", "merge", "other"]


class PlanePath(Record):
    """A training path in a plane: one point a step. ``labels``: one a point, or none."""

    name: str
    x: tuple[FiniteFloat, ...]
    y: tuple[FiniteFloat, ...]
    labels: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        points = len(self.x)
        if len(self.y) != points or len(self.labels) not in (0, points):
            raise ValueError(f"{points} x, {len(self.y)} y, {len(self.labels)} labels")
        return self


class PlaneMark(Record):
    """A named place in a plane."""

    x: FiniteFloat
    y: FiniteFloat
    text: str


class _Block(Record):
    """Base of the blocks. ``id`` is the anchor that findings point at; unique in a report."""

    id: str = Field(pattern=r"^[a-z0-9_]+(-[A-Za-z0-9_.]+)*$")
    title: str = ""
    caption: str


class PictureBlock(_Block):
    """Base of the blocks that are looked at. ``alt`` says in words what is to be seen."""

    alt: str = Field(min_length=1)


class Text(_Block):
    """Plain paragraphs; ``caption`` is the first sentence."""

    kind: Literal["text"] = "text"
    paragraphs: tuple[str, ...] = ()


class KeyValues(_Block):
    """A list of names and values."""

    kind: Literal["key_values"] = "key_values"
    rows: tuple[tuple[str, str], ...]


class Table(_Block):
    """Rows under a header; numbers are right-aligned and formatted by the page."""

    kind: Literal["table"] = "table"
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Attachment(_Block):
    """A small file that the report holds; it is also written into ``data/`` under its name."""

    kind: Literal["attachment"] = "attachment"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,60}\.(txt|csv|json)$")
    text: str = Field(max_length=32_000_000)


class ImageGrid(PictureBlock):
    """Panels of tiles, side by side while there is room."""

    kind: Literal["image_grid"] = "image_grid"
    panels: tuple[Panel, ...]


class HeatMap(PictureBlock):
    """One matrix with named rows and columns. ``values`` has shape ``(rows, columns)``."""

    kind: Literal["heat_map"] = "heat_map"
    values: ArrayKey
    scale: ColourScale
    row_title: str
    column_title: str
    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    numbers: bool = True


class Lines(PictureBlock):
    """Curves or points over one pair of axes."""

    kind: Literal["lines"] = "lines"
    series: tuple[Series, ...]
    x_label: str
    y_label: str
    x_range: tuple[FiniteFloat, FiniteFloat] | None = None
    y_range: tuple[FiniteFloat, FiniteFloat] | None = None
    x_log: bool = False
    y_log: bool = False
    square: bool = False


class Bars(PictureBlock):
    """Bars by name: ``values[i][j]`` belongs to ``series[i]`` and ``names[j]``."""

    kind: Literal["bars"] = "bars"
    names: tuple[str, ...]
    series: tuple[str, ...]
    values: tuple[tuple[FiniteFloat, ...], ...]
    value_label: str


class Contour(PictureBlock):
    """A field of numbers over a plane, with contour lines, paths and marks on it.

    values: ``(rows, columns)``; row 0 belongs to ``y[0]``, at the bottom. NaN: no number.
    states: of the same shape, uint8: 0 measured, 1 interpolated, 2 not finite, 3 censored
        (beyond the scale, stopped early), 4 not computed. None: NaN is not finite, the
        rest is measured.
    x, y: coordinates of the columns and rows, rising, not necessarily even.
    log: colours by the logarithm, between ``scale.low`` > 0 and ``scale.high``.
    levels: the contour lines, exactly these.
    equal: one unit is equally long on both axes.
    """

    kind: Literal["contour"] = "contour"
    values: ArrayKey
    states: ArrayKey | None = None
    x: Coordinates
    y: Coordinates
    scale: ColourScale
    log: bool = False
    levels: tuple[FiniteFloat, ...] = ()
    paths: tuple[PlanePath, ...] = ()
    marks: tuple[PlaneMark, ...] = ()
    x_label: str
    y_label: str
    equal: bool = False


class Surface(PictureBlock):
    """The numbers of a plane in perspective. NaN is a hole.

    values, x, y, scale, log: as of a `Contour`; with ``log`` the height is the logarithm.
    path, z: a path over the plane and the heights of its points, in the unit of ``values``.
    """

    kind: Literal["surface"] = "surface"
    values: ArrayKey
    x: Coordinates
    y: Coordinates
    scale: ColourScale
    log: bool = False
    path: PlanePath | None = None
    z: tuple[FiniteFloat, ...] = ()
    x_label: str
    y_label: str
    z_label: str


class Graph(PictureBlock):
    """Boxes and arrows. Edges are pairs of positions in ``nodes``, which is in data-flow order."""

    kind: Literal["graph"] = "graph"
    nodes: tuple[GraphNode, ...]
    edges: tuple[tuple[int, int], ...]


Block = Annotated[
    Text
    | KeyValues
    | Table
    | Attachment
    | ImageGrid
    | HeatMap
    | Lines
    | Bars
    | Contour
    | Surface
    | Graph,
    Field(discriminator="kind"),
]


def as_finite(values: Any) -> tuple[float | None, ...]:
    """Floats for a `Series`: NaN and infinity become None, drawn as gaps."""
    return tuple(float(v) if np.isfinite(v) else None for v in np.asarray(values, dtype=float))
