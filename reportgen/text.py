"""Text from outside made safe to print, and numbers made easy to read."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime

THIN_SPACE = "\u202f"
ELLIPSIS = "\u2026"

# Everything that the page prints passes through `printable` with at least this limit, so that
# a name of a megabyte costs a line and not the page.
LONGEST_TEXT = 1500
LONGEST_NAME = 80

# Bidirectional overrides, embeddings and isolates can make "gpj.exe" read as "exe.jpg".
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SPACES = {"\t": " ", "\n": " ", "\r": " ", "\v": " ", "\f": " ", "\u2028": " ", "\u2029": " "}
# What a CI runner takes for a command to itself when it reads it in a log: GitHub at the start of
# a line, GitHub's older form, Azure's and TeamCity's anywhere in it.
_RUNNER_COMMAND = re.compile(r"#(?=#(?:\[|vso\[|teamcity\[))|^(\s*):(?=:)", re.IGNORECASE)


def printable(text: str, limit: int = LONGEST_TEXT) -> str:
    """Make ``text`` one inert line of at most ``limit`` characters.

    Line ends become spaces. Control characters, bidirectional overrides, lone surrogates and the
    first sign of a command to a CI runner (``::error::``, ``##vso[``) become their code in
    brackets (``[U+202E]``): seen, and without effect. What is longer than ``limit`` ends in an
    ellipsis.
    """
    # Twice the limit is more than can survive, and keeps a megabyte from being walked through.
    kept = text[: 2 * limit + 1].translate(_TRANSLATION)
    shown = kept if kept.isprintable() else "".join(_visible(char) for char in kept)
    shown = _RUNNER_COMMAND.sub(_spell_out, shown)
    if len(shown) > limit or len(text) > 2 * limit + 1:
        return shown[: max(limit - 1, 0)].rstrip() + ELLIPSIS
    return shown


_TRANSLATION = str.maketrans(_SPACES)


def _visible(char: str) -> str:
    if char in _BIDI or unicodedata.category(char) in {"Cc", "Cs", "Co", "Cn"}:
        return f"[U+{ord(char):04X}]"
    return char


def _spell_out(found: re.Match[str]) -> str:
    return f"{found[1] or ''}[U+{ord(found[0][-1]):04X}]"


def name(text: str, limit: int = LONGEST_NAME) -> str:
    """`printable`, cut in the middle: layer names differ at their ends."""
    shown = printable(text)
    if len(shown) <= limit:
        return shown
    head = (limit - 1) // 2
    return shown[:head] + ELLIPSIS + shown[len(shown) - (limit - 1 - head) :]


def common_start(words: Sequence[str]) -> str:
    """What all words begin with."""
    first, last = min(words, default=""), max(words, default="")
    other = (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(other, min(len(first), len(last)))]


def slug(index: int, address: str) -> str:
    """A layer in the name of an array or of a block: ``3_block1_conv``, at most 40 characters."""
    return f"{index}_{re.sub(r'[^A-Za-z0-9_]', '_', address)[-40:]}"


def number(value: float, digits: int = 4) -> str:
    """A number for reading: thin spaces in large ones, ``digits`` significant ones else."""
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15):
        return grouped(int(value))
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if size >= 1e6 or size < 1e-4:
        mantissa, exponent = f"{value:.{max(digits - 2, 1)}e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "\u2212")
    if size >= 10**digits:
        return grouped(round(value))
    decimals = max(digits - 1 - math.floor(math.log10(size)), 0)
    text = f"{value:.{decimals}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "\u2212")


def grouped(value: int) -> str:
    """An integer with a thin space between thousands: ``12 345`` (from 10 000 on)."""
    if abs(value) < 10_000:
        return str(value).replace("-", "\u2212")
    return f"{value:,}".replace(",", THIN_SPACE).replace("-", "\u2212")


def file_size(value: int) -> str:
    """Bytes in decimal units: ``4.2 MB``."""
    size = float(value)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{number(round(size, 1), 3)} {unit}"
        size /= 1000
    raise AssertionError("unreachable")


def percent(value: float) -> str:
    """A share of one as a percentage: ``97.3 %``. Never rounds to 0 or 100 what is neither."""
    if 0 < value < 0.0005:
        return f"< 0.1{THIN_SPACE}%"
    if 0.9995 <= value < 1:
        return f"> 99.9{THIN_SPACE}%"
    return f"{number(round(100 * value, 1), 4)}{THIN_SPACE}%"


def duration(seconds: float) -> str:
    """A time for reading: ``0.4 s``, ``12 s``, ``3 min 20 s``."""
    if seconds < 60:
        return f"{number(seconds, 2)} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def quantity(value: float, unit: str | None) -> str:
    """A value with its unit: ``4 channels``; a ``share`` of one is said in percent."""
    if unit == "share":
        return percent(value)
    return f"{number(value, 3)} {printable(unit, 40)}" if unit else number(value, 3)


def moment(words: str) -> str:
    """A date in ISO format for reading: ``2026-03-01 12:00 UTC``; other words as they are."""
    try:
        made = datetime.fromisoformat(words)
    except ValueError:
        return printable(words, 40)
    zone = made.utcoffset()
    if zone is None:
        return f"{made:%Y-%m-%d %H:%M}"
    return f"{made:%Y-%m-%d %H:%M}" + (" UTC" if not zone else f" {made:%z}")


def shape(sizes: tuple[int | None, ...]) -> str:
    """An input shape without its batch: ``32 x 32 x 3``, with ``?`` where a size is free."""
    if len(sizes) in (2, 4) and sizes[0] is None:
        sizes = sizes[1:]
    return " \u00d7 ".join("?" if size is None else str(size) for size in sizes)
