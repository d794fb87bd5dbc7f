"""Files that somebody else made: regular ones only, of a bounded size, and inside their folder.

A name in a folder may be a pipe that never ends, a device, or a link to a file of whoever looks.
What is no plain file is an `OSError` whose ``strerror`` says so in words, like a missing one.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path, PurePosixPath
from types import TracebackType

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
# Without waiting for the other end of a pipe, and without becoming a terminal's process.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_PART_BYTES = 2**20
_MOST_FILES, _MOST_LEVELS = 10_000, 16


def open_regular(path: Path, max_bytes: int | None = None) -> BufferedReader:
    """Open ``path`` for reading; a link is followed.

    Raises:
        OSError: it is no regular file, or larger than ``max_bytes``.
    """
    return _as_stream(os.open(path, _FLAGS), max_bytes)


def read_regular(path: Path, max_bytes: int) -> bytes:
    """All bytes of ``path``; a link is followed.

    Raises:
        OSError: it is no regular file, or larger than ``max_bytes``.
    """
    with open_regular(path, max_bytes) as stream:
        return _read_all(stream, max_bytes)


def leads_out(path: Path, folder: Path) -> bool:
    """Whether ``path``, with every link in it followed, is outside of ``folder``.

    True too where that cannot be found out: links in a circle, a part that may not be looked at.
    """
    try:
        return not path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        return True


def _as_stream(descriptor: int, max_bytes: int | None) -> BufferedReader:
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
            raise OSError(errno.EINVAL, f"it is {kind}, not a regular file")
        if max_bytes is not None and status.st_size > max_bytes:
            raise OSError(errno.EFBIG, _too_large(max_bytes))
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def _read_all(stream: BufferedReader, max_bytes: int) -> bytes:
    parts, left = [], max_bytes  # some files have no size, and some grow
    while part := stream.read(_PART_BYTES):
        left -= len(part)
        if left < 0:
            raise OSError(errno.EFBIG, _too_large(max_bytes))
        parts.append(part)
    return b"".join(parts)


def _too_large(max_bytes: int) -> str:
    size = f"{max_bytes >> 20} MiB" if max_bytes >= 2**20 else f"{max_bytes} bytes"
    return f"it is larger than {size}"


class Folder:
    """A folder that somebody else made. No link in it is followed, nothing above it is reached.

    Args:
        path: a link to a folder is followed, since whoever calls has named it.

    Raises:
        OSError: it cannot be opened, or is no folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, _FLAGS | os.O_DIRECTORY)

    def __enter__(self) -> Folder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def open(self, name: str, max_bytes: int) -> BufferedReader:
        """Open the file ``name``, such as ``data/weights.npz``.

        Raises:
            OSError: it is none, is larger, or a part of the name is a link or leads out.
        """
        return _as_stream(self._open(name, _FLAGS), max_bytes)

    def read(self, name: str, max_bytes: int) -> bytes:
        """All bytes of the file ``name``.

        Raises:
            OSError: see `open`.
        """
        with self.open(name, max_bytes) as stream:
            return _read_all(stream, max_bytes)

    def hash(self, name: str, max_bytes: int) -> str:
        """SHA-256 of the file ``name``.

        Raises:
            OSError: see `open`.
        """
        with self.open(name, max_bytes) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def names(self) -> list[str]:
        """Everything below that is no folder, sorted; what a link leads to is not looked at.

        Raises:
            OSError: there are more than 10,000, or they lie deeper than 16 folders.
        """
        found = []
        for name in self._walk("", 0):
            found.append(name)
            if len(found) > _MOST_FILES:
                raise OSError(errno.EFBIG, f"it holds more than {_MOST_FILES} files")
        return sorted(found)

    def _walk(self, above: str, level: int) -> Iterator[str]:
        if level > _MOST_LEVELS:
            raise OSError(errno.ELOOP, f"it has folders in folders, more than {_MOST_LEVELS}")
        descriptor = self._open(above, _FLAGS | os.O_DIRECTORY) if above else self._descriptor
        try:
            with os.scandir(descriptor) as entries:
                listed = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        finally:
            if above:
                os.close(descriptor)
        for name, is_folder in listed:
            inner = f"{above}/{name}" if above else name
            if is_folder:
                yield from self._walk(inner, level + 1)
            else:
                yield inner

    def _open(self, name: str, flags: int) -> int:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\0" in name:
            raise OSError(errno.EINVAL, f"{name!r} is no name of a file inside it")
        descriptor = self._descriptor
        try:
            for part in parts[:-1]:
                inner = self._step(part, _FLAGS | os.O_DIRECTORY, descriptor)
                self._close(descriptor)
                descriptor = inner
            return self._step(parts[-1], flags, descriptor)
        finally:
            self._close(descriptor)

    def _step(self, part: str, flags: int, descriptor: int) -> int:
        try:
            return os.open(part, flags | os.O_NOFOLLOW, dir_fd=descriptor)
        except OSError as error:
            # ENOTDIR where a folder is needed.
            if error.errno in (errno.ELOOP, errno.ENOTDIR) and self._is_link(part, descriptor):
                raise OSError(
                    error.errno, f"{part!r} in it is a link, which is not followed"
                ) from None
            raise

    @staticmethod
    def _is_link(part: str, descriptor: int) -> bool:
        return stat.S_ISLNK(os.stat(part, dir_fd=descriptor, follow_symlinks=False).st_mode)

    def _close(self, descriptor: int) -> None:
        if descriptor != self._descriptor:
            os.close(descriptor)
