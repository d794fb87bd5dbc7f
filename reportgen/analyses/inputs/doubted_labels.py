"""Labels that the model contradicts, with pictures and the opinion of their neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.inputs.neighbours import (
    NEIGHBOURS,
    count_told,
    count_votes,
    read_representation,
)
from reportgen.analyses.inputs.suspects import find_suspects
from reportgen.analyses.inputs.wording import LATE
from reportgen.analyses.intervals import wilson_bounds

if TYPE_CHECKING:
    from reportgen.analyses.inputs.asking import Asking
    from reportgen.analyses.inputs.options import Options

_FEWEST = 30  # samples
_CONSTANT = 1e-6  # of a probability
_LOST = 0.1  # of the samples, beyond both intervals, that the head does not make answers of


@dataclass(frozen=True)
class Doubted:
    """One sample. sure, allowed: probabilities of the suggested and of the given class. votes_for,
    votes_against: of its nearest samples, how many are labelled as suggested, and as given; None
    where the model has no representation to compare them by."""

    name: str
    given: str
    suggested: str
    sure: float
    allowed: float
    votes_for: int | None
    votes_against: int | None


@dataclass(frozen=True)
class DoubtedLabels:
    """The most contradicted first. usual, share: as of `suspects.Suspects`. samples: labelled ones.
    pictures: of the first, ``(shown, h, w, 3)`` uint8. told: samples whose neighbours in the layer
    before the output are of their class, None without one; right: right answers. missing: why
    labels were not looked at."""

    samples: int = 0
    found: tuple[Doubted, ...] = ()
    usual: float = 0.0
    share: float = 0.0
    pictures: NDArray[np.uint8] | None = None
    neighbours: int = NEIGHBOURS
    told: int | None = None
    right: int = 0
    missing: str = ""

    @property
    def lost(self) -> bool:
        """Whether the layer before the output tells classes apart that the answers do not."""
        if self.told is None:
            return False
        hits = np.array([float(self.told), float(self.right)])
        low, high = wilson_bounds(hits, np.array([self.samples, self.samples]))
        return bool(low[0] > high[1] + _LOST)


def doubt_labels(asking: Asking, options: Options, rng: np.random.Generator) -> DoubtedLabels:
    """Look at the labels of all samples; the model's answers to them are known already."""
    subject = asking.subject
    if asking.targets is None:
        return DoubtedLabels(missing=asking.unlabelled)
    if subject.config.split == "train":
        return DoubtedLabels(
            missing="The samples are those of the training (--split train): a model repeats the "
            "labels that it was trained on, wrong ones too. Audit others."
        )
    if subject.reading.task == "independent":
        return DoubtedLabels(missing="The classes do not exclude each other.")
    values = np.asarray(subject.labels.values, np.int64)
    finite = np.isfinite(subject.raw_outputs.reshape(len(values), -1)).all(axis=1)
    rows = np.flatnonzero(finite)
    if len(rows) < _FEWEST:
        return DoubtedLabels(missing=f"{len(rows)} samples are too few: audit {_FEWEST} or more.")
    probabilities = subject.probabilities[rows]
    probabilities = probabilities / np.maximum(probabilities.sum(axis=1, keepdims=True), 1e-30)
    labels = values[rows]
    if np.ptp(probabilities, axis=0).max() < _CONSTANT:
        return DoubtedLabels(missing="The model answers the same to every sample.")
    suspects = find_suspects(probabilities, labels, rng, lambda: asking.late)
    if suspects is None:
        return DoubtedLabels(missing=LATE)
    features = None if asking.late else read_representation(subject)
    if features is not None:
        features = features[rows] if np.isfinite(features[rows]).all() else None
    votes = _ask_neighbours(features, labels, suspects.rows, suspects.suggested)
    classes = subject.labels.classes
    found = tuple(
        Doubted(
            subject.samples.names[int(rows[row])],
            classes[int(labels[row])],
            classes[int(said)],
            float(probabilities[row, said]),
            float(probabilities[row, labels[row]]),
            None if votes is None else int(votes[0][i]),
            None if votes is None else int(votes[1][i]),
        )
        for i, (row, said) in enumerate(zip(suspects.rows, suspects.suggested, strict=True))
    )
    shown = rows[suspects.rows[: options.shown_suspects]]
    pictures = subject.pictures(shown) if subject.input.kind == "image" and len(shown) else None
    return DoubtedLabels(
        len(rows),
        found,
        suspects.usual,
        suspects.share,
        pictures,
        min(NEIGHBOURS, len(rows) - 1),
        None if features is None else count_told(features, labels),
        int((probabilities.argmax(axis=1) == labels).sum()),
    )


def _ask_neighbours(
    features: NDArray[np.float64] | None,
    labels: NDArray[np.int64],
    flagged: NDArray[np.int64],
    suggested: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Votes for the suggested and for the given class of each flagged sample."""
    if features is None or not len(flagged):
        return None
    return (
        count_votes(features, labels, flagged, suggested),
        count_votes(features, labels, flagged, labels[flagged]),
    )
