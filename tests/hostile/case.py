"""What one file of the collection is, and what must be said of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath

UNSAFE, UNREADABLE = 3, 4
# Where the table of bad inputs leaves it open whether the file is opened or refused. That nothing
# of it runs, and that what is said is one printable line, holds all the same.
EITHER_UNSAFE = (0, UNSAFE)
EITHER_REFUSAL = (UNSAFE, UNREADABLE)
ANY = (0, UNSAFE, UNREADABLE)


@dataclass(frozen=True)
class Place:
    """Where a case is written.

    path: the model. canary: the file that its payload would make. templates: honest files.
    """

    path: Path
    canary: Path
    templates: Path


@dataclass(frozen=True)
class Case:
    """One file, hostile or benign.

    name: its suffix is the file's. row: of the table of bad inputs. guard: who should notice.
    write: makes the file. codes: exit codes that are right. words: what the message must hold.
    pin: hash to ask for: "" (none), "right" or "wrong". benign: must be accepted.
    """

    name: str
    row: str
    guard: str
    write: Callable[[Place], None]
    codes: tuple[int, ...] = (UNSAFE,)
    words: tuple[str, ...] = ()
    pin: str = ""
    benign: bool = False

    def place(self, root: Path) -> Place:
        """Each file has a folder of its own, and a path that gives nothing away."""
        folder = root / hashlib.sha256(self.name.encode()).hexdigest()[:8]
        path = folder / f"model{PurePath(self.name).suffix}"
        return Place(path, folder / "canary", root / "templates")
