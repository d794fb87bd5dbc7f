"""The model's answers to samples that are made in another way than the audit makes them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.outputs import probabilities

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float32]
Rows = NDArray[np.int64]
_FEWEST = 60  # samples that are asked whatever they cost; of fewer a paired test sees little
_NO_LABELS = "The samples have no labels."
_GIVE_LABELS = "Give class folders, --labels, or y in --data."


@dataclass(frozen=True)
class Asking:
    """A draw of the samples, and what the audit itself makes of them.

    rows: positions in the samples, ``(n,)``. answers: class of each as the audit asks, -1 where
    the output is not finite. targets: classes by the labels, None without. deadline: of
    `time.monotonic`; what begins after it is left out.
    """

    subject: Subject
    rows: Rows
    answers: Rows
    targets: Rows | None
    deadline: float

    @property
    def right(self) -> NDArray[np.bool_]:
        """Of each drawn sample, whether the audit's own answer is right; labels are needed."""
        assert self.targets is not None
        return np.asarray(self.answers == self.targets)

    @property
    def unlabelled(self) -> str:
        """Why there is no class to compare an answer with; empty where there is one."""
        if self.targets is not None:
            return ""
        return self.subject.labels.unscored or f"{_NO_LABELS} {_GIVE_LABELS}"

    def first(self, most: int) -> Asking:
        """The same with ``most`` of the samples at most, spread over all."""
        if len(self.rows) <= most:
            return self
        kept = np.unique(np.linspace(0, len(self.rows) - 1, most).round().astype(np.int64))
        targets = None if self.targets is None else self.targets[kept]
        return replace(self, rows=self.rows[kept], answers=self.answers[kept], targets=targets)

    @property
    def finite(self) -> Asking:
        """The samples whose answer is a number."""
        kept = np.flatnonzero(self.answers >= 0)
        targets = None if self.targets is None else self.targets[kept]
        return replace(self, rows=self.rows[kept], answers=self.answers[kept], targets=targets)

    @property
    def late(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() > self.deadline

    def pixels(self, rows: Rows) -> NDArray[Any]:
        """Samples before scaling, by their place in the draw."""
        return np.asarray(self.subject.samples.pixels[self.rows[rows]])

    def ask(self, make: Callable[[Rows], FloatArray], label: str) -> Rows:
        """Classes ``(n,)``, -1 where not finite.

        Args:
            make: places in the draw -> scaled samples ``(b, *input.pixels)``.
        """
        subject = self.subject

        def arranged(rows: Rows) -> FloatArray:
            return subject.input.arrange(make(rows)).astype(np.float32, copy=False)

        raw = subject.probe.predict(arranged, len(self.rows), label)
        return read_classes(subject, raw[subject.reading.output.index])


def read_classes(subject: Subject, raw: FloatArray) -> Rows:
    """The class of each row of the audited output, -1 where it is not finite."""
    finite = np.isfinite(raw.reshape(len(raw), -1)).all(axis=1)
    answers = np.full(len(raw), -1, np.int64)
    if finite.any():
        answers[finite] = probabilities(subject.reading.task, raw[finite]).argmax(axis=1)
    return answers


def start_asking(
    subject: Subject, most: int, work: float, passes: int, seconds: float, rng: np.random.Generator
) -> Asking:
    """Draw the samples.

    Args:
        most: samples. work: thousand millions of multiplications that ``passes`` may cost; fewer
            samples are drawn of a large model, but not fewer than 60. seconds: from now on.
    """
    a_pass = sum(flops or 0 for flops in subject.flops) / 2e9
    affordable = int(work / max(a_pass * passes, 1e-9))
    count = len(subject.samples)
    chosen = min(count, most, max(affordable, _FEWEST))
    rows = np.sort(rng.choice(count, chosen, replace=False)).astype(np.int64)
    targets = _read_targets(subject)
    answers = read_classes(subject, subject.raw_outputs[rows])
    return Asking(
        subject,
        rows,
        answers,
        None if targets is None else targets[rows],
        time.monotonic() + seconds,
    )


def gives_classes(subject: Subject) -> bool:
    """Whether the audited output is one class a sample."""
    return subject.reading.task not in ("regression", "other")


def _read_targets(subject: Subject) -> Rows | None:
    values = subject.labels.values
    if values is None or values.dtype.kind != "i" or subject.labels.unscored:
        return None
    return np.asarray(values, np.int64)
