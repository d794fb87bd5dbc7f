"""Which samples are explained: the worst mistakes, some of each class, the least certain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

Ints = NDArray[np.int64]
Reason = Literal["mistake", "of its class", "least certain", "by value"]


@dataclass(frozen=True)
class Chosen:
    """rows: positions in the samples, ``(n,)``; reasons: of each, why it was taken. left: samples
    that were not taken, of those with a finite answer. mistakes: how many there are in all."""

    rows: Ints
    reasons: tuple[Reason, ...]
    left: int
    mistakes: int


def choose(subject: Subject, count: int) -> Chosen:
    """A third the surest mistakes, a third the least certain, the rest classes by turns.

    Without labels there are no mistakes. Of a regression samples are spread over what it answers.
    """
    outputs = subject.raw_outputs.reshape(len(subject.samples), -1)
    finite = np.flatnonzero(np.isfinite(outputs).all(axis=1))
    count = min(count, len(finite))
    if not subject.reading.classes:
        order = finite[np.argsort(outputs[finite, 0], kind="stable")]
        rows = order[np.unique(np.linspace(0, len(order) - 1, count).round().astype(int))]
        reasons: list[Reason] = ["by value" for _ in rows]
        return Chosen(rows, tuple(reasons), len(finite) - len(rows), 0)
    chances = subject.probabilities[finite]
    answers, sure = chances.argmax(axis=1), chances.max(axis=1)
    targets = _read_targets(subject)
    wrong = np.zeros(len(finite), bool) if targets is None else targets[finite] != answers
    taken: dict[int, Reason] = {}

    def take(places: Ints, reason: Reason, most: int) -> None:
        fresh = [int(i) for i in places if int(i) not in taken]
        taken.update(dict.fromkeys(fresh[:most], reason))

    surest = np.argsort(-sure, kind="stable")
    # Below the first: of a single unit nothing.
    two = np.sort(np.pad(chances, ((0, 0), (1, 0))), axis=1)
    closest = np.argsort(two[:, -1] - two[:, -2], kind="stable")
    take(surest[wrong[surest]], "mistake", -(-count // 3))
    take(closest, "least certain", count // 3)
    take(_by_turns(answers, wrong, surest), "of its class", count - len(taken))
    places = np.array(sorted(taken), np.int64)
    why = tuple(taken[int(i)] for i in places)
    return Chosen(finite[places], why, len(finite) - len(places), int(wrong.sum()))


def _by_turns(answers: Ints, wrong: NDArray[np.bool_], surest: Ints) -> Ints:
    """Right ones first, the classes taking turns, in each the middling sure one first."""
    turn = np.zeros(len(answers), np.int64)
    for value in np.unique(answers):
        members = surest[answers[surest] == value]
        members = members[np.argsort(wrong[members], kind="stable")]
        right = members[~wrong[members]]
        middle = np.roll(right, -(len(right) // 2)) if len(right) else right
        turn[np.concatenate([middle, members[wrong[members]]])] = np.arange(len(members))
    return np.asarray(np.lexsort((answers, turn)), np.int64)


def _read_targets(subject: Subject) -> Ints | None:
    values = subject.labels.values
    if values is None or values.dtype.kind != "i" or values.ndim != 1 or subject.labels.unscored:
        return None
    return np.asarray(values, np.int64)
