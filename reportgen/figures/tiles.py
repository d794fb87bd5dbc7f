"""Tiles become pictures: one mosaic, assembled in NumPy, encoded for screen or paper."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reportgen.figures import colour
from reportgen.report.blocks import ColourScale

Array = NDArray[Any]
Bytes = NDArray[np.uint8]

LARGEST_TILE = 128
# Photographs beyond this side are compressed with loss; below it, every pixel is a fact.
SMALL_PHOTOGRAPH = 64


@dataclass(frozen=True)
class Encoding:
    """How pictures are written. ``quality`` None keeps every pixel of hard-edged pictures."""

    target: Literal["screen", "paper"] = "screen"
    quality: int | None = None
    halved: bool = False


@dataclass(frozen=True)
class Encoded:
    """A picture file. ``width`` and ``height`` are in pixels of the tiles, before any scaling."""

    data: bytes
    mime: str
    width: int
    height: int
    hard_edges: bool


def checked(tiles: Array, scale: ColourScale | None) -> Array:
    """Tiles as ``(n, h, w)`` numbers or ``(n, h, w, 3)`` uint8.

    Raises:
        ValueError: another shape, or numbers without a scale.
    """
    if tiles.ndim == 4 and tiles.shape[-1] == 3:
        return tiles.astype(np.uint8, copy=False)
    if tiles.ndim != 3:
        raise ValueError(f"tiles: expected (n, h, w) or (n, h, w, 3), got {tiles.shape}")
    if scale is None:
        raise ValueError(f"tiles: numbers of shape {tiles.shape} need a colour scale")
    return tiles


def reduce_large(tiles: Array, largest: int = LARGEST_TILE) -> Array:
    """Average over ``k x k`` areas so that no tile is wider or higher than ``largest``."""
    factor = math.ceil(max(tiles.shape[1:3]) / largest)
    if factor <= 1:
        return tiles
    return average(tiles, factor)


def average(tiles: Array, factor: int) -> Array:
    """Mean over areas of ``factor x factor``; the last rows and columns may hold fewer."""
    count, height, width = tiles.shape[:3]
    rows, columns = -(-height // factor), -(-width // factor)
    pad = [(0, 0), (0, rows * factor - height), (0, columns * factor - width)]
    pad += [(0, 0)] * (tiles.ndim - 3)
    padded = np.pad(tiles, pad, mode="edge").astype(np.float32)
    split = padded.reshape(count, rows, factor, columns, factor, *tiles.shape[3:])
    mean: Array = split.mean(axis=(2, 4))
    return np.rint(mean).astype(np.uint8) if tiles.dtype == np.uint8 else mean


def mosaic(tiles: Array, columns: int, gap: Any, border: int = 1) -> Array:
    """Join ``(n, h, w, ...)`` tiles row by row into one ``(H, W, ...)`` array.

    Tile ``i`` has its upper left pixel at ``(i // columns * (h + border),
    i % columns * (w + border))``; what is between and after the tiles is ``gap``.
    """
    count, height, width = tiles.shape[:3]
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    step_y, step_x = height + border, width + border
    sheet = np.empty((rows * columns, step_y, step_x, *tiles.shape[3:]), tiles.dtype)
    sheet[...] = gap
    sheet[:count, :height, :width] = tiles
    grid = sheet.reshape(rows, columns, step_y, step_x, *tiles.shape[3:])
    joined = grid.swapaxes(1, 2).reshape(rows * step_y, columns * step_x, *tiles.shape[3:])
    return joined[: rows * step_y - border, : columns * step_x - border]


def picture(tiles: Array, columns: int, scale: ColourScale | None, encoding: Encoding) -> Encoded:
    """One picture of all tiles; numbers are coloured by ``scale``."""
    shown = reduce_large(checked(tiles, scale))
    if encoding.halved and max(shown.shape[1:3]) > 16:
        shown = average(shown, 2)
    if shown.ndim == 4:
        return _photographs(shown, columns, encoding)
    assert scale is not None
    rows = mosaic(colour.indices(shown, scale), columns, colour.GAP)
    return _palette(rows, colour.table(scale.map), encoding)


def _palette(rows: Bytes, table: Bytes, encoding: Encoding) -> Encoded:
    height, width = rows.shape
    if encoding.target == "screen":
        return Encoded(
            _webp(_rgba(table[rows], rows == colour.GAP), encoding.quality),
            "image/webp",
            width,
            height,
            True,
        )
    image = Image.fromarray(rows)
    image.putpalette(table.tobytes())
    return Encoded(_png(_enlarged(image)), "image/png", width, height, True)


def _photographs(tiles: Bytes, columns: int, encoding: Encoding) -> Encoded:
    soft = max(tiles.shape[1:3]) > SMALL_PHOTOGRAPH
    sheet = mosaic(tiles, columns, 255)
    height, width = sheet.shape[:2]
    if encoding.target == "screen":
        gaps = mosaic(np.zeros(tiles.shape[:3], np.uint8), columns, 1).astype(bool)
        quality = encoding.quality or (82 if soft else None)
        data = _webp(_rgba(sheet, gaps) if gaps.any() else sheet, quality)
        return Encoded(data, "image/webp", width, height, not soft)
    image = Image.fromarray(sheet)
    if soft or encoding.quality:
        data = _saved(_enlarged(image), format="JPEG", quality=encoding.quality or 85)
        return Encoded(data, "image/jpeg", width, height, not soft)
    return Encoded(_png(_enlarged(image)), "image/png", width, height, True)


def ramp(name: colour.Map) -> bytes:
    """A map from its low to its high end as a PNG one pixel high."""
    rows = np.arange(colour.STEPS, dtype=np.uint8)[None]
    image = Image.fromarray(rows)
    image.putpalette(colour.table(name).tobytes())
    return _png(image)


def _rgba(rgb: Bytes, transparent: NDArray[np.bool_]) -> Bytes:
    alpha = np.where(transparent, 0, 255).astype(np.uint8)
    return np.concatenate([rgb, alpha[..., None]], axis=-1)


def _enlarged(image: Image.Image, smallest: int = 180) -> Image.Image:
    # PDF viewers smooth what they enlarge; a picture with enough pixels of its own stays sharp.
    factor = min(8, smallest // max(image.size))
    if factor < 2:
        return image
    size = (image.width * factor, image.height * factor)
    return image.resize(size, Image.Resampling.NEAREST)


def _webp(pixels: Bytes, quality: int | None) -> bytes:
    image = Image.fromarray(pixels)
    if quality is None:
        # Effort 20, method 1: three times faster than the default and 3 % larger.
        return _saved(image, format="WEBP", lossless=True, quality=20, method=1)
    return _saved(image, format="WEBP", quality=quality, method=2)


def _png(image: Image.Image) -> bytes:
    return _saved(image, format="PNG", compress_level=6)


def _saved(image: Image.Image, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, **options)
    return stream.getvalue()
