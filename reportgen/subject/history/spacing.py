"""Which moments of a training are kept: evenly spaced, and never more than a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reportgen.errors import UsageError


@dataclass(frozen=True)
class Spacing:
    """A grid over the training, which becomes coarser as the training becomes longer.

    Positions are whole numbers of epochs or steps. One is due when a multiple of ``interval``
    was passed since the last. When ``keep`` are there, the interval doubles and every second
    one goes; the first never does.
    """

    interval: int
    keep: int

    def __post_init__(self) -> None:
        if isinstance(self.interval, bool) or not isinstance(self.interval, int):
            raise UsageError(f"every: {self.interval!r} is neither 'epoch' nor a number of steps.")
        if self.interval < 1:
            raise UsageError(f"every: {self.interval} steps; the least is 1.")
        if isinstance(self.keep, bool) or not isinstance(self.keep, int) or self.keep < 2:
            raise UsageError(f"keep: {self.keep!r}; the least is 2, the first and the last record.")

    def is_due(self, position: int, last: int) -> bool:
        """Whether ``position`` is to be recorded, if ``last`` was."""
        return position // self.interval > last // self.interval

    def thin(self, positions: Sequence[int]) -> list[int]:
        """Which of ``positions`` stay: indices of the first one, and of one a grid cell."""
        kept = [0] if positions else []
        for index, position in enumerate(positions):
            if self.is_due(position, positions[kept[-1]]):
                kept.append(index)
        return kept

    def make_room(self, positions: Sequence[int]) -> tuple[Spacing, list[int]]:
        """The spacing that leaves room for one more, and which of ``positions`` stay."""
        spacing, kept = self, list(range(len(positions)))
        while len(kept) >= self.keep:
            spacing = replace(spacing, interval=2 * spacing.interval)
            kept = spacing.thin(positions)
        return spacing, kept

    def find(self, positions: Sequence[int]) -> Spacing:
        """The spacing that an earlier run had come to when it left ``positions``."""
        inner, spacing = positions[:-1], self  # the last may be the end of a training
        while len(inner) > 1:
            coarser = replace(spacing, interval=2 * spacing.interval)
            if len(coarser.thin(inner)) < len(inner):
                break
            spacing = coarser
        return spacing

    def crowds(self, position: int, last: int) -> bool:
        """Whether two positions are nearer than half of the interval, and not the same."""
        return 0 < 2 * (position - last) < self.interval
