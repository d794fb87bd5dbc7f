"""The command line: help, options, gate, quiet, displays."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from reportgen.battery import all_checks
from reportgen.cli import terminal
from reportgen.cli.audit import exit_code
from reportgen.config import AuditConfig, load_config
from reportgen.errors import ExitCode
from reportgen.report.report import Report

MAIN = "from reportgen.cli import main; main()"


def run(*args: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", MAIN, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def test_help_and_import_load_nothing_heavy():
    code = (
        "import sys, reportgen\n"
        "from reportgen.cli import cli\n"
        "from click.testing import CliRunner\n"
        "assert CliRunner().invoke(cli, ['--help']).exit_code == 0\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'sklearn', 'matplotlib', 'pydantic', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_help_of_audit_is_made_of_the_fields():
    text = run("audit", "--help").stdout
    for name in AuditConfig.model_fields:
        flag = {"formats": "format"}.get(name, name).replace("_", "-")
        assert (f"--{flag} " in text) == (name not in ("model", "options"))
    words = " ".join(text.split())
    assert " ".join(AuditConfig.model_fields["split"].description.split()) in words
    assert "[default: 1800]" in words


def test_checks_and_options_print_json():
    entries = json.loads(run("checks", "--json").stdout)
    assert [entry["id"] for entry in entries] == list(all_checks())
    (entry,) = json.loads(run("checks", "predictions.calibration", "--json").stdout)
    assert (entry["bar"], entry["default"]) == ("predictions.max_calibration_error", 0.1)
    schema = json.loads(run("options", "weights", "--json").stdout)
    assert schema["properties"]["duplicate_cosine"]["default"] == 0.999


def test_checks_and_options_load_neither_arrays_nor_pictures():
    code = (
        "import sys\n"
        "from reportgen.cli import cli\n"
        "from click.testing import CliRunner\n"
        "for command in ('checks', 'options'):\n"
        "    assert CliRunner().invoke(cli, [command]).exit_code == 0\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'sklearn', 'matplotlib', 'PIL'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_help_names_every_exit_code():
    text = run("audit", "--help").stdout
    for code in (0, 1, 2, 3, 4, 5, 6, 7, 70, 130, 143):
        assert f"{code}" in text


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["audit"], "TARGET"),
        (["audit", "samples/digits", "--preset", "huge"], "huge"),
        (["audit", "samples/digits", "--set", "nonsense"], "ID.OPTION=VALUE"),
        (["audit", "samples/digits", "--only", "optviz"], "optviz"),
        (["audit", "samples/digits", "--set", "optvis.recipe=lucyd"], "optvis.recipe"),
        (["audit", "samples/digits", "--max-samples", "0"], "max_samples"),
        (["audit", "samples/digits", "--format", "docx"], "docx"),
        (["render", ".", "--format", "docx"], "docx"),
        (["render", ".", "--format", "json"], "Name some of html, pdf"),
        (["checks", "weights.ded_filters"], "Did you mean 'weights.dead_filters'?"),
        (["options", "wieghts"], "Did you mean 'weights'?"),
        (["no-such-command"], "no-such-command"),
    ],
)
def test_wrong_usage_is_named_with_exit_2(args, said, tmp_path):
    extra = ["--out", str(tmp_path / "r")] if args[0] == "audit" and len(args) > 1 else []
    done = run(*args, *extra, cwd=Path(__file__).parent.parent)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "r").exists()


@pytest.fixture(scope="module")
def quiet(samples, tmp_path_factory):
    """A quiet audit with a gate that is met: 98.9 % of the digits is below 99.9 %."""
    out = tmp_path_factory.mktemp("quiet") / "report"
    done = run(
        "audit",
        samples / "digits",
        "--out",
        out,
        "--quiet",
        "--only",
        "predictions",
        "--set",
        "predictions.min_accuracy=0.9999",
        "--fail-on",
        "warn",
        "--format",
        "json",
    )
    return done, out


def test_quiet_prints_nothing_and_the_gate_gives_exit_1(quiet):
    done, out = quiet
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    report = json.loads((out / "report.json").read_text())
    found = {f["id"]: f["level"] for s in report["sections"] for f in s["findings"]}
    assert found["predictions.accuracy"] == "fail"
    assert not (out / "report.html").exists()


@pytest.mark.parametrize(
    ("gate", "code"), [("never", ExitCode.DONE), ("fail", ExitCode.GATE), ("warn", ExitCode.GATE)]
)
def test_the_gate_compares_levels(quiet, samples, gate, code):
    report = Report.load(quiet[1])
    config = load_config(samples / "digits", {"fail_on": gate})
    assert exit_code(report, config, incomplete=False) == code


def test_a_missing_pdf_fails_only_if_it_was_asked_for(quiet, samples):
    report = Report.load(quiet[1])
    for named, code in (((), ExitCode.DONE), (("html", "pdf"), ExitCode.PARTIAL)):
        config = load_config(samples / "digits", {"formats": named})
        assert exit_code(report, config, incomplete=True) == code


def test_plain_lines_say_stage_count_and_estimate(capsys, monkeypatch):
    clock = iter([0.0, 0.0, 4.0, 12.0, 13.0, 14.0, 25.0, 30.0])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(clock))
    lines = terminal.PlainLines()
    lines.stage("weights")
    lines.advance(1, 4, "reading")  # 4 s after the start: too early to speak
    lines.advance(2, 4, "reading")  # one in the 8 s since the first was told
    lines.advance(0, 9, "writing")  # another count: what was before says nothing of it
    lines.advance(1, 9, "writing")
    lines.advance(3, 9, "writing")
    lines.close()
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "weights ...",
        "weights: reading 2/4, about 16 s left",
        "weights: writing 3/9, about 24 s left",
        "weights: 30.0 s",
    ]


def test_bars_show_stage_count_and_label():
    console = Console(force_terminal=True, width=140, record=True, file=io.StringIO())
    with terminal.Bars(console) as bars:
        bars.stage("feature [maps]")
        bars.advance(3, 8, "forward pass")
    text = console.export_text()
    assert "feature [maps]" in text
    assert "8/8" in text


def test_quiet_chooses_silence(capsys):
    with terminal.choose_display(quiet=True) as display:
        display.stage("weights")
        display.advance(1, 2, "x")
    assert capsys.readouterr().err == ""
