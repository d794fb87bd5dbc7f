"""Reading a history, whoever wrote it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from reportgen.errors import UsageError
from reportgen.subject.history.checkpoint_names import list_checkpoints
from reportgen.subject.history.index import INDEX_NAME, HistoryStep, read_index, record_path
from reportgen.subject.history.record import FloatArray, open_record

if TYPE_CHECKING:
    import keras


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


def read_history(
    directory: Path | str,
    model: keras.Model | None = None,
    *,
    custom: Mapping[str, Any] | None = None,
) -> History:
    """Open a recorded training, or a folder of checkpoints.

    Args:
        directory: what `WeightRecorder` wrote, or a folder of ``.keras``, ``.weights.h5`` or
            ``.h5`` files as ``keras.callbacks.ModelCheckpoint`` writes them.
        model: the audited network, whose checkpoints they are; it is not changed.
        custom: classes and functions by name that a copy of it needs.

    Raises:
        InputError: there is neither; it is damaged, of another version or of another network.
        UnsafeInputError: something leads outside of the folder, or is a bomb.
        UsageError: they are checkpoints, and there is no ``model``.
    """
    folder = Path(directory)
    if not os.path.lexists(folder / INDEX_NAME) and list_checkpoints(folder):
        if model is None:
            raise UsageError(
                f"history {folder}: holds checkpoints, which are read for a network only; "
                "give read_history the model"
            )
        from reportgen.subject.history.checkpoints import read_checkpoints

        return read_checkpoints(folder, model, custom)
    return History(folder, read_index(folder))
