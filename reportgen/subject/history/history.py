"""A training that was recorded, whoever wrote it: its moments, and the weights of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reportgen.subject.history.index import HistoryStep, record_path
from reportgen.subject.history.record import FloatArray, open_record


class Weights(Protocol):
    """The weights of one moment, to be read one at a time."""

    @property
    def names(self) -> tuple[str, ...]:
        """By path, in the model's order."""

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Known without reading them."""

    def __len__(self) -> int: ...

    def read(self, position: int) -> FloatArray:
        """One of them: float32 or float64."""


@dataclass(frozen=True)
class History:
    """A training, in order. Weights stay on disk until asked for, and are not kept.

    directory: where they are. steps: what was recorded, never empty. notes: what was left out.
    """

    directory: Path
    steps: tuple[HistoryStep, ...]
    notes: tuple[str, ...] = ()

    @property
    def from_start(self) -> bool:
        """Whether the first record is of the weights before the training."""
        return not self.steps[0].step

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the first record's arrays, in the model's order; reads no weights.

        Raises:
            InputError, UnsafeInputError: like `arrays`.
        """
        with self._open(0) as record:
            return record.shapes

    def arrays(self, index: int, positions: Sequence[int] | None = None) -> list[FloatArray]:
        """The weights of ``steps[index]`` in the order of ``model.weights``: float32 or float64.

        Args:
            index: like that of a list; -1 is the last.
            positions: places in ``model.weights``; only these are read. None: all.

        Raises:
            InputError: the file is missing, truncated, holds something else, or fewer arrays.
            UnsafeInputError: the file is a link, or would unpack into too much memory.
        """
        with self._open(index) as record:
            wanted = range(len(record)) if positions is None else positions
            return [record.read(position) for position in wanted]

    def weights(self, index: int) -> dict[str, FloatArray]:
        """Load the weights of ``steps[index]``, by path (`weight_names`), in the model's order.

        Match them to a model by order and shape: Keras renames the weights of a Sequential
        model on loading (``net/dense/kernel`` becomes ``dense/kernel``).
        float16 comes back as float32, integers as float64.

        Raises:
            InputError, UnsafeInputError: like `arrays`.
        """
        with self._open(index) as record:
            return {name: record.read(i) for i, name in enumerate(record.names)}

    @contextmanager
    def _open(self, index: int) -> Iterator[Weights]:
        step = self.steps[index]
        base = record_path(self.directory, step.base) if step.base else None
        with open_record(record_path(self.directory, step.file), base) as record:
            yield record
