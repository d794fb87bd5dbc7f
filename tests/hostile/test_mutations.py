"""Files around a model, damaged by seeds: only listed exits, no hang, nothing outside is touched.

By day 6 of each kind; with --all 3,000 in all.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reportgen.analyses.loss_landscape.options import Options as LandscapeOptions
from reportgen.cli import main
from reportgen.errors import ExitCode
from reportgen.worker.process import LocalWorker

from ..kept import PRODUCT, keep
from .mutations import fresh, mutate

_SECONDS = 10
_SECRET = "of somebody else, 7f3a91c4"
# What a command on files of others may end with. 1: `verify` found differences. 5: a section could
# not be made of what is there. Never 70, a bug of ours.
READING = {ExitCode.DONE, ExitCode.GATE, ExitCode.INPUT}
RENDERING = {*READING, ExitCode.OUTPUT}  # what is there and not listed would be overwritten
AUDITING = {
    ExitCode.DONE,
    ExitCode.USAGE,
    ExitCode.UNSAFE,
    ExitCode.INPUT,
    ExitCode.PARTIAL,
}
# Kind: the file, in the folder of a report or of an audit, the command, how many in 3,000.
KINDS = {
    "verify manifest": ("report", "manifest.json", "verify", 500),
    "verify arrays": ("report", "data/weights.npz", "verify", 100),
    "render report": ("report", "report.json", "render", 900),
    "render manifest": ("report", "manifest.json", "render", 300),
    "render arrays": ("report", "data/weights.npz", "render", 300),
    "audit settings": ("subject", "audit.toml", "audit", 400),
    "audit samples": ("subject", "data/test.npz", "audit", 250),
    "audit history": ("subject", "history/history.json", "audit", 150),
    "audit record": ("subject", "history/step-0003.npz", "audit", 100),
}


# An audit of a second.
_BRIEFLY = ["--preset", "quick", "--format", "json", "--max-samples", "40"]
_BRIEFLY += [
    f"--set=loss_landscape.{name}={value}" for name, value in LandscapeOptions.tiny.items()
]


class TookTooLongError(BaseException):
    """More than ten seconds."""


@contextmanager
def alarm(seconds: int) -> Iterator[None]:
    def ring(number: int, frame: Any) -> None:
        raise TookTooLongError

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def originals(shelf: Path, samples: Path) -> dict[str, Path]:
    """A small report, and a folder that is audited in a moment."""

    def build(folder: Path) -> None:
        subject = fresh(samples / "parabola", folder / "subject")
        (subject / "audit.toml").write_text(
            (subject / "audit.toml").read_text()
            + 'only = ["overview"]\npreset = "quick"\nformats = ["json"]\nquiet = true\n'
        )
        words = ["audit", str(subject), "--only", "overview,weights", "--format", "html"]
        assert call([*words, "--out", str(folder / "report")]) == ExitCode.DONE

    folder = keep(shelf, "mutated", build, *PRODUCT, Path(__file__))
    return {"report": folder / "report", "subject": folder / "subject"}


def call(words: list[str]) -> int:
    """What the command with these words ends with."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["reportgen", *words])
        with pytest.raises(SystemExit) as ended:
            main()
    signal.signal(signal.SIGTERM, before)
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def worker() -> Iterator[LocalWorker]:
    """One worker for all audits: starting one takes longer than a mutation does."""
    with LocalWorker(device="cpu") as worker:
        yield worker


def snapshot(folder: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else os.readlink(path)
        for path in folder.rglob("*")
        if path.is_file() or path.is_symlink()
    }


def counts(kind: str) -> list[Any]:
    many = KINDS[kind][3]
    return [
        pytest.param(kind, range(6), id=kind),
        pytest.param(kind, range(6, many), id=f"{kind} all", marks=pytest.mark.matrix),
    ]


@pytest.mark.parametrize(("kind", "seeds"), [p for kind in KINDS for p in counts(kind)])
def test_mutations(
    originals: dict[str, Path],
    worker: LocalWorker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    kind: str,
    seeds: range,
) -> None:
    which, name, verb, _ = KINDS[kind]
    around = tmp_path / "around"
    around.mkdir()
    secret = around / "secret.txt"
    secret.write_text(_SECRET)
    (around / "evil.py").write_text(f"open({str(around / 'evil ran')!r}, 'w')\n")
    monkeypatch.chdir(around)
    outside = snapshot(around)
    allowed = {"audit": AUDITING, "render": RENDERING, "verify": READING}[verb]
    _lend(worker, monkeypatch)
    if verb == "audit":
        # As it is first, which also lets the worker import what it needs before time counts.
        whole = str(fresh(originals[which], tmp_path / "whole"))
        assert call([*_words(verb, whole, name), "--out", str(tmp_path / "out")]) == ExitCode.DONE
    ends: Counter[int] = Counter()
    for seed in seeds:
        # A place of its own: the worker takes what has the same name for the same subject.
        folder = fresh(originals[which], tmp_path / f"given {seed}")
        mutate(folder, name, secret, seed)
        words = _words(verb, str(folder), name)
        words += ["--out", str(tmp_path / "out")] if verb == "audit" else []
        try:
            with alarm(_SECONDS):
                code = call(words)
        except TookTooLongError:
            pytest.fail(f"seed {seed} takes more than {_SECONDS} seconds")
        said = "".join(capfd.readouterr())
        assert code in allowed, (seed, code, said[-500:])
        ends[code] += 1
        assert "Traceback" not in said, (seed, said[-800:])
        assert "\x1b" not in said, seed
        assert not any(line.lstrip().startswith("::") for line in said.splitlines()), seed
        assert "##vso[" not in said, seed
        assert _SECRET not in said, seed
        assert snapshot(around) == outside, seed
        for path in (folder / "report.html", tmp_path / "out/report.json"):
            assert not path.is_file() or _SECRET not in path.read_text("utf-8"), seed
        shutil.rmtree(folder)
    print(f"{kind}: {sum(ends.values())} tried, exits {dict(sorted(ends.items()))}")  # pytest -rP
    assert len(ends) > 1 or len(seeds) < 20  # damage that changes nothing proves nothing


def _words(verb: str, folder: str, name: str) -> list[str]:
    """What is typed to read the file ``name`` of ``folder``."""
    if verb == "audit":
        only = "loss_landscape" if "history" in name else "overview"
        return [verb, folder, *_BRIEFLY, "--only", only]
    return [verb, folder, *(["--format", "html"] if verb == "render" else [])]


def _lend(worker: LocalWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every audit use the same process."""

    class Lent:
        def __init__(self, **settings: object) -> None:
            pass

        def __enter__(self) -> LocalWorker:
            return worker

        def __exit__(self, *error: object) -> None:
            pass

    monkeypatch.setattr("reportgen.pipeline.LocalWorker", Lent)
    monkeypatch.setattr("reportgen.output.drawing.LocalWorker", Lent)
