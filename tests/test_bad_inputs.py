"""What a stranger may hand us, from the command line to the exit code. Never a traceback."""

import json
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from reportgen import cli, pipeline
from reportgen.report.report import Report
from reportgen.worker import jobs
from reportgen.worker.process import InlineExecutor

HOSTILE = ("$\\frac{1}$", "<script>alert(1)<script>", "=cmd()", "\u202egnp.exe")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Tiny models on disk by name. All weights are drawn once, with a fixed seed."""
    import keras
    from keras import layers

    class Odd(layers.Layer):
        def call(self, x):
            return x

    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("models")

    def stack(*middle, shape=(8, 8, 3), units=2):
        end = [layers.Flatten(), layers.Dense(units, activation="softmax")]
        return keras.Sequential([keras.Input(shape), *middle, *end])

    def convolution():
        return layers.Conv2D(4, 3, activation="relu", name="conv")

    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    free = keras.Input((None, None, 3))
    made = {
        "conv": stack(convolution()),
        "four": stack(convolution(), units=4),
        "dense": stack(),
        # Linear: TensorFlow's fused convolution and ReLU makes zeros of NaN on its own.
        "broken": stack(layers.Conv2D(4, 3, name="conv")),
        "lambda": stack(layers.Lambda(lambda x: x * 2, name="doubler")),
        "custom": stack(Odd()),
        "two_inputs": keras.Model([left, right], layers.Add()([left, right])),
        "any_size": keras.Model(free, layers.GlobalAveragePooling2D()(convolution()(free))),
    }
    kernel = made["broken"].get_layer("conv").kernel
    kernel.assign(np.where(np.arange(108).reshape(kernel.shape) == 5, np.nan, kernel.numpy()))
    for name, model in made.items():
        model.save(folder / f"{name}.keras")
    return folder


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """The command as it is typed; ``worker=False`` computes in this process, to save an import."""
    before = signal.getsignal(signal.SIGTERM)

    def call(target, *options, worker=False, out=tmp_path / "out", only="overview"):
        settings = ["--format", "json", "--quiet", "--preset", "quick", "--out", out]
        # One section, the one that is looked at; what is refused never comes so far.
        settings += ["--only", only] if only and "--only" not in options else []
        argv = ["reportgen", "audit", target, *options, *settings]
        monkeypatch.setattr(sys, "argv", list(map(str, argv)))
        if not worker:
            monkeypatch.setattr(pipeline, "LocalWorker", lambda **_: InlineExecutor())
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capfd.readouterr()
        assert said.out == ""
        return SimpleNamespace(code=ended.value.code, said=said.err, out=out)

    yield call
    signal.signal(signal.SIGTERM, before)
    jobs.close_subject()


def refused(result, code, *words):
    """One line says it, and no folder is left behind."""
    assert result.code == code, result.said
    assert result.said.count("\n") == 1
    assert result.said.startswith("Error: ")
    for word in words:
        assert word in result.said
    assert not [
        name for name in os.listdir(result.out.parent) if "out" in name and name != ".out.lock"
    ]


def report_of(result):
    assert result.code == 0, result.said
    text = (result.out / "report.json").read_text("utf-8")
    assert json.loads(text)["schema_version"]
    report = Report.load(result.out)
    assert not [section.id for section in report.sections if section.status == "error"]
    return report


def levels(report):
    return {finding.id: finding.level for finding in report.findings}


def images(root, **counts):
    """Class folders with so many pictures of seeded noise each."""
    for label, count in counts.items():
        (root / label).mkdir(parents=True)
        for i in range(count):
            noise = np.random.default_rng([ord(label[0]), i]).integers(0, 256, (8, 8, 3))
            Image.fromarray(noise.astype(np.uint8)).save(root / label / f"{i}.png")
    return root


# Refused before anything is started.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[audit]\nmodle = 'x'\n", ("audit.toml, line 2: unknown key modle",)),
        ("[audit]\nseed = 'x'\n", ("line 2: seed", "whole number")),
        ("[predictions]\nmin_accuracy = nan\n", ("line 2: predictions.min_accuracy",)),
        ("[audit\n", ("is not valid TOML",)),
    ],
)
def test_configurations(run, tmp_path, text, words):
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "audit.toml").write_text(text)
    refused(run(folder), 2, *words)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--input-size", "8"], "must look like 224x224"),
        (["--only", "nothing"], "There is no analysis 'nothing'"),
        (["--max-samples", "0"], "max_samples"),
        (["--set", "predictions.min_accuracy=nan"], "predictions.min_accuracy"),
    ],
)
def test_options(run, models, options, word):
    refused(run(models / "conv.keras", *options, only=None), 2, word)


def test_no_such_target(run, tmp_path):
    refused(run(tmp_path / "none.keras"), 4, "does not exist")


# Refused on opening; in a worker process where its way back to us matters.


@pytest.mark.parametrize(
    ("name", "code", "words", "worker"),
    [
        ("lambda", 3, ("doubler: holds Python code (Lambda)",), True),
        ("custom", 4, ("needs the custom class 'Odd'",), True),
        ("two_inputs", 2, ("2 inputs (left (4,), right (4,))",), False),
        ("any_size", 2, ("--input-size HxW",), True),
    ],
)
def test_models(run, models, tmp_path, name, code, words, worker):
    samples = images(tmp_path / "images", a=1, b=1)
    refused(run(models / f"{name}.keras", "--images", samples, worker=worker), code, *words)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is empty (0 bytes)"),
        (b"PK\x03\x04cut", "broken or truncated"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b'{"cells": []}', "Jupyter notebook"),
        (b"\x18\0\0\0TFL3", "TensorFlow Lite"),
    ],
)
def test_files_that_are_no_model(run, tmp_path, content, word):
    (tmp_path / "m.keras").write_bytes(content)
    refused(run(tmp_path / "m.keras", "--images", tmp_path), 4, word)


@pytest.mark.parametrize(
    ("row", "code", "word"),
    [
        ("../a/0.png,a", 3, "points outside the image folder"),
        ("/etc/passwd,a", 3, "points outside the image folder"),
        ("a/0.png,a\0", 4, "NUL"),
        ("a/0.png,yak\nb/0.png,b\na/1.png,c", 2, "3 different labels"),
    ],
)
def test_label_tables(run, models, tmp_path, row, code, word):
    root = images(tmp_path / "images", a=2, b=1)
    (tmp_path / "labels.csv").write_text(row + "\n")
    options = ("--images", root, "--labels", tmp_path / "labels.csv")
    refused(run(models / "conv.keras", *options), code, word)


def test_no_image_can_be_read(run, models, tmp_path):
    root = images(tmp_path / "images", a=2)
    for path in (root / "a").iterdir():
        path.write_bytes(b"<html>")
    result = run(models / "conv.keras", "--images", root, worker=True)
    refused(result, 4, "None of 2 images could be read (an HTML page, not an image: 2)")


# Goes through, and the report says what it found.


def test_hostile_names_and_broken_images(run, models, tmp_path, tiny):
    root = images(tmp_path / "images", **dict.fromkeys(HOSTILE, 6))
    first = root / HOSTILE[0]
    (first / "0.png").rename(first / os.fsdecode(b"caf\xe9.png"))
    (first / "1.png").rename(first / "=cmd()|' <img onerror=1>.png")
    (root / HOSTILE[1] / os.fsdecode(b"\xff.png")).write_bytes(b"")
    (root / HOSTILE[2] / "\u202egpj.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    os.mkfifo(root / HOSTILE[3] / "fifo.png")
    # The whole battery must bear these names.
    briefly = [f"--set={id_}.{key}={value}" for id_ in tiny for key, value in tiny[id_].items()]
    report = report_of(
        run(models / "four.keras", "--images", root, *briefly, worker=True, only=None)
    )
    assert [section.status for section in report.sections] == ["done"] * len(tiny)
    assert report.subject.classes == HOSTILE
    assert report.subject.samples == 24
    assert {(row.cause, row.examples) for row in report.subject.skipped} == {
        ("empty file (0 bytes)", (f"{HOSTILE[1]}/\\xff.png",)),
        ("truncated or broken image", (f"{HOSTILE[2]}/\u202egpj.png",)),
        ("not a regular file", (f"{HOSTILE[3]}/fifo.png",)),
    }
    assert levels(report)["inputs.skipped"] == "warn"  # 3 of 27 are more than 5 %


def test_few_broken_images_are_a_note(run, models, tmp_path):
    root = images(tmp_path / "images", a=10, b=10)
    (root / "a" / "0.png").write_bytes(b"")
    report = report_of(run(models / "conv.keras", "--images", root))
    assert levels(report)["inputs.skipped"] == "note"  # 1 of 20 is 5 %, not more


def test_weights_that_are_not_finite(run, models, tmp_path):
    root = images(tmp_path / "images", a=3, b=3)
    both = "weights,feature_maps"
    found = levels(report_of(run(models / "broken.keras", "--images", root, only=both)))
    assert found["weights.non_finite"] == "fail"
    assert found["features.non_finite"] == "note", "it follows from the weights"


def test_one_image_of_one_class(run, models, tmp_path):
    root = images(tmp_path / "images", b=1)
    (tmp_path / "classes.txt").write_text("a\nb\n")
    options = ("--images", root, "--classes", tmp_path / "classes.txt")
    report = report_of(run(models / "conv.keras", *options))
    assert (report.subject.samples, report.subject.classes) == (1, ("a", "b"))


def test_one_class_with_many_images(run, models, tmp_path):
    root = images(tmp_path / "images", a=8)
    (tmp_path / "classes.txt").write_text("a\n" + "b" * 10**6)
    options = ("--images", root, "--classes", tmp_path / "classes.txt")
    report = report_of(run(models / "conv.keras", *options))
    assert report.subject.samples == 8
    assert report.subject.classes == ("a", "b" * 200 + "… (class 1)")


def test_no_labels_and_no_convolution(run, models, tmp_path):
    root = images(tmp_path / "images", a=6) / "a"
    report = report_of(run(models / "dense.keras", "--images", root, only="predictions"))
    assert not report.subject.labelled
    assert report.subject.conv_layers == 0
    assert levels(report)["predictions.accuracy"] == "not_applicable"


def test_a_folder_whose_name_is_not_utf8(run, models, tmp_path):
    root = images(tmp_path / os.fsdecode(b"caf\xe9"), a=2, b=2)
    report = report_of(run(models / "conv.keras", "--images", root))
    assert report.subject.classes == ("a", "b")


def test_a_model_whose_name_is_not_utf8(run, models, tmp_path):
    root = images(tmp_path / "images", a=2, b=2)
    model = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.keras"))
    model.write_bytes((models / "conv.keras").read_bytes())
    report = report_of(run(model, "--images", root))
    assert report.subject.file_name == "\\xff.keras"


def test_a_note_says_that_the_suffix_was_wrong(run, models, tmp_path):
    root = images(tmp_path / "images", a=2, b=2)
    path = tmp_path / "m.h5"
    path.write_bytes((models / "conv.keras").read_bytes())
    report = report_of(run(path, "--images", root))
    assert any("Keras archive (.keras) by its bytes" in note for note in report.subject.notes)
