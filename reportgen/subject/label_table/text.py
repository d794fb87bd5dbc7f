"""A table as text: its encoding, what stands between its cells, and its rows."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from reportgen.errors import ConfigurationError, InputError
from reportgen.files import read_regular

_MAX_BYTES = 256 * 2**20
# What may stand between two cells, and what it is called.
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_FIRST_ROWS = 100


@dataclass(frozen=True)
class TableText:
    """The text of a table, and the sign between its cells."""

    path: Path
    text: str
    delimiter: str

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The number of the line and the cells, without blanks around them, of each row.

        Raises:
            InputError: a quoted cell does not end, or a cell is longer than 131,072 characters.
        """
        # Strict: a quote that is never closed would swallow rows without a word.
        reader = csv.reader(
            io.StringIO(self.text, newline=""),
            delimiter=self.delimiter,
            skipinitialspace=True,
            strict=True,
        )
        try:
            for row in reader:
                cells = [cell.strip() for cell in row]
                if cells and not _is_remark(cells, reader.line_num):
                    yield reader.line_num, cells
        except csv.Error as error:
            raise InputError(f"{self.path}, line {reader.line_num}: {error}.") from None


def read_table(path: Path, names_file: Callable[[str], bool]) -> TableText:
    """Read a table of UTF-8 or UTF-16, with cells between commas, semicolons, tabs or bars.

    Args:
        names_file: whether a cell names a file. It decides where several signs divide every line
            alike, as a comma does in ``a.png;1,5``.

    Raises:
        InputError: the file cannot be read, is no text, or has one cell a line.
        ConfigurationError: what stands between its cells cannot be told.
    """
    text = _decode(path)
    ways = [TableText(path, text, sign) for sign in DELIMITERS]
    scores = [_score(_first_rows(way)) for way in ways]
    best = [way for way, score in zip(ways, scores, strict=True) if score == max(scores)]
    if not max(scores):
        raise InputError(
            f"{path} has no row of two cells ({_say_rows(ways[0])}). Each row needs a file and its "
            "label, with a comma, a semicolon, a tab or | between them."
        )
    if len(best) > 1:
        best = [way for way in best if _names_any(_first_rows(way), names_file)] or best
    if len(best) > 1:
        signs = " and ".join(DELIMITERS[way.delimiter] for way in best)
        raise ConfigurationError(
            f"{path}: each line could be divided at {signs}, and neither way names files that are "
            "there. Check --images, or put cells that hold such a sign in quotes."
        )
    return best[0]


def _decode(path: Path) -> str:
    try:
        raw = read_regular(path, _MAX_BYTES)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8."
        ) from None
    if "\0" in text:
        raise InputError(f"{path} holds NUL characters: it is not a CSV text file.")
    return text


def _is_remark(cells: list[str], line: int) -> bool:
    """Whether it is a comment, or the ``sep=;`` that Excel wants first."""
    first = re.fullmatch(r"sep=.?", cells[0], re.IGNORECASE) if line == 1 else None
    return first is not None or (cells[0].startswith("#") and not any(cells[1:]))


def _first_rows(table: TableText) -> list[list[str]]:
    rows = []
    try:
        for _, row in islice(table.rows(), _FIRST_ROWS):
            rows.append(row)
    except InputError:
        pass  # another sign may divide it; if none does, reading on says what is wrong
    return rows


def _score(rows: list[list[str]]) -> int:
    """How many rows have the number of cells, at least two, that most rows have."""
    counts = Counter(len(row) for row in rows if len(row) > 1)
    return max(counts.values(), default=0)


def _names_any(rows: list[list[str]], names_file: Callable[[str], bool]) -> bool:
    return any(names_file(cell) for row in rows for cell in row)


def _say_rows(table: TableText) -> str:
    for number, row in table.rows():
        return f"line {number}: {', '.join(row)[:80]!r}"
    return "it is empty"
