"""What a model file is, by its bytes; and what opening it says when it cannot be opened."""

import hashlib
import json
import os
import shutil
import zipfile

import h5py
import numpy as np
import pytest

from reportgen.errors import InputError, UnsafeInputError
from reportgen.subject.model_file import format_name, identify, open_model

NOTEBOOK = json.dumps({"nbformat": 4, "metadata": {"x": "y" * 9000}, "cells": []}).encode()


def refused(path, error=InputError):
    with pytest.raises(error) as caught:
        open_model(identify(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_good_file(model_files, suffix):
    path = getattr(model_files, f"good_{suffix}")
    file = identify(path)
    assert file.kind == {"keras": "keras", "h5": "hdf5"}[suffix]
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.size_bytes == len(path.read_bytes())
    assert file.keras_version.startswith("3.")
    assert file.training == {"optimizer": "SGD", "learning rate": "0.25", "loss": "mse"}
    assert file.notes == ()
    model = open_model(file)
    # Every weight is 0.5: 48 ones give 24, and the bias a half.
    np.testing.assert_allclose(model(np.ones((1, 4, 4, 3))), [[24.5, 24.5]])


@pytest.mark.parametrize(
    ("source", "name"),
    [("good_h5", "a.keras"), ("good_keras", "a.h5"), ("good_keras", "model"), ("good_h5", "a.bin")],
)
def test_bytes_decide_and_a_note_says_so(model_files, tmp_path, source, name):
    shutil.copy(getattr(model_files, source), tmp_path / name)
    file = identify(tmp_path / name)
    (note,) = file.notes
    assert format_name(file.kind) in note
    assert open_model(file).count_params() == 98


@pytest.mark.parametrize(
    ("source", "name"), [("good_h5", "a.HDF5"), ("good_h5", "a.hdf5"), ("good_keras", "a.KERAS")]
)
def test_usual_suffixes_need_no_note(model_files, tmp_path, source, name):
    shutil.copy(getattr(model_files, source), tmp_path / name)
    assert identify(tmp_path / name).notes == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty (0 bytes)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "run `git lfs pull`"),
        (b'{"cells": [], "metadata": {}}', "is a Jupyter notebook"),
        (NOTEBOOK, "is a Jupyter notebook"),
        (b"\x1c\0\0\0TFL3" + b"\0" * 40, "is a TensorFlow Lite model"),
        (b"PK\x03\x04" + b"\0" * 40, "broken or truncated .keras archive"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 40, "broken or truncated HDF5 file"),
        (b"\x80\x04\x95 a pickle", "neither a .keras archive, an HDF5 file"),
    ],
)
@pytest.mark.parametrize("name", ["a.keras", "a.h5"])
def test_what_is_no_model_is_called_by_its_name(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    assert said.lower() in refused(tmp_path / name).lower()


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_truncated(model_files, tmp_path, suffix, share):
    whole = getattr(model_files, f"good_{suffix}").read_bytes()
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(whole[: int(len(whole) * share)])
    assert "broken or truncated" in refused(path)


# Only the archive: the HDF5 library itself can hang on damaged files, which no exception ends.
# In an audit that happens in the worker process, and ends at --time-limit.
def test_flipped_bytes_raise_nothing_but_our_errors(model_files, tmp_path):
    whole = np.frombuffer(model_files.good_keras.read_bytes(), np.uint8)
    rng, path = np.random.default_rng(0), tmp_path / "a.keras"
    outcomes = {"read": 0, "refused": 0}
    for _ in range(200):
        damaged = whole.copy()
        damaged[rng.integers(0, len(whole), 20)] ^= rng.integers(1, 256, 20, np.uint8)
        path.write_bytes(damaged.tobytes())
        try:
            identify(path)
            outcomes["read"] += 1
        except (InputError, UnsafeInputError):
            outcomes["refused"] += 1
    assert outcomes["refused"] > 20


def test_folders(tmp_path):
    assert "without an audit.toml" in refused(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    assert "holds an empty saved_model.pb" in refused(tmp_path)


def test_paths_that_are_no_file(tmp_path):
    assert "does not exist" in refused(tmp_path / "none.keras")
    os.mkfifo(tmp_path / "fifo.keras")  # opening it plainly would block for ever
    assert "is not a regular file" in refused(tmp_path / "fifo.keras")


def test_weights_only_and_empty_hdf5(model_files, tmp_path):
    assert "holds weights only" in refused(model_files.weights)
    h5py.File(tmp_path / "a.h5", "w").close()
    assert "is an empty HDF5 file" in refused(tmp_path / "a.h5")


def archive(path, **members):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.json", content)
    return path


def test_archives_that_are_no_model(tmp_path):
    assert "without config.json" in refused(archive(tmp_path / "a.keras", other="{}"))
    assert "config.json is not valid JSON" in refused(archive(tmp_path / "b.keras", config="{"))
    for number, config in enumerate(("[]", "3", "null", '{"layers": []}')):
        assert "is no network" in refused(archive(tmp_path / f"c{number}.keras", config=config))
    empty = archive(tmp_path / "d.keras", config='{"class_name": "Sequential"}')
    assert "not a model" in refused(empty)


def test_a_configuration_of_many_megabytes_is_unsafe(tmp_path, monkeypatch):
    monkeypatch.setattr("reportgen.subject.model_file.reading.archive.MAX_BYTES", 10)
    path = archive(tmp_path / "a.keras", config='{"a": "bcdefg"}')
    assert "claims more than 0 MB" in refused(path, UnsafeInputError)


@pytest.mark.parametrize(
    "training",
    [
        '{"optimizer": 3}',
        '{"optimizer": {"config": {"lr": 1' + "0" * 400 + "}}}",
        "[]",
        '{"loss": ' + "[" * 150 + "]" * 150 + "}",
    ],
)
def test_odd_records_of_training_do_no_harm(tmp_path, training):
    head = '{"class_name": "Sequential", "config": {"layers": []}, "compile_config": '
    config = head + training + "}"
    assert identify(archive(tmp_path / "a.keras", config=config)).kind == "keras"


@pytest.mark.parametrize("name", ["lambda_keras", "lambda_h5", "nested_keras", "nested_h5"])
def test_a_lambda_is_refused_by_name(model_files, name):
    said = refused(getattr(model_files, name), UnsafeInputError)
    assert "doubler: holds Python code (Lambda)" in said


def test_a_lambda_of_keras_2_is_refused(tmp_path):
    layer = {
        "class_name": "Lambda",
        "config": {"name": "old", "function": ["4wEAAAA=", None, None], "function_type": "lambda"},
    }
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.attrs["model_config"] = json.dumps(
            {"class_name": "Sequential", "config": {"layers": [layer]}}
        )
    assert "layer old: holds Python code (Lambda)" in refused(tmp_path / "a.hdf5", UnsafeInputError)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_custom_class_is_named(model_files, suffix):
    said = refused(getattr(model_files, f"custom_{suffix}"))
    assert "needs the custom class 'Odd'" in said


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("NEG_lfs_pointer_h5", "git-LFS pointer"),
        ("NEG_tflite", "TensorFlow Lite model"),
        ("NEG_empty_h5_800_bytes", "empty HDF5 file"),
        ("naufalso_malaria", "holds weights only"),
    ],
)
def test_files_of_strangers(real, name, said):
    paths = [path for path in sorted((real / "models" / name).rglob("*")) if path.is_file()]
    paths = [path for path in paths if path.suffix in (".h5", ".hdf5", ".keras", ".tflite")]
    assert paths
    for path in paths:
        assert said in refused(path)
