"""Where the worker looks for modules: in the installation, and nowhere else without being told."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
# What an installer leaves beside the packages that reportgen needs.
_INSTALLED = re.compile(
    r"(tensorflow|tensorflow_cpu|keras|numpy|h5py|scikit_learn|scipy|pillow|pydantic|protobuf)"
    r"-[^-]+\.dist-info",
    re.IGNORECASE,
)


def installation_folders() -> list[str]:
    """Folders of this process' ``sys.path`` that hold packages which reportgen needs.

    An isolated interpreter finds those of its own environment itself. This is for packages that
    stand elsewhere: in the user's site directory, or in a folder that PYTHONPATH names. The
    working directory and the folder of the running script are not taken for an installation,
    unless reportgen itself stands there.
    """
    unsafe = {os.getcwd()}
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
        return any(map(_INSTALLED.fullmatch, os.listdir(folder)))
    except OSError:  # no folder: an archive, or a place that is gone
        return False
