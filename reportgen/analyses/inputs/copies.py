"""Samples that are there twice, among themselves and among those of the training."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.inputs.scaling import find_factor
from reportgen.subject.near_copies import SMALLEST_SIDE, Seen, find_near, look_at
from reportgen.subject.samples import content_hashes

if TYPE_CHECKING:
    from reportgen.subject.labels import Labels
    from reportgen.subject.samples import SampleSet
    from reportgen.subject.subject import Subject

_SHOWN = 8
_MOST_COMPARED, _MOST_BYTES = 20_000, 2**30
_NUMBERS = 4  # of a target that are shown
_MOST_NUMBERS = 256  # of a sample that can coincide with another by nature
_BY_NATURE = (
    "Samples of so few different numbers coincide by nature (about {:,.0f} pairs would, drawn "
    "number by number): equal ones prove no copy."
)
_COLOURS = (1, 3)  # channels that a picture shows all of


@dataclass(frozen=True)
class Group:
    """Samples that are one. identical: to the last byte, as the model sees them; else nearly.
    conflicting: they have different labels."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    identical: bool
    conflicting: bool


@dataclass(frozen=True)
class Leaked:
    """An audited sample that is among those of the training, and both labels."""

    name: str
    training: str
    identical: bool
    label: str = ""
    training_label: str = ""


@dataclass(frozen=True)
class Copies:
    """groups: those with different labels first, then the largest. samples, training: how many
    there are; training is 0 without. near: whether nearly identical pictures were looked for.
    pictures: the first two of each shown group, then each shown leak beside its twin,
    ``(2 n, h, w, 3)``; shown: how many pairs of each of the two. missing: why nothing was
    compared. whole: whether there was time for all nearly identical ones. of, of_training: how many
    samples these were drawn from."""

    groups: tuple[Group, ...]
    samples: int
    near: bool
    leaks: tuple[Leaked, ...] = ()
    training: int = 0
    pictures: NDArray[np.uint8] | None = None
    shown: tuple[int, int] = (0, 0)
    missing: str = ""
    whole: bool = True
    of: int = 0
    of_training: int = 0

    @property
    def repeats(self) -> int:
        """Samples that are identical to an earlier one."""
        return sum(len(group.names) - 1 for group in self.groups if group.identical)


def expect_pairs(pixels: NDArray[Any]) -> float:
    """Pairs of equal samples that there would be if each number were drawn by itself.

    0 for samples of many numbers, which nobody draws twice.
    """
    some = np.asarray(pixels[: _MOST_COMPARED // 10])
    rows = some.reshape(len(some), -1)
    if rows.shape[1] > _MOST_NUMBERS or len(rows) < 2:
        return 0.0
    chance = 1.0
    for column in rows.T:
        counts = np.unique(column, return_counts=True)[1].astype(np.float64)
        # Pairs of different samples that agree in this number.
        chance *= float((counts * (counts - 1)).sum()) / (len(rows) * (len(rows) - 1))
    return chance * len(pixels) * (len(pixels) - 1) / 2


def find_copies(subject: Subject, seconds: float) -> Copies:
    """Identical samples by their numbers; nearly identical pictures by hash, verified by pixels.

    Args:
        seconds: that looking for nearly identical ones may take.
    """
    samples, train = subject.samples, subject.train
    expected = expect_pairs(samples.pixels)
    if expected >= 0.5:
        return Copies((), len(samples), near=False, missing=_BY_NATURE.format(expected))
    deadline = time.monotonic() + seconds
    hashes = content_hashes(samples.pixels)
    groups = [(rows, True) for rows in _gather(hashes)]
    near = _can_look(subject)
    own = look_at(subject.draw(samples.pixels), "comparing samples") if near else None
    whole = True
    if own is not None:
        joined, whole = _join(own, hashes, deadline)
        groups += [(rows, False) for rows in joined]
    made = [_describe(samples, subject.labels, rows, same) for rows, same in groups]
    order = sorted(
        range(len(made)), key=lambda i: (not made[i].conflicting, -len(made[i].names), groups[i][0])
    )
    leaks: list[tuple[int, int, bool]] = []
    if train is not None:
        theirs = None
        if near:
            theirs = look_at(subject.draw(train.samples.pixels), "comparing training samples")
        others = content_hashes(train.samples.pixels)
        leaks, compared = _find_leaks(hashes, others, own, theirs, deadline)
        whole = whole and compared
    pairs = [groups[i][0][:2] for i in order[:_SHOWN]]
    pictures = None
    if subject.input.kind == "image" and (pairs or leaks):
        shown = [subject.pictures(np.array(pair)) for pair in pairs]
        for row, twin, _ in leaks[:_SHOWN]:
            assert train is not None
            shown += [
                subject.pictures(np.array([row])),
                subject.draw(train.samples.pixels[[twin]]),
            ]
        pictures = np.concatenate(shown)
    return Copies(
        tuple(made[i] for i in order),
        len(samples),
        near,
        tuple(_name_leak(subject, *leak) for leak in leaks),
        len(train.samples) if train is not None else 0,
        pictures,
        (len(pairs), min(len(leaks), _SHOWN)),
        whole=whole,
        of=samples.found,
        of_training=train.samples.found if train is not None else 0,
    )


def _can_look(subject: Subject) -> bool:
    """Whether samples are pictures that have low frequencies, and not too many to compare."""
    count = len(subject.samples) + (len(subject.train.samples) if subject.train else 0)
    return (
        subject.input.kind == "image"
        and subject.input.channels in _COLOURS
        and find_factor(subject) is not None
        and min(subject.input.pixels[:2]) >= SMALLEST_SIDE
        and count <= _MOST_COMPARED
        and count * int(np.prod(subject.input.pixels)) <= _MOST_BYTES
    )


def _gather(hashes: Sequence[bytes]) -> list[list[int]]:
    """Rows with equal hashes, where there are two or more."""
    found: dict[bytes, list[int]] = defaultdict(list)
    for row, digest in enumerate(hashes):
        found[digest].append(row)
    return [rows for rows in found.values() if len(rows) > 1]


def _join(own: Seen, hashes: Sequence[bytes], deadline: float) -> tuple[list[list[int]], bool]:
    """Groups of nearly identical pictures; one of each lot of identical ones stands for all."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first = {digest: row for row, digest in reversed(list(enumerate(hashes)))}
    own = own.only(np.array([first[digest] == row for row, digest in enumerate(hashes)]))
    pairs, whole = find_near(own, own, deadline)
    rows, columns = pairs.T
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(len(hashes),) * 2)
    number = connected_components(graph, directed=False)[1]
    found: dict[int, list[int]] = defaultdict(list)
    for row in np.unique(pairs).tolist():
        found[int(number[row])].append(row)
    return list(found.values()), whole


def _find_leaks(
    hashes: Sequence[bytes],
    others: Sequence[bytes],
    own: Seen | None,
    theirs: Seen | None,
    deadline: float,
) -> tuple[list[tuple[int, int, bool]], bool]:
    """Row, row of its twin in the training, whether they are identical; identical ones first.

    And whether all were compared.
    """
    places = {digest: row for row, digest in reversed(list(enumerate(others)))}
    same = {row: places[digest] for row, digest in enumerate(hashes) if digest in places}
    near: dict[int, int] = {}
    whole = True
    if own is not None and theirs is not None:
        left = own.only(np.array([row not in same for row in range(len(hashes))]))
        pairs, whole = find_near(left, theirs, deadline)
        for row, twin in pairs.tolist():
            near.setdefault(row, twin)
    found = [(*pair, True) for pair in same.items()] + [(*pair, False) for pair in near.items()]
    return found, whole


def _name_leak(subject: Subject, row: int, twin: int, identical: bool) -> Leaked:
    train = subject.train
    assert train is not None
    return Leaked(
        subject.samples.names[row],
        train.samples.names[twin],
        identical,
        _say_label(subject.labels, row),
        _say_label(train.labels, twin),
    )


def _describe(samples: SampleSet, labels: Labels, rows: Sequence[int], identical: bool) -> Group:
    values = labels.values
    conflicting = values is not None and any((values[r] != values[rows[0]]).any() for r in rows)
    names = tuple(samples.names[r] for r in rows)
    said = tuple(_say_label(labels, row) for row in rows)
    return Group(names, said, identical, bool(conflicting))


def _say_label(labels: Labels, row: int) -> str:
    values = labels.values
    if values is None:
        return ""
    if labels.classes and values.ndim == 1:
        return str(labels.classes[int(values[row])])
    if labels.classes:
        marked = [name for name, on in zip(labels.classes, values[row], strict=True) if on]
        return ", ".join(marked[:_NUMBERS]) or "none"
    return ", ".join(f"{float(value):.9g}" for value in values[row].ravel()[:_NUMBERS])
