"""Samples that are there twice, among themselves and among those of the training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.inputs.scaling import find_factor
from reportgen.subject.near_copies import SMALLEST_SIDE, Pictures, find_near, hash_pictures
from reportgen.subject.samples import content_hashes

if TYPE_CHECKING:
    from reportgen.subject.labels import Labels
    from reportgen.subject.samples import SampleSet
    from reportgen.subject.subject import Subject

_SHOWN = 8
_MOST_COMPARED, _MOST_BYTES = 20_000, 2**30
_FEWEST_NUMBERS = 4  # of a sample; of fewer they coincide by nature
_FEW_NUMBERS = "Samples of three numbers or fewer coincide by nature: equal ones prove no copy."
Hashed = tuple[Pictures, NDArray[np.uint64], NDArray[np.bool_]]


@dataclass(frozen=True)
class Group:
    """Samples that are one. identical: to the last byte, as the model sees them; else nearly."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    identical: bool

    @property
    def conflicting(self) -> bool:
        """Whether they have different labels."""
        return len(set(self.labels)) > 1


@dataclass(frozen=True)
class Leaked:
    """An audited sample that is among those of the training."""

    name: str
    training: str
    identical: bool


@dataclass(frozen=True)
class Copies:
    """groups: those with different labels first, then the largest. samples, training: how many
    there are; training is 0 without. near: whether nearly identical pictures were looked for.
    pictures: the first two of each shown group, then each shown leak beside its twin,
    ``(2 n, h, w, 3)``; shown: how many pairs of each of the two. missing: why nothing was
    compared."""

    groups: tuple[Group, ...]
    samples: int
    near: bool
    leaks: tuple[Leaked, ...] = ()
    training: int = 0
    pictures: NDArray[np.uint8] | None = None
    shown: tuple[int, int] = (0, 0)
    missing: str = ""

    @property
    def repeats(self) -> int:
        """Samples that are identical to an earlier one."""
        return sum(len(group.names) - 1 for group in self.groups if group.identical)


def find_copies(subject: Subject) -> Copies:
    """Identical samples by their bytes; nearly identical pictures by hash, verified by pixels."""
    samples, train = subject.samples, subject.train
    if subject.input.kind == "vector" and subject.input.shape[0] < _FEWEST_NUMBERS:
        return Copies((), len(samples), near=False, missing=_FEW_NUMBERS)
    hashes = content_hashes(samples.pixels)
    groups = [(rows, True) for rows in _gather(hashes)]
    near = _can_look(subject)
    own = _hash(subject, samples, "comparing samples") if near else None
    if own is not None:
        groups += [(rows, False) for rows in _join(own, hashes)]
    made = [_describe(samples, subject.labels, rows, same) for rows, same in groups]
    order = sorted(
        range(len(made)), key=lambda i: (not made[i].conflicting, -len(made[i].names), groups[i][0])
    )
    leaks: list[tuple[int, int, bool]] = []
    if train is not None:
        theirs = _hash(subject, train.samples, "comparing training samples") if near else None
        leaks = _find_leaks(hashes, content_hashes(train.samples.pixels), own, theirs)
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
        tuple(
            Leaked(samples.names[row], train.samples.names[twin], same)
            for row, twin, same in leaks
            if train is not None
        ),
        len(train.samples) if train is not None else 0,
        pictures,
        (len(pairs), min(len(leaks), _SHOWN)),
    )


def _can_look(subject: Subject) -> bool:
    """Whether samples are pictures that have low frequencies, and not too many to compare."""
    count = len(subject.samples) + (len(subject.train.samples) if subject.train else 0)
    return (
        subject.input.kind == "image"
        and find_factor(subject) is not None
        and min(subject.input.pixels[:2]) >= SMALLEST_SIDE
        and count <= _MOST_COMPARED
        and count * int(np.prod(subject.input.pixels)) <= _MOST_BYTES
    )


def _hash(subject: Subject, samples: SampleSet, label: str) -> Hashed:
    pictures = subject.draw(samples.pixels)
    return (pictures, *hash_pictures(pictures, label))


def _gather(hashes: Sequence[bytes]) -> list[list[int]]:
    """Rows with equal hashes, where there are two or more."""
    found: dict[bytes, list[int]] = defaultdict(list)
    for row, digest in enumerate(hashes):
        found[digest].append(row)
    return [rows for rows in found.values() if len(rows) > 1]


def _join(own: Hashed, hashes: Sequence[bytes]) -> list[list[int]]:
    """Groups of nearly identical pictures; one of each lot of identical ones stands for all."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first = {digest: row for row, digest in reversed(list(enumerate(hashes)))}
    pairs = [
        (i, j)
        for i, j in find_near(own, own)
        if i < j and hashes[i] != hashes[j] and first[hashes[i]] == i and first[hashes[j]] == j
    ]
    if not pairs:
        return []
    rows, columns = np.array(pairs).T
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(len(hashes),) * 2)
    number = connected_components(graph, directed=False)[1]
    found: dict[int, list[int]] = defaultdict(list)
    for row in np.unique(np.concatenate([rows, columns])).tolist():
        found[int(number[row])].append(row)
    return list(found.values())


def _find_leaks(
    hashes: Sequence[bytes], others: Sequence[bytes], own: Hashed | None, theirs: Hashed | None
) -> list[tuple[int, int, bool]]:
    """Row, row of its twin in the training, whether they are identical; identical ones first."""
    places = {digest: row for row, digest in reversed(list(enumerate(others)))}
    same = {row: places[digest] for row, digest in enumerate(hashes) if digest in places}
    near: dict[int, int] = {}
    if own is not None and theirs is not None:
        for row, twin in find_near(own, theirs):
            if row not in same:
                near.setdefault(row, twin)
    return [(*pair, True) for pair in same.items()] + [(*pair, False) for pair in near.items()]


def _describe(samples: SampleSet, labels: Labels, rows: Sequence[int], identical: bool) -> Group:
    def label(row: int) -> str:
        if labels.values is None:
            return ""
        if labels.classes:
            return str(labels.classes[int(labels.values[row])])
        return f"{float(labels.values[row].ravel()[0]):.4g}"

    return Group(tuple(samples.names[r] for r in rows), tuple(map(label, rows)), identical)
