"""Putting a new folder in the place of an earlier report: as a whole, or not at all.

The new folder is filled beside its place. What in the old one is no part of a report is linked
into it, and the two change places in one step (``renameat2``). Where the system has no such step,
two are made, with signals held back; a run that is killed between them is mended by the next one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from reportgen.errors import InputError, OutputError
from reportgen.report.folder import read_manifest
from reportgen.report.manifest import MANIFEST

# The first file of a folder that is being filled, and the last that is left of one. A folder with
# neither it nor a manifest of ours is never removed.
UNFINISHED = ".unfinished"
_PREVIOUS = ".previous"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextlib.contextmanager
def replacing(out: Path, kept: list[str]) -> Iterator[Path]:
    """A temporary sibling of ``out`` that takes its place if all goes well.

    Args:
        kept: is filled with the names of what was there and is no part of a report.

    Raises:
        OutputError: it cannot be written; what was there is as it was.
    """
    target = out.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
        try:
            (folder / UNFINISHED).touch()
            yield folder
            (folder / UNFINISHED).unlink()
            folder.chmod(0o755)
            _sync(folder)
            kept += _keep_others(target, folder)
            _put_in_place(folder, target)
        finally:
            _remove(folder)
    except OSError as error:
        raise OutputError(
            f"{out} cannot be written: {error.strerror or error}. Nothing was changed there."
        ) from None


def clear_leftovers(target: Path) -> None:
    """Put back or remove what killed runs left beside ``target``. It must be held (`claim`)."""
    for folder in sorted(target.parent.glob(_escape(_prefix(target)) + "*")):
        if folder.is_symlink() or not folder.is_dir():
            continue
        if folder.name.endswith(_PREVIOUS) and _is_report(folder) and not target.exists():
            os.rename(folder, target)
        elif _is_report(folder) or (folder / UNFINISHED).exists() or not any(folder.iterdir()):
            _remove(folder)


def _prefix(target: Path) -> str:
    return f".{target.name}.reportgen-"


def _escape(text: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in text)


def _is_report(folder: Path) -> bool:
    try:
        read_manifest(folder)
    except InputError:
        return False
    return True


def _remove(folder: Path) -> None:
    """Remove a folder of ours; what says that it is ours goes last."""
    signs = (MANIFEST, UNFINISHED)
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.name not in signs:
                os.unlink(entry.path)
        for name in signs:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(folder / name)
        os.rmdir(folder)


def _keep_others(target: Path, folder: Path) -> list[str]:
    """Link what ``target`` holds besides a report into ``folder``; the names."""
    if not target.is_dir() or not any(target.iterdir()):
        return []
    ours = {*read_manifest(target).outputs, MANIFEST}
    kept = []
    for parent, folders, files in os.walk(target, onerror=_raise):
        above = Path(parent).relative_to(target)
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        others = [name for name in (*files, *links) if (above / name).as_posix() not in ours]
        holds_ours = any(Path(name).is_relative_to(above) for name in ours)
        if (others or not holds_ours) and not (folder / above).exists():
            (folder / above).mkdir(parents=True)
            shutil.copystat(parent, folder / above)
        for name in others:
            _keep(Path(parent, name), folder / above / name)
            kept.append((above / name).as_posix())
    return sorted(kept)


def _raise(error: OSError) -> None:
    raise error


def _keep(path: Path, place: Path) -> None:
    """The same file under a second name; a copy where the system allows no second name."""
    if os.path.lexists(place):
        raise FileExistsError(None, f"{path} is in the way of the report. Move it away")
    try:
        os.link(path, place, follow_symlinks=False)
    except OSError:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise
        shutil.copy2(path, place)


def _sync(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        _sync_one(path)


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put_in_place(folder: Path, target: Path) -> None:
    with _signals_held():
        if not target.exists():
            os.rename(folder, target)
        elif not _exchange(folder, target):
            _swap(folder, target)
    _sync_one(target.parent)


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait: nobody is interrupted between two steps.

    Their handlers are exchanged, and not their signals blocked: another thread would take those,
    and Python runs the handler in the main one all the same.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is ever interrupted
        return
    held: list[int] = []
    before = {
        number: signal.signal(number, lambda number, frame: held.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if held:
            signal.raise_signal(held[0])


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places in one step; whether the system can."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    return bool(rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)


def _swap(folder: Path, target: Path) -> None:
    previous = folder.with_name(folder.name + _PREVIOUS)
    os.rename(target, previous)
    try:
        os.rename(folder, target)
    except BaseException:
        os.rename(previous, target)
        raise
    _remove(previous)
