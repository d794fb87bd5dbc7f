"""An output folder read back, whoever made it. Everything that reads one comes through here.

Only regular files of a bounded size are opened, and no link is followed. What is wrong with the
folder is an `InputError` of one sentence.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from reportgen.errors import InputError
from reportgen.files import Folder
from reportgen.npz import DAMAGE, read_npz
from reportgen.report.manifest import MANIFEST, Manifest

REPORT = "report.json"
# Far above what an audit writes, and little enough for any machine.
_MAX_JSON_BYTES = 32 * 2**20
MAX_MANIFEST_BYTES = 2**20
_MAX_FILE_BYTES = 2**30
_MAX_ARRAY_BYTES = 2**30
_MAX_HASHED_BYTES = 4 * 2**30  # of all files together
R = TypeVar("R", bound=BaseModel)


@contextlib.contextmanager
def open_report(path: Path) -> Iterator[Folder]:
    """The output folder ``path``.

    Raises:
        InputError: it cannot be opened, or something in it cannot be read.
    """
    try:
        with Folder(path) as folder:
            yield folder
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}. "
            "Give the output folder of `reportgen audit`."
        ) from None


def read_record(folder: Folder, name: str, kind: type[R]) -> R:
    """The record that stands in ``name`` as JSON.

    Raises:
        InputError: it is not there, no regular file, too large, or not of this form; says which
            part.
    """
    try:
        most = MAX_MANIFEST_BYTES if name == MANIFEST else _MAX_JSON_BYTES
        return kind.model_validate_json(folder.read(name, most))
    except OSError as error:
        raise InputError(
            f"{folder.path / name} cannot be read: {error.strerror}. "
            "Give the output folder of `reportgen audit`."
        ) from None
    except (ValidationError, RecursionError) as error:
        raise InputError(
            f"{folder.path / name} is not one of this version: {_explain(error)}. "
            "Run the audit again, or use the reportgen that wrote it."
        ) from None


def read_manifest(path: Path) -> Manifest:
    """``manifest.json`` of an output folder.

    Raises:
        InputError: there is none that reads.
    """
    with open_report(path) as folder:
        return read_record(folder, MANIFEST, Manifest)


def check_listed(path: Path) -> None:
    """Make sure that an output folder has a manifest, and that what it lists are regular files.

    Raises:
        InputError: it has none, or one of them is something else, or too large.
    """
    with open_report(path) as folder:
        for name in read_record(folder, MANIFEST, Manifest).outputs:
            with contextlib.suppress(FileNotFoundError):
                folder.open(name, _MAX_FILE_BYTES).close()


def read_arrays(folder: Folder) -> dict[str, NDArray[Any]]:
    """All arrays of ``data/*.npz`` by ``"stem/key"``; together at most 1 GiB.

    Raises:
        InputError: one is damaged, too large, or holds Python objects.
    """
    arrays: dict[str, NDArray[Any]] = {}
    left = _MAX_ARRAY_BYTES
    for name in folder.names():
        if not (name.startswith("data/") and name.endswith(".npz")):
            continue
        try:
            with folder.open(name, _MAX_FILE_BYTES) as stream:
                found = read_npz(stream, left)
        except DAMAGE as error:
            said = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise InputError(
                f"{folder.path / name} cannot be read: {said}. Run the audit again."
            ) from None
        left -= sum(array.nbytes for array in found.values())
        stem = name.removeprefix("data/").removesuffix(".npz")
        arrays |= {f"{stem}/{key}": array for key, array in found.items()}
    return arrays


def find_differences(path: Path) -> list[str]:
    """What is not as the manifest says: missing, changed and unlisted files, one line each.

    Raises:
        InputError: there is no manifest, or a file that it lists is no regular one.
    """
    with open_report(path) as folder:
        listed = read_record(folder, MANIFEST, Manifest).outputs
        there = set(folder.names()) - {MANIFEST}
        _check_total(folder, listed)
        lines = [f"missing: {name}" for name in listed if name not in there]
        lines += [
            f"changed: {name}"
            for name, wanted in listed.items()
            if name in there and hash_listed(folder, name) != wanted
        ]
        return lines + [f"not listed: {name}" for name in sorted(there - set(listed))]


def hash_listed(folder: Folder, name: str) -> str:
    """SHA-256 of a file that the manifest lists.

    Raises:
        OSError: it is not there, no regular file, or larger than 1 GiB.
    """
    return folder.hash(name, _MAX_FILE_BYTES)


def _check_total(folder: Folder, names: Iterable[str]) -> None:
    """Refuse a folder whose files are so large that reading them takes minutes."""
    total = 0
    for name in names:
        with contextlib.suppress(FileNotFoundError), folder.open(name, _MAX_FILE_BYTES) as stream:
            total += os.fstat(stream.fileno()).st_size
        if total > _MAX_HASHED_BYTES:
            raise OSError(errno.EFBIG, f"its files are larger than {_MAX_HASHED_BYTES >> 30} GiB")


def _explain(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the top level"
    return f"{first['msg']} at {where}"
