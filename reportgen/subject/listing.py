"""Which samples there are: class folders, a CSV of file,label, or a flat folder.

A million files must not be a problem. Names are streamed past a draw that keeps, for each
class, those with the smallest keyed hash: the same draw on every machine, whatever order the
file system lists them in, in memory that depends on the draw and not on the folder.
"""

from __future__ import annotations

import csv
import hashlib
import heapq
import io
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TypeVar

from reportgen.errors import InputError, UnsafeInputError
from reportgen.files import leads_out, read_regular
from reportgen.subject.images import SUFFIXES

MAX_CLASSES = 20_000
_EXAMPLES = 5
_MAX_TABLE_BYTES = 256 * 2**20
# A link in a folder of somebody else's could put any picture of the user's into the report.
_LINK_OUT = "link out of the folder"
K = TypeVar("K")


@dataclass(frozen=True, order=True)
class Entry:
    """One sample that was found: its file, its name in the report, its label as written.

    Names and labels from the file system that are not UTF-8 have their bytes as ``\\xff``.
    """

    path: Path
    name: str
    label: str | None


@dataclass(frozen=True)
class Listing:
    """The drawn entries, how many there were of each label, and what was left out by name."""

    entries: tuple[Entry, ...]
    found: Counter[str | None]
    labels: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    skipped_counts: Counter[str] = field(default_factory=Counter)
    ignored: int = 0


class SkippedNames:
    """What was left out by name: how many for each cause, and the first few of them."""

    def __init__(self) -> None:
        self.names: list[tuple[str, str]] = []
        self.counts: Counter[str] = Counter()

    def add(self, cause: str, name: str) -> None:
        """Note that ``name`` was left out because of ``cause``."""
        self.counts[cause] += 1
        if self.counts[cause] <= _EXAMPLES:
            self.names.append((cause, name if len(name) <= 200 else f"{name[:200]}…"))


class BalancedDraw:
    """Keeps up to ``limit`` entries, shared evenly over the labels; leftovers are handed on."""

    def __init__(self, limit: int, seed: int, classes: int) -> None:
        self.limit = limit
        # A label can never get more than the whole draw. With many labels four times the fair
        # share is room enough for leftovers, and keeps the memory bounded.
        self._room = limit if classes <= 20 else min(limit, 4 * -(-limit // classes))
        self._key = seed.to_bytes(16, "little", signed=True)
        self._heaps: dict[str | None, list[tuple[int, str, Entry]]] = defaultdict(list)
        self.found: Counter[str | None] = Counter()

    def offer(self, entry: Entry) -> None:
        """Count ``entry`` and keep it if it ranks among the first of its label."""
        self.found[entry.label] += 1
        name = entry.name.encode()
        rank = int.from_bytes(hashlib.blake2b(name, digest_size=8, key=self._key).digest())
        heap = self._heaps[entry.label]
        item = (-rank, entry.name, entry)
        if len(heap) < self._room:
            heapq.heappush(heap, item)
        elif item > heap[0]:
            heapq.heapreplace(heap, item)

    def entries(self) -> tuple[Entry, ...]:
        """The draw, by label and name."""
        ranked = {
            label: [entry for _, _, entry in sorted(heap, reverse=True)]
            for label, heap in self._heaps.items()
        }
        quotas = share_evenly({label: len(items) for label, items in ranked.items()}, self.limit)
        drawn = [entry for label, items in ranked.items() for entry in items[: quotas[label]]]
        return tuple(sorted(drawn, key=lambda entry: (entry.label or "", entry.name)))


def share_evenly(available: dict[K, int], limit: int) -> dict[K, int]:
    """Split ``limit`` over keys as evenly as what is available allows (water-filling)."""
    quotas: dict[K, int] = {}
    left, keys = limit, sorted(available, key=lambda key: (available[key], str(key)))
    for position, key in enumerate(keys):
        quotas[key] = min(available[key], left // (len(keys) - position))
        left -= quotas[key]
    return quotas


def list_folder(root: Path, *, limit: int, seed: int) -> Listing:
    """Class folders (a folder a label) or, without any, a flat folder of unlabelled images.

    Raises:
        InputError: the folder is missing or holds no image by name.
    """
    if not os.path.isdir(root):
        raise InputError(f"{root} is not a folder. Give --images a folder of images.")
    skips = SkippedNames()
    classes = _class_folders(root, skips)
    if len(classes) > MAX_CLASSES:
        raise InputError(f"{root} has {len(classes)} folders; at most {MAX_CLASSES} classes work.")
    draw, ignored = BalancedDraw(limit, seed, max(1, len(classes))), 0
    for entry in _walk_classes(root, classes, skips):
        if entry.path.suffix.lower() in SUFFIXES:
            draw.offer(entry)
        else:
            ignored += 1
    if not draw.found:
        raise InputError(
            f"{root} holds no images ({ignored} other files). Images end in "
            f"{', '.join(sorted(SUFFIXES))}."
        )
    labels = tuple(label for label in map(_spelled, classes) if draw.found[label])
    return Listing(
        draw.entries(), draw.found, labels, tuple(skips.names), skips.counts, ignored=ignored
    )


def _class_folders(root: Path, skips: SkippedNames) -> list[str]:
    try:
        folders = sorted(path.name for path in root.iterdir() if path.is_dir())
        real = root.resolve()
    except OSError as error:
        raise InputError(f"{root} cannot be read: {error.strerror}.") from None
    classes = []
    for name in folders:
        if name.startswith("."):
            continue
        if (root / name).is_symlink() and real.is_relative_to((root / name).resolve()):
            skips.add("link back to a folder above", _spelled(name))
        elif (root / name).is_symlink() and leads_out(root / name, real):
            skips.add(_LINK_OUT, _spelled(name))
        else:
            classes.append(name)
    return classes


def _walk_classes(root: Path, classes: list[str], skips: SkippedNames) -> Iterator[Entry]:
    if not classes:
        yield from _walk(root, root, None, skips)
        return
    for path in root.iterdir():
        if path.suffix.lower() in SUFFIXES and path.name not in classes and path.name[0] != ".":
            skips.add("image outside of the class folders", _spelled(path.name))
    for name in classes:
        yield from _walk(root, root / name, _spelled(name), skips)


def _walk(root: Path, folder: Path, label: str | None, skips: SkippedNames) -> Iterator[Entry]:
    # Links to folders are not followed below the class folder: a loop would never end.
    for parent, folders, files in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            path = Path(parent, name)
            if path.is_symlink() and not (label is None and parent == str(root)):
                skips.add("link to a folder", _spelled(path.relative_to(root).as_posix()))
        for file in files:
            path = Path(parent, file)
            spelled = _spelled(path.relative_to(root).as_posix())
            if path.is_symlink() and not file.startswith(".") and leads_out(path, root):
                skips.add(_LINK_OUT, spelled)
            elif not file.startswith("."):
                yield Entry(path, spelled, label)


def _spelled(name: str) -> str:
    """A name from the file system as text that can be written: ``\\xff`` for a stray byte."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def list_csv(table: Path, root: Path, *, limit: int, seed: int) -> Listing:
    """Rows of ``file,label`` (a header of those words is allowed); files relative to ``root``.

    Raises:
        UnsafeInputError: a row names a file outside ``root``.
        InputError: the table cannot be read as text, or has no usable row.
    """
    labels_of: dict[str, str] = {}
    skips = SkippedNames()
    for number, row in _read_rows(table):
        if len(row) < 2 or not row[0].strip() or not row[1].strip():
            skips.add("label file: no file or no label in the row", f"line {number}")
            continue
        name, label = row[0].strip(), row[1].strip()
        _refuse_outside(table, number, name)
        name = PurePosixPath(name).as_posix()  # ./a.png is a.png
        if name not in labels_of:
            labels_of[name] = label
        elif labels_of[name] == label:
            skips.add("label file: repeated row", name)
        else:
            labels_of[name] = ""
            skips.add("label file: conflicting labels", name)
    usable = {name: label for name, label in labels_of.items() if label}
    labels = tuple(sorted(set(usable.values())))
    draw, real = BalancedDraw(limit, seed, max(1, len(labels))), root.resolve()
    for name, label in usable.items():
        if leads_out(root / name, real):
            skips.add(_LINK_OUT, name)
        elif _exists(root / name):
            draw.offer(Entry(root / name, name, label))
        else:
            skips.add("label file: file is missing", name)
    if not draw.found:
        raise InputError(
            f"{table} names no file below {root} that can be used ({_count_words(skips.counts)}). "
            "Each row is file,label, with files relative to --images or to the table."
        )
    return Listing(draw.entries(), draw.found, labels, tuple(skips.names), skips.counts)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name longer than a file system allows
        return False


def _count_words(counts: Counter[str]) -> str:
    return "; ".join(f"{cause}: {count}" for cause, count in counts.items()) or "it is empty"


def _refuse_outside(table: Path, number: int, name: str) -> None:
    windows, posix = PureWindowsPath(name), PurePosixPath(name)
    if posix.is_absolute() or windows.drive or windows.root or ".." in windows.parts + posix.parts:
        raise UnsafeInputError(
            f"{table}, line {number}: {name[:80]!r} points outside the image folder. "
            "Use names relative to it."
        )


def _read_rows(table: Path) -> Iterable[tuple[int, list[str]]]:
    try:
        raw = read_regular(table, _MAX_TABLE_BYTES)
    except OSError as error:
        raise InputError(f"{table} cannot be read: {error.strerror}.") from None
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{table} is not UTF-8 text (byte {error.start}). Save it as UTF-8."
        ) from None
    if "\0" in text:
        raise InputError(f"{table} holds NUL characters: it is not a CSV text file.")
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            if reader.line_num == 1 and [cell.strip().lower() for cell in row[:2]] == [
                "file",
                "label",
            ]:
                continue
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise InputError(f"{table}, line {reader.line_num}: {error}.") from None
