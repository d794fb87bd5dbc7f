"""Putting a new folder in the place of an earlier report: as a whole, or not at all.

The new folder is filled beside its place. What in the old one is no part of a report is linked
into it, and the two change places in one step (``renameat2``). Where the system has no such step,
two are made, with signals held back; a run that is killed between them is mended by the next one.
No file is removed that is not reportgen's own, or that does not stand in the new folder too.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import secrets
import shutil
import signal
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reportgen.battery import BATTERY
from reportgen.errors import InputError, OutputError
from reportgen.files import Folder
from reportgen.formats import FORMATS
from reportgen.report.folder import hash_listed, read_manifest
from reportgen.report.manifest import MANIFEST, Manifest

# The first file of a folder that is being filled, and the last that is left of one. A folder with
# neither it nor a manifest of ours is never removed.
UNFINISHED = ".unfinished"
_PREVIOUS = ".previous"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
# What an audit writes, whatever a manifest says.
_OWN_NAMES = frozenset(
    {MANIFEST, UNFINISHED, *(one.file for one in FORMATS), *(f"data/{a.id}.npz" for a in BATTERY)}
)


@contextlib.contextmanager
def replacing(out: Path, kept: list[str]) -> Iterator[Path]:
    """A temporary sibling of ``out`` that takes its place if all goes well.

    Args:
        kept: is filled with the names of what was there and is no part of a report.

    Raises:
        OutputError: it cannot be written; what was there is as it was.
    """
    try:
        target = out.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = make_sibling(target)
        new = folder.stat()
        try:
            (folder / UNFINISHED).touch()
            yield folder
            (folder / UNFINISHED).unlink()
            _sync(folder)
            kept += _keep_others(target, folder)
            _put_in_place(folder, target)
            _rescue(folder, target)
        finally:
            with contextlib.suppress(FileNotFoundError):  # it has taken a free place
                if os.path.samestat(folder.stat(), new):
                    shutil.rmtree(folder, ignore_errors=True)  # all in it was put there here
                else:
                    _remove(folder, target)
    except (OSError, RecursionError, RuntimeError) as error:
        said = getattr(error, "strerror", None) or error
        raise OutputError(f"{out} cannot be written: {said}. Nothing was changed there.") from None


def make_sibling(target: Path) -> Path:
    """A new folder beside ``target``, as open to others as ``target`` is or would be.

    Raises:
        OSError: it cannot be made.
    """
    folder = target.with_name(_prefix(target) + secrets.token_hex(4))
    folder.mkdir()
    if target.is_dir():
        shutil.copymode(target, folder)
    return folder


def clear_leftovers(target: Path) -> None:
    """Put back or remove what killed runs left beside ``target``. It must be held (`claim`).

    Raises:
        OutputError: something of the user's stands in one, and nowhere else.
    """
    found = target.parent.glob(_escape(_prefix(target)) + "*")
    # What may have to be put back comes first: its files may have a second name in another.
    for folder in sorted(found, key=lambda path: (not path.name.endswith(_PREVIOUS), path.name)):
        if folder.is_symlink() or not folder.is_dir():
            continue
        is_report = _manifest_of(folder) is not None
        if (folder / UNFINISHED).exists() and not find_mounts(folder):
            shutil.rmtree(folder, ignore_errors=True)  # it never took the place of anything
        elif folder.name.endswith(_PREVIOUS) and is_report and not _holds_something(target):
            if target.is_dir():
                target.rmdir()
            os.rename(folder, target)
        elif is_report or not any(folder.iterdir()):
            _remove(folder, target)
            if folder.exists():
                raise OutputError(
                    f"{folder} is left of a run that was ended, and holds files that are no part "
                    "of a report. Move them to where they belong, and remove the folder."
                )


def _holds_something(target: Path) -> bool:
    return os.path.lexists(target) and not (target.is_dir() and not any(target.iterdir()))


def find_mounts(folder: Path) -> list[str]:
    """Places in ``folder`` where another file system is mounted, and the folder itself if it is."""
    mounts = [str(folder)] if os.path.ismount(folder) else []
    with contextlib.suppress(OSError):  # only Linux has the table; it knows of bind mounts too
        for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
            place = re.sub(rb"\\(\d{3})", lambda m: bytes([int(m[1], 8)]), line.split()[4])
            if os.fsdecode(place).startswith(f"{str(folder).rstrip('/')}/"):
                mounts.append(os.fsdecode(place))
    return mounts


def _prefix(target: Path) -> str:
    return f".{target.name}.reportgen-"


def _escape(text: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in text)


def _manifest_of(folder: Path) -> Manifest | None:
    try:
        return read_manifest(folder)
    except InputError:
        return None


@dataclass(frozen=True)
class _Entry:
    """Something in a folder that is no folder, and whether an audit wrote it."""

    name: str
    is_ours: bool


def _entries(root: Path) -> list[_Entry]:
    """Everything below ``root`` that is no folder.

    Ours is what an audit always calls so, and what the manifest lists and is still what it lists:
    a manifest may be of somebody else's making, and list a file of the user's.
    """
    manifest = _manifest_of(root)
    listed = manifest.outputs if manifest else {}
    found = []
    with Folder(root) as folder:
        for parent, folders, files in os.walk(root, onerror=_raise):
            above = Path(parent).relative_to(root)
            links = [one for one in folders if os.path.islink(os.path.join(parent, one))]
            for one in (*files, *links):
                name = (above / one).as_posix()
                ours = name in (MANIFEST, UNFINISHED) or (
                    name in listed
                    and (name in _OWN_NAMES or hash_listed(folder, name) == listed[name])
                )
                found.append(_Entry(name, ours))
    return sorted(found, key=lambda entry: entry.name)


def _raise(error: OSError) -> None:
    raise error


def _keep_others(target: Path, folder: Path) -> list[str]:
    """Link what ``target`` holds besides a report into ``folder``; the names."""
    if not target.is_dir():
        return []
    if mounts := find_mounts(target):
        raise OSError(None, f"{mounts[0]} is mounted there, and cannot be moved")
    others = [entry.name for entry in _entries(target) if not entry.is_ours]
    for name in others:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        _keep(target / name, folder / name)
    for path in sorted(target.rglob("*")):  # also the empty ones, as open to others as they were
        place = folder / path.relative_to(target)
        if path.is_dir() and not path.is_symlink() and (place.is_dir() or not any(path.iterdir())):
            place.mkdir(parents=True, exist_ok=True)
            shutil.copystat(path, place)
    return others


def _keep(path: Path, place: Path) -> None:
    """The same file under a second name; a copy where the system allows no second name."""
    if _is_same(path, place):
        return
    if os.path.lexists(place):
        raise FileExistsError(None, f"{path} is in the way of the report. Move it away")
    try:
        os.link(path, place, follow_symlinks=False)
    except OSError:
        if path.is_symlink():
            place.symlink_to(os.readlink(path))
        elif stat.S_ISREG(path.lstat().st_mode):
            shutil.copy2(path, place)
        else:
            raise


def link_own(path: Path, place: Path) -> None:
    """Let a file of the report stand in the new folder too, as it is.

    Raises:
        OSError: it is no regular file, or cannot be kept.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise OSError(None, f"{path} is no regular file")
    place.parent.mkdir(parents=True, exist_ok=True)
    _keep(path, place)


def _rescue(old: Path, target: Path) -> None:
    """Bring over what came into the old folder while the new one was put in its place."""
    if not old.is_dir():
        return
    for entry in _entries(old):
        if entry.name in _OWN_NAMES:
            continue  # it stays in the old folder, which the next run names
        if _is_newer(target / entry.name, old / entry.name):
            continue  # saved again since; the older one stays where it is
        if not entry.is_ours and not _is_same(old / entry.name, target / entry.name):
            (target / entry.name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(old / entry.name, target / entry.name)


def _is_newer(one: Path, other: Path) -> bool:
    return os.path.lexists(one) and one.lstat().st_mtime_ns > other.lstat().st_mtime_ns


def _is_same(one: Path, other: Path) -> bool:
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except FileNotFoundError:
        return False


def _remove(folder: Path, target: Path) -> None:
    """Remove a folder of ours, but for what is not ours and does not stand in ``target`` as well.

    What says that it is ours goes last.
    """
    signs = (MANIFEST, UNFINISHED)
    with contextlib.suppress(OSError, RecursionError):
        if find_mounts(folder):
            return
        entries = _entries(folder)
        inner = [p for p in folder.rglob("*") if p.is_dir() and not p.is_symlink()]
        for path in inner:  # a folder that is closed to writing lets nothing go
            with contextlib.suppress(OSError):
                path.chmod(path.stat().st_mode | stat.S_IRWXU)
        for entry in entries:
            if entry.name not in signs and (
                entry.is_ours or _is_same(folder / entry.name, target / entry.name)
            ):
                with contextlib.suppress(OSError):
                    (folder / entry.name).unlink()
        for path in sorted(inner, reverse=True):
            with contextlib.suppress(OSError):  # something is left in it
                path.rmdir()
        if {path.name for path in folder.iterdir()} <= set(signs):
            for name in signs:
                (folder / name).unlink(missing_ok=True)
            folder.rmdir()


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
    """The same in steps; in the end ``folder`` is the earlier one, as after an exchange."""
    previous = folder.with_name(folder.name + _PREVIOUS)
    os.rename(target, previous)
    try:
        os.rename(folder, target)
    except BaseException:
        os.rename(previous, target)
        raise
    os.rename(previous, folder)
