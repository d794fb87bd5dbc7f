"""The index of a recorded training: which records there are, in what order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, ValidationError

from reportgen.errors import InputError, UnsafeInputError
from reportgen.files import read_regular
from reportgen.subject.history.damage import one_line, refuse_link

INDEX_NAME = "history.json"
_RECORD_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}\.npz")
# Far above any index; below what would fill the memory.
_MAX_INDEX_BYTES = 64 * 2**20


@dataclass(frozen=True)
class HistoryStep:
    """One recorded moment of a training.

    epoch: completed epochs, 0 for untrained weights; inside an epoch with the share of it
        that is done (2.25), where its length was known.
    file: where the weights are, in the folder of the history.
    metrics: the logs at that moment; NaN or infinite where it diverged; none for the first.
    step: training steps (batches) done since the first record; None where nobody counted.
    base: the file whose arrays this record's are differences to; None for whole weights.
    """

    epoch: float
    file: str
    metrics: Mapping[str, float]
    step: int | None = None
    base: str | None = None

    def follows(self, other: HistoryStep) -> bool:
        """Whether this moment may come after ``other``: same training, not earlier.

        Two records of the same step are one training too: a callback put back earlier weights.
        """
        if self.step is None or other.step is None:
            return self.epoch > other.epoch
        return self.epoch >= other.epoch and self.step >= other.step


class _Row(BaseModel):
    """A step as it stands in the index. Keys that a later version adds are ignored."""

    # JSON has no NaN, and a diverged training has: "NaN" and "Infinity" travel as strings.
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings", from_attributes=True)

    epoch: StrictInt | StrictFloat = Field(ge=0, le=2**53, allow_inf_nan=False)
    step: StrictInt | None = Field(default=None, ge=0, le=2**53)
    file: str
    base: str | None = None
    metrics: dict[str, float]


class _Index(BaseModel):
    model_config = _Row.model_config

    # The first field, so that another version is the first thing an error message names.
    # 1: whole epochs, whole weights. 2: any moment, also differences.
    format_version: Literal[1, 2]
    steps: tuple[_Row, ...]


def write_index(steps: Iterable[HistoryStep]) -> bytes:
    """The index as JSON."""
    rows = tuple(_Row.model_validate(step) for step in steps)
    return _Index(format_version=2, steps=rows).model_dump_json(indent=1).encode()


def read_index(folder: Path) -> tuple[HistoryStep, ...]:
    """The steps of the history in ``folder``; every file of them is there.

    Raises:
        InputError: the folder or its index is missing, damaged or of another version.
        UnsafeInputError: the index names a file outside of the folder, or a link.
    """
    steps = tuple(HistoryStep(**dict(row)) for row in _parse(folder).steps)
    if not steps:
        raise InputError(f"history {folder}: its index lists no steps; record the training again")
    for step in steps:
        record_path(folder, step.file)
        if step.base not in (None, steps[0].file) or (step.base and step is steps[0]):
            raise InputError(
                f"history {folder}: {step.file} is said to differ from {step.base!r}, which is "
                "not the first record; record the training again"
            )
    if not all(after.follows(before) for before, after in pairwise(steps)):
        raise InputError(
            f"history {folder}: its epochs do not rise, as if two trainings were mixed; "
            "record the training again"
        )
    return steps


def record_path(folder: Path, name: str) -> Path:
    """The path of a record, if it is a plain file of this folder.

    Raises:
        InputError: it is not there.
        UnsafeInputError: it is a link, or its name is none of a file inside the folder.
    """
    if not _RECORD_NAME.fullmatch(name):
        raise UnsafeInputError(
            f"history {folder}: the index names {name!r}, which is not a plain .npz name inside "
            "the folder; do not trust this history"
        )
    path = folder / name
    refuse_link(path)
    if not path.is_file():
        raise InputError(
            f"history {folder}: {name} is in the index, not in the folder; copy the whole folder"
        )
    return path


def _parse(folder: Path) -> _Index:
    path = folder / INDEX_NAME
    refuse_link(path)
    if not path.is_file():
        raise InputError(
            f"history {folder}: there is no {INDEX_NAME} and no checkpoint (.keras, .h5); name a "
            "folder that reportgen.WeightRecorder or keras.callbacks.ModelCheckpoint wrote, or "
            "leave the history out"
        )
    try:
        return _Index.model_validate_json(read_regular(path, _MAX_INDEX_BYTES))
    except (OSError, ValidationError, RecursionError) as error:
        raise InputError(
            f"history {path}: damaged, or from another version of reportgen "
            f"({one_line(error)}); use that version, or record the training again"
        ) from error
