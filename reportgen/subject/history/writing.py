"""Writing a history: one record after the other, whole at every moment."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Literal

from numpy.typing import NDArray

from reportgen.errors import OutputError, UsageError
from reportgen.subject.history.index import (
    INDEX_NAME,
    HistoryStep,
    read_index,
    record_path,
    write_index,
)
from reportgen.subject.history.record import Precision, open_record, write_record

_OWN_NAME = re.compile(r"step-([0-9]{4,})\.npz")
_LEFTOVER = re.compile(r"step-[0-9]{4,}\.npz|\.(step-[0-9]{4,}\.npz|history\.json)\.tmp")
Float16 = bool | Literal["differences"]


class HistoryWriter:
    """Append records to a history.

    Args:
        directory: made when the first record is written.
        float16: True stores half precision (three digits); ``"differences"`` stores the first
            record whole, and of every later one its float16 difference to the first
            (`reportgen.subject.history.record.write_record` states the error).
        resume: go on with the history that the folder holds, if it holds one.

    Raises:
        UsageError: the folder holds a history already, or is not a folder; ``float16`` is none
            of these.
        InputError, UnsafeInputError: the history to go on with cannot be read.
    """

    def __init__(
        self, directory: Path | str, *, float16: Float16 = False, resume: bool = False
    ) -> None:
        self._folder = Path(directory)
        self._precision = _read_precision(float16)
        self._steps: tuple[HistoryStep, ...] = ()
        self._number = 0
        self._litter: set[str] = set()  # files that the next index does not name
        if self._folder.exists() and not self._folder.is_dir():
            raise UsageError(f"history {self._folder}: is a file; name a folder to record into")
        if os.path.lexists(self._folder / INDEX_NAME):
            if not resume:
                raise UsageError(
                    f"history {self._folder}: already holds a recorded training, and two "
                    "trainings must not mix; go on with it (resume=True), record into another "
                    "folder, or delete this one first"
                )
            self._steps = read_index(self._folder)
            self._number = _next_number(self._steps)
            # What a kill left there, between an index and the deleting.
            self._litter = set(filter(_LEFTOVER.fullmatch, os.listdir(self._folder)))
            self._litter -= {step.file for step in self._steps}

    @property
    def steps(self) -> tuple[HistoryStep, ...]:
        """The records that the next index keeps, in order."""
        return self._steps

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the first record's arrays; empty before there is one."""
        if not self._steps:
            return ()
        with open_record(record_path(self._folder, self._steps[0].file)) as record:
            return record.shapes

    def retain(self, steps: Iterable[HistoryStep]) -> None:
        """Let go of all other records: with the next one written, the disk follows.

        Raises:
            UsageError: the first record goes and others stay, which may be differences to it.
        """
        kept = set(map(id, steps))
        rest = tuple(step for step in self._steps if id(step) in kept)
        if rest and rest[0] is not self._steps[0]:
            raise UsageError(f"history {self._folder}: its first record cannot be left out alone")
        self._litter |= {step.file for step in self._steps if id(step) not in kept}
        self._steps = rest

    def append(
        self,
        epoch: float,
        weights: Mapping[str, NDArray[Any]],
        metrics: Mapping[str, float],
        *,
        step: int | None = None,
    ) -> None:
        """Write one record, then the index that names it, then delete what that leaves out.

        Args:
            epoch: completed epochs; inside an epoch with the share of it that is done.
            weights: arrays by unique name (`weight_names`); looked up one after the other.
            metrics: the logs at that moment.
            step: training steps done since the first record.

        Raises:
            UsageError: the moment does not follow the last one: a second training.
            OutputError: the disk refused.
            InputError: the first record, which this one should differ from, is damaged.
        """
        base = self._steps[0].file if self._steps and self._precision == "differences" else None
        name = f"step-{self._number:04d}.npz"
        new = HistoryStep(_plain(epoch), name, dict(metrics), step, base)
        if self._steps and not new.follows(self._steps[-1]):
            raise UsageError(
                f"history {self._folder}: epoch {epoch:g} cannot follow epoch "
                f"{self._steps[-1].epoch:g}; a second training needs a new recorder and a new "
                "folder, or resume=True"
            )
        if base is None:
            self._save(name, lambda stream: write_record(stream, weights, self._precision))
        else:
            with open_record(record_path(self._folder, base)) as first:
                self._save(name, lambda stream: write_record(stream, weights, base=first))
        self._commit((*self._steps, new))
        self._number += 1

    def describe(self, epoch: float, metrics: Mapping[str, float]) -> None:
        """Say of the last record what is known only now.

        Raises:
            OutputError: the disk refused.
        """
        last = replace(self._steps[-1], epoch=_plain(epoch), metrics=dict(metrics))
        self._commit((*self._steps[:-1], last))

    def _commit(self, steps: tuple[HistoryStep, ...]) -> None:
        """From here on the history is these steps. What else lies there goes last."""
        index = write_index(steps)
        self._save(INDEX_NAME, lambda stream: stream.write(index))
        self._steps = steps
        for name in sorted(self._litter - {step.file for step in steps}):
            try:
                (self._folder / name).unlink(missing_ok=True)
            except OSError as error:
                raise self._refused(name, error) from error
        self._litter.clear()

    def _save(self, name: str, write: Callable[[IO[bytes]], object]) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write_whole(self._folder / name, write)
        except OSError as error:
            raise self._refused(name, error) from error

    def _refused(self, name: str, error: OSError) -> OutputError:
        return OutputError(
            f"history {self._folder}: cannot write {name}: {error}; "
            "free the disk or record into another folder"
        )


def _read_precision(float16: Float16) -> Precision:
    if float16 == "differences":
        return "differences"
    if not isinstance(float16, bool):
        raise UsageError(f"float16: {float16!r} is none of False, True, 'differences'.")
    return "float16" if float16 else "full"


def _plain(epoch: float) -> float:
    """Whole epochs as whole numbers: 3, not 3.0."""
    return int(epoch) if float(epoch).is_integer() else float(epoch)


def _next_number(steps: Iterable[HistoryStep]) -> int:
    """Above all that the index on the disk names: none of its files is ever written again."""
    found = (_OWN_NAME.fullmatch(step.file) for step in steps)
    return max((int(match[1]) + 1 for match in found if match), default=0)


def _write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write to a temporary sibling, sync, then take the name: whole or not there at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    # The rename itself must reach the disk before the index does. Windows cannot open folders.
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
