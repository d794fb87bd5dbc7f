"""How often each check fires on models that are sound; writes docs/sound-models.json.

Four networks are trained here with fixed seeds, on the digits of scikit-learn (8x8 pixels, 1,400 to
train with; the other 397 are audited). The others are the models with images of the collection of
real ones (`REPORTGEN_COLLECTION`; by default ``../shared/real``): strangers trained and published
them, and nothing was planted. Every one gets a whole audit with the preset `quick`, as a user runs
it, with the scaling stated.

That a check fires here does not make it wrong: a model that works may still hold dead channels.
It says how often a reader of a sound model is asked to look. Notes that something cannot be told in
the time of the preset (`optvis`) depend on the machine: leave it idle.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

import reportgen
from benchmarks.runner import Outcome
from reportgen.battery import all_checks
from reportgen.config import load_config
from reportgen.pipeline import run_audit
from reportgen.report.levels import PROBLEMS, Level
from reportgen.report.report import Report
from reportgen.subject.recorder import WeightRecorder

_ROOT = Path(__file__).resolve().parent.parent
_WRITTEN = _ROOT / "docs" / "sound-models.json"
_TRAINED, _EPOCHS, _LEAST_ACCURACY = 1400, 30, 0.9
_COUNTED: tuple[Level, ...] = ("note", "warn", "fail")
_Levels = Mapping[str, Level]  # by id of the check


class _Published(NamedTuple):
    """A model of the collection: what it is called here, its file, its images, how they scale."""

    name: str
    model: str
    images: str
    scaling: str
    settings: Mapping[str, Any] = {}


_COLLECTION = (
    _Published("CIFAR-10 convnet", "tonio73_data-science/CIFAR-10_CNN5.h5", "cifar10_test", "unit"),
    _Published("CIFAR-10 ResNet-8", "mlcommons_tiny/pretrainedResnet.h5", "cifar10_test", "none"),
    _Published(
        "MNIST LeNet",
        "tonio73_data-science/MNIST_LeNet60.h5",
        "mnist_test",
        "unit",
        {"resize": "pad"},
    ),
    _Published("MNIST dense", "tonio73_data-science/MNIST_dense128.h5", "mnist_test", "unit"),
    _Published(
        "fashion convnet",
        "Surakshadoijode_fashion_h5_named_keras/fashion_mnist_cnn.keras",
        "fashion_sprite",
        "unit",
    ),
    _Published(
        "fashion dense", "xenmrph_fashion_k214/fashion_mnist.keras", "fashion_sprite", "unit"
    ),
    _Published("malaria", "amaanrzv39_malaria/malaria_model.h5", "malaria_test", "unit"),
    _Published("potatoes", "codebasics_potato/potatoes.h5", "potato_plantvillage", "unit"),
    _Published(
        "potatoes, SavedModel", "codebasics_potato/saved_models/1", "potato_plantvillage", "none"
    ),
    _Published("sign language", "tm_BilalSardar_asl/keras_model.h5", "asl_alphabet", "symmetric"),
    _Published(
        "MobileNet",
        "st_modelzoo_imagenet_mobilenet_v1_025/mobilenet_v1_0.25_224.h5",
        "photos",
        "symmetric",
    ),
)


def run() -> Outcome:
    collection = _find_collection()
    found = {name: _read_levels(report) for name, report in _audit_all(collection)}
    if collection:
        _WRITTEN.write_text(json.dumps(_count(found), indent=1, sort_keys=True) + "\n", "utf-8")
    rows: list[tuple[str | float, ...]] = [
        (name, _list_ids(levels, PROBLEMS), _list_ids(levels, ("note",)))
        for name, levels in found.items()
    ]
    return Outcome(("model", "above a note", "notes"), rows)


def _find_collection() -> Path | None:
    """The folder of real models. Without it the counts in the documents stay as they are."""
    folder = Path(os.environ.get("REPORTGEN_COLLECTION", _ROOT.parent / "shared" / "real"))
    if folder.is_dir():
        return folder
    print(f"{folder} is not there: only the networks trained here are audited, nothing is written.")
    return None


def _audit_all(collection: Path | None) -> Iterator[tuple[str, Report]]:
    for place, name in enumerate(_NETWORKS):
        yield f"digits, {name}", _audit_digits(name, seed=place)
    if collection is not None:
        for one in _COLLECTION:
            yield one.name, _audit_published(one, collection)


def _audit_published(one: _Published, collection: Path) -> Report:
    settings = {
        "images": collection / "images" / one.images,
        "preprocessing": one.scaling,
        "preset": "quick",
        **one.settings,
    }
    report, _ = run_audit(load_config(collection / "models" / one.model, settings))
    return report


def _audit_digits(name: str, *, seed: int) -> Report:
    """Train a network and audit it in memory.

    Raises:
        RuntimeError: it has not learned the digits, so that it is no sound model.
    """
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.images))
    x = np.round(digits.images[order, ..., None] * (255 / 16)).astype(np.uint8)
    y = digits.target[order]
    keras.utils.set_random_seed(seed)
    model = _NETWORKS[name]()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    with tempfile.TemporaryDirectory() as folder:
        history = Path(folder) / "history"
        model.fit(
            x[:_TRAINED] / 255,
            y[:_TRAINED],
            epochs=_EPOCHS,
            batch_size=32,
            verbose=0,
            callbacks=[WeightRecorder(history)],
        )
        x, y = x[_TRAINED:], y[_TRAINED:]
        accuracy = float(np.mean(model.predict(x / 255, verbose=0).argmax(axis=1) == y))
        if accuracy <= _LEAST_ACCURACY:
            raise RuntimeError(f"digits, {name}: {accuracy:.1%} of {len(x)} are right, too few.")
        return reportgen.audit(
            model, x, y, history=history, preprocessing="unit", split="test", preset="quick"
        )


def _build_convnet() -> keras.Model:
    parts = (
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(32, activation="relu"),
        layers.Dense(10, activation="softmax"),
    )
    return keras.Sequential([keras.Input((8, 8, 1)), *parts])


def _build_residual() -> keras.Model:
    # The default momentum of 0.99 would still average in the first epochs when training ends.
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    for _ in range(2):
        y = layers.Conv2D(16, 3, padding="same", use_bias=False)(x)
        y = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(y))
        y = layers.Conv2D(16, 3, padding="same", use_bias=False)(y)
        y = layers.BatchNormalization(momentum=0.9)(y)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def _build_tanh() -> keras.Model:
    parts = (
        layers.Conv2D(16, 3, padding="same", activation="tanh"),
        layers.AveragePooling2D(2),
        layers.Conv2D(32, 3, padding="same", activation="tanh"),
        layers.AveragePooling2D(2),
        layers.Flatten(),
        layers.Dense(32, activation="tanh"),
        layers.Dense(10, activation="softmax"),
    )
    return keras.Sequential([keras.Input((8, 8, 1)), *parts])


def _build_separable() -> keras.Model:
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(inputs)
    x = layers.Activation("relu6")(layers.BatchNormalization(momentum=0.9)(x))
    for channels in (32, 48):
        x = layers.SeparableConv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.Activation("relu6")(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.MaxPooling2D()(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


_NETWORKS = {
    "ReLU": _build_convnet,
    "residual": _build_residual,
    "tanh": _build_tanh,
    "separable": _build_separable,
}


def _read_levels(report: Report) -> _Levels:
    """What follows from another finding is a note already, see `reportgen.report.causes`."""
    return {finding.id: finding.level for finding in report.findings}


def _list_ids(levels: _Levels, wanted: tuple[Level, ...]) -> str:
    return ", ".join(id_ for id_, level in levels.items() if level in wanted) or "-"


def _count(found: Mapping[str, _Levels]) -> dict[str, Any]:
    """For each check, on how many models it fires at which level, and how many it judged."""
    checks = {}
    for id_ in all_checks():
        counts = Counter(levels.get(id_, "not_applicable") for levels in found.values())
        judged = len(found) - counts["not_applicable"] - counts["error"]
        checks[id_] = {level: counts[level] for level in _COUNTED} | {"judged": judged}
    fired = {
        name: {id_: level for id_, level in levels.items() if level in _COUNTED}
        for name, levels in found.items()
    }
    return {"models": len(found), "checked": checks, "fired": fired}
