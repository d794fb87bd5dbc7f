"""Which samples there are: class folders or a flat folder, and the draw of them.

A million files must not be a problem. Names are streamed past a draw that keeps, for each
class, those with the smallest keyed hash: the same draw on every machine, whatever order the
file system lists them in, in memory that depends on the draw and not on the folder.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from reportgen.errors import InputError
from reportgen.files import leads_out
from reportgen.subject.images import SUFFIXES
from reportgen.subject.splits import has_image, is_image, refuse_splits

MAX_CLASSES = 20_000
_EXAMPLES = 5
# What systems and tools put beside pictures, thumbnails among them.
_JUNK = re.compile(
    r"[.@].*|#recycle|\$recycle\.bin|__macosx|__pycache__|_gsdata_|lost\+found|"
    r"system volume information|thumbnails",
    re.IGNORECASE,
)
# A link in a folder of somebody else's could put any picture of the user's into the report.
LINK_OUT = "link out of the folder"
K = TypeVar("K")


@dataclass(frozen=True, order=True)
class Entry:
    """One sample that was found: its file, its name in the report, its label as written.

    Names and labels from the file system that are not UTF-8 have their bytes as ``\\xff``.
    ``targets`` are the numbers of a table with several columns of labels, which has no ``label``.
    """

    path: Path
    name: str
    label: str | None
    targets: tuple[float, ...] = ()


@dataclass(frozen=True)
class Listing:
    """The drawn entries, and what was left out by name.

    Attributes:
        found: how many there were of each label, before the draw.
        labels: the distinct labels, sorted as text; or the names of several columns of targets.
        folders: all class folders, sorted as text, with those that hold no image. Empty where the
            labels are from a table.
        notes: sentences on how labels were understood.
    """

    entries: tuple[Entry, ...]
    found: Counter[str | None]
    labels: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    skipped_counts: Counter[str] = field(default_factory=Counter)
    ignored: int = 0
    folders: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


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


def list_folder(
    root: Path,
    *,
    limit: int,
    seed: int,
    classes: tuple[str, ...] | None = None,
    option: str = "--images",
) -> Listing:
    """Class folders (a folder a label) or, without any, a flat folder of unlabelled images.

    Args:
        classes: names that were given for the classes. Where all folders are among them, they are
            classes, also if they look like splits.
        option: what ``root`` was given with, for messages.

    Raises:
        InputError: the folder is missing or holds no image by name.
        ConfigurationError: its folders look like splits or like a level too many.
    """
    if not os.path.isdir(root):
        raise InputError(f"{root} is not a folder. Give {option} a folder of images.")
    skips = SkippedNames()
    names = _class_folders(root, skips)
    if len(names) > MAX_CLASSES:
        raise InputError(f"{root} has {len(names)} folders; at most {MAX_CLASSES} classes work.")
    folders = tuple(map(_spelled, names))
    if not set(folders) <= set(classes or ()):
        refuse_splits(root, names, option)
    if names and not any(has_image(root / name) for name in names) and _has_own_image(root):
        names, folders = [], ()
    draw, ignored = BalancedDraw(limit, seed, max(1, len(names))), 0
    for entry in _walk_classes(root, names, skips):
        if entry.path.suffix.lower() in SUFFIXES:
            draw.offer(entry)
        else:
            ignored += 1
    if not draw.found:
        raise InputError(
            f"{root} holds no images ({ignored} other files). Images end in "
            f"{', '.join(sorted(SUFFIXES))}."
        )
    return Listing(
        draw.entries(),
        draw.found,
        tuple(label for label in folders if draw.found[label]),
        tuple(skips.names),
        skips.counts,
        ignored=ignored,
        folders=folders,
    )


def _has_own_image(root: Path) -> bool:
    return any(is_image(path.name) for path in root.iterdir() if path.is_file())


def _class_folders(root: Path, skips: SkippedNames) -> list[str]:
    try:
        folders = sorted(path.name for path in root.iterdir() if path.is_dir())
        real = root.resolve()
    except OSError as error:
        raise InputError(f"{root} cannot be read: {error.strerror}.") from None
    classes = []
    for name in folders:
        if _JUNK.fullmatch(name):
            continue
        if (root / name).is_symlink() and real.is_relative_to((root / name).resolve()):
            skips.add("link back to a folder above", _spelled(name))
        elif (root / name).is_symlink() and leads_out(root / name, real):
            skips.add(LINK_OUT, _spelled(name))
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
                skips.add(LINK_OUT, spelled)
            elif not file.startswith("."):
                yield Entry(path, spelled, label)


def _spelled(name: str) -> str:
    """A name from the file system as text that can be written: ``\\xff`` for a stray byte."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
