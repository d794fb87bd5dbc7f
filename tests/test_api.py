"""The Python interface: live models and arrays, paths, files by suffix, notebooks."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

import reportgen
from reportgen.analyses.contract import Need
from reportgen.battery import BATTERY
from reportgen.errors import ConfigurationError, InputError, LimitError, UsageError
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


def keep_section(report, name):
    """The report with one of its sections, which is soon drawn."""
    return report.model_copy(update={"sections": (report[name],)})


def test_a_live_model_is_audited_in_this_process(live):
    _, _, _, report = live
    assert [s.status for s in report.sections] == ["done"] * len(BATTERY)
    assert report.subject.classes == ("a", "b", "c")
    assert report.subject.sha256 is None
    assert report.subject.samples == 40


def test_a_live_model_is_not_kept_alive(live):
    assert jobs._open == {}


def test_the_suffix_chooses_the_format(live, tmp_path):
    report = keep_section(live[3], "weights")
    page = report.to_file(tmp_path / "r.html").read_text()
    assert page == report.to_html()
    assert report.to_file(str(tmp_path / "r.json")).read_text() == report.to_json()
    with pytest.raises(UsageError, match=r"\.docx"):
        report.to_file(tmp_path / "r.docx")


def test_the_pdf_is_written_by_suffix(live, tmp_path):
    pytest.importorskip("weasyprint", exc_type=Exception)
    report = keep_section(live[3], "weights")
    assert report.to_file(tmp_path / "r.pdf").read_bytes().startswith(b"%PDF-")


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


QUICK = {"preset": "quick", "only": "predictions"}


def test_the_arguments_of_audit_are_the_settings_of_an_audit():
    """Typed one by one, so that editors complete them; and none is forgotten."""
    import inspect

    from reportgen.config import AuditConfig

    arguments = inspect.signature(reportgen.audit).parameters
    internal = {"model", "formats_named", "quiet"}  # positional; set by the command line only
    assert set(arguments) - {"model", "x", "y"} == set(AuditConfig.model_fields) - internal
    for name in set(arguments) - {"model", "x", "y"}:
        assert arguments[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert arguments[name].annotation != inspect.Parameter.empty
        assert arguments[name].default in (None, False)  # not given
        assert re.search(rf"^        (\w+, )*{name}[,:]", reportgen.audit.__doc__, re.M), name


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"presett": "quick"}, "audit has no argument 'presett'. Did you mean 'preset'? Known: "),
        ({"preprocesing": "unit"}, "Did you mean 'preprocessing'?"),
        ({"preset": "quik"}, "got 'quik'. Did you mean 'quick'?"),
        ({"only": "predictons"}, "no analysis 'predictons'. Did you mean 'predictions'?"),
        ({"preprocessing": "symetric"}, "'symetric' is unknown. Did you mean 'symmetric'?"),
        ({"options": {"weigths": {}}}, "Did you mean 'weights'?"),
        (
            {"options": {"predictions": {"min_acuracy": 1}}},
            "unknown key predictions.min_acuracy. Did you mean 'min_accuracy'?",
        ),
    ],
)
def test_every_misspelled_name_is_answered_with_the_nearest(live, settings, said):
    model, x, y, _ = live
    with pytest.raises(ConfigurationError) as caught:
        reportgen.audit(model, x, y, **settings)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"memory_limit": 4}, r"memory_limit cannot be held .*model\.save.*memory_limit=4\)"),
        ({"device": "cpu"}, r"device cannot be held for a live model.*device='cpu'\)"),
        ({"images": "photos"}, "images goes with a model file"),
        ({"sha256": "0" * 64}, "sha256 goes with a model file"),
        ({"allow_unsafe": True}, "allow_unsafe goes with a model file"),
        ({"train": "folder"}, "train needs a pair of arrays"),
    ],
)
def test_what_a_live_model_cannot_be_held_to_is_refused(live, settings, said):
    model, x, y, _ = live
    with pytest.raises(UsageError, match=said):
        reportgen.audit(model, x, y, **settings)


def test_the_time_limit_holds_for_a_live_model_and_costs_a_section_only(live, monkeypatch):
    from reportgen.worker import process

    model, x, y, _ = live
    asked = []
    real = process.within

    def within(seconds):
        asked.append(seconds)  # opening is left its time, the analyses have none
        return real(seconds if len(asked) == 1 else 0)

    monkeypatch.setattr(process, "within", within)
    report = reportgen.audit(model, x, y, preset="quick", only="weights,overview", time_limit=77)
    assert set(asked) == {77}
    assert report["weights"].status == "error"
    assert "did not finish within 0 seconds and was stopped. Raise time_limit" in (
        report["weights"].findings[0].message
    )
    assert report.verdict.level == "error"
    assert not report.ok


def test_without_time_to_read_the_samples_there_is_nothing_to_report(live):
    import tensorflow as tf

    model, x, y, _ = live
    dataset = tf.data.Dataset.from_tensor_slices((x, y))
    with pytest.raises(LimitError, match=r"could not be read\. It did not finish within 1e-09 sec"):
        reportgen.audit(model, dataset, time_limit=1e-9)


def test_a_dataset_gives_what_its_arrays_give(live):
    import tensorflow as tf

    model, x, y, _ = live
    one_hot = np.eye(3, dtype=np.float32)[y]
    arrays = reportgen.audit(model, x, y, **QUICK)
    dataset = tf.data.Dataset.from_tensor_slices((x, one_hot)).batch(7)
    drawn = reportgen.audit(model, dataset, train=dataset, **QUICK)
    assert drawn.metrics == arrays.metrics
    assert drawn.subject == arrays.subject
    few = reportgen.audit(model, dataset, max_samples=2, **QUICK)
    assert (few.subject.samples, few.subject.samples_found) == (2, 32)
    assert any("Only the first 32 samples" in note for note in few.subject.notes)


def test_a_dataset_brings_its_own_labels(live):
    import tensorflow as tf

    model, x, y, _ = live
    dataset = tf.data.Dataset.from_tensor_slices((x, y))
    with pytest.raises(UsageError, match=r"brings its own labels\. Leave y out"):
        reportgen.audit(model, dataset, y)
    with pytest.raises(UsageError, match="arrays and datasets go with a live model"):
        reportgen.audit("model.keras", dataset)


def in_place(pixels):
    """As those of keras.applications: it writes into what it is given."""
    pixels /= 255
    return pixels


def test_preprocessing_may_be_a_function_and_works_on_a_copy(live):
    model, x, y, _ = live
    pixels = np.rint(x * 255).astype(np.float32)
    before = pixels.copy()
    named = reportgen.audit(model, pixels, y, preprocessing="unit", **QUICK)
    called = reportgen.audit(model, pixels, y, preprocessing=in_place, **QUICK)
    np.testing.assert_array_equal(pixels, before)
    assert called.metrics == named.metrics
    assert called.subject.preprocessing == f"{__name__}:in_place (your function)"
    assert not any("not declared" in note for note in called.subject.notes)


def test_the_preprocessing_of_keras_applications():
    import keras
    from keras.applications.vgg16 import preprocess_input

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(2, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    x = np.random.default_rng(1).uniform(0, 255, (12, 8, 8, 3)).astype(np.float32)
    before, y = x.copy(), np.arange(12) % 2
    report = reportgen.audit(model, x, y, preprocessing=preprocess_input, **QUICK)
    np.testing.assert_array_equal(x, before)
    own = reportgen.audit(model, x, y, preprocessing="imagenet-caffe", **QUICK)
    assert report.metrics == own.metrics
    said = model.predict(preprocess_input(x.copy()), verbose=0).argmax(axis=1)
    accuracy = next(m for m in report.metrics if m.name == "predictions.accuracy")
    assert accuracy.value == (said == y).mean()
    assert report.subject.preprocessing == (
        "keras.src.applications.vgg16:preprocess_input (your function)"
    )


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda p: p.reshape(len(p), -1), r"<lambda> made \(8, 36\) of \(8, 6, 6, 1\)"),
        (lambda p: p.astype(str), r"made <U32 of float32. It must give real numbers"),
        (lambda p: p + np.nan, "made NaN or infinity of the first samples"),
        (lambda p: p[:, 99], r"failed on samples of shape \(8, 6, 6, 1\) \(IndexError"),
    ],
)
def test_a_function_that_gives_no_inputs_is_named(live, function, said):
    model, x, y, _ = live
    with pytest.raises(ConfigurationError, match=said):
        reportgen.audit(model, x, y, preprocessing=function, **QUICK)


def test_a_function_travels_to_the_worker_by_its_name(samples):
    from keras.applications.imagenet_utils import preprocess_input

    from reportgen.subject.user_code import find_address

    assert find_address(preprocess_input) == (
        "keras.src.applications.imagenet_utils:preprocess_input"
    )
    for nameless in (lambda pixels: pixels, np.ones(1).sum):
        with pytest.raises(UsageError, match="Define it as a function of a module"):
            reportgen.audit(samples / "digits", preprocessing=nameless)


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
    (maps,) = [section for section in report.sections if section.id == "feature_maps"]
    assert any("/conv" in block.id or "conv" in block.title for block in maps.blocks)


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
