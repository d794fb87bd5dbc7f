"""The fonts of charts: what they can write, and how wide it is."""

from __future__ import annotations

from functools import cache, lru_cache

from matplotlib.font_manager import FontProperties, fontManager, get_font
from matplotlib.ft2font import FT2Font
from matplotlib.textpath import TextToPath

from reportgen import text
from reportgen.figures.frame import PIXELS_PER_INCH
from reportgen.resources import template_folder

FAMILIES = ["Inter", "DejaVu Sans"]


@cache
def load() -> tuple[FT2Font, ...]:
    """Make our font known to matplotlib; the fonts that a chart is written with, in order."""
    fontManager.addfont(template_folder() / "fonts" / "inter-400.ttf")
    return tuple(
        get_font(fontManager.findfont(FontProperties(family=family), fallback_to_default=False))
        for family in FAMILIES
    )


def drawable(words: str, limit: int = 40) -> str:
    """A short name of which every character has a glyph; the others become a white square."""
    fonts = load()
    return "".join(
        char if any(font.get_char_index(ord(char)) for font in fonts) else "\u25a1"
        for char in text.name(words, limit)
    )


@lru_cache(maxsize=1024)
def words_width(words: str, size: float) -> float:
    """Width of ``words`` in CSS pixels at a font size in points."""
    load()
    font = FontProperties(family=FAMILIES, size=size)
    width, _, _ = TextToPath().get_text_width_height_descent(words, font, False)
    return float(width) * PIXELS_PER_INCH / 72
