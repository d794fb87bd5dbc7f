"""Which samples the page shows: a strip of all classes, the worst mistakes, each kind of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Kinds:
    """Pairs of an actual and a predicted class that were confused.

    rows: the most confident mistake of each pair that is shown, ``(shown,)``. counts: mistakes of
    these pairs. found: pairs in all. among_worst: pairs that the worst mistakes show already.
    """

    rows: tuple[int, ...]
    counts: tuple[int, ...]
    found: int
    among_worst: int


@dataclass(frozen=True)
class ShownSample:
    """One sample of the strip: row in the samples, name, what was said and what is true.

    shares: the most probable classes and their probabilities, most probable first.
    """

    row: int
    name: str
    predicted: str
    actual: str | None
    right: bool | None
    confidence: float
    shares: tuple[tuple[str, float], ...]


def draw_strip(
    targets: NDArray[Any] | None,
    finite: NDArray[np.bool_],
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Rows for the strip: classes take turns, so that each is seen."""
    rows = rng.permutation(np.flatnonzero(finite))
    if targets is None:
        return np.sort(rows[:count])
    turn = np.zeros(len(rows), np.int64)
    for value in np.unique(targets[rows]):
        members = np.flatnonzero(targets[rows] == value)
        turn[members] = np.arange(len(members))
    chosen = rows[np.argsort(turn, kind="stable")][:count]
    return np.asarray(chosen[np.lexsort((chosen, targets[chosen]))])


def draw_kinds(
    targets: NDArray[Any],
    predicted: NDArray[np.int64],
    worst: NDArray[np.int64],
    *,
    shown: int,
    count: int,
) -> Kinds:
    """The most confident mistake of every pair of classes that the first ``shown`` leave out.

    The most frequent pairs come first; of equally frequent ones the one whose mistake is surer.

    Args:
        worst: all mistakes, the surest first.
    """
    pairs = [(int(targets[row]), int(predicted[row])) for row in worst]
    frequency = Counter(pairs)
    seen = set(pairs[:shown])
    among_worst = len(seen)
    surest: dict[tuple[int, int], int] = {}
    for pair, row in zip(pairs, worst, strict=True):
        if pair not in seen:
            surest.setdefault(pair, int(row))
    chosen = sorted(surest, key=lambda pair: -frequency[pair])[:count]  # sorts are stable
    return Kinds(
        rows=tuple(surest[pair] for pair in chosen),
        counts=tuple(frequency[pair] for pair in chosen),
        found=len(frequency),
        among_worst=among_worst,
    )


def show(subject: Subject, probabilities: FloatArray, row: int, most: int) -> ShownSample:
    """What the strip and the mistakes say of a sample; ``most`` classes by probability."""
    classes, values = subject.labels.classes, subject.labels.values
    order = np.argsort(-probabilities[row], kind="stable")
    actual = None if values is None else classes[values[row]]
    predicted = classes[order[0]]
    return ShownSample(
        row=int(row),
        name=subject.samples.names[row],
        predicted=predicted,
        actual=actual,
        right=None if values is None else bool(values[row] == order[0]),
        confidence=float(probabilities[row, order[0]]),
        shares=tuple((classes[i], float(probabilities[row, i])) for i in order[:most]),
    )


def take_pictures(subject: Subject, shown: list[ShownSample]) -> NDArray[np.uint8] | None:
    """The samples as images, if the model takes images."""
    if subject.input.kind != "image" or not shown:
        return None
    return subject.pictures(np.array([sample.row for sample in shown]))
