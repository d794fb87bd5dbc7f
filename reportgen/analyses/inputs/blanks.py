"""What the model answers to nothing: black, white, the mean of the samples, noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reportgen.analyses.inputs.scaling import find_factor
from reportgen.subject.outputs import probabilities

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

_NOISES = 16
_SOME = 500  # samples that the mean is of


@dataclass(frozen=True)
class Blank:
    """One empty picture, or noise: the class it is most often taken for, and the median of the
    highest probability. finite: whether every output is a number."""

    name: str
    answer: str
    confidence: float
    finite: bool


@dataclass(frozen=True)
class Blanks:
    """missing: why nothing was asked; empty if something was."""

    asked: tuple[Blank, ...] = ()
    missing: str = ""

    @property
    def surest(self) -> Blank | None:
        """The one that is answered with most confidence."""
        finite = [blank for blank in self.asked if blank.finite]
        return max(finite, key=lambda blank: blank.confidence, default=None)


def ask_blanks(subject: Subject, rng: np.random.Generator) -> Blanks:
    """Each asked as a picture from 0 to 255 would be, through the declared scaling."""
    factor = find_factor(subject)
    if subject.input.kind != "image" or factor is None:
        return Blanks(missing="The samples are no pixels from 0 to 255, or to 1.")
    shape, white = subject.input.pixels, 255 / factor
    rows = np.unique(np.linspace(0, len(subject.samples) - 1, _SOME).round().astype(np.int64))
    mean = np.asarray(subject.samples.pixels[rows], np.float32).mean(axis=0)
    pictures = {
        "black": np.zeros((1, *shape), np.float32),
        "white": np.full((1, *shape), white, np.float32),
        "the mean of the samples": mean[None],
        "noise in every pixel": rng.uniform(0, white, (_NOISES, *shape)).astype(np.float32),
        "one even colour": np.broadcast_to(
            rng.uniform(0, white, (_NOISES, 1, 1, shape[2])), (_NOISES, *shape)
        ).astype(np.float32),
    }
    return Blanks(tuple(_ask(subject, name, values) for name, values in pictures.items()))


def _ask(subject: Subject, name: str, pixels: np.ndarray) -> Blank:
    inputs = subject.scale(pixels)
    raw = subject.probe.predict(lambda rows: inputs[rows], len(inputs), f"asking {name}")
    values = raw[subject.reading.output.index]
    if not np.isfinite(values).all():
        return Blank(name, "not a number", 0.0, False)
    made = probabilities(subject.reading.task, values)
    said = np.bincount(made.argmax(axis=1), minlength=made.shape[1]).argmax()
    classes = subject.labels.classes
    answer = classes[int(said)] if int(said) < len(classes) else f"class {said}"
    return Blank(name, answer, float(np.median(made.max(axis=1))), True)
