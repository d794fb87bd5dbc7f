"""A copy of the package and its templates that a test may change, as a maintainer would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import reportgen
from reportgen.resources import template_folder

PACKAGE = Path(reportgen.__file__).parent


def copy_house(folder: Path) -> Path:
    """Copy package and templates into ``folder``; the path of the copied package."""
    ignored = shutil.ignore_patterns("__pycache__", "templates")
    shutil.copytree(template_folder(), folder / "templates")
    return shutil.copytree(PACKAGE, folder / "reportgen", ignore=ignored)


def insert(file: Path, before: str, text: str) -> None:
    """Write ``text`` in front of the first ``before`` of ``file``."""
    source = file.read_text()
    assert before in source
    file.write_text(source.replace(before, text + before, 1))


def run(folder: Path, script: str, *arguments: str) -> str:
    """What ``script`` prints in a fresh interpreter that finds the package in ``folder``."""
    made = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return made.stdout
