"""Tables for other programs, with names that are somebody else's."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from reportgen import text

# What a spreadsheet would take for a formula, also where it parts a line at other signs.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def write_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Comma-separated, every cell in quotes; nothing in it is run by the program that opens it."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    writer.writerows([_as_cell(cell) for cell in row] for row in rows)
    return buffer.getvalue()


def _as_cell(words: str) -> str:
    shown = text.printable(words)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
