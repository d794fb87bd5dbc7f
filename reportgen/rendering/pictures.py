"""Pictures of blocks as data URIs, in the size and the encoding that a medium asks for."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from reportgen.figures import colour, drawers, kernels, tiles
from reportgen.figures.drawers import DRAWERS
from reportgen.figures.drawing import Drawing, Find
from reportgen.figures.tiles import Encoding
from reportgen.report.blocks import Block, ColourScale, ImageGrid, PictureBlock
from reportgen.report.sections import Arrays
from reportgen.text import number, printable

Look = Literal["pixels", "smooth"] | drawers.Look

# CSS pixels that a figure may take: the wide column on screen, the text block of A4 on paper.
ROOM = {"screen": 880, "paper": 640}
HIGHEST_ON_SCREEN = 900
THUMBNAIL_ROOM = (120, 88)


@dataclass(frozen=True)
class Picture:
    """A picture in its place. ``width`` and ``height`` are CSS pixels; no ``source``: left out.

    look: ``pixels`` stay sharp when enlarged, ``smooth`` ones do not; of a vector picture, see
    `reportgen.figures.drawers.Drawer`.
    own_width: width in pixels of its own; where it is shown smaller, it may be smoothed.
    """

    key: str
    source: Markup
    width: int
    height: int
    look: Look
    alt: str
    own_width: int


@dataclass(frozen=True)
class Legend:
    """The scale of a panel: its ends as text, beside a strip of its colours."""

    ramp: Markup
    low: str
    high: str
    middle: str
    unit: str


@dataclass
class Gallery:
    """Makes the pictures of one page and counts their bytes.

    omit: keys of pictures to leave out. ``bytes_of`` tells afterwards what each key costs.
    drawings: vector pictures, kept between two pages of the same report.
    """

    arrays: Arrays
    encoding: Encoding
    omit: frozenset[str] = frozenset()
    drawings: dict[str, Drawing] = field(default_factory=dict)
    bytes_of: dict[str, int] = field(default_factory=dict)

    @property
    def room(self) -> int:
        """Width of the medium in CSS pixels."""
        return ROOM[self.encoding.target]

    def array(self, key: str) -> NDArray[Any] | None:
        """The array of a block, or None where it is missing, empty or of another shape."""
        values = self.arrays.get(key)
        return values if values is not None and values.size and values.ndim >= 1 else None

    def block(self, block: PictureBlock) -> Picture | None:
        """The picture of a block that the table of drawers knows."""
        drawer = DRAWERS[type(block)]
        made = self._drawing(f"{block.id}/whole", block, drawer.draw)
        if made is None:
            return None
        highest = HIGHEST_ON_SCREEN if self.encoding.target == "screen" else drawer.paper_height
        shown = self._fit(made.width, made.height, self.room, highest)
        return self._keep(block.id, made.svg, "image/svg+xml", shown, drawer.look, block.alt)

    def mosaic(
        self,
        key: str,
        values: NDArray[Any],
        columns: int,
        scale: ColourScale | None,
        alt: str,
        room: tuple[int, int],
    ) -> Picture:
        """All tiles of a panel as one picture of at most ``room`` CSS pixels."""
        made = tiles.picture(values, columns, scale, self.encoding)
        shown = self._fit(made.width, made.height, *room)
        sharp = made.hard_edges and shown[0] >= made.width
        return self._keep(key, made.data, made.mime, shown, "pixels" if sharp else "smooth", alt)

    def numbers(
        self,
        key: str,
        values: NDArray[Any],
        columns: int,
        scale: ColourScale,
        alt: str,
        room: tuple[int, int],
    ) -> Picture:
        """All tiles of a panel with their numbers written out."""
        made = kernels.draw(values, columns, scale, room[0])
        shown = self._fit(made.width, made.height, room[0], 10_000)
        return self._keep(key, made.svg, "image/svg+xml", shown, "map", alt)

    def thumbnail(self, block: Block) -> Picture | None:
        """A small picture of a block for the front page; None for blocks of words."""
        key = f"{block.id}/thumbnail"
        if isinstance(block, ImageGrid):
            return self._small_grid(key, block)
        if not isinstance(block, PictureBlock):
            return None
        drawer = DRAWERS[type(block)]
        made = self._drawing(f"{block.id}/small", block, drawer.thumbnail)
        if made is None:
            return None
        shown = self._fit(made.width, made.height, *THUMBNAIL_ROOM)
        return self._keep(key, made.svg, "image/svg+xml", shown, drawer.look, block.alt)

    def legend(self, scale: ColourScale) -> Legend:
        """The strip of colours for ``scale``, with what its ends mean."""
        low, high = colour.limits(scale)
        return Legend(
            ramp=data_uri(tiles.ramp(scale.map), "image/png"),
            low=number(low, 3),
            high=number(high, 3),
            middle="0" if scale.map == "signed" else "",
            unit=scale.unit,
        )

    def _small_grid(self, key: str, block: ImageGrid) -> Picture | None:
        # Maps say more of a layer than the input does that stands before them.
        for panel in sorted(block.panels, key=lambda panel: panel.scale is None):
            values = self.array(panel.tiles) if panel.tiles else None
            if values is None:
                continue
            columns = 3 if len(values) > 2 else len(values)
            first = tiles.reduce_large(values[: 2 * columns], largest=40)
            made = self.mosaic(key, first, columns, panel.scale, block.alt, THUMBNAIL_ROOM)
            return at_height(made, THUMBNAIL_ROOM[1], THUMBNAIL_ROOM[0])
        return None

    def _drawing(
        self, key: str, block: PictureBlock, draw: Callable[[Any, Find], Drawing | None]
    ) -> Drawing | None:
        if key not in self.drawings:
            made = draw(block, self.array)
            if made is None:
                return None
            self.drawings[key] = made
        return self.drawings[key]

    def _fit(self, width: int, height: int, room_x: int, room_y: int) -> tuple[int, int]:
        if width <= room_x and height <= room_y:
            return width, height
        factor = min(room_x / width, room_y / height)
        return max(1, int(width * factor)), max(1, int(height * factor))

    def _keep(
        self, key: str, data: bytes, mime: str, shown: tuple[int, int], look: Look, alt: str
    ) -> Picture:
        source = data_uri(data, mime)
        self.bytes_of[key] = self.bytes_of.get(key, 0) + len(source)
        kept = Markup("") if key in self.omit else source
        return Picture(key, kept, *shown, look, printable(alt, 400), own_width=shown[0])


def enlarge(
    picture: Picture, room: tuple[int, int], tile: int, wanted: int, *, whole: bool = True
) -> Picture:
    """Enlarge a picture of hard-edged tiles.

    The tile of ``tile`` pixels comes as near to ``wanted`` as ``room`` allows. On a screen
    the factor is a ``whole`` number, so that all pixels stay equally large.
    """
    if picture.look != "pixels":
        return picture
    factor = min(room[0] / picture.width, room[1] / picture.height, wanted / tile)
    return resized(picture, max(1, math.floor(factor) if whole else factor))


def at_height(picture: Picture, height: int, widest: int) -> Picture:
    """The picture at ``height`` CSS pixels, less where it would be wider than ``widest``."""
    return resized(picture, min(height / picture.height, widest / picture.width))


def resized(picture: Picture, factor: float) -> Picture:
    """The picture shown ``factor`` times as large; beneath its own size it may be smoothed."""
    width = max(1, round(picture.width * factor))
    look = picture.look
    if look == "pixels" and width < picture.own_width:
        look = "smooth"
    return replace(picture, width=width, height=max(1, round(picture.height * factor)), look=look)


def data_uri(data: bytes, mime: str) -> Markup:
    """``data`` as a data URI. Base64 holds nothing that needs escaping, hence Markup."""
    return Markup(f"data:{mime};base64,{base64.b64encode(data).decode()}")


def finite_range(values: NDArray[Any]) -> tuple[float, float]:
    """Lowest and highest finite value; (0, 1) if there is none."""
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
