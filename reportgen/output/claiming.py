"""Holding an output folder for one run, and clearing up after runs that were killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from reportgen.errors import InputError, OutputError
from reportgen.formats import FORMATS
from reportgen.output.replacing import UNFINISHED, clear_leftovers, find_mounts, make_sibling
from reportgen.report.folder import read_manifest
from reportgen.report.manifest import MANIFEST

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@contextlib.contextmanager
def claim(out: Path) -> Iterator[None]:
    """Hold ``out`` for one run.

    Raises:
        OutputError: another run holds it, it cannot be written, or it is not ours to replace.
    """
    try:
        target = out.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = target.parent / f".{target.name}.lock"
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise OutputError(f"{out} cannot be written: {error}.") from None
    with _locked(lock, out):
        try:
            clear_leftovers(target)
            _check_replaceable(target)
            make_sibling(target).rmdir()  # what cannot be made is told now, not after the audit
        except (OSError, RecursionError) as error:
            said = getattr(error, "strerror", None) or error
            raise OutputError(f"{out} cannot be written: {said}.") from None
        yield


@contextlib.contextmanager
def _locked(lock: Path, out: Path) -> Iterator[None]:
    """Hold the file ``lock``, which stays where it is.

    It is made, never emptied and never removed: whoever removes a lock may remove the one that
    the next run holds. A link is not followed, since it could lead to any file of the user's.
    """
    try:
        descriptor = os.open(lock, _FLAGS, 0o666)
    except OSError as error:
        if lock.is_symlink():
            raise OutputError(
                f"{lock} is a link, where only a file of reportgen may be. Remove it."
            ) from None
        raise OutputError(f"{out} cannot be written: {error.strerror}.") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OutputError(f"{lock} is no regular file, as a lock must be. Remove it.")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                f"{out} is being written by another run. Wait for it, or give another --out."
            ) from None
        yield
    finally:
        os.close(descriptor)  # which lets go of it


def _check_replaceable(target: Path) -> None:
    """Whether ``target`` is free, empty, or a report; and nothing else lies in the way.

    Raises:
        OutputError: it is not; says what to do.
    """
    if not target.is_dir():
        if target.exists() or target.is_symlink():
            raise OutputError(f"{target} is a file. Give a folder with --out.")
        return
    if mounts := find_mounts(target):
        raise OutputError(
            f"{mounts[0]} is mounted there, so {target} cannot be replaced as a whole. Give a "
            "folder beside or below it with --out."
        )
    if not any(target.iterdir()):
        return
    if not os.path.lexists(target / MANIFEST):
        raise OutputError(
            f"{target} holds files that are not a report, and would be replaced. "
            "Give an empty or new folder with --out."
        )
    try:
        listed = read_manifest(target).outputs
    except InputError:
        raise OutputError(
            f"{target} holds a {MANIFEST} that this reportgen did not write, so it is not "
            "replaced. Give another folder with --out, or remove this one yourself."
        ) from None
    in_the_way = [UNFINISHED, *(one.file for one in FORMATS if one.file not in listed)]
    in_the_way += [f"data/{path.name}" for path in (target / "data").glob("*.npz")]
    for name in ["data", *in_the_way]:
        path = target / name
        whole = path.is_dir() and not path.is_symlink() if name == "data" else name in listed
        if os.path.lexists(path) and not whole:
            raise OutputError(
                f"{path} is no part of the report that is there, and would be overwritten. "
                "Move it away, or give another folder with --out."
            )
