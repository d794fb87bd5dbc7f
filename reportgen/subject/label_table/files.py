"""From names as tables have them to files below the image folder, and to no others."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from reportgen.errors import UnsafeInputError
from reportgen.files import leads_out
from reportgen.subject.images import SUFFIXES
from reportgen.subject.listing import LINK_OUT

MISSING = "label file: file is missing"
SEVERAL = "label file: several images of that name, without a suffix"


@dataclass(frozen=True, slots=True)
class NamedFile:
    """What a name in a table leads to.

    Attributes:
        name: relative to the image folder.
        cause: why there is no file to use; empty if there is.
        completed: whether it was looked for by a name without suffix.
    """

    name: str
    cause: str = ""
    completed: bool = False


class NamedFiles:
    """Finds the files that a table names, below the folder ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real = root.resolve()
        self._tops = (PurePosixPath(os.path.abspath(root)), PurePosixPath(self._real))
        self._stems: dict[str, dict[str, list[str]]] = {}
        self._outside: dict[Path, bool] = {}

    def find(self, written: str) -> NamedFile:
        """The file of a cell: with slashes for backslashes, below the folder, with its suffix.

        Raises:
            UnsafeInputError: the name leads out of the folder by itself. (A link in it that does
                is a cause to skip it.)
        """
        spellings = list(dict.fromkeys(self._spell(self._make_relative(written))))
        for name in spellings:
            cause = self._judge(name)
            if cause != MISSING:
                return NamedFile(name, cause)
        if PurePosixPath(spellings[0]).suffix.lower() not in SUFFIXES:
            for name in spellings:
                if found := self._complete(name):
                    return found
        return NamedFile(spellings[0], MISSING)

    def names_file(self, written: str) -> bool:
        """Whether a cell of any kind names a file that is there."""
        return self.look(written) is not None

    def look(self, written: str) -> NamedFile | None:
        """The file that a cell of any kind names, to use or to skip; None where there is none."""
        try:
            found = self.find(written) if written else None
        except UnsafeInputError:
            return None
        return found if found and found.cause != MISSING else None

    def _make_relative(self, written: str) -> str:
        windows, posix = PureWindowsPath(written), PurePosixPath(written)
        if ".." in windows.parts + posix.parts or windows.drive:
            raise _outside(written)
        if posix.is_absolute():
            return self._below(posix)
        if windows.root:
            raise _outside(written)
        return posix.as_posix()  # ./a.png is a.png

    def _below(self, name: PurePosixPath) -> str:
        for top in self._tops:
            if name.is_relative_to(top):
                return name.relative_to(top).as_posix()
        try:  # by way of a link to the folder; nothing but links is looked at
            return Path(name).resolve().relative_to(self._real).as_posix()
        except (OSError, RuntimeError, ValueError):
            raise _outside(str(name)) from None

    def _spell(self, name: str) -> Iterator[str]:
        """``name``, then with slashes, then without the image folder's own name before it.

        And each with accents stored in the other way, as archives from other systems have them.
        """
        for spelled in self._spell_path(name):
            yield spelled
            yield from (unicodedata.normalize(form, spelled) for form in ("NFC", "NFD"))

    def _spell_path(self, name: str) -> Iterator[str]:
        yield name
        slashed = PurePosixPath(name.replace("\\", "/"))
        yield slashed.as_posix()
        for count in range(1, len(slashed.parts)):
            above, below = slashed.parts[:count], slashed.parts[count:]
            if any(top.parts[-count:] == above for top in self._tops):
                yield PurePosixPath(*below).as_posix()

    def _complete(self, name: str) -> NamedFile | None:
        path = PurePosixPath(name)
        found = self._list_stems(path.parent.as_posix()).get(path.name, [])
        if len(found) > 1:
            return NamedFile(name, SEVERAL, completed=True)
        if not found:
            return None
        whole = (path.parent / found[0]).as_posix()
        return NamedFile(whole, self._judge(whole), completed=True)

    def _judge(self, name: str) -> str:
        """Why there is no file ``name`` to use; empty if there is one."""
        path = self.root / name
        if self._leads_out(path.parent):
            return LINK_OUT
        try:
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                if leads_out(path, self._real):
                    return LINK_OUT
                mode = os.stat(path).st_mode
        except OSError:  # it is not there, or its name is longer than a file system allows
            return MISSING
        return MISSING if stat.S_ISDIR(mode) else ""

    def _leads_out(self, folder: Path) -> bool:
        # To follow all links in a name takes long; of a million names, most share their folder.
        if folder not in self._outside:
            self._outside[folder] = leads_out(folder, self._real)
        return self._outside[folder]

    def _list_stems(self, folder: str) -> dict[str, list[str]]:
        """The images in ``folder``, by their names without the suffix; listed once."""
        if folder not in self._stems:
            stems: dict[str, list[str]] = defaultdict(list)
            for name in self._list(folder):
                suffix = PurePosixPath(name).suffix
                if suffix.lower() in SUFFIXES:
                    stems[name.removesuffix(suffix)].append(name)
            self._stems[folder] = stems
        return self._stems[folder]

    def _list(self, folder: str) -> list[str]:
        if self._leads_out(self.root / folder):
            return []
        try:
            return os.listdir(self.root / folder)
        except OSError:  # there is no such folder
            return []


def _outside(name: str) -> UnsafeInputError:
    return UnsafeInputError(
        f"{name[:80]!r} points outside the image folder. Use names relative to it."
    )
