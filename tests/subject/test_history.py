"""The recorded training: what goes in comes out, and what is damaged or hostile is refused."""

import json
import os
import pickle
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from reportgen.errors import InputError, OutputError, UnsafeInputError, UsageError
from reportgen.subject.history import HistoryWriter, read_history, weight_names

KERNEL = np.array([[0.1, -2.5], [1e-3, 7.0]], np.float32)
BIAS = np.array([0.25, -0.5], np.float32)
WEIGHTS = {"dense/kernel": KERNEL, "dense/bias": BIAS}


def record(folder: Path, epochs: int = 2, **options) -> Path:
    writer = HistoryWriter(folder, **options)
    for epoch in range(epochs):
        weights = {name: array + epoch for name, array in WEIGHTS.items()}
        writer.append(epoch, weights, {"loss": 1 / (epoch + 1)} if epoch else {})
    return folder


def edit_index(folder: Path, **changes) -> None:
    """Change the last step of the index."""
    path = folder / "history.json"
    index = json.loads(path.read_text())
    index["steps"][-1] |= changes
    path.write_text(json.dumps(index))


def test_float32_comes_back_bit_for_bit(tmp_path):
    history = read_history(record(tmp_path / "h"))
    assert [step.epoch for step in history.steps] == [0, 1]
    assert [dict(step.metrics) for step in history.steps] == [{}, {"loss": 0.5}]
    assert list(history.weights(0)) == ["dense/kernel", "dense/bias"]
    for name, array in WEIGHTS.items():
        assert history.weights(0)[name].dtype == np.float32
        np.testing.assert_array_equal(history.weights(0)[name], array)
        np.testing.assert_array_equal(history.weights(-1)[name], array + 1)


def test_float16_is_stored_in_half_and_read_as_float32(tmp_path):
    folder = record(tmp_path / "h", float16=True)
    with np.load(folder / "step-0000.npz") as arrays:
        assert arrays["dense/kernel"].dtype == np.float16
    kernel = read_history(folder).weights(0)["dense/kernel"]
    assert kernel.dtype == np.float32
    # Half precision has eleven significant bits.
    np.testing.assert_allclose(kernel, KERNEL, rtol=2**-11)


def test_float16_never_turns_a_large_weight_into_infinity(tmp_path):
    HistoryWriter(tmp_path / "h", float16=True).append(0, {"v": np.array([1e6], np.float32)}, {})
    np.testing.assert_array_equal(read_history(tmp_path / "h").weights(0)["v"], [1e6])


def test_integers_and_bfloat16_come_back_as_floats(tmp_path):
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    weights = {"count": np.array([2**40]), "b": np.array([1.5], bfloat16)}
    HistoryWriter(tmp_path / "h").append(0, weights, {})
    stored = read_history(tmp_path / "h").weights(0)
    assert (stored["count"], stored["b"]) == ([2.0**40], [1.5])


def test_a_diverged_loss_stays_in_valid_json(tmp_path):
    metrics = {"loss": float("nan"), "norm": float("inf")}
    HistoryWriter(tmp_path / "h").append(0, WEIGHTS, metrics)
    json.loads((tmp_path / "h" / "history.json").read_text(), parse_constant=pytest.fail)
    read = read_history(tmp_path / "h").steps[0].metrics
    assert str(read) == "{'loss': nan, 'norm': inf}"


def test_a_history_travels_to_a_worker_process(tmp_path):
    history = read_history(record(tmp_path / "h"))
    assert pickle.loads(pickle.dumps(history)) == history


def test_names_are_made_unique_in_order():
    assert weight_names(["a", "b", "a", "a"]) == ("a", "b", "a#2", "a#3")


def test_any_weight_name_is_an_array_name(tmp_path):
    names = ("file", "allow_pickle", "nested/../name", "naïve block/kernel")
    HistoryWriter(tmp_path / "h").append(0, dict.fromkeys(names, BIAS), {})
    assert tuple(read_history(tmp_path / "h").weights(0)) == names


@pytest.mark.parametrize("crashing_file", ["step-0002.npz", "history.json"])
def test_a_crash_between_files_leaves_the_history_before_it(tmp_path, monkeypatch, crashing_file):
    writer = HistoryWriter(tmp_path / "h")
    for epoch in (0, 1):
        writer.append(epoch, WEIGHTS, {})

    replace = Path.replace

    def crash(source, target):
        if Path(target).name == crashing_file:
            raise KeyboardInterrupt
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        writer.append(2, WEIGHTS, {})
    history = read_history(tmp_path / "h")
    assert [step.epoch for step in history.steps] == [0, 1]
    np.testing.assert_array_equal(history.weights(1)["dense/bias"], BIAS)
    assert not list((tmp_path / "h").glob(".*"))


def test_a_second_training_does_not_mix_with_the_first(tmp_path):
    writer = HistoryWriter(tmp_path / "h")
    writer.append(0, WEIGHTS, {})
    with pytest.raises(UsageError, match="new recorder"):
        writer.append(0, WEIGHTS, {})
    with pytest.raises(UsageError, match="another folder"):
        HistoryWriter(tmp_path / "h")
    with pytest.raises(UsageError, match="name a folder"):
        HistoryWriter(tmp_path / "h" / "history.json")


def test_a_full_disk_is_an_output_error(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        record(tmp_path / "h")


@pytest.mark.parametrize(
    "name",
    ["../secret.npz", "/etc/secret.npz", "a/b.npz", "..\\s.npz", "C:s.npz", "..", "", ".npz", "x"],
)
def test_names_outside_of_the_folder_are_refused(tmp_path, name):
    folder = record(tmp_path / "h")
    edit_index(folder, file=name)
    with pytest.raises(UnsafeInputError, match="not a plain"):
        read_history(folder)


@pytest.mark.parametrize("linked", ["step-0001.npz", "history.json"])
def test_links_are_refused(tmp_path, linked):
    folder = record(tmp_path / "h")
    (folder / linked).replace(tmp_path / linked)
    (folder / linked).symlink_to(tmp_path / linked)
    with pytest.raises(UnsafeInputError, match="symbolic link"):
        read_history(folder)


def test_an_archive_that_unpacks_into_too_much_is_refused(tmp_path, monkeypatch):
    folder = record(tmp_path / "h")
    monkeypatch.setattr("reportgen.subject.history.record._MAX_BYTES", 100)
    with pytest.raises(UnsafeInputError, match="unpack"):
        read_history(folder).weights(0)


def cut(step: Path, share: float) -> None:
    step.write_bytes(step.read_bytes()[: int(share * step.stat().st_size)])


def overwrite(step: Path) -> None:
    step.write_bytes(step.read_bytes()[:60] + bytes(30) + step.read_bytes()[90:])


def add_text(step: Path) -> None:
    with zipfile.ZipFile(step, "a") as archive:
        archive.writestr("note.txt", "not an array")


@pytest.mark.parametrize(
    "damage",
    [
        *(*(partial(cut, share=share) for share in (0.0, 0.1, 0.5, 0.99)), overwrite, add_text),
        lambda step: np.savez(step, a=np.array([{"a": "pickle"}], object)),
        lambda step: np.savez(step, a=np.array(["text"])),
    ],
)
def test_a_truncated_or_damaged_step_is_an_input_error(tmp_path, damage):
    folder = record(tmp_path / "h")
    damage(folder / "step-0001.npz")
    history = read_history(folder)
    with pytest.raises(InputError, match=r"step-0001\.npz: truncated or damaged.*record"):
        history.weights(1)


def test_a_missing_step_is_named(tmp_path):
    folder = record(tmp_path / "h")
    (folder / "step-0001.npz").unlink()
    with pytest.raises(InputError, match=r"step-0001\.npz is in the index, not in the folder"):
        read_history(folder)


@pytest.mark.parametrize(
    ("index", "cause"),
    [
        ("", "JSON"),
        ('{"format_version": 1, "steps": [', "JSON"),
        ("[" * 100_000, "JSON"),
        ("[]", "JSON"),
        ('{"format_version": 3, "steps": {}}', "format_version"),
        ('{"format_version": 1, "steps": []}', "no steps"),
        (
            '{"format_version": 1, "steps": [{"epoch": -1, "file": "a.npz", "metrics": {}}]}',
            "epoch",
        ),
        ('{"format_version": 1, "steps": [{"epoch": 0, "file": 3, "metrics": {}}]}', "file"),
    ],
)
def test_a_damaged_index_is_an_input_error(tmp_path, index, cause):
    (tmp_path / "history.json").write_text(index)
    with pytest.raises(InputError, match=cause):
        read_history(tmp_path)


def test_epochs_that_do_not_rise_are_an_input_error(tmp_path):
    folder = record(tmp_path / "h")
    edit_index(folder, epoch=0)
    with pytest.raises(InputError, match="do not rise"):
        read_history(folder)


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: None])
def test_a_place_without_a_history_is_an_input_error(tmp_path, make):
    make(tmp_path / "h")
    with pytest.raises(InputError, match=r"no history\.json.*WeightRecorder"):
        read_history(tmp_path / "h")


def test_reading_needs_no_tensorflow(tmp_path):
    folder = record(tmp_path / "h")
    code = (
        "import sys; from reportgen.subject.history import read_history; "
        "read_history(sys.argv[1]).weights(0); "
        "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code, folder], check=True, cwd=root)
