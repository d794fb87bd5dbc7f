"""Samples as arrays the size of the model's input, with a ledger of what was skipped and why."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import InputError
from reportgen.progress import track
from reportgen.report.cards import Skipped
from reportgen.subject.images import Decoder, SkippedImageError
from reportgen.subject.listing import Entry, Listing, share_evenly

_IN_MEMORY_BYTES = 256 * 2**20
_EXAMPLES = 5


@dataclass(frozen=True)
class SampleSet:
    """Samples before scaling.

    pixels: ``(n, *input)``; uint8 from image files, uint8 or float from arrays. Beyond 256 MiB
        they lie in a temporary file that the system pages in as needed.
    names: ``n`` file names or ``#row``. labels: as written (None: unlabelled).
    label_names: the distinct labels in sorted order, or the names of columns of targets.
    folders: all class folders, with those that hold no image; empty without class folders.
    paths: ``n`` image files; empty for arrays.
    found: samples before the draw.
    sizes: own ``(h, w)`` of each image file, ``(n, 2)``; empty for arrays.
    """

    pixels: NDArray[Any]
    names: tuple[str, ...]
    labels: NDArray[Any] | None
    label_names: tuple[str, ...]
    found: int
    sizes: NDArray[np.int64]
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    paths: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def skipped_count(self) -> int:
        """How many samples were left out."""
        return sum(item.count for item in self.skipped)


def no_samples(shape: tuple[int, ...]) -> SampleSet:
    """None of shape ``shape``: the model alone is audited."""
    empty = np.empty((0, *shape), np.uint8)
    return SampleSet(empty, (), None, (), 0, np.empty((0, 2), np.int64))


class Ledger:
    """Counts causes; keeps a few names of each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = defaultdict(list)

    def add(self, cause: str, name: str, count: int = 1) -> None:
        """Note that ``name`` was left out because of ``cause``."""
        self.counts[cause] += count
        if len(self.examples[cause]) < _EXAMPLES:
            self.examples[cause].append(name)

    def rows(self) -> tuple[Skipped, ...]:
        """The ledger, most frequent cause first."""
        return tuple(
            Skipped(cause=cause, count=count, examples=tuple(self.examples[cause]))
            for cause, count in sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        )


def read_images(listing: Listing, decoder: Decoder) -> SampleSet:
    """Decode every drawn file. Labels are text ``(n,)``, or targets ``(n, columns)``.

    Raises:
        InputError: none could be decoded.
    """
    ledger = Ledger()
    for cause, count in listing.skipped_counts.items():
        ledger.counts[cause] += count
    for cause, name in listing.skipped:
        ledger.examples[cause].append(name)
    shape = (*decoder.size, decoder.channels)
    pixels = _allocate(len(listing.entries), shape)
    read: list[Entry] = []
    sizes: list[tuple[int, int]] = []
    for entry in track(listing.entries, "reading images"):
        try:
            picture, size = decoder.read(entry.path)
        except SkippedImageError as error:
            ledger.add(str(error), entry.name)
            continue
        pixels[len(read)] = picture
        read.append(entry)
        sizes.append(size)
    if not read:
        causes = "; ".join(f"{cause}: {n}" for cause, n in ledger.counts.items())
        raise InputError(f"None of {len(listing.entries)} images could be read ({causes}).")
    notes = [f"{count} converted: {kind}" for kind, count in sorted(decoder.conversions.items())]
    if listing.ignored:
        notes.append(f"{listing.ignored} files are not images by name and were ignored")
    return SampleSet(
        pixels=pixels[: len(read)],
        names=tuple(entry.name for entry in read),
        labels=_gather_labels(read),
        label_names=listing.labels,
        found=sum(listing.found.values()),
        sizes=np.array(sizes, dtype=np.int64),
        skipped=ledger.rows(),
        notes=(*notes, *listing.notes),
        folders=listing.folders,
        paths=tuple(entry.path for entry in read),
    )


def _gather_labels(entries: list[Entry]) -> NDArray[Any] | None:
    """Text ``(n,)``; or targets ``(n, columns)``, int64 where they mark classes; None without."""
    if entries[0].targets:
        return np.array([entry.targets for entry in entries])
    if all(entry.label is None for entry in entries):
        return None
    return np.array([entry.label for entry in entries], dtype=object)


def _allocate(count: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    if count * int(np.prod(shape)) <= _IN_MEMORY_BYTES:
        return np.zeros((count, *shape), np.uint8)
    with tempfile.TemporaryFile() as backing:  # its pages live as long as the array
        return np.memmap(backing, np.uint8, "w+", shape=(count, *shape))


def take_arrays(
    x: Any,
    y: Any,
    shape: tuple[int, ...],
    *,
    limit: int,
    seed: int,
    origin: str,
    places: NDArray[np.int64] | None = None,
    found: int | None = None,
) -> SampleSet:
    """Samples from arrays ``x`` ``(n, *shape)`` and labels ``y`` ``(n,)`` or ``(n, classes)``.

    Args:
        places, found: where the rows stand in what they were drawn from, ``(n,)``, and how many
            there were; without, ``x`` is all there is.

    Raises:
        InputError: shapes or types that cannot be what the model takes.
    """
    x = np.asarray(x)
    if x.dtype.kind not in "buif":
        raise InputError(f"{origin}: x holds {x.dtype}; numbers are needed.")
    x = _match_shape(x, shape, origin)
    y = None if y is None else _take_labels(np.asarray(y), len(x), origin)
    ledger, numbers = Ledger(), np.arange(len(x)) if places is None else places
    keep = _finite_rows(x, y)
    if not keep.all():
        first = f"#{numbers[np.flatnonzero(~keep)[0]]}"
        ledger.add("NaN or infinity in the sample or its label", first, int((~keep).sum()))
    rows = _draw_rows(np.flatnonzero(keep), y, limit, seed)
    if not len(rows):
        raise InputError(f"{origin}: no usable sample among {len(x)} rows.")
    labels = None if y is None else y[rows]
    named = labels is not None and labels.dtype == object
    return SampleSet(
        pixels=x[rows],
        names=tuple(f"#{number}" for number in numbers[rows]),
        labels=labels,
        label_names=tuple(sorted(set(labels))) if named and labels is not None else (),
        found=len(x) if found is None else found,
        sizes=np.empty((0, 2), np.int64),
        skipped=ledger.rows(),
    )


def _take_labels(y: NDArray[Any], rows: int, origin: str) -> NDArray[Any]:
    """Labels ``(n,)`` as numbers or str objects, or numbers ``(n, ...)``; axes of one are dropped.

    Raises:
        InputError: another number of rows, neither numbers nor text, or several texts a sample.
    """
    if y.ndim == 0 or len(y) != rows:
        raise InputError(f"{origin}: x has {rows} rows, y has shape {y.shape}. They must match.")
    if y.dtype.kind not in "buifSUO":
        raise InputError(f"{origin}: y holds {y.dtype}; numbers or names are needed.")
    if y.size == rows:
        y = y.reshape(rows)
    if y.dtype.kind == "O":
        y = _as_numbers(y)
    if y.dtype.kind not in "SUO":
        return y
    if y.ndim > 1:
        raise InputError(
            f"{origin}: y holds text of shape {y.shape}; one name a sample is needed, of shape "
            f"({rows},). Save the column with the classes, or columns of 0 and 1 for several."
        )
    return _as_names(y)


def _as_numbers(labels: NDArray[Any]) -> NDArray[Any]:
    """Numbers that travel as objects as numbers; anything else stays as it is."""
    for kind, wanted in (((int, np.integer), np.int64), ((int, float, np.number), np.float64)):
        if all(isinstance(one, kind) for one in labels.flat):
            try:
                return labels.astype(wanted)
            except OverflowError:  # identifiers of 70 bits: names, as they are written
                return labels
    return labels


def _as_names(labels: NDArray[Any]) -> NDArray[Any]:
    """Text labels ``(n,)`` as str objects, without spaces around them, as those of tables."""
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "backslashreplace")
    try:
        names = [str(one).encode("utf-8", "backslashreplace").decode().strip() for one in labels]
    except (SystemError, ValueError):  # signs that no text has
        raise InputError("y holds text that cannot be read. Save the labels again.") from None
    return np.array(names, dtype=object)


def _match_shape(x: NDArray[Any], shape: tuple[int, ...], origin: str) -> NDArray[Any]:
    """Add or drop a channel axis of one; anything else must fit as it is."""
    if x.ndim == 0 or len(x) == 0:
        raise InputError(f"{origin}: x is empty.")
    if x.shape[1:] == shape:
        return x
    if (*x.shape[1:], 1) == shape or x.shape[1:] == (*shape, 1):
        return x.reshape(len(x), *shape)
    raise InputError(
        f"{origin}: x has samples of shape {x.shape[1:]}, the model takes {shape}. "
        "Resize the arrays, or give --images to let reportgen resize files."
    )


def _finite_rows(x: NDArray[Any], y: NDArray[Any] | None) -> NDArray[np.bool_]:
    keep = np.ones(len(x), bool)
    if x.dtype.kind == "f":
        for start in range(0, len(x), 1024):
            rows = x[start : start + 1024].reshape(min(1024, len(x) - start), -1)
            keep[start : start + 1024] = np.isfinite(rows).all(axis=1)
    if y is not None and y.dtype.kind == "f":
        keep &= np.isfinite(y.reshape(len(y), -1)).all(axis=1)
    return keep


def _draw_rows(
    rows: NDArray[np.int64], y: NDArray[Any] | None, limit: int, seed: int
) -> NDArray[np.int64]:
    """A seeded draw, balanced over integer or text labels; in the order of the rows."""
    if len(rows) <= limit:
        return rows
    shuffled = np.random.default_rng([seed & 0xFFFFFFFF, 7]).permutation(rows)
    if y is None or y.ndim != 1 or y.dtype.kind not in "iubSUO":
        return np.sort(shuffled[:limit])
    groups: dict[Any, list[int]] = defaultdict(list)
    for row in shuffled:
        groups[y[row]].append(int(row))
    quotas = share_evenly({label: len(group) for label, group in groups.items()}, limit)
    return np.sort([row for label, group in groups.items() for row in group[: quotas[label]]])


def content_hashes(pixels: NDArray[Any]) -> list[bytes]:
    """A hash of the numbers of each sample, whatever type they are stored in.

    As float32, which is what the model gets; 0 and -0 are the same.
    """
    made = (np.ascontiguousarray(one, np.float32) + np.float32(0) for one in pixels)
    return [hashlib.blake2b(one.tobytes(), digest_size=16).digest() for one in made]
