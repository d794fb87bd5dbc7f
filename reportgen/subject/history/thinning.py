"""Writing a history that stays bounded, and going on with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from numpy.typing import NDArray

from reportgen.errors import UsageError
from reportgen.subject.history.index import HistoryStep
from reportgen.subject.history.spacing import Spacing
from reportgen.subject.history.writing import HistoryWriter

Every = Literal["epoch"] | int


class ThinningWriter:
    """Decides which moments a `HistoryWriter` records, and which records go for them.

    Args:
        every: ``"epoch"``, or a number of training steps.
        keep: the most records, at least 2.

    Raises:
        UsageError: one of them is out of range.
    """

    def __init__(self, writer: HistoryWriter, every: Every, keep: int) -> None:
        self._by_epoch = every == "epoch"
        self._finest = self._spacing = Spacing(1 if every == "epoch" else every, keep)
        self._writer = writer

    @property
    def steps(self) -> tuple[HistoryStep, ...]:
        """The records so far."""
        return self._writer.steps

    def is_due(self, epoch: float, step: int | None) -> bool:
        """Whether this moment is to be recorded. The first one always is."""
        if not self.steps:
            return True
        positions = self._positions()
        spacing, kept = self._spacing.make_room(positions)
        return spacing.is_due(self._position(epoch, step), positions[kept[-1]])

    def append(
        self,
        epoch: float,
        step: int | None,
        weights: Mapping[str, NDArray[Any]],
        metrics: Mapping[str, float],
    ) -> None:
        """Record this moment; for it go the records that are too many or too near.

        Raises:
            UsageError, OutputError, InputError: like `HistoryWriter.append`.
        """
        positions = self._positions()
        spacing, kept = self._spacing.make_room(positions)
        position = self._position(epoch, step)
        # Only once thinned: until then, all that was asked for is kept.
        thinned = spacing.interval > self._finest.interval
        if thinned and len(kept) > 1 and spacing.crowds(position, positions[kept[-1]]):
            kept.pop()
        if len(kept) < len(positions):
            self._writer.retain([self.steps[index] for index in kept])
        self._writer.append(epoch, weights, metrics, step=step)
        self._spacing = spacing

    def go_on_from(self, epoch: int) -> None:
        """Let go of what was recorded after ``epoch`` epochs. The first record stays.

        Raises:
            UsageError: the records do not say at which steps they were made, and that is asked.
        """
        first, *rest = self.steps
        # Where the length of an epoch was not known, the records in it bear its beginning.
        rest = [step for step in rest if first.epoch < epoch and step.epoch <= epoch]
        self._writer.retain([first, *rest])
        if not self._by_epoch and any(step.step is None for step in rest):
            raise UsageError(
                "history: it was recorded by epochs and does not count steps; go on with "
                "every='epoch', or record into another folder"
            )
        self._spacing = self._finest.find(self._positions())

    def start_over(self) -> None:
        """Let go of all records, once the next one is written."""
        self._writer.retain(())
        self._spacing = self._finest

    def _positions(self) -> list[int]:
        return [self._position(step.epoch, step.step) for step in self.steps]

    def _position(self, epoch: float, step: int | None) -> int:
        if self._by_epoch:
            return int(epoch) - (int(self.steps[0].epoch) if self.steps else 0)
        return step or 0
