"""The one table of the blocks that become a vector picture: how each is drawn and shown.

A new kind of picture is a class in `reportgen.report.blocks`, a module beside this one and a
line of `DRAWERS`: page, paper, thumbnails and style follow from the line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from reportgen.figures import bars, contour, graph, lines, matrix, surface
from reportgen.figures.drawing import Drawing, Find
from reportgen.report.blocks import Bars, Contour, Graph, HeatMap, Lines, PictureBlock, Surface

BlockT = TypeVar("BlockT", bound=PictureBlock)
Look = Literal["chart", "map"]


@dataclass(frozen=True)
class Drawer(Generic[BlockT]):
    """How one kind of block becomes a picture.

    Attributes:
        draw: Draws the whole picture; gives None where an array that it needs is missing.
        thumbnail: Draws it without words within 120 x 80 CSS pixels; gives None likewise.
        look: What the page does with it. A ``chart`` is dark ink on nothing, inverted in the dark
            theme; a ``map`` has colours that mean numbers, and keeps them on a white sheet.
        paper_height: The most CSS pixels that it may be high on paper, where 400 leave room for
            a second picture on the page.
        scrolls: On a narrow screen it keeps its size and is scrolled, so that its words stay
            large enough to be read; others shrink.
    """

    draw: Callable[[BlockT, Find], Drawing | None]
    thumbnail: Callable[[BlockT, Find], Drawing | None]
    look: Look
    paper_height: int = 400
    scrolls: bool = False


DRAWERS: dict[type[Any], Drawer[Any]] = {
    HeatMap: Drawer(matrix.draw, matrix.thumbnail, "map"),
    Lines: Drawer(lines.draw, lines.thumbnail, "chart"),
    Bars: Drawer(bars.draw, bars.thumbnail, "chart"),
    Contour: Drawer(contour.draw, contour.thumbnail, "map"),
    Surface: Drawer(surface.draw, surface.thumbnail, "map"),
    Graph: Drawer(graph.draw, graph.thumbnail, "chart", paper_height=800, scrolls=True),
}
