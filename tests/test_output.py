"""The output folder: whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reportgen.config import build_config
from reportgen.errors import InputError, OutputError
from reportgen.formats.pdf import PDF
from reportgen.output import claim, replacing, rewrite_pages, write_report, writing
from reportgen.report.cards import Timing
from reportgen.report.folder import find_differences, read_manifest
from reportgen.report.report import Report

MAIN = "from reportgen.cli import main; main()"


def run_cli(*args: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", MAIN, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def beside(out: Path) -> list[str]:
    """What stands beside the report, besides its lock."""
    return sorted(
        path.name
        for path in out.parent.iterdir()
        if path.name not in (out.name, f".{out.name}.lock")
    )


def write_again(digits: Path, out: Path, **settings: object) -> list[str]:
    config = build_config({"out": out, "formats": ("json",), **settings})
    return write_report(Report.load(digits), config, Timing())


def test_the_folder_holds_what_the_manifest_says(digits):
    assert find_differences(digits) == []
    listed = read_manifest(digits).outputs
    assert set(listed) == {
        "report.html",
        "report.json",
        "data/feature_maps.npz",
        "data/attributions.npz",
        "data/inputs.npz",
        "data/optvis.npz",
        "data/loss_landscape.npz",
        "data/predictions.npz",
        "data/weights.npz",
    }


def test_the_manifest_holds_times_seed_versions_and_options(digits):
    manifest = json.loads((digits / "manifest.json").read_text())
    assert manifest["seed"] == 0
    assert set(manifest["seconds"]) >= {"opening", "overview", "weights"}
    assert manifest["inputs"]["model"] == Report.load(digits).subject.sha256
    assert manifest["options"]["predictions"]["shown_samples"] == 10
    assert manifest["versions"]["tensorflow"]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda out: (out / "report.json").write_text("{}"), "changed: report.json"),
        (lambda out: (out / "data/weights.npz").unlink(), "missing: data/weights.npz"),
        (lambda out: (out / "extra.txt").write_text(""), "not listed: extra.txt"),
    ],
)
def test_verify_sees_every_change(digits, tmp_path, harm, said):
    out = tmp_path / "copy"
    write_again(digits, out)
    harm(out)
    assert find_differences(out) == [said]
    done = run_cli("verify", out)
    assert (done.returncode, done.stdout.strip()) == (1, said)


def test_rendering_one_format_keeps_the_files_of_the_others(digits, tmp_path):
    whole, out = Report.load(digits), tmp_path / "short"  # of one section, which is soon drawn
    short = whole.model_copy(update={"sections": (whole["weights"],)})
    config = build_config({"out": out, "formats": ("html", "json")})
    write_report(short, config, Timing())
    before = read_manifest(out).outputs
    assert "report.html" in before
    inode = (out / "report.html").stat().st_ino
    rewrite_pages(out, [PDF], 10**7)
    assert find_differences(out) == []
    after = read_manifest(out).outputs
    assert set(after) == {*before, "report.pdf"}
    assert {name: after[name] for name in before} == before
    assert (out / "report.html").stat().st_ino == inode  # the file itself


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "report").write_text("x")
    done = run_cli("audit", "samples/digits", "--out", tmp_path / "report")
    assert done.returncode == 6
    assert "is a file" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_second_run_into_one_folder_is_refused(tmp_path):
    out = tmp_path / "report"
    with claim(out), pytest.raises(OutputError, match="another run"), claim(out):
        pytest.fail("claimed twice")
    with claim(out):
        assert not out.exists()
    assert [path.name for path in tmp_path.iterdir()] == [".report.lock"]


@pytest.mark.parametrize(
    ("module", "broken"),
    [
        (writing, "_write_arrays"),
        (writing, "_hash_outputs"),
        (writing, "_as_json"),
        (replacing, "_sync"),
        (replacing, "_keep_others"),
        (replacing, "_exchange"),
    ],
)
def test_a_failing_disk_leaves_the_previous_report_whole(
    digits, tmp_path, monkeypatch, module, broken
):
    out = tmp_path / "report"
    write_again(digits, out)

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, broken, fail)
    with pytest.raises(OutputError, match=r"No space left.*Nothing was changed"):
        write_again(digits, out)
    assert find_differences_unpatched(out) == []
    assert beside(out) == []


def find_differences_unpatched(out: Path) -> list[str]:
    done = run_cli("verify", out)
    return [] if done.returncode == 0 else done.stdout.splitlines()


def test_a_failing_move_puts_the_previous_report_back(digits, tmp_path, monkeypatch):
    out = tmp_path / "report"
    write_again(digits, out)
    real_rename, calls = os.rename, []

    def rename(source: object, target: object) -> None:
        calls.append((source, target))
        if len(calls) == 2:
            raise OSError(5, "Input/output error")
        real_rename(source, target)

    monkeypatch.setattr(replacing, "_exchange", lambda one, other: False)
    monkeypatch.setattr(replacing.os, "rename", rename)
    with pytest.raises(OutputError):
        write_again(digits, out)
    assert find_differences(out) == []
    assert beside(out) == []


@pytest.fixture
def interruptible():
    """A suite that runs in the background may ignore SIGINT, and its children would, too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_leaves_the_previous_report_whole(digits, samples, tmp_path, number, code):
    out = tmp_path / "report"
    write_again(digits, out)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    command = [sys.executable, "-c", MAIN, "audit", str(samples / "digits"), "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        for line in run.stderr:
            if line.startswith("predictions"):
                break
        run.send_signal(number)
        said = run.stderr.read()
        assert run.wait(120) == code
    assert "untouched" in said
    assert "Traceback" not in said
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    assert beside(out) == []


@pytest.mark.usefixtures("interruptible")
def test_no_worker_outlives_an_interrupt(samples, tmp_path):
    import psutil

    command = [
        sys.executable,
        "-c",
        MAIN,
        "audit",
        str(samples / "digits"),
        "--out",
        str(tmp_path / "report"),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        children: list[psutil.Process] = []
        while not children:
            time.sleep(0.05)
            children = psutil.Process(run.pid).children()
        run.send_signal(signal.SIGINT)
        run.stderr.read()
        run.wait(120)
    psutil.wait_procs(children, timeout=120)
    assert not any(child.is_running() for child in children)


# Each run makes a folder that must not be there yet, and removes it: two at once would fail.
HOLDING = """
import sys, time
from pathlib import Path
from reportgen.errors import OutputError
from reportgen.output import claim
out, done = Path(sys.argv[1]), 0
deadline = time.monotonic() + 60
while done < 300 and time.monotonic() < deadline:
    try:
        with claim(out):
            out.with_name("busy").mkdir()
            out.with_name("busy").rmdir()
            done += 1
    except OutputError as error:
        assert "another run" in str(error), error
print(done)
"""


def test_two_processes_never_hold_one_folder_together(tmp_path):
    command = [sys.executable, "-c", HOLDING, str(tmp_path / "report")]
    runs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [run.communicate(timeout=90) for run in runs]
    assert [(out.strip(), err) for out, err in said] == [("300", "")] * 2


@pytest.mark.parametrize("content", [None, "{", "[]", '{"outputs": 3}'])
def test_a_folder_without_a_readable_manifest_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=r"manifest\.json"):
        find_differences(tmp_path)


@pytest.mark.parametrize("content", [None, "{}", '{"schema_version": "9"}', "not json"])
def test_a_folder_without_a_readable_report_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    with pytest.raises(InputError, match=r"report\.json"):
        Report.load(tmp_path)
