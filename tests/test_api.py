"""The Python interface: live models and arrays, paths, files by suffix, notebooks."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import reportgen
from reportgen.analyses import BATTERY
from reportgen.analyses.contract import Need
from reportgen.errors import InputError, UsageError
from reportgen.worker import jobs


@pytest.fixture(scope="module")
def live(tiny):
    """A tiny model, arrays that it has never seen, and its report."""
    import keras

    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    x = np.random.default_rng(0).random((40, 6, 6, 1), np.float32)
    y = np.arange(40) % 3
    report = reportgen.audit(model, x, y, preset="quick", options=tiny, classes=("a", "b", "c"))
    return model, x, y, report


def test_a_live_model_is_audited_in_this_process(live):
    _, _, _, report = live
    assert [s.status for s in report.sections] == ["done"] * len(BATTERY)
    assert report.subject.classes == ("a", "b", "c")
    assert report.subject.sha256 is None
    assert report.subject.samples == 40


def test_a_live_model_is_not_kept_alive(live):
    assert jobs._open == {}


def test_the_suffix_chooses_the_format(live, tmp_path):
    report = live[3]
    page = report.to_file(tmp_path / "r.html").read_text()
    assert page == report.to_html()
    assert report.to_file(str(tmp_path / "r.json")).read_text() == report.to_json()
    with pytest.raises(UsageError, match=r"\.docx"):
        report.to_file(tmp_path / "r.docx")


def test_the_pdf_is_written_by_suffix(live, tmp_path):
    pytest.importorskip("weasyprint", exc_type=Exception)
    assert live[3].to_file(tmp_path / "r.pdf").read_bytes().startswith(b"%PDF-")


def test_a_notebook_shows_the_page_in_a_frame_of_its_own(live):
    shown = live[3]._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert "<script" not in shown  # escaped into the attribute
    assert "sandbox" in shown


def test_out_writes_the_folder_and_render_reads_it_back(live, tmp_path):
    model, x, y, _ = live
    out = tmp_path / "report"
    report = reportgen.audit(
        model, x, y, out=out, preset="quick", formats=("html", "json"), only=("weights",)
    )
    again = reportgen.render(out)
    assert again.to_json() == report.to_json()
    assert again.to_html() == (out / "report.html").read_text()


@pytest.mark.parametrize(
    ("args", "error", "said"),
    [
        (("no/such/model.keras",), InputError, "does not exist"),
        (("samples/digits", np.zeros((1, 8, 8))), UsageError, "live model"),
        ((object(), np.zeros(3)), UsageError, "got object"),
    ],
)
def test_wrong_calls_say_what_is_needed(args, error, said):
    with pytest.raises(error, match=said):
        reportgen.audit(*args)


def test_a_live_model_needs_samples(live):
    with pytest.raises(UsageError, match="needs samples"):
        reportgen.audit(live[0])


def test_a_script_without_a_main_guard_can_audit(samples, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import reportgen\n"
        "print('started')\n"
        f"report = reportgen.audit({str(samples / 'parabola')!r}, preset='quick',\n"
        "                         only=('overview',))\n"
        "print(report.subject.file_name)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.stdout.split() == ["started", "model.keras"], done.stderr


def test_all_names_resolve():
    for name in reportgen.__all__:
        assert getattr(reportgen, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = reportgen.nothing


def test_a_subclassed_model_is_audited_too(tiny):
    import keras

    class Subclassed(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.conv = keras.layers.Conv2D(4, 3, activation="relu", name="conv")
            self.flat = keras.layers.Flatten(name="flat")
            self.out = keras.layers.Dense(3, activation="softmax", name="out")

        def call(self, x):
            return self.out(self.flat(self.conv(x)))

    x = np.random.default_rng(0).random((40, 6, 6, 1), np.float32)
    report = reportgen.audit(Subclassed(), x, np.arange(40) % 3, preset="quick", options=tiny)
    assert [s.status for s in report.sections] == ["done"] * len(BATTERY)
    assert report.subject.task == "softmax"
    assert any("/conv" in block.id or "conv" in block.title for block in report.sections[3].blocks)


def test_whole_numbers_reach_an_embedding(tiny):
    import keras

    tokens = keras.Input((10,), dtype="int32")
    hidden = keras.layers.Flatten()(keras.layers.Embedding(50, 6)(tokens))
    model = keras.Model(tokens, keras.layers.Dense(2, activation="softmax")(hidden))
    x = np.random.default_rng(0).integers(0, 50, (40, 10))
    report = reportgen.audit(model, x, np.arange(40) % 2, preset="quick", options=tiny)
    missing = {s.id for s in report.sections if s.status != "done"}
    assert missing == {a.id for a in BATTERY if Need.IMAGES in a.needs}


def test_a_model_that_does_not_fit_the_samples_is_named():
    import keras

    model = keras.Sequential([keras.layers.Conv2D(4, 3)])
    with pytest.raises(UsageError, match=r"samples of shape \(8,\)"):
        reportgen.audit(model, np.zeros((4, 8)))
