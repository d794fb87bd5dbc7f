"""Tries the collection: writes it, hands every file to the real command, judges what came back."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..kept import locked
from .case import UNREADABLE, Case
from .generate import PARTS, collect

TESTS = Path(__file__).resolve().parent.parent
COMMANDS = ("audit", "inspect")
# Held by all who open files of the collection; alone by who opens them without care, since a
# canary must be of the file that is looked at.
LOCK = "opening.lock"
QUICK = ("--only", "overview", "--preset", "quick", "--format", "json", "--quiet")
# Of each row and guard so many are inspected as well as audited: it is the same reading.
INSPECTED = 3
# Audited to the end as well; the other twins are inspected, and opened in one process.
AUDITED = ("suffix-hdf5.keras", "suffix-archive.h5", "right-hash.keras", "right-hash.h5")


@dataclass(frozen=True)
class Outcome:
    """What one command did. code: None when it had to be ended."""

    key: str
    code: int | None
    said: str
    canary: bool
    shown: str = ""
    seconds: float = 0.0
    peak_bytes: int = 0


def write_collection(root: Path) -> None:
    """Write all files, one process for each part."""
    parts = [_python("hostile.generate", str(root), part) for part in PARTS]
    for process in parts:
        said = process.communicate()[0]
        assert process.returncode == 0, said.decode("utf-8", "replace")[-3000:]


def _python(module: str, *args: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *args],
        cwd=TESTS,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _environment() -> dict[str, str]:
    """The package of this checkout, whatever folder a command is started in."""
    path = os.pathsep.join(filter(None, (str(TESTS.parent), os.environ.get("PYTHONPATH"))))
    return dict(os.environ, PYTHONPATH=path, TF_CPP_MIN_LOG_LEVEL="3")


def write_images(folder: Path) -> None:
    """Six pictures of seeded noise, without labels."""
    folder.mkdir()
    for i in range(6):
        noise = np.random.default_rng(i).integers(0, 256, (8, 8, 3)).astype(np.uint8)
        Image.fromarray(noise).save(folder / f"{i}.png")


def try_file(root: Path, case: Case, folder: Path) -> dict[str, Outcome]:
    """A file through the real commands, by command; what they leave goes into the folder."""
    (folder / "jobs.json").write_text(json.dumps(list(_jobs(root, case, folder))))
    files = [str(folder / "jobs.json"), str(folder / "outcomes.json")]
    runner = Path(__file__).with_name("runner.py")
    with locked(root / LOCK, shared=True):
        subprocess.run([sys.executable, str(runner), *files], env=_environment(), check=True)
    results = json.loads((folder / "outcomes.json").read_text())
    return {result["key"]: Outcome(**result) for result in results}


def judge_files(root: Path, cases: list[Case], folder: Path) -> None:
    """Open every file as an audit does, in one process; `read_judged` reads what it came to."""
    jobs = []
    for case in cases:
        place = case.place(root)
        jobs.append(
            {
                "name": case.name,
                "path": str(place.path),
                "canary": str(place.canary),
                "images": str(root / "images"),
                "sha256": _pinned(case, place.path),
            }
        )
    (folder / "jobs.json").write_text(json.dumps(jobs))
    files = [str(folder / name) for name in ("jobs.json", "judged.json")]
    with locked(root / LOCK, shared=True):
        process = _python("hostile.judging", *files)
        said = process.communicate()[0]
    assert process.returncode == 0, said.decode("utf-8", "replace")[-3000:]


def read_judged(folder: Path) -> dict[str, Outcome]:
    """What `judge_files` left, by name."""
    found = json.loads((folder / "judged.json").read_text())
    return {name: Outcome(name, **each) for name, each in found.items()}


def _jobs(root: Path, case: Case, folder: Path) -> Iterator[dict[str, Any]]:
    place = case.place(root)
    options = {
        "audit": ["--images", str(root / "images"), *QUICK, *_pin(case, place.path)],
        "inspect": [],
    }
    options["audit"] += ["--out", str(folder / "report")]
    for command in commands_of(case):
        yield {
            "key": command,
            "argv": [command, str(place.path), *options[command]],
            "cwd": str(place.path.parent),
            "canary": str(place.canary),
        }


def commands_of(case: Case) -> tuple[str, ...]:
    """Which commands a file is handed to."""
    if case.pin == "wrong":
        return ("audit",)
    if case.benign:
        return COMMANDS if case.name.removeprefix("benign-") in AUDITED else ("inspect",)
    return COMMANDS if case.name in _inspected() else ("audit",)


@cache
def _inspected() -> frozenset[str]:
    groups: dict[tuple[str, str], list[str]] = {}
    for case in collect():
        groups.setdefault((case.row, case.guard), []).append(case.name)
    return frozenset(name for names in groups.values() for name in names[:INSPECTED])


def _pin(case: Case, path: Path) -> list[str]:
    pinned = _pinned(case, path)
    return ["--sha256", pinned] if pinned else []


def _pinned(case: Case, path: Path) -> str | None:
    if not case.pin:
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest() if case.pin == "right" else "0" * 64


def open_files(root: Path, cases: list[Case], folder: Path) -> None:
    """Open and compare every honest file; ``opened.json``: "" or what is wrong, by name."""
    paths = {case.name: str(case.place(root).path) for case in cases}
    (folder / "paths.json").write_text(json.dumps(paths))
    process = _python("hostile.opening", *(str(folder / f"{n}.json") for n in ("paths", "opened")))
    said = process.communicate()[0]
    assert process.returncode == 0, said.decode("utf-8", "replace")[-3000:]


def find_faults(case: Case, command: str, outcome: Outcome) -> list[str]:
    """What is wrong with an outcome; nothing if it is as the table says."""
    wrong = []
    allowed = case.codes
    if command == "inspect" and UNREADABLE in allowed:
        allowed = (0, *allowed)  # it builds nothing, and need not know what cannot be built
    if outcome.code not in allowed:
        wrong.append(f"exit code {outcome.code}, expected {allowed}")
    if outcome.canary:
        wrong.append("the payload ran")
    if "Traceback" in outcome.said + outcome.shown:
        wrong.append("a traceback")
    if not (outcome.said + outcome.shown).replace("\n", "").isprintable():
        wrong.append("what was printed holds control characters")
    if command == "audit" and outcome.code:
        wrong += _faults_of_message(case, outcome.said)
    return [f"{text} ({outcome.said.strip()[:400]})" for text in wrong]


def _faults_of_message(case: Case, said: str) -> Iterator[str]:
    if not said.startswith("Error: ") or said.count("\n") != 1:
        yield "not one line that starts with Error"
    for word in case.words:
        if word not in said:
            yield f"the message does not hold {word!r}"
