"""The report as an object: short to look at, easy to ask, nothing of the library in the way."""

from __future__ import annotations

import copy
import pickle
import sys
import types

import numpy as np
import pytest

from reportgen.api import Report
from reportgen.battery import all_checks
from reportgen.errors import OutputError, UsageError
from reportgen.report.cards import Environment, SubjectCard
from reportgen.report.findings import Finding, Metric
from reportgen.report.registry import DIRECTIONS
from reportgen.report.sections import Section
from reportgen.report.verdict import judge

CARD = {
    "name": "digits",
    "file_format": "Keras v3",
    "sha256": None,
    "size_bytes": None,
    "keras_version": None,
    "task": "softmax",
    "task_reason": "r",
    "input_shape": (8, 8, 1),
    "input_kind": "image",
    "outputs": ("out",),
    "parameters": 1,
    "layers": 1,
    "conv_layers": 1,
    "samples": 1,
    "samples_found": 1,
    "labelled": True,
    "split": "test",
    "preprocessing": "none",
    "resize": "none",
}
ENVIRONMENT = {
    "created": "2026-01-01T00:00:00+00:00",
    "reportgen": "0.1.0",
    "versions": {},
    "device": None,
    "host": None,
    "seed": 0,
    "preset": "quick",
    "options": {},
}


def finding(id_, level, **more):
    return Finding(id=id_, level=level, title=id_, message="m", **more)


def make(*levels):
    """A report of two sections; the findings of the first have the given levels."""
    ids = ("predictions.accuracy", "predictions.calibration", "predictions.class_collapse")
    values = (0.875, 0.0625, None)
    found = tuple(
        finding(id_, level, value=value, unit="share" if value else None)
        for id_, level, value in zip(ids, levels, values, strict=False)
    )
    sections = (
        Section(id="predictions", title="P", why="w", status="done", findings=found),
        Section(id="weights", title="W", why="w", status="not_applicable"),
    )
    return Report(
        verdict=judge(sections),
        subject=SubjectCard(**CARD),
        environment=Environment(**ENVIRONMENT),
        sections=sections,
    ).with_arrays({"weights/a": np.arange(3)})


REPORT = make("pass", "note", "not_applicable")


def test_it_says_in_two_lines_what_it_is():
    assert str(REPORT) == (
        "Report of 'digits': NOTE. No problem found by 2 checks.\n"
        "2 sections; findings: 1 not applicable, 1 pass, 1 note."
    )
    assert repr(REPORT) == f"<{REPORT}>"
    assert dict(REPORT.__rich_repr__())["verdict"] == "note"


def test_findings_and_metrics_are_tuples():
    assert [f.id for f in REPORT.findings] == [
        "predictions.accuracy",
        "predictions.calibration",
        "predictions.class_collapse",
    ]
    assert REPORT.metrics == (
        Metric(name="predictions.accuracy", value=0.875, unit="share", better="higher"),
        Metric(name="predictions.calibration", value=0.0625, unit="share", better="lower"),
    )


def test_the_direction_of_a_metric_is_that_of_its_check():
    assert {id_: check.better for id_, (_, check) in all_checks().items() if check.better} == (
        DIRECTIONS
    )


def test_a_section_by_its_id():
    assert REPORT["weights"] is REPORT.sections[1]
    assert repr(REPORT["weights"]) == "<Section 'weights': not_applicable, 0 findings, 0 blocks>"
    assert str(REPORT["predictions"]) == (
        "P: done; predictions.accuracy pass, predictions.calibration note, "
        "predictions.class_collapse not_applicable"
    )
    assert "weights" in REPORT
    assert "weigths" not in REPORT
    with pytest.raises(KeyError) as caught:
        REPORT["weigths"]
    assert caught.value.args[0] == (
        "There is no section 'weigths'. Did you mean 'weights'? Known: predictions, weights."
    )


@pytest.mark.parametrize(
    ("levels", "ok"),
    [
        (("pass", "pass"), True),
        (("pass", "note"), True),
        (("pass", "not_applicable"), True),
        (("pass", "warn"), False),
        (("fail",), False),
        (("pass", "error"), False),
        (("not_applicable",), False),  # nothing was checked: no news is not good news
        ((), False),
    ],
)
def test_ok_means_that_something_was_checked_and_nothing_was_found(levels, ok):
    assert make(*levels).ok is ok


def test_completion_shows_ours_and_nothing_of_the_library():
    assert dir(REPORT) == [
        "arrays",
        "environment",
        "findings",
        "load",
        "metrics",
        "ok",
        "schema_version",
        "sections",
        "subject",
        "to_dataframe",
        "to_file",
        "to_html",
        "to_json",
        "to_pdf",
        "verdict",
        "with_arrays",
    ]
    assert dir(REPORT.findings[0])[:3] == ["cause", "evidence", "id"]


def test_it_can_be_copied_pickled_and_read_back():
    for again in (pickle.loads(pickle.dumps(REPORT)), copy.deepcopy(REPORT)):
        assert again.to_json() == REPORT.to_json()
        np.testing.assert_array_equal(again.arrays["weights/a"], [0, 1, 2])
    assert Report.model_validate_json(REPORT.to_json()).findings == REPORT.findings


def test_to_file_makes_the_folder(tmp_path):
    path = REPORT.to_file(tmp_path / "new" / "deep" / "r.json")
    assert path.read_text() == REPORT.to_json()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot be written: .*Give another path\."):
        REPORT.to_file(tmp_path / "file" / "r.json")


def test_a_table_where_pandas_is(monkeypatch):
    stub = types.ModuleType("pandas")
    stub.DataFrame = lambda rows, columns: (rows, columns)
    monkeypatch.setitem(sys.modules, "pandas", stub)
    rows, columns = REPORT.to_dataframe()
    assert columns == [
        "section",
        "id",
        "level",
        "title",
        "message",
        "value",
        "low",
        "high",
        "unit",
        "threshold",
    ]
    assert len(rows) == 3
    first = dict(zip(columns, rows[0], strict=True))
    assert (first["section"], first["level"], first["value"]) == ("predictions", "pass", 0.875)


def test_without_pandas_it_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r"pip install pandas.*report\.findings"):
        REPORT.to_dataframe()


def test_a_real_table():
    pandas = pytest.importorskip("pandas")
    table = REPORT.to_dataframe()
    assert isinstance(table, pandas.DataFrame)
    assert table.set_index("id").loc["predictions.accuracy", "value"] == 0.875


def test_a_format_that_could_not_be_written_is_a_warning(monkeypatch, tmp_path):
    from reportgen import api, formats
    from reportgen.errors import PdfUnavailableError
    from reportgen.report.cards import Timing

    def fail(writing):
        raise PdfUnavailableError("The PDF cannot be made: no Pango.")

    broken = formats.Format("pdf", "report.pdf", fail)
    monkeypatch.setattr(formats, "FORMATS", (broken, formats.REPORT_JSON))
    monkeypatch.setattr("reportgen.pipeline.run_audit", lambda *a, **k: (REPORT, Timing()))
    (tmp_path / "m.keras").touch()
    with pytest.warns(UserWarning, match="no Pango"):
        api.audit(tmp_path / "m.keras", out=tmp_path / "out")
    assert (tmp_path / "out/report.json").is_file()
    assert not (tmp_path / "out/report.pdf").exists()


def test_a_report_that_no_format_knows_of_says_where_to_take_it_from(monkeypatch):
    monkeypatch.setattr("reportgen.report.registry.WRITERS", {})
    with pytest.raises(UsageError, match="from reportgen import Report"):
        REPORT.to_file("r.json")
