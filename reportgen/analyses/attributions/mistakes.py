"""Mistakes, with the map of the class that they were taken for and that of their label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reportgen.analyses.attributions.choice import Chosen
    from reportgen.attributions.case import Case
    from reportgen.attributions.cells import Grid
    from reportgen.subject.subject import Subject

Pictures = NDArray[np.uint8]


@dataclass(frozen=True)
class Mistake:
    """alike: Spearman's correlation of the two maps by occlusion. by_fill: that of the map of the
    taken class with itself by the other fill: what two maps of one class differ by."""

    name: str
    taken: str
    label: str
    alike: float
    by_fill: float

    @property
    def specific(self) -> bool:
        """Whether the maps of the two classes differ by more than those of one class."""
        return self.alike < self.by_fill


def compare_mistakes(
    subject: Subject, case: Case, chosen: Chosen, grid: Grid, pictures: Pictures, most: int
) -> tuple[tuple[Mistake, ...], Pictures | None]:
    """The surest mistakes among the chosen samples.

    Cells are covered once; what that does to the score of any class is read from the same answers.

    Returns: and of each the picture, the map of what it was taken for, and that of its label,
    ``(3 n, H, W, 3)``.
    """
    from reportgen.attributions.case import make_directions
    from reportgen.attributions.fills import FILLS
    from reportgen.attributions.gate.randomising import correlate
    from reportgen.attributions.overlay import enlarge_pictures, lay_over

    places = np.array([i for i, r in enumerate(chosen.reasons) if r == "mistake"], np.int64)[:most]
    if not len(places) or subject.labels.values is None:
        return (), None
    labels = np.asarray(subject.labels.values, np.int64)[chosen.rows]
    reading = subject.reading
    actual = case.of(make_directions(reading.task, reading.output.units, labels))
    by_fill = [case.falls(fill, grid)[places] for fill in FILLS]
    taken = np.mean(by_fill, axis=0, dtype=np.float32)
    other = np.mean([actual.falls(fill, grid)[places] for fill in FILLS], axis=0, dtype=np.float32)
    count = len(places)
    alike = correlate(taken.reshape(count, -1), other.reshape(count, -1))
    same = correlate(by_fill[0].reshape(count, -1), by_fill[1].reshape(count, -1))
    classes = subject.labels.classes
    answers = subject.probabilities[chosen.rows[places]].argmax(axis=1)
    mistakes = tuple(
        Mistake(
            subject.samples.names[int(chosen.rows[place])],
            classes[int(answers[i])],
            classes[int(labels[place])],
            float(alike[i]),
            float(same[i]),
        )
        for i, place in enumerate(places.tolist())
    )
    shown = [
        enlarge_pictures(pictures[places]),
        *(lay_over(np.asarray(values), pictures[places]) for values in (taken, other)),
    ]
    return mistakes, np.stack(shown, axis=1).reshape(-1, *shown[0].shape[1:])
