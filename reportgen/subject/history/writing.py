"""The recorded training: a folder of weights, written step by step and read back lazily.

    history/
      history.json      format_version, and for each step: epoch, file, metrics
      step-0000.npz     the initial weights, one array a weight, keyed by the weight's path
      step-0001.npz     the weights after the first epoch, and so on

A file appears under its name only when it is whole, and the index names only files that are
on disk. A training that is killed at any moment therefore leaves a history that reads.

This module needs neither TensorFlow nor Keras. The callback that feeds it is in `recorder`.
"""

from __future__ import annotations

import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError

from reportgen.errors import InputError, OutputError, UnsafeInputError, UsageError

INDEX_NAME = "history.json"

FloatArray = NDArray[np.floating[Any]]

_STEP_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.npz")
# Far above any index or model that fits a report; below what a small zip can unpack into.
_MAX_INDEX_BYTES = 64 * 2**20
_MAX_STEP_BYTES = 8 * 2**30
# What zipfile and NumPy raise on bytes that are not what they claim to be.
_DECODING = (zipfile.BadZipFile, zlib.error, lzma.LZMAError)
_DAMAGE = (OSError, EOFError, ValueError, KeyError, RuntimeError, MemoryError, *_DECODING)


@dataclass(frozen=True)
class HistoryStep:
    """One recorded moment of a training.

    epoch: 0 for the initial weights, n for the weights after n epochs.
    metrics: the logs of that epoch; NaN or infinite where it diverged; none for epoch 0.
    """

    epoch: int
    file: str
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class History:
    """A recorded training, in order of epochs. Weights stay on disk until asked for."""

    directory: Path
    steps: tuple[HistoryStep, ...]

    def weights(self, index: int) -> dict[str, FloatArray]:
        """Load the weights of ``steps[index]``, by path (`weight_names`), in the model's order.

        Match them to a model by order and shape: Keras renames the weights of a Sequential
        model on loading (``net/dense/kernel`` becomes ``dense/kernel``).
        float16 comes back as float32, integers as float64.

        Raises:
            InputError: the file is missing, truncated or holds something else.
            UnsafeInputError: the file is a link, or would unpack into too much memory.
        """
        return _load_weights(_step_path(self.directory, self.steps[index].file))


def read_history(directory: Path | str) -> History:
    """Read the index of a recorded training and check that every step's file is there.

    Raises:
        InputError: the folder or its index is missing, damaged or of another version.
        UnsafeInputError: the index names a file outside of the folder, or a link.
    """
    folder = Path(directory)
    steps = tuple(HistoryStep(**dict(row)) for row in _read_index(folder).steps)
    if not steps:
        raise InputError(f"history {folder}: its index lists no steps; record the training again")
    for step in steps:
        _step_path(folder, step.file)
    if any(after.epoch <= before.epoch for before, after in pairwise(steps)):
        raise InputError(
            f"history {folder}: its epochs do not rise, as if two trainings were mixed; "
            "record the training again"
        )
    return History(folder, steps)


class HistoryWriter:
    """Append steps to a new history.

    Args:
        directory: made when the first step is written; must not hold a history yet.
        float16: store three digits in half the size.

    Raises:
        UsageError: the folder holds a history already, or is not a folder.
    """

    def __init__(self, directory: Path | str, *, float16: bool = False) -> None:
        self._folder = Path(directory)
        self._float16 = float16
        self._rows: tuple[_Row, ...] = ()
        if self._folder.exists() and not self._folder.is_dir():
            raise UsageError(f"history {self._folder}: is a file; name a folder to record into")
        if os.path.lexists(self._folder / INDEX_NAME):
            raise UsageError(
                f"history {self._folder}: already holds a recorded training, and two trainings "
                "must not mix; record into another folder, or delete this one first"
            )

    def append(
        self, epoch: int, weights: Mapping[str, NDArray[Any]], metrics: Mapping[str, float]
    ) -> None:
        """Write one step, then the index that names it.

        Args:
            epoch: 0 for the initial weights, n after n epochs; larger than the last one.
            weights: arrays by unique name (`weight_names`).
            metrics: the logs of the epoch.

        Raises:
            UsageError: the epoch does not follow the last one: a second training.
            OutputError: the disk refused.
        """
        if self._rows and epoch <= self._rows[-1].epoch:
            raise UsageError(
                f"history {self._folder}: epoch {epoch} cannot follow epoch "
                f"{self._rows[-1].epoch}; a second training needs a new recorder and a new folder"
            )
        name = f"step-{epoch:04d}.npz"
        stored = {key: _stored(array, float16=self._float16) for key, array in weights.items()}
        rows = (*self._rows, _Row(epoch=epoch, file=name, metrics=dict(metrics)))
        index = _Index(format_version=1, steps=rows).model_dump_json(indent=1)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write_whole(self._folder / name, lambda stream: _write_arrays(stream, stored))
            _write_whole(self._folder / INDEX_NAME, lambda stream: stream.write(index.encode()))
        except OSError as error:
            raise OutputError(
                f"history {self._folder}: cannot write {name}: {error}; "
                "free the disk or record into another folder"
            ) from error
        self._rows = rows


def weight_names(paths: Iterable[str]) -> tuple[str, ...]:
    """Make the paths of a model's weights unique, in order.

    Two nested models built by the same function give two weights one path, and a dictionary
    would keep only the last: the second ``conv/kernel`` becomes ``conv/kernel#2``.
    """
    seen: dict[str, int] = {}
    names = []
    for path in paths:
        seen[path] = seen.get(path, 0) + 1
        names.append(path if seen[path] == 1 else f"{path}#{seen[path]}")
    return tuple(names)


class _Row(BaseModel):
    """A step as it stands in the index. Keys that a later version adds are ignored."""

    # JSON has no NaN, and a diverged training has: "NaN" and "Infinity" travel as strings.
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    epoch: StrictInt = Field(ge=0)
    file: str
    metrics: dict[str, float]


class _Index(BaseModel):
    model_config = _Row.model_config

    # The first field, so that another version is the first thing an error message names.
    format_version: Literal[1]
    steps: tuple[_Row, ...]


def _read_index(folder: Path) -> _Index:
    path = folder / INDEX_NAME
    _refuse_link(path)
    if not path.is_file():
        raise InputError(
            f"history {folder}: there is no {INDEX_NAME}; name a folder that "
            "reportgen.WeightRecorder wrote, or leave the history out"
        )
    try:
        if path.stat().st_size > _MAX_INDEX_BYTES:
            raise UnsafeInputError(f"history {path}: larger than {_MAX_INDEX_BYTES} bytes; refused")
        return _Index.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(
            f"history {path}: damaged, or from another version of reportgen "
            f"({_one_line(error)}); use that version, or record the training again"
        ) from error


def _step_path(folder: Path, name: str) -> Path:
    """The path of a step's file, if it is a plain file of this folder."""
    if not _STEP_NAME.fullmatch(name):
        raise UnsafeInputError(
            f"history {folder}: the index names {name!r}, which is not a plain .npz name inside "
            "the folder; do not trust this history"
        )
    path = folder / name
    _refuse_link(path)
    if not path.is_file():
        raise InputError(
            f"history {folder}: {name} is in the index, not in the folder; copy the whole folder"
        )
    return path


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise UnsafeInputError(
            f"history {path}: is a symbolic link; put the file itself into the folder"
        )


def _load_weights(path: Path) -> dict[str, FloatArray]:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > _MAX_STEP_BYTES:
            raise UnsafeInputError(
                f"history {path}: would unpack into {unpacked} bytes; do not trust this history"
            )
        with np.load(path, allow_pickle=False) as arrays:
            return {name: _widened(name, arrays[name]) for name in arrays.files}
    except _DAMAGE as error:
        raise InputError(
            f"history {path}: truncated or damaged ({_one_line(error)}); copy it or record again"
        ) from error


def _widened(name: str, stored: object) -> FloatArray:
    if not isinstance(stored, np.ndarray) or stored.dtype.kind not in "fiub":
        raise ValueError(f"{name}: not an array of numbers")
    if stored.dtype == np.float16:
        return stored.astype(np.float32)
    return stored if stored.dtype.kind == "f" else stored.astype(np.float64)


def _stored(array: NDArray[Any], *, float16: bool) -> NDArray[Any]:
    # bfloat16 and float8 are NumPy extension types (kind V), which .npy cannot name.
    plain = array.astype(np.float32) if array.dtype.kind == "V" else array
    if not float16 or plain.dtype.kind != "f":
        return plain
    with np.errstate(over="ignore"):
        half = plain.astype(np.float16)
    # A variance above 65504 would turn into infinity: that one array stays as it is.
    return plain if np.isinf(half).any() else half


def _write_arrays(stream: IO[bytes], arrays: Mapping[str, NDArray[Any]]) -> None:
    # np.savez takes the names as keywords, so a weight called "file" would collide there.
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


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


def _one_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'JSON'}: {first['msg']}"
    return " ".join(str(error).split()) or type(error).__name__
