"""The walls: who imports what, and what every analysis promises."""

import ast
import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest

from reportgen.analyses.contract import Need, unmet
from reportgen.battery import BATTERY, find_analysis
from reportgen.worker.jobs import pack_body, unpack_body

PACKAGE = Path(__file__).resolve().parents[2] / "reportgen"
IDS = [analysis.id for analysis in BATTERY]
# The public list of findings, for the sections that are there.
PUBLIC = {
    "attributions": {
        "attributions.faithfulness",
        "attributions.sanity",
        "attributions.shortcut",
    },
    "overview": {"model.unsafe_content", "model.repaired", "inputs.skipped"},
    "inputs": {
        "inputs.duplicates",
        "inputs.scaling",
        "inputs.class_order",
        "inputs.resizing",
        "inputs.leak",
        "inputs.blank_answer",
        "weights.batchnorm_stale",
        "predictions.suspect_labels",
        "predictions.unstable",
    },
    "predictions": {
        "predictions.accuracy",
        "predictions.calibration",
        "predictions.class_collapse",
    },
    "feature_maps": {"features.non_finite", "features.dead_channels", "features.saturated"},
    "weights": {
        "weights.non_finite",
        "weights.dead_filters",
        "weights.duplicate_filters",
        "weights.untrained_layers",
        "weights.batchnorm_degenerate",
    },
    "optvis": {"optvis.unresponsive_units", "optvis.below_natural"},
    "loss_landscape": {
        "landscape.not_a_minimum",
        "landscape.negative_curvature",
        "landscape.plane_fidelity",
        "landscape.history_mismatch",
    },
}


def modules(*folders: str, name: str = "*") -> list[str]:
    files = [file for folder in folders for file in PACKAGE.glob(f"{folder}/{name}.py")]
    parts = [file.relative_to(PACKAGE.parent).with_suffix("").parts for file in sorted(files)]
    return [".".join(p for p in part if p != "__init__") for part in parts]


def imported(file: Path) -> set[str]:
    """Top-level names of everything that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_every_folder_is_in_the_battery():
    folders = {file.parent.name for file in PACKAGE.glob("analyses/*/__init__.py")}
    assert folders == set(IDS)
    assert len(set(IDS)) == len(IDS)


def test_the_right_side_of_the_report_never_imports_tensorflow():
    names = ["reportgen", "reportgen.pipeline", "reportgen.battery", "reportgen.catalogue"]
    names += modules("cli", "report", "formats", "figures", "rendering")
    names += modules("analyses/*", name="present") + modules("analyses/*", name="__init__")
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
        "    bad = {'tensorflow', 'keras', 'jax', 'torch'} & set(sys.modules)\n"
        "    assert not bad, (name, bad)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_computing_modules_neither_draw_nor_write_pages():
    drawing = {"matplotlib", "jinja2", "weasyprint", "PIL"}
    for file in PACKAGE.glob("analyses/**/*.py"):
        assert not imported(file) & drawing, file


@pytest.mark.parametrize("id_", IDS)
def test_checks_are_the_public_list(id_):
    (analysis,) = [a for a in BATTERY if a.id == id_]
    # None of them may go or be renamed: users gate on them. New ones may come.
    assert {check.id for check in analysis.checks} >= PUBLIC.get(id_, set())
    assert analysis.why.endswith(".")
    assert analysis.title


@pytest.fixture(scope="module", params=IDS)
def twice(request, trained, pictures, subject_of, analyse):
    """The same audit twice with one seed, and the hash of the weights around it."""
    subject = subject_of(trained, *pictures, preprocessing="unit")
    before = subject.weights_hash()
    first, second = (analyse(request.param, subject, seed=7, tiny=True) for _ in range(2))
    return request.param, first, second, before, subject.weights_hash()


def values_in(item):
    """All numbers and arrays in a result, however deep."""
    if is_dataclass(item):
        for entry in fields(item):
            yield from values_in(getattr(item, entry.name))
    elif isinstance(item, tuple | list):
        for entry in item:
            yield from values_in(entry)
    elif isinstance(item, float | np.ndarray):
        yield item


def test_the_same_seed_gives_the_same_section(twice):
    _, first, second, _, _ = twice
    assert first.body.findings == second.body.findings
    assert first.body.blocks == second.body.blocks
    assert first.body.method == second.body.method
    assert list(first.body.arrays) == list(second.body.arrays)
    for key, array in first.body.arrays.items():
        np.testing.assert_array_equal(array, second.body.arrays[key])


def test_the_weights_are_left_alone(twice):
    *_, before, after = twice
    assert before == after


def test_every_number_is_finite(twice):
    id_, first, *_ = twice
    for value in values_in(first.result):
        if isinstance(value, float) or value.dtype.kind == "f":
            # Units folded into a picture are filled up with NaN.
            padding = id_ == "feature_maps" and np.ndim(value) == 4
            # Of pictures, NaN is a mark that cannot be given, or a step that was not taken; of
            # planes, a cell that has no number.
            gaps = id_ in ("optvis", "loss_landscape")
            finite = np.isinf(value) == 0 if gaps else np.isfinite(value)
            assert padding or np.all(finite)


def test_the_section_survives_the_round_trip(twice):
    _, first, *_ = twice
    body, seconds, memory = unpack_body(pack_body(first.body, 1.5, 2**20))
    assert (seconds, memory) == (1.5, 2**20)
    assert (body.findings, body.blocks, body.method) == (
        first.body.findings,
        first.body.blocks,
        first.body.method,
    )
    assert set(body.arrays) == set(first.body.arrays)
    for key, array in first.body.arrays.items():
        assert body.arrays[key].dtype == array.dtype
        np.testing.assert_array_equal(body.arrays[key], array)


def test_findings_and_blocks_belong_together(twice):
    id_, first, *_ = twice
    findings, blocks = first.body.findings, first.body.blocks
    assert [finding.id for finding in findings] == [check.id for check in find_analysis(id_).checks]
    names = [block.id for block in blocks]
    assert len(set(names)) == len(names)
    for finding in findings:
        assert finding.message
        assert finding.evidence is None or finding.evidence in names
        if finding.level != "not_applicable":
            assert None not in (finding.value, finding.unit, finding.threshold, finding.evidence)


def test_pictures_have_words_and_arrays(twice):
    id_, first, *_ = twice
    used = set()
    for block in first.body.blocks:
        assert block.caption
        if block.kind not in ("text", "key_values", "table"):
            assert block.alt
        keys = [panel.tiles for panel in getattr(block, "panels", ())]
        if block.kind in ("heat_map", "contour", "surface"):
            keys += [block.values, getattr(block, "states", None)]
        used |= {key for key in keys if key}
    # Tables beside the report are no pictures; the method says what they are.
    beside = {key for key in first.body.arrays if key.startswith(("census_", "record_"))}
    said = " ".join(first.body.method)
    assert all(key.split("_")[0] + "_" in said for key in beside)
    assert used == {f"{id_}/{key}" for key in first.body.arrays if key not in beside}


@pytest.mark.parametrize("id_", IDS)
def test_an_unmet_need_is_said(id_, trained, pictures, subject_of):
    (analysis,) = [a for a in BATTERY if a.id == id_]
    findings = analysis.not_checked("not_applicable", "what is missing")
    assert {finding.id for finding in findings} == {check.id for check in analysis.checks}
    assert {finding.level for finding in findings} == {"not_applicable"}


def test_needs_are_read_off_the_card(trained, pictures, subject_of):
    card = subject_of(trained, pictures[0], preprocessing="unit").card
    assert unmet(frozenset(Need), card) == [Need.LABELS]
    assert all(need.missing and need.remedy.endswith(".") for need in Need)


def test_the_pipeline_keeps_a_section_that_cannot_run(trained, pictures, monkeypatch):
    import dataclasses

    import reportgen
    from reportgen import pipeline

    needy = dataclasses.replace(BATTERY[0], needs=frozenset({Need.LABELS}))
    monkeypatch.setattr(pipeline, "BATTERY", (needy,))
    report = reportgen.audit(trained, pictures[0], preprocessing="unit")
    (section,) = report.sections
    assert section.status == "not_applicable"
    assert {finding.id for finding in section.findings} == {check.id for check in needy.checks}
    assert all("Give class folders" in f.message for f in section.findings)
