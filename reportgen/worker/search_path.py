"""Where the worker looks for modules: in the installation, and nowhere else without being told."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
# What an installer leaves beside each package.
_INSTALLED = (".dist-info", ".egg-info")


def installation_folders() -> list[str]:
    """Folders of this process' ``sys.path`` that hold installed packages.

    An isolated interpreter finds those of its own environment itself. This is for packages that
    stand elsewhere: in the user's site directory, or in a folder that PYTHONPATH names. The
    working directory and the folder of the running script are not taken for an installation,
    unless reportgen itself stands there.
    """
    unsafe: set[str] = set()
    with contextlib.suppress(FileNotFoundError):  # a working directory that was removed
        unsafe.add(os.getcwd())
        if not sys.flags.safe_path:
            unsafe.update(map(os.path.abspath, sys.path[:1]))
    unsafe.discard(str(PACKAGE.parent))
    return [
        entry
        for entry in sys.path
        if os.path.isabs(entry) and entry not in unsafe and _holds_packages(entry)
    ]


def _holds_packages(folder: str) -> bool:
    try:
        return any(name.endswith(_INSTALLED) for name in os.listdir(folder))
    except OSError:  # no folder: an archive, or a place that is gone
        return False
