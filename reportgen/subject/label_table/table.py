"""The samples that a table of files and labels names, and the draw of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from reportgen.errors import ConfigurationError, InputError, UnsafeInputError
from reportgen.subject.images import SUFFIXES
from reportgen.subject.label_table.columns import (
    FLAGS,
    Layout,
    data_rows,
    is_number,
    read_layout,
    some,
)
from reportgen.subject.label_table.files import NamedFile, NamedFiles
from reportgen.subject.label_table.order import refuse_other_order
from reportgen.subject.label_table.text import TableText, read_table
from reportgen.subject.listing import BalancedDraw, Entry, Listing, SkippedNames
from reportgen.suggest import closest, nearest
from reportgen.text import common_start

_NO_CELL = "label file: no file or no label in the row"
_LONG_ROW = "label file: more cells in the row than there are columns"
_HEADER = "label file: the header again"
_NO_IMAGE = "label file: the row names no image"
_REPEATED = "label file: repeated row"
_CONFLICT = "label file: conflicting labels"

# One label as written, or a number from each column of labels.
Label = str | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    file: NamedFile
    label: Label

    def entry(self, root: Path) -> Entry:
        """The sample that the row names."""
        path, name = root / self.file.name, self.file.name
        if isinstance(self.label, str):
            return Entry(path, name, self.label)
        return Entry(path, name, None, self.label)


def list_table(
    table: Path,
    root: Path,
    *,
    limit: int,
    seed: int,
    label_columns: tuple[str, ...] = (),
    classes: tuple[str, ...] | None = None,
) -> Listing:
    """Files below ``root`` with their labels, from a table with or without a header.

    Args:
        label_columns: the columns that hold the labels; empty where they are to be found. Several
            are several targets a sample.
        classes: names in the order of the outputs, which orders columns of those names.

    Raises:
        UnsafeInputError: a row names a file outside ``root``.
        ConfigurationError: what its columns are cannot be told.
        InputError: the table cannot be read as text, or has no usable row.
    """
    files = NamedFiles(root)
    text = read_table(table, files.names_file)
    layout, notes = _order_columns(read_layout(text, files, label_columns), classes, table)
    skips = SkippedNames()
    rows = _without_conflicts(_read_rows(text, layout, files, skips), skips)
    rows = _without_strangers(rows, skips)
    labels = sorted({row.label for row in rows if isinstance(row.label, str)})
    if classes is None and layout.kind == "names":
        refuse_other_order(text, layout, labels)
    draw = BalancedDraw(limit, seed, max(1, len(labels)))
    for row in rows:
        if row.file.cause:
            skips.add(row.file.cause, row.file.name)
        else:
            draw.offer(row.entry(root))
    if not draw.found:
        raise InputError(
            f"{table} names no file below {root} that can be used ({_count_words(skips.counts)}). "
            f"Its files were read from {layout.names[layout.file]!r}; they are relative to "
            "--images or to the table."
        )
    return Listing(
        draw.entries(),
        draw.found,
        tuple(labels) if layout.kind == "names" else layout.label_names,
        tuple(skips.names),
        skips.counts,
        notes=(*_note_columns(layout), *notes, *_note_suffixes(rows)),
    )


def _order_columns(
    layout: Layout, classes: tuple[str, ...] | None, table: Path
) -> tuple[Layout, tuple[str, ...]]:
    """Several columns of targets in the order of the outputs, and a note where it was assumed."""
    names = layout.label_names
    if layout.kind == "names":
        return layout, ()
    if len(set(names)) < len(names):
        raise InputError(
            f"{table}: two columns have the same name ({some(names)}). Give each one of its own."
        )
    if layout.kind == "flags" and classes and len(classes) == len(names):
        position = dict(zip(_without_prefix(names, classes), layout.labels, strict=True))
        if set(classes) == set(position):
            return replace(layout, labels=tuple(position[name] for name in classes)), ()
        _refuse_similar(names, classes, table)
    numbered = tuple(map(str, range(len(names))))
    if layout.kind == "flags" and set(names) == set(numbered):
        position = dict(zip(names, layout.labels, strict=True))
        return replace(layout, labels=tuple(position[number] for number in numbered)), ()
    note = (
        f"The columns {some(names)} were taken for the outputs in this order. If they have "
        "another, give it with --label-column."
    )
    return layout, (note,)


def _without_prefix(names: tuple[str, ...], classes: tuple[str, ...]) -> tuple[str, ...]:
    """``class_ant, class_bee`` as ``ant, bee``, where these are the classes."""
    prefix = common_start(names)
    short = tuple(name.removeprefix(prefix) for name in names)
    return short if set(short) == set(classes) else names


def _refuse_similar(names: tuple[str, ...], classes: tuple[str, ...], table: Path) -> None:
    """Names of columns that are partly those of the classes cannot be matched by their order."""
    strange = [name for name in names if name not in classes]
    similar = [name for name in strange if closest(name[:100], classes)]
    if len(strange) < len(names) or similar:
        name = (similar or strange)[0]
        guess = nearest(name[:100], classes)
        raise ConfigurationError(
            f"{table}: column {name!r} is not among the classes ({some(classes)}). "
            f"{guess + ' ' if guess else ''}Spell the columns and the classes alike."
        )


def _read_rows(
    text: TableText, layout: Layout, files: NamedFiles, skips: SkippedNames
) -> Iterator[_Row]:
    width = len(layout.names)
    for number, row in data_rows(text, layout.header):
        cells = [row[i] if i < len(row) else "" for i in (layout.file, *layout.labels)]
        if layout.header and cells == [layout.names[i] for i in (layout.file, *layout.labels)]:
            skips.add(_HEADER, f"line {number}")
        elif any(row[width:]):
            skips.add(_LONG_ROW, f"line {number}")
        elif not all(cells):
            skips.add(_NO_CELL, f"line {number}")
        else:
            where = f"{text.path}, line {number}"
            yield _Row(_find(files, cells[0], where), _read_label(cells[1:], layout, where))


def _find(files: NamedFiles, written: str, where: str) -> NamedFile:
    try:
        return files.find(written)
    except UnsafeInputError as error:
        raise UnsafeInputError(f"{where}: {error}") from None


def _read_label(cells: list[str], layout: Layout, where: str) -> Label:
    if layout.kind == "names":
        return cells[0]
    if layout.kind == "flags":
        return tuple(FLAGS[cell.lower()] for cell in cells)
    for cell, name in zip(cells, layout.label_names, strict=True):
        if not is_number(cell):
            raise InputError(
                f"{where}: {cell[:40]!r} in column {name!r} is not a number, as targets in several "
                "columns are. Name one column with --label-column."
            )
    return tuple(map(float, cells))


def _without_conflicts(rows: Iterable[_Row], skips: SkippedNames) -> list[_Row]:
    """A row for each file; none where rows disagree on its label."""
    kept: dict[str, _Row | None] = {}
    for row in rows:
        name = row.file.name
        first = kept.setdefault(name, row)
        if first is row:
            continue
        if first is not None and first.label == row.label:
            skips.add(_REPEATED, name)
        else:
            kept[name] = None
            skips.add(_CONFLICT, name)
    return [row for row in kept.values() if row is not None]


def _without_strangers(rows: list[_Row], skips: SkippedNames) -> list[_Row]:
    """Without rows such as remarks and sums, which name no image where all others do.

    What they have for a label is none. A file that is only missing has a label all the same.
    """
    found = [row for row in rows if not row.file.cause]
    if not found or any(not _is_image_name(row.file.name) for row in found):
        return rows
    if any(row.file.completed for row in found):
        return rows
    kept = [row for row in rows if not row.file.cause or _is_image_name(row.file.name)]
    for row in rows:
        if row not in kept:
            skips.add(_NO_IMAGE, row.file.name)
    return kept


def _is_image_name(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def _count_words(counts: Counter[str]) -> str:
    return "; ".join(f"{cause}: {count}" for cause, count in counts.items()) or "it is empty"


def _note_columns(layout: Layout) -> tuple[str, ...]:
    if not layout.unread:
        return ()
    return (
        f"Of the table, files were read from {layout.names[layout.file]!r} and labels from "
        f"{some(layout.label_names)}; not read: {some(layout.unread)}.",
    )


def _note_suffixes(rows: list[_Row]) -> tuple[str, ...]:
    count = sum(row.file.completed and not row.file.cause for row in rows)
    if not count:
        return ()
    return (f"{count} names in the table have no suffix; the one image of that name was taken.",)
