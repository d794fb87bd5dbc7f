"""A model audited alone, without samples, through the command: what can be said, and no more."""

from __future__ import annotations

import json
import re
import subprocess
from types import SimpleNamespace

import pytest

from .conftest import CLI

DONE = {"overview", "weights", "optvis"}
WITHOUT = {"attributions", "predictions", "inputs", "feature_maps", "loss_landscape"}
SAMPLES = "Give --images FOLDER"


def audit(model, out, *more):
    """The report of a model file alone, and what the command printed."""
    command = [*CLI, "audit", str(model), "--out", str(out), "--preset", "quick", *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    report = json.loads((out / "report.json").read_text()) if out.exists() else {}
    sections = {section["id"]: section for section in report.get("sections", ())}
    return SimpleNamespace(done=done, report=report, sections=sections, model=model, out=out)


def findings(section):
    return {finding["id"]: finding for finding in section["findings"]}


@pytest.fixture(scope="module")
def alone(samples, tiny, tmp_path_factory):
    """The network of the digits: 8 x 8 pixels, ten classes."""
    given = [
        f"{id_}.{name}={json.dumps(value)}"
        for id_, options in tiny.items()
        for name, value in options.items()
    ]
    flags = [part for one in given for part in ("--set", one)]
    out = tmp_path_factory.mktemp("alone") / "report"
    return audit(samples / "digits/model.keras", out, "--format", "html,json", *flags)


def test_a_model_alone_is_audited(alone):
    assert alone.done.returncode == 0, alone.done.stderr
    status = {id_: section["status"] for id_, section in alone.sections.items()}
    assert {id_ for id_, word in status.items() if word == "done"} == DONE
    assert {id_ for id_, word in status.items() if word == "not_applicable"} == WITHOUT
    assert set(status) == DONE | WITHOUT
    assert (alone.report["subject"]["samples"], alone.report["subject"]["labelled"]) == (0, False)


def test_what_needs_samples_says_which_option_gives_them(alone):
    for id_ in WITHOUT:
        found = findings(alone.sections[id_])
        assert found
        for finding in found.values():
            assert finding["level"] == "not_applicable"
            assert finding["message"].startswith("Not checked: there are no samples. ")
            assert SAMPLES in finding["message"]
            assert "--data FILE.npz" in finding["message"]
        assert alone.sections[id_]["blocks"] == []


def test_checks_of_samples_in_the_other_sections_are_not_applicable(alone):
    overview = findings(alone.sections["overview"])
    for id_ in ("model.answers", "inputs.skipped"):
        assert overview[id_]["level"] == "not_applicable"
        assert "There are no samples" in overview[id_]["message"]
    assert findings(alone.sections["optvis"])["optvis.below_natural"]["level"] == "not_applicable"
    assert overview["model.unsafe_content"]["level"] == "pass"


def test_what_was_assumed_is_told(alone):
    (assumed,) = alone.report["subject"]["assumed"]
    assert assumed.startswith("Input scaling was not declared. unit was assumed: ")
    assert f"inputs.assumed: {assumed}"[:80] in alone.done.stdout


def test_the_line_to_type_next_is_printed(alone):
    lines = [line.strip() for line in alone.done.stdout.splitlines()]
    place = lines.index(f"reportgen audit {alone.model} --images FOLDER_OF_CLASS_FOLDERS")
    said = "The model alone was audited. To see what it answers, type next:"
    assert lines[place - 1] == said


def test_weights_are_judged_without_samples(alone):
    found = findings(alone.sections["weights"])
    assert {finding["level"] for finding in found.values()} <= {"pass", "note", "not_applicable"}
    assert found["weights.non_finite"]["level"] == "pass"
    assert any("effect of flags was not measured" in m for m in alone.sections["weights"]["method"])


CLAIMS = [
    r"strongest sample",
    r"\bno sample\b",
    r"weaker than (a|any|the) sample",
    r"samples that excite",
    r"tells? a class apart",
    r"DeepDream",
    r"natural path|own way|path unclear",
    r"excites? it (most|least) of",
    r"\bnan\b|\bNaN\b",
]


def words(value):
    """Every text in a section, but for the titles of its checks, which stand in every report."""
    if isinstance(value, dict):
        checks = "level" in value and "evidence" in value
        for key, part in value.items():
            if not (checks and key == "title"):
                yield from words(part)
    elif isinstance(value, list):
        for part in value:
            yield from words(part)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("claim", CLAIMS)
def test_optimised_images_claim_nothing_about_samples(claim, alone):
    said = list(words(alone.sections["optvis"]))
    assert len(said) > 20
    assert [one for one in said if re.search(claim, one)] == []


def test_optimised_images_say_what_stood_in(alone):
    optvis = alone.sections["optvis"]
    assert any(
        "There are no samples" in one and "random pictures" in one for one in optvis["method"]
    )
    kinds = {block["kind"] for block in optvis["blocks"]}
    assert {"image_grid", "table"} <= kinds
    grids = [block for block in optvis["blocks"] if block["kind"] == "image_grid"]
    notes = [panel["note"] for block in grids for panel in block["panels"]]
    assert notes
    assert all("the best random picture" in note for note in notes)


def test_the_page_is_written_and_names_the_sections(alone):
    page = (alone.out / "report.html").read_text()
    for section in alone.sections.values():
        assert f">{section['title']}<" in page
    assert "strongest sample" not in page


@pytest.fixture(scope="module")
def numbers(samples, tmp_path_factory):
    """The network of the parabola, which takes no images: one number in, one out."""
    out = tmp_path_factory.mktemp("numbers") / "report"
    only = ("--only", "overview,optvis", "--format", "json")
    return audit(samples / "parabola/model.keras", out, *only)


def test_a_model_that_takes_no_images(numbers):
    assert numbers.done.returncode == 0, numbers.done.stderr
    assert numbers.sections["overview"]["status"] == "done"
    optvis = numbers.sections["optvis"]
    assert optvis["status"] == "not_applicable"
    assert "the model does not take images" in optvis["method"][0]
    assert numbers.report["subject"]["assumed"] == []


def test_a_model_that_takes_no_images_is_not_told_to_give_some(numbers):
    """An audit with --images would refuse it, and ask for --data."""
    lines = [line.strip() for line in numbers.done.stdout.splitlines()]
    (line,) = [line for line in lines if line.startswith(f"reportgen audit {numbers.model} ")]
    assert "--data" in line
    assert "--images" not in line
