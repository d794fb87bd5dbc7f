"""The pages on how to add something, followed to the letter in a copy of the house."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .rendering.house import copy_house, insert, run

DOCS = Path(__file__).resolve().parents[1] / "docs"
STEP = re.compile(
    r"^(?:New file|In) `(?P<file>[^`]+)`(?:, before `(?P<before>[^`]+)`)?:\n\n"
    r"```(?:python|text)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
MAIN = "from reportgen.cli import main; main()"


def follow(page: str, house: Path) -> tuple[list[str], dict[str, int]]:
    """Do what a page says. Returns the new files, and by changed file the lines that it gained."""
    made: list[str] = []
    gained: dict[str, int] = {}
    for step in STEP.finditer((DOCS / page).read_text("utf-8")):
        file = house / step["file"]
        if step["before"]:
            insert(file, step["before"], step["text"])
            gained[step["file"]] = gained.get(step["file"], 0) + step["text"].count("\n")
        else:
            file.parent.mkdir(exist_ok=True)
            file.write_text(step["text"], "utf-8")
            made.append(step["file"])
    return made, gained


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("house")
    copy_house(folder)
    return folder


@pytest.fixture(scope="module")
def steps(house) -> dict[str, tuple[list[str], dict[str, int]]]:
    pages = ("add-a-format.md", "add-a-check.md", "add-an-analysis.md", "architecture.md")
    return {page: follow(page, house) for page in pages}


def test_what_has_to_change_is_what_the_house_promises(steps):
    """A format and a command: a module and a line (and its import). A check: one file."""
    assert steps["add-a-format.md"] == (
        ["reportgen/formats/summary.py"],
        {"reportgen/formats/__init__.py": 2},
    )
    assert steps["architecture.md"] == (
        ["reportgen/cli/levels.py"],
        {"reportgen/cli/main.py": 2},
    )
    made, gained = steps["add-a-check.md"]
    assert (made, list(gained)) == ([], ["reportgen/analyses/overview/findings.py"])
    made, gained = steps["add-an-analysis.md"]
    assert {Path(file).parent.as_posix() for file in made} == {"reportgen/analyses/brightness"}
    assert gained == {"reportgen/battery.py": 2}


def test_the_catalogue_and_the_help_follow(steps, house):
    assert "brightness.dark" in run(house, MAIN, "checks")
    assert "Audit more samples." in run(house, MAIN, "checks", "inputs.few_samples")
    assert "darkest" in run(house, MAIN, "options", "brightness")
    assert "summary" in run(house, MAIN, "audit", "--help")
    assert "summary" in run(house, MAIN, "render", "--help")
    assert run(house, MAIN, "levels").splitlines()[0].split() == [
        "not_applicable",
        "Not",
        "checked",
    ]


def test_an_audit_makes_what_was_added(steps, house, samples, tmp_path):
    out = tmp_path / "report"
    sections = ("--only", "overview,brightness", "--set", "brightness.darkest=9")
    formats = ("--format", "html,summary", "--quiet")
    run(house, MAIN, "audit", str(samples / "parabola"), "--out", str(out), *sections, *formats)
    report = json.loads((out / "report.json").read_text("utf-8"))
    levels = {f["id"]: f["level"] for section in report["sections"] for f in section["findings"]}
    assert levels["brightness.dark"] == "note"
    assert levels["inputs.few_samples"] == "note"
    page = (out / "report.html").read_text("utf-8")
    assert 'id="brightness-means"' in page
    assert "A step means that there are two kinds of them." in page
    summary = (out / "summary.txt").read_text("utf-8")
    assert "note  brightness.dark: Inputs are" in summary
    assert "summary.txt" in json.loads((out / "manifest.json").read_text("utf-8"))["outputs"]
    assert [file.name for file in missing(out)] == []


def missing(out: Path) -> Iterator[Path]:
    """Files that the manifest lists and that are not there."""
    listed = json.loads((out / "manifest.json").read_text("utf-8"))["outputs"]
    return (out / name for name in listed if not (out / name).is_file())
