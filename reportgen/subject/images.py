"""One image file -> pixels, by declared rules; or the reason why not.

Image files are untrusted: only the listed decoders of Pillow are tried, sizes are checked
before pixels are decoded, and nothing that a file does ends the audit.
"""

from __future__ import annotations

import errno
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from reportgen.config import Interpolation, Resize
from reportgen.files import open_regular
from reportgen.subject.resizing import PixelArray, fit

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp"}) | {
    ".ppm",
    ".pgm",
    ".pbm",
    ".pnm",
    ".tif",
    ".tiff",
}
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "PPM")
MAX_PIXELS = 50_000_000
MAX_ASPECT = 100
MAX_FILE_BYTES = 256 * 2**20
_TURNED = "turned by their EXIF mark, which Keras' own loading does not do"


class SkippedImageError(Exception):
    """The image is left out; the text is the cause, as the ledger shows it."""


@dataclass(frozen=True)
class Decoder:
    """How files become arrays ``(h, w, c)`` of uint8.

    size: ``(h, w)`` of the model's input. channels: 1, 3 or 4. background: grey level behind
    transparency. policy, interpolation: how images of another size are fitted. ``conversions``
    counts what had to be converted, by cause.
    """

    size: tuple[int, int]
    channels: int
    policy: Resize = "stretch"
    background: int = 255
    interpolation: Interpolation = "bilinear"
    conversions: Counter[str] = field(default_factory=Counter)

    def read(self, path: Path) -> tuple[PixelArray, tuple[int, int]]:
        """Pixels at the model's size, and the file's own ``(h, w)``, upright.

        Raises:
            SkippedImageError: with the cause.
        """
        picture = self.open(path)
        return self.fit(picture), (picture.height, picture.width)

    def fit(self, picture: Image.Image) -> PixelArray:
        """An opened picture at the model's size, ``(h, w, c)``."""
        pixels = fit(picture, self.size, self.policy, self.interpolation)
        return pixels.reshape(*self.size, self.channels)

    def open(self, path: Path) -> Image.Image:
        """The picture at its own size, upright, of 8 bits and as many channels as the model takes.

        Raises:
            SkippedImageError: with the cause.
        """
        try:
            with (
                _open(path) as stream,
                warnings.catch_warnings(record=True) as said,
                _whole_images_only(),
            ):
                warnings.simplefilter("always")  # of odd metadata, that is; pixels decide
                formats = _FORMATS + (("TIFF",) if path.suffix.lower() in (".tif", ".tiff") else ())
                with Image.open(stream, formats=formats) as image:
                    _check_size(image.size)
                    picture = self._convert(image)
                    if _has_broken_exif(image, said):
                        self.conversions["EXIF unreadable"] += 1
        except SkippedImageError:
            raise
        except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
            raise SkippedImageError(_cause_of(path, error)) from None
        except Exception as error:  # a decoder's own bug must not end the audit
            raise SkippedImageError(f"decoder failed ({type(error).__name__})") from None
        return picture

    def _convert(self, image: Image.Image) -> Image.Image:
        if getattr(image, "n_frames", 1) > 1:
            self.conversions["animation: first frame"] += 1
        if _is_deep_colour(image):
            self.conversions["16 bit a channel, of which the upper 8 are kept"] += 1  # by Pillow
        image.load()
        picture = self._to_eight_bit(_upright(image, self.conversions), _bits(image))
        if picture.mode == "P" or picture.mode == "PA":
            self.conversions["palette"] += 1
            see_through = picture.mode == "PA" or "transparency" in picture.info
            picture = picture.convert("RGBA" if see_through else "RGB")
        if picture.mode == "CMYK":
            self.conversions["CMYK"] += 1
            picture = picture.convert("RGB")
        clear = "A" in picture.mode or "a" in picture.mode or "transparency" in picture.info
        if clear and self.channels != 4:
            picture = self._flatten(picture)
        wanted = {1: "L", 3: "RGB", 4: "RGBA"}[self.channels]
        if picture.mode != wanted:
            was_grey = picture.mode in ("L", "1")
            if was_grey != (wanted == "L"):
                self.conversions["grey to colour" if was_grey else "colour to grey"] += 1
            picture = picture.convert(wanted)
        return picture

    def _to_eight_bit(self, image: Image.Image, bits: int | None) -> Image.Image:
        if not (image.mode.startswith("I") or image.mode == "F"):
            return image
        values = np.asarray(image, dtype=np.float64)
        white, kind = _find_white(values, image.mode, bits)
        self.conversions[kind] += 1
        return Image.fromarray(np.round(values * (255 / white)).astype(np.uint8))

    def _flatten(self, picture: Image.Image) -> Image.Image:
        self.conversions["transparency"] += 1
        ground = Image.new("RGBA", picture.size, (self.background,) * 3 + (255,))
        flat = Image.alpha_composite(ground, picture.convert("RGBA"))
        return flat.convert("L" if picture.mode in ("1", "L", "LA", "La") else "RGB")


def _bits(image: Image.Image) -> int | None:
    """Bits of a grey pixel of a TIFF, as the file has them; None of other formats."""
    stored = getattr(image, "tag_v2", {}).get(258)  # BitsPerSample
    if isinstance(stored, tuple):
        stored = stored[0] if stored else None
    return stored if isinstance(stored, int) else None


def _find_white(values: NDArray[np.float64], mode: str, bits: int | None) -> tuple[float, str]:
    """The value that becomes 255, so that all are rescaled and none is cut; and its name.

    Of 16 bits it is 65535, of floats 1 or 255. Numbers of 32 bits and those with a sign have no
    white of their own: what stays within 8 or 16 bits was put into them as such.

    Args:
        mode: Pillow's. ``I`` of a TIFF has numbers as they are stored; of PNM it has 16 bits.
        bits: as `_bits` has them.

    Raises:
        SkippedImageError: the values have another range.
    """
    low, high = float(values.min()), float(values.max())
    if mode == "F":
        if not np.isfinite(values).all() or low < 0 or high > 255:
            raise SkippedImageError("floating-point pixels without a known range")
        return (1.0 if high <= 1 else 255.0), "floating point"
    if low < 0 or high > 65535:
        raise SkippedImageError("pixel values outside 16 bit")
    if mode == "I" and bits and high <= 255:
        return 255.0, f"{bits} bit, values as they are: none exceeds 255"
    return 65535.0, f"{bits or 16} bit, values divided by 257"


@contextmanager
def _whole_images_only() -> Iterator[None]:
    """Pillow pads cut-off images with grey if any module told it to (WeasyPrint does)."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _upright(image: Image.Image, conversions: Counter[str]) -> Image.Image:
    try:
        turned = ImageOps.exif_transpose(image)
    except Exception as error:  # corrupt EXIF of any kind: the pixels are still good
        warnings.warn(f"EXIF: {error}", stacklevel=1)
        return image
    if image.getexif().get(0x0112) in range(2, 9):
        conversions[_TURNED] += 1
    return turned


def _has_broken_exif(image: Image.Image, said: list[warnings.WarningMessage]) -> bool:
    # Pillow warns of damage within, and passes over a block that is no TIFF without a word.
    block = image.info.get("exif") or b"MM"
    return not re.match(rb"(Exif\0\0){0,2}(II|MM)", block) or any(
        "EXIF" in str(warning.message) for warning in said
    )


def _is_deep_colour(image: Image.Image) -> bool:
    """Whether an image of several channels has 16 bits in each (grey has modes of its own)."""
    modes = (str(tile.args) for tile in getattr(image, "tile", ()))
    return image.mode in ("RGB", "RGBA", "LA") and any(";16" in mode for mode in modes)


def _open(path: Path) -> IO[bytes]:
    try:
        stream = open_regular(path, MAX_FILE_BYTES)
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise SkippedImageError("not a regular file") from None
        if error.errno == errno.EFBIG:
            raise SkippedImageError(f"larger than {MAX_FILE_BYTES >> 20} MiB") from None
        raise
    if os.fstat(stream.fileno()).st_size:
        return stream
    stream.close()
    raise SkippedImageError("empty file (0 bytes)")


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise SkippedImageError("zero width or height")
    if width * height >= MAX_PIXELS:
        raise SkippedImageError(f"{MAX_PIXELS // 1_000_000} megapixels or more")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise SkippedImageError(f"longer than {MAX_ASPECT} times its width")


def _cause_of(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "file is missing"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, Image.DecompressionBombError):
        return f"{MAX_PIXELS // 1_000_000} megapixels or more"
    if isinstance(error, UnidentifiedImageError):
        return _what_it_is(path)
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be opened: {error.strerror.lower()}"
    return "truncated or broken image"


def _what_it_is(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(512)
    if head.lstrip()[:5].lower() in (b"<!doc", b"<html"):
        return "an HTML page, not an image"
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM")):
        return "truncated or broken image"
    if head[:4] in (b"II*\0", b"MM\0*"):
        declared = path.suffix.lower() in (".tif", ".tiff")
        return "a TIFF of a kind that is not read" if declared else "a TIFF under another name"
    if head.startswith((b"%!PS", b"\xc5\xd0\xd3\xc6")):
        return "PostScript, which is a program"
    return "not an image that is read here (JPEG, PNG, GIF, BMP, WebP, PNM, TIFF)"
