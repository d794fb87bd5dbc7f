"""SVG of matplotlib made small: no comments, hundredths of a point, palettes for its pictures."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np
from PIL import Image

_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_SPACE = re.compile(rb"(?<=>)\s+(?=<)")
_LINE = re.compile(rb"\s*\n\s*")
_PLACES = re.compile(rb'(?<= )(?:d|x|y|points|transform)="[^"]*"')
_FRACTION = re.compile(rb"(\.\d\d)\d+")
_SCALE = re.compile(rb"(?:scale|matrix|rotate)\([^)]*\)")
_PICTURE = re.compile(rb"data:image/png;base64,[^\"]+")
_HALO = re.compile(rb'<g id="halo-(\d+)"><g style="fill: (#\w+)')

# Of pictures with more than 256 colours, which are slopes with soft edges.
QUALITY = 80


def compact(source: bytes) -> bytes:
    """The same picture in fewer bytes: coordinates in hundredths of a point."""
    short = _SPACE.sub(b"", _COMMENT.sub(b"", source))
    short = _PLACES.sub(lambda found: _rounded(_LINE.sub(b" ", found.group())), short)
    short = _HALO.sub(
        rb'<g><g style="stroke-width: \1; stroke-linejoin: round; fill: \2; stroke: \2', short
    )
    return _PICTURE.sub(lambda found: _smaller(found.group()), short)


def halo(width: float, size: float) -> str:
    """The id of words that `compact` turns into their own halo, ``width`` points wide.

    Matplotlib draws a halo as a path of its own for every word; strokes of the glyphs that are
    there anyway cost nothing. They are measured in units of the font.
    """
    return f"halo-{round(width * 100 / size * 64)}"


def _rounded(attribute: bytes) -> bytes:
    if _SCALE.search(attribute):  # a scale needs all of its digits
        return attribute
    return _FRACTION.sub(rb"\1", attribute)


def _smaller(source: bytes) -> bytes:
    """A picture as PNG with a palette where 256 colours are enough, else as WebP with loss."""
    _, _, content = source.partition(b",")
    image = Image.open(io.BytesIO(base64.b64decode(content))).convert("RGBA")
    indexed = _indexed(image)
    if indexed is not None:
        return _data_uri(indexed, format="PNG", optimize=True)
    return min(_data_uri(image, format="WEBP", quality=QUALITY, method=4), source, key=len)


def _data_uri(image: Image.Image, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, **options)
    kind = str(options["format"]).lower().encode()
    return b"data:image/" + kind + b";base64," + base64.b64encode(stream.getvalue())


def _indexed(image: Image.Image) -> Image.Image | None:
    """The same pixels by a palette; None where they have more than 256 colours."""
    pixels = np.ascontiguousarray(image).reshape(-1, 4)
    codes, places = np.unique(pixels.view(np.uint32), return_inverse=True)
    if len(codes) > 256:
        return None
    colours = codes.view(np.uint8).reshape(-1, 4)
    indexed = Image.fromarray(places.astype(np.uint8).reshape(image.height, image.width))
    indexed.putpalette(colours[:, :3].tobytes())
    indexed.info["transparency"] = colours[:, 3].tobytes()
    return indexed
