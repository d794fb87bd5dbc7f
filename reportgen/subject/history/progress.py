"""The place in a training, as its callbacks tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reportgen.subject.history.index import HistoryStep


@dataclass
class Progress:
    """How far a training has come.

    epoch: epochs that are done. before: steps that they took, since the first record; None where
    that is not known. batches: steps done in the running epoch. length: steps of an epoch, if
    known. metrics: the logs of the last epoch.
    """

    epoch: int
    before: int | None = 0
    length: int | None = None
    batches: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def epochs(self) -> float:
        """Epochs that are done, with the share of the running one (0 if its length is unknown)."""
        return self.epoch + (self.batches / self.length if self.length else 0)

    @property
    def step(self) -> int | None:
        """Steps since the first record."""
        return None if self.before is None else self.before + self.batches

    def count(self, batch: int) -> None:
        """The batch of this index is done.

        With ``steps_per_execution`` it is the last of an execution, and Keras counts on where
        the execution was cut short by the end of the epoch.
        """
        self.batches = min(batch + 1, self.length) if self.length else batch + 1

    def finish(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """The epoch of this index is done."""
        self.before, self.length = self.step, self.batches or self.length
        self.epoch, self.batches, self.metrics = epoch + 1, 0, metrics


def go_on(steps: Sequence[HistoryStep], epoch: int, length: int | None) -> Progress:
    """The place after ``epoch`` epochs of a training that left these records."""
    first, last = steps[0], steps[-1]
    if last.step is None:
        return Progress(epoch, epoch * length if length else None, length)
    if length is None and last.epoch > first.epoch:
        length = round((last.step - (first.step or 0)) / (last.epoch - first.epoch))
    missing = (epoch - last.epoch) * (length or 0)
    return Progress(epoch, last.step + max(0, round(missing)), length)
