"""Which column of a table names the files, and which hold the labels."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Literal

from reportgen.errors import ConfigurationError, InputError
from reportgen.subject.images import SUFFIXES
from reportgen.subject.label_table.files import NamedFile, NamedFiles
from reportgen.subject.label_table.text import TableText
from reportgen.suggest import nearest

FILE_WORDS = frozenset(
    "file files filename filenames file_name file_names filepath filepaths file_path file_paths "
    "path paths image images image_id image_file image_filename image_name image_names image_path "
    "image_paths img img_id img_file img_name img_path picture photo name id".split()
)
LABEL_WORDS = frozenset(
    "label labels label_name class classes class_name classname class_label category categories "
    "category_name target targets y breed species ground_truth".split()
)
# Marks of one column a class. pandas writes 1.0 where a cell of the column is empty.
FLAGS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_FIRST_ROWS = 200
_FEWEST_RUNNING = 3  # 0 and 1 below each other are marks as well
_SHOWN = 10
MAX_COLUMNS = 20_000

Kind = Literal["names", "flags", "numbers"]
Look = Callable[[str], NamedFile | None]


@dataclass(frozen=True)
class Layout:
    """What the columns of a table are.

    Attributes:
        names: of all columns; ``column 2`` where the table gives none.
        header: whether the first row holds the names.
        file, labels: positions of columns.
        kind: one label a row (``names``), or several targets: marks of 0 and 1, or numbers.
    """

    names: tuple[str, ...]
    header: bool
    file: int
    labels: tuple[int, ...]
    kind: Kind

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the columns that hold labels."""
        return tuple(self.names[i] for i in self.labels)

    @property
    def unread(self) -> tuple[str, ...]:
        """Names of the columns that were not read."""
        read = {self.file, *self.labels}
        return tuple(name for i, name in enumerate(self.names) if i not in read)


def read_layout(table: TableText, files: NamedFiles, asked: tuple[str, ...]) -> Layout:
    """Find the columns of files and labels.

    Args:
        asked: names of the columns that hold the labels; empty where they are to be found.

    Raises:
        ConfigurationError: several columns could be meant, or there is none of the name.
        InputError: the first row names fewer columns than there are.
    """
    rows = [row for _, row in islice(table.rows(), _FIRST_ROWS)]
    look = cache(files.look)
    file, naming = _find_file_column(rows, look, table.path)
    header = _has_header(rows, file, look, asked)
    names = _name_columns(rows, header, table, least=file + 1)
    if asked:
        labels = _find_asked(names, asked, file, table.path)
        return Layout(names, header, file, labels, _kind_of_asked(table, labels, header))
    labels, kind = _find_labels(table, names, header, {file, *naming})
    return Layout(names, header, file, labels, kind)


# The files.


def _find_file_column(rows: list[list[str]], look: Look, path: Path) -> tuple[int, list[int]]:
    """The column whose cells name files, and all columns that cannot hold labels as they do too."""
    width = max(map(len, rows))
    if width > MAX_COLUMNS:
        raise InputError(f"{path} has {width} columns; at most {MAX_COLUMNS} work.")
    columns = [[row[i] if i < len(row) else "" for row in rows] for i in range(width)]

    def read_whole(cell: str) -> str:
        found = look(cell)
        return found.name if found and not found.completed else ""

    def read_part(cell: str) -> str:
        """The file without its suffix, or what looks like a file that is missing."""
        found = look(cell)
        if found:
            return found.name
        return cell if _is_image_name(cell) else ""

    if likely := _find_likely(columns, read_whole, path):
        return likely[0], likely
    # The label 3 may be called like the file 3.png, which makes it no column of files.
    if likely := _find_likely(columns, read_part, path):
        return likely[0], likely[:1]
    worded = [i for i, word in enumerate(rows[0]) if _fold(word) in FILE_WORDS]
    return (worded[0] if len(worded) == 1 else 0), []


def _find_likely(columns: list[list[str]], read: Callable[[str], str], path: Path) -> list[int]:
    """The columns whose cells name files; first the one that is meant. Empty if none does.

    Args:
        read: the file that a cell names; "" if none.
    """
    found = [[read(cell) for cell in column] for column in columns]
    counts = [sum(map(bool, names)) for names in found]
    # A label may be called like a file now and then.
    likely = [i for i, count in enumerate(counts) if count and 2 * count >= max(counts)]
    if all(found[i] == found[likely[0]] for i in likely):
        return likely
    first = _choose_by_word(likely, [column[0] for column in columns], path)
    return [first, *(i for i in likely if i != first)]


def _is_image_name(cell: str) -> bool:
    return PurePosixPath(cell.replace("\\", "/")).suffix.lower() in SUFFIXES


def _choose_by_word(likely: list[int], first: list[str], path: Path) -> int:
    words = {i: _fold(first[i]) for i in likely}
    for chosen in (
        [i for i in likely if words[i] in FILE_WORDS],
        [i for i in likely if words[i] not in LABEL_WORDS],
    ):
        if len(chosen) == 1:
            return chosen[0]
    raise ConfigurationError(
        f"{path}: several columns name files ({some([first[i] for i in likely])} in the first "
        "line). Give that line the word 'file' over the one that is meant."
    )


# The header.


def _has_header(rows: list[list[str]], file: int, look: Look, asked: tuple[str, ...]) -> bool:
    """Whether the first row holds names of columns: words for them, or no file where others are."""
    first, rest = rows[0], rows[1:]
    below = [[row[i] for row in rest if i < len(row)] for i in range(len(first))]
    own = [not _is_value(cell, column) for cell, column in zip(first, below, strict=True)]
    words = [_fold(cell) for cell in first]
    if file >= len(first):
        return False
    file_word = words[file] in FILE_WORDS
    label_words = [i for i, word in enumerate(words) if word in LABEL_WORDS and i != file]
    if file_word and (own[file] or label_words):
        return True
    if _is_file(first[file], look):
        return False
    if any(own[i] for i in label_words):
        return True
    if asked and set(asked) <= set(first):
        return True
    others_are_files = 2 * sum(_is_file(cell, look) for cell in below[file]) > len(rest)
    return others_are_files and all(own)


def _is_file(cell: str, look: Look) -> bool:
    return _is_image_name(cell) or look(cell) is not None


def _is_value(cell: str, below: list[str]) -> bool:
    """Whether ``cell`` is one of the values of its column, and no name of it."""
    filled = [other for other in below if other]
    return bool(cell) and (cell in filled or (is_number(cell) and all(map(is_number, filled))))


def _name_columns(
    rows: list[list[str]], header: bool, table: TableText, least: int
) -> tuple[str, ...]:
    counts = Counter(len(row) for row in (rows[1:] if header else rows))
    usual = max(counts, key=lambda count: counts[count], default=0)
    given = rows[0] if header else []
    if header and any(cell for row in rows[1:] for cell in row[len(given) : usual]):
        raise InputError(
            f"{table.path}: the first line names {len(given)} columns, but there are {usual}. "
            "Give each column a name."
        )
    given = given + [""] * (max(usual, least) - len(given))
    return tuple(name or f"column {i}" for i, name in enumerate(given, 1))


# The labels.


def _find_asked(
    names: tuple[str, ...], asked: tuple[str, ...], file: int, path: Path
) -> tuple[int, ...]:
    for name in asked:
        if name not in names:
            guess = nearest(name[:100], [one for one in names if len(one) <= 100])
            raise ConfigurationError(
                f"label_column: {path} has no column {name!r}. {guess + ' ' if guess else ''}"
                f"It has {some(names)}."
            )
        if names.count(name) > 1:
            raise ConfigurationError(
                f"label_column: {path} has several columns {name!r}. Give each a name of its own."
            )
        if name == names[file]:
            raise ConfigurationError(
                f"label_column: {name!r} of {path} names the files. Name the column of the labels."
            )
    return tuple(names.index(name) for name in dict.fromkeys(asked))


def _kind_of_asked(table: TableText, labels: tuple[int, ...], header: bool) -> Kind:
    if len(labels) == 1:
        return "names"
    facts = _survey(table, labels, header)
    return "flags" if all(facts[i].flags for i in labels) else "numbers"


def _find_labels(
    table: TableText, names: tuple[str, ...], header: bool, files: set[int]
) -> tuple[tuple[int, ...], Kind]:
    others = [i for i in range(len(names)) if i not in files]
    if header:
        others = [i for i in others if not _is_index_name(names[i], i)]
    worded = _find_worded(names, others) if header else []
    if len(worded) == 1 and len(others) > 1:
        if _is_one_hot(table, others, header):
            return tuple(others), "flags"
        if len(others) > 2 and all(fact.flags for fact in _survey(table, others, header).values()):
            raise _ask(table, names, others)
    for found in (worded, others):
        if len(found) == 1:
            return (found[0],), "names"
    if worded:
        raise _ask(table, names, worded)
    facts = _survey(table, others, header)
    others = [i for i in others if not facts[i].empty and not facts[i].running]
    if len(others) == 1:
        return (others[0],), "names"
    if others and all(facts[i].flags for i in others):
        return tuple(others), "flags"
    if others and all(facts[i].fractions for i in others):
        return tuple(others), "numbers"
    raise _ask(table, names, others)


def _is_one_hot(table: TableText, columns: list[int], header: bool) -> bool:
    """Whether each row has one 1 and else 0 in these columns, and each column a 1 somewhere."""
    marked: set[int] = set()
    for _, row in data_rows(table, header):
        cells = [row[i].lower() if i < len(row) else "" for i in columns]
        flags = [FLAGS.get(cell, -1) for cell in cells]
        if sorted(flags) != [0] * (len(flags) - 1) + [1]:
            return False
        marked.add(flags.index(1))
    return len(marked) == len(columns)


def _find_worded(names: tuple[str, ...], others: list[int]) -> list[int]:
    words = {i: _fold(names[i]) for i in others}
    # Beside an x, a y is the other coordinate.
    is_place = "x" in words.values()
    return [i for i in others if words[i] in LABEL_WORDS and not (is_place and words[i] == "y")]


def _is_index_name(name: str, position: int) -> bool:
    """Whether it is what pandas and R call the numbers of the rows, if anything."""
    return (
        name == f"column {position + 1}" or re.fullmatch(r"unnamed:_\d+", _fold(name)) is not None
    )


def _ask(table: TableText, names: Sequence[str], could: list[int]) -> ConfigurationError:
    if not could:
        return ConfigurationError(
            f"{table.path}: no column could be told to hold the labels; it has {some(names)}. "
            "Name it with --label-column."
        )
    called = [names[i] for i in could]
    return ConfigurationError(
        f"{table.path}: which column holds the labels? It could be {some(called)}. "
        f"Say it with --label-column, such as --label-column {called[0][:40]!r}. Several, divided "
        "by commas, are several targets a sample."
    )


# What the cells of a column are.


@dataclass
class _Facts:
    """What all cells of a column have in common."""

    empty: bool = True
    flags: bool = True
    numbers: bool = True
    pointed: bool = False  # one at least is written with a point or an exponent
    cells: int = 0
    starts: set[int] = field(default_factory=lambda: {0, 1})

    def add(self, cell: str) -> None:
        if self.starts:
            self.starts = {start for start in self.starts if cell == str(start + self.cells)}
        self.cells += 1
        if cell:
            flag, number, whole = _read_traits(cell)
            self.empty = False
            self.flags = self.flags and flag
            self.numbers = self.numbers and number
            self.pointed = self.pointed or not whole

    @property
    def running(self) -> bool:
        """Whether they count the rows, from 0 or 1."""
        return bool(self.starts) and self.cells >= _FEWEST_RUNNING

    @property
    def fractions(self) -> bool:
        """Whether they are numbers that are not whole."""
        return self.numbers and self.pointed and not self.empty


@lru_cache(maxsize=1024)
def _read_traits(cell: str) -> tuple[bool, bool, bool]:
    """Whether it is a mark, a number, a whole number. A table repeats few cells many times."""
    return cell.lower() in FLAGS, is_number(cell), _WHOLE.fullmatch(cell) is not None


def _survey(table: TableText, columns: Iterable[int], header: bool) -> dict[int, _Facts]:
    facts = {column: _Facts() for column in columns}
    for _, row in data_rows(table, header):
        for column, fact in facts.items():
            fact.add(row[column] if column < len(row) else "")
    return facts


def data_rows(table: TableText, header: bool) -> Iterator[tuple[int, list[str]]]:
    """The numbers of the lines and the cells of the rows, without the header.

    Raises:
        InputError: as `TableText.rows`.
    """
    return islice(table.rows(), int(header), None)


def is_number(cell: str) -> bool:
    """Whether ``cell`` is a finite decimal number."""
    return _NUMBER.fullmatch(cell) is not None and math.isfinite(float(cell))


def _fold(word: str) -> str:
    return word.strip().lower().replace(" ", "_").replace("-", "_")


def some(names: Sequence[str]) -> str:
    """The first ten names, and how many more there are."""
    shown = ", ".join(repr(name[:40]) for name in names[:_SHOWN])
    return shown + (f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
