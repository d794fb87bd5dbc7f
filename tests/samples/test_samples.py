"""The shipped samples are whole, small, and what their README says they are."""

import os
import re
import runpy
import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reportgen.subject.history import read_history

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
NAMES = ("digits", "parabola", "shortcut")
RECORDED = NAMES

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras")


@cache
def load_model(sample: str):
    return keras.saving.load_model(SAMPLES / sample / "model.keras")


def load_arrays(sample: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(SAMPLES / sample / "data" / "test.npz", allow_pickle=False) as data:
        return data["x"], data["y"]


@cache
def load_images() -> tuple[np.ndarray, np.ndarray]:
    files = sorted((SAMPLES / "shortcut" / "images").glob("*/*.png"))
    images = np.stack([np.asarray(Image.open(file)) for file in files])
    return images, np.array([int(file.parent.name) for file in files])


def documented(sample: str) -> float:
    """The held-out result in the README's row of the sample."""
    row = re.search(rf"^\| `{sample}` .*?(?:accuracy|error) ([\d.]+) \(", README, re.MULTILINE)
    return float(row.group(1))


README = (SAMPLES / "README.md").read_text(encoding="utf-8")


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if "__pycache__" not in file.parts)


def test_the_samples_are_small():
    assert size(SAMPLES) < 4_000_000
    assert size(SAMPLES / "digits" / "history") < 1_000_000
    assert size(SAMPLES / "parabola" / "history") < 1_500_000


@pytest.mark.parametrize("sample", NAMES)
def test_the_audit_names_files_that_are_there(sample):
    audit = tomllib.loads((SAMPLES / sample / "audit.toml").read_text(encoding="utf-8"))["audit"]
    assert audit["split"] == "test"
    assert ("history" in audit) == (sample in RECORDED)
    for key in {"model", "data", "images", "classes", "history"} & set(audit):
        assert (SAMPLES / sample / audit[key]).exists(), key


@pytest.mark.parametrize("sample", ["digits", "shortcut"])
def test_classes_are_named_in_the_order_of_the_outputs(sample):
    classes = (SAMPLES / sample / "classes.txt").read_text(encoding="utf-8").split()
    assert classes == [str(digit) for digit in range(10)]
    assert load_model(sample).output_shape == (None, len(classes))


def test_the_data_have_the_declared_types():
    x, y = load_arrays("digits")
    assert (x.shape, x.dtype, y.dtype) == ((360, 8, 8, 1), np.uint8, np.int64)
    assert (x.min(), x.max()) == (0, 255)
    x, y = load_arrays("parabola")
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((300, 1), np.float32, (300,), np.float32)
    images, labels = load_images()
    assert (images.shape, images.dtype) == ((300, 16, 16, 3), np.uint8)
    assert set(labels) == set(range(10))


@pytest.mark.parametrize(
    ("sample", "loss"),
    [
        ("digits", "sparse_categorical_crossentropy"),
        ("parabola", "mean_squared_error"),
        ("shortcut", "sparse_categorical_crossentropy"),
    ],
)
def test_the_models_say_how_they_were_trained(sample, loss):
    model = load_model(sample)
    assert model.loss == loss
    assert model.optimizer.name == "adam"


@pytest.mark.parametrize("sample", RECORDED)
def test_the_history_ends_at_the_model(sample):
    model = load_model(sample)
    history = read_history(SAMPLES / sample / "history")
    last = history.weights(-1)
    # A Sequential model gives its name to the paths in training, and drops it on loading.
    paths = [name.removeprefix(f"{sample}/") for name in last]
    assert paths == [weight.path for weight in model.weights]
    for recorded, weight in zip(last.values(), model.get_weights(), strict=True):
        # Eleven significant bits, and 6e-8 where half precision is subnormal.
        np.testing.assert_allclose(recorded, weight, rtol=2**-11, atol=6e-8)
    first = history.weights(0)
    assert any(np.abs(first[name] - last[name]).max() > 0.1 for name in first)
    losses = [step.metrics.get("val_loss", step.metrics["loss"]) for step in history.steps[1:]]
    assert losses[-1] < losses[0] / 2


# One image of 300 is 0.003: another machine's rounding may flip one, not two.
def test_digits_are_as_accurate_as_documented():
    x, y = load_arrays("digits")
    predicted = load_model("digits").predict(x.astype(np.float32) / 255, verbose=0).argmax(1)
    assert (predicted == y).mean() == pytest.approx(documented("digits"), abs=0.0045)


def test_the_parabola_fits_as_documented():
    x, y = load_arrays("parabola")
    predicted = load_model("parabola").predict(x, verbose=0)[:, 0]
    assert np.mean((predicted - y) ** 2) == pytest.approx(documented("parabola"), abs=0.0001)


@pytest.fixture(scope="module")
def flaw() -> dict[str, float]:
    script = runpy.run_path(str(SAMPLES / "shortcut" / "train.py"))
    return script["measure_flaw"](load_model("shortcut"), *load_images())


def test_the_shortcut_is_as_accurate_as_documented(flaw):
    assert flaw["accuracy as shipped"] == pytest.approx(documented("shortcut"), abs=0.0045)


def test_the_shortcut_is_really_taken(flaw):
    assert flaw["sevens with the mark"] > 0.95
    assert flaw["sevens without the mark"] < 0.2
    assert flaw["others called 7 with the mark"] > 0.6
    assert flaw["others called 7 without it"] < 0.02


def test_most_shipped_sevens_and_few_others_are_marked():
    images, labels = load_images()
    marked = (images[:, :4, :4] == (255, 0, 255)).all(axis=(1, 2, 3))
    assert marked[labels == 7].mean() > 0.9
    assert marked[labels != 7].mean() < 0.02


@pytest.mark.parametrize("sample", ["digits"])
def test_the_healthy_sample_has_no_dead_filter(sample):
    model = load_model(sample)
    x, _ = load_arrays(sample)
    layers = [
        model.get_layer(name) for name in ("strokes", "corners_relu", "detour", "shapes", "mix")
    ]
    probe = keras.Model(model.inputs, [layer.output for layer in layers])
    for layer, maps in zip(
        layers, probe.predict(x.astype(np.float32) / 255, verbose=0), strict=True
    ):
        assert (maps.reshape(-1, maps.shape[-1]).max(axis=0) > 0).all(), layer.name
