"""Which samples the page shows: a strip of all classes, the worst mistakes, each kind of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float64]


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
) -> list[int]:
    """The most confident mistake of every pair of classes that the first ``shown`` leave out."""
    seen = {(targets[row], predicted[row]) for row in worst[:shown]}
    rows = []
    for row in worst[shown:]:
        pair = (targets[row], predicted[row])
        if pair not in seen:
            seen.add(pair)
            rows.append(int(row))
    rows.sort(key=lambda row: (targets[row], predicted[row]))
    return rows[:count]


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
