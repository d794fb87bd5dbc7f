"""The collection, kept beside the runs; every file judged in one process; the counts at the end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ..kept import PRODUCT, keep
from .generate import collect
from .trial import (
    Outcome,
    judge_files,
    open_files,
    read_judged,
    write_collection,
    write_images,
)

HERE = Path(__file__).resolve().parent
# What makes the files: all but what only opens and judges them.
_JUDGES = {"judging.py", "opening.py", "runner.py"}
SOURCES = sorted(
    file
    for file in HERE.glob("*.py")
    if file.name not in _JUDGES and not file.name.startswith("test_")
)


@pytest.fixture(scope="session")
def collection(shelf: Path) -> Path:
    """The folder of all files."""

    def build(folder: Path) -> None:
        write_collection(folder)
        write_images(folder / "images")

    return keep(shelf, "hostile", build, *SOURCES)


@pytest.fixture(scope="session")
def judged(collection: Path, shelf: Path) -> dict[str, Outcome]:
    """What opening each hostile file as an audit does it comes to, by name; in one process."""
    cases = [case for case in collect() if not case.benign]
    kept = keep(shelf, "judged", lambda to: judge_files(collection, cases, to), *PRODUCT, HERE)
    return read_judged(kept)


@pytest.fixture(scope="session")
def opened(collection: Path, shelf: Path) -> dict[str, str]:
    """What is wrong with each honest file once it is open: "" or a sentence."""
    cases = [case for case in collect() if case.benign]
    kept = keep(shelf, "opened", lambda to: open_files(collection, cases, to), *PRODUCT, HERE)
    found: dict[str, str] = json.loads((kept / "opened.json").read_text())
    return found
