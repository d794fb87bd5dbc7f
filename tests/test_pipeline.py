"""The driver: sections, deaths, limits, verdicts; on the digits sample."""

from __future__ import annotations

import json

import numpy as np
import psutil
import pytest

from reportgen.battery import BATTERY
from reportgen.config import build_config, load_config
from reportgen.errors import ConfigurationError, LimitError
from reportgen.pipeline import choose_battery, creation_time, judge, run_audit
from reportgen.report.findings import Finding
from reportgen.report.sections import Section
from reportgen.worker.process import InlineExecutor, LocalWorker

IDS = tuple(analysis.id for analysis in BATTERY)


class Killer:
    """A display that kills the worker when ``stage`` begins; once or every time."""

    def __init__(self, stage: str) -> None:
        self.wanted, self.stages = stage, []

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def advance(self, done: int, total: int, label: str) -> None:
        if self.stages[-1] == self.wanted:
            for child in psutil.Process().children(recursive=True):
                child.kill()


@pytest.fixture(scope="module")
def killed(samples, tiny):
    display = Killer("feature_maps")
    config = load_config(samples / "digits", {"preset": "quick", "options": tiny})
    report, timing = run_audit(config, display=display)
    return report, timing, display


def test_killing_the_worker_costs_one_section(killed):
    report, timing, display = killed
    assert {s.id: s.status for s in report.sections} == {
        **dict.fromkeys(IDS, "done"),
        "feature_maps": "error",
    }
    assert display.stages[1:] == list(IDS)
    broken = next(s for s in report.sections if s.id == "feature_maps")
    assert "SIGKILL" in broken.method[0]
    assert set(timing.seconds) == {"opening", *IDS} - {"feature_maps"}


def test_a_broken_section_answers_each_of_its_checks_with_an_error(killed):
    broken = next(s for s in killed[0].sections if s.id == "feature_maps")
    assert {f.id: f.level for f in broken.findings} == dict.fromkeys(
        ("features.non_finite", "features.dead_channels", "features.saturated"), "error"
    )
    assert killed[0].verdict.level == "error"
    assert "1 section is missing" in killed[0].verdict.sentence


def test_the_report_survives_json(killed):
    report = killed[0]
    again = type(report).model_validate_json(report.to_json())
    assert again.model_dump() == report.model_dump()
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(json.loads(report.to_json()), type(report).model_json_schema())


def test_every_array_that_a_block_names_is_there(killed):
    text = killed[0].to_json()
    # Records are shown nowhere: they are for whoever computes the numbers again.
    shown = {key for key in killed[0].arrays if not key.split("/")[1].startswith("record_")}
    for key in shown:
        assert f'"{key}"' in text
    named = {
        value
        for section in killed[0].sections
        for block in section.blocks
        for value in (
            [panel.tiles for panel in block.panels if panel.tiles]
            if block.kind == "image_grid"
            else [getattr(block, name, None) for name in ("values", "states")]
            if block.kind in ("heat_map", "contour", "surface")
            else []
        )
    }
    assert named - {None} == shown


def test_a_hang_is_ended_at_the_time_limit(samples, monkeypatch):
    config = load_config(samples / "digits", {"time_limit": 0.5, "preset": "quick"})
    with pytest.raises(LimitError, match=r"0.5 seconds.*--time-limit"):
        run_audit(config)


# Of optvis and the landscape, `test_contract` holds the same in one process.
NUMBERS = ("overview", "predictions", "feature_maps", "weights")


@pytest.mark.parametrize(
    "only", [NUMBERS, pytest.param((), marks=pytest.mark.matrix)], ids=["numbers", "all"]
)
def test_the_same_seed_gives_the_same_report(samples, monkeypatch, tiny, only):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    # A busy machine must neither end a picture early nor make another precision the faster one.
    lifted = {"optvis": {"seconds": 3600.0}, "loss_landscape": {"seconds": 3600.0}}
    steady = {id_: {**options, **lifted.get(id_, {})} for id_, options in tiny.items()}
    config = load_config(
        samples / "digits", {"preset": "quick", "seed": 5, "options": steady, "only": only}
    )
    with LocalWorker() as first, LocalWorker() as second:
        one, two = (run_audit(config, executor=w)[0] for w in (first, second))
    assert one.to_json() == two.to_json()
    assert one.environment.created == "2023-11-14T22:13:20+00:00"
    assert one.environment.host is None
    assert all(section.seconds is None for section in one.sections)
    for key in one.arrays:
        np.testing.assert_array_equal(one.arrays[key], two.arrays[key])


def test_a_date_that_is_no_number_is_refused(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(ConfigurationError, match="yesterday"):
        creation_time()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"only": ("optviz",)}, "no analysis 'optviz'"),
        ({"skip": IDS}, "nothing to run"),
        ({"options": {"weights": {"shown": 3}}}, "unknown key weights.shown"),
        ({"options": {"weights": {"near_zero": "much"}}}, "weights.near_zero"),
        ({"options": {"predictions": {"min_accuracy": float("nan")}}}, "min_accuracy"),
    ],
)
def test_unknown_analyses_and_options_are_named(settings, said):
    with pytest.raises(ConfigurationError, match=said):
        choose_battery(build_config(settings))


def test_presets_are_values_of_options():
    quick, standard, full = (
        {analysis.id: options for analysis, options in choose_battery(build_config(settings))}
        for settings in ({"preset": "quick"}, {}, {"preset": "full"})
    )
    for analysis in BATTERY:
        assert type(quick[analysis.id]) is type(full[analysis.id]) is analysis.options
    shown = [table["predictions"].shown_samples for table in (quick, standard, full)]
    assert shown == sorted(shown)
    own = choose_battery(build_config({"options": {"predictions": {"shown_samples": 3}}}))
    assert own[1][1].shown_samples == 3


def section(status: str, *levels: str) -> Section:
    findings = tuple(Finding(id="a.b", level=level, title="t", message="m") for level in levels)
    return Section(id="s", title="S", why="w", status=status, findings=findings)


@pytest.mark.parametrize(
    ("sections", "level", "sentence"),
    [
        ([("done", "pass", "note")], "note", "No problem found by 2 checks."),
        ([("done", "pass", "warn", "warn")], "warn", "2 checks warn: t; t."),
        ([("done", "fail", "warn")], "fail", "1 check failed and 1 check warns: t; t."),
        ([("done", "not_applicable")], "pass", "Nothing could be checked."),
        (
            [("done", "fail"), ("error", "error")],
            "error",
            "1 section is missing because of an error. Elsewhere: 1 check failed: t.",
        ),
    ],
)
def test_the_verdict_is_the_worst_level_in_one_sentence(sections, level, sentence):
    verdict = judge(tuple(section(*args) for args in sections))
    assert (verdict.level, verdict.sentence) == (level, sentence)


def test_a_model_with_nothing_to_look_at_is_no_error(tmp_path):
    """Pictures go into a network that reads their rows as a sequence."""
    import keras
    from PIL import Image

    inner = [keras.layers.SimpleRNN(3), keras.layers.Dense(2, activation="softmax")]
    keras.Sequential([keras.Input((9, 9)), *inner]).save(tmp_path / "rows.keras")
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(4):
            pixels = rng.integers(0, 256, (9, 9)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{i}.png")
    given = {"images": tmp_path / "images", "preprocessing": "unit", "only": ("optvis",)}
    config = load_config(tmp_path / "rows.keras", given)
    report, _ = run_audit(config, executor=InlineExecutor())
    section = next(s for s in report.sections if s.id == "optvis")
    assert section.status == "not_applicable"
    assert {finding.level for finding in section.findings} == {"not_applicable"}
    assert "nothing to paint" in section.findings[0].message
    assert "Run the audit again" not in section.findings[0].message
