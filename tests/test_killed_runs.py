"""Runs that are killed or find the disk full, at seeded moments: a whole report, every time.

By day 10 moments; with --all 66.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from reportgen.report.folder import find_differences

SCRIPT = Path(__file__).with_name("killed.py")
_HOWS = ("kill", "term", "full", "short")


def run(out: Path, how: str, n: int, what: Path) -> subprocess.Popen[str]:
    command = [SCRIPT, out.parent.parent / "counter", n, how, out, what]
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """What it ends with, and what it says."""
    said = process.communicate(timeout=120)[1]
    return process.returncode, said


@pytest.fixture(scope="module")
def steps(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many things the writing of a report over another does to the file system."""
    out = begin(digits, tmp_path_factory.mktemp("count"))
    code, said = end(run(out, "count", 0, digits))
    assert code == 0, said
    found = int((out.parent.parent / "counter").read_text())
    assert found > 20
    return found


def begin(digits: Path, folder: Path) -> Path:
    """An earlier report, another one than the run would write, with a file of the user's."""
    out = folder / "home/report"
    shutil.copytree(digits, out)
    (out / "report.html").unlink()  # so that the earlier and the new one are told apart
    (out / "notes.txt").write_text("mine")
    return out


def listed(out: Path) -> list[str]:
    return [line for line in find_differences(out) if line != "not listed: notes.txt"]


def is_earlier(out: Path) -> bool:
    return listed(out) == ["missing: report.html"]


def is_new(out: Path) -> bool:
    return listed(out) == []


def check(out: Path, digits: Path) -> None:
    assert is_earlier(out) or is_new(out), listed(out)
    assert (out / "notes.txt").read_text() == "mine"
    code, said = end(run(out, "none", 0, digits))
    assert code == 0, said
    assert is_new(out)
    assert (out / "notes.txt").read_text() == "mine"
    assert sorted(os.listdir(out.parent)) == [".report.lock", "report"]


def moments(count: int) -> list[object]:
    return [
        pytest.param(
            how, seed, id=f"{how}-{seed}", marks=[pytest.mark.matrix] if seed >= count else []
        )
        for seed in range(13)
        for how in _HOWS
    ]


@pytest.mark.parametrize(("how", "seed"), moments(2))
def test_while_writing(digits: Path, tmp_path: Path, steps: int, how: str, seed: int) -> None:
    out = begin(digits, tmp_path)
    rng = np.random.default_rng([seed, _HOWS.index(how)])
    largest = (digits / "report.json").stat().st_size
    # Every other one in the last third, where folders change places and the earlier one goes.
    low = 1 if seed % 2 else 2 * steps // 3
    n = int(rng.integers(largest) if how == "short" else rng.integers(low, steps + 1))
    code, said = end(run(out, how, n, digits))
    if how == "full" and code == 0:  # nothing that takes room was left to do
        assert is_new(out)
    else:
        assert code == {"kill": -signal.SIGKILL, "term": 143}.get(how, 1), said
    if code == 1:
        assert "cannot be written" in said
        assert is_earlier(out)
    check(out, digits)


@pytest.mark.parametrize(
    ("number", "share"),
    [
        pytest.param(
            number,
            share,
            id=f"{number.name}-{share}",
            marks=[pytest.mark.matrix] if share != 0.5 else [],
        )
        for share in (0.05, 0.15, 0.3, 0.5, 0.65, 0.8, 0.95)
        for number in (signal.SIGKILL, signal.SIGTERM)
    ],
)
def test_while_auditing(
    digits: Path, samples: Path, tmp_path: Path, number: signal.Signals, share: float
) -> None:
    """Share of the time that the audit would take, more or less: some end before it is over."""
    out = begin(digits, tmp_path)
    audited = run(out, "none", 0, samples / "parabola")
    time.sleep(12 * share)
    if audited.poll() is None:
        audited.send_signal(number)
    code, said = end(audited)
    assert code in (-number, 143, 0), said
    check(out, digits)
