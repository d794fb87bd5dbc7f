"""Whole audits: a sound model raises no alarm, and a planted defect raises exactly its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.datasets import load_digits

import reportgen
from reportgen.battery import BATTERY
from reportgen.report.report import Report

from .kept import keep

TINY = {analysis.id: analysis.options.tiny for analysis in BATTERY}
TRAINED_ON = 1400


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Pictures ``(n, 8, 8, 1)`` from 0 to 1, and classes."""
    found = load_digits()
    return (found.images[..., None] / 16).astype("float32"), found.target


@pytest.fixture(scope="module")
def sound(shelf: Path) -> Callable[[], keras.Model]:
    """``sound()``: a trained network, to be damaged."""

    def build(folder: Path) -> None:
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Conv2D(12, 3, activation="relu", padding="same", name="c1"),
                layers.Conv2D(18, 3, activation="relu", name="c2"),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dense(24, activation="relu", name="d1"),
                layers.Dense(10, activation="softmax", name="out"),
            ]
        )
        x, y = digits()
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x[:TRAINED_ON], y[:TRAINED_ON], epochs=12, verbose=0)
        model.save(folder / "network.keras")

    kept = keep(shelf, "alarms", build, Path(__file__))
    return lambda: keras.saving.load_model(kept / "network.keras")


def audit(model: keras.Model, **optvis: Any) -> Report:
    x, y = digits()
    options = TINY | {"optvis": {**TINY["optvis"], **optvis}}
    return reportgen.audit(model, x[TRAINED_ON:], y[TRAINED_ON:], preset="quick", options=options)


def alarms(report: Report) -> dict[str, str]:
    """Findings above note, by id."""
    levels = ("warn", "fail", "error")
    return {finding.id: finding.level for finding in report.findings if finding.level in levels}


def change(model: keras.Model, name: str, which: int, edit: Callable[[Any], None]) -> keras.Model:
    """Edit one weight of a layer in place."""
    weights = model.get_layer(name).get_weights()
    edit(weights[which])
    model.get_layer(name).set_weights(weights)
    return model


def test_a_sound_model_raises_no_alarm(sound):
    report = audit(sound())
    assert alarms(report) == {}
    assert {section.status for section in report.sections} == {"done"}
    # That single channels of its dense layer never change is told, as a note.
    (dead,) = [f for f in report.findings if f.id == "features.dead_channels"]
    assert dead.level == "note"


@pytest.mark.parametrize(("layer", "place"), [("c1", (0, 0, 0, 3)), ("out", (5, 2))])
def test_one_nan_raises_one_alarm(sound, layer, place):
    def edit(kernel: Any) -> None:
        kernel[place] = np.nan

    report = audit(change(sound(), layer, 0, edit))
    assert alarms(report) == {"weights.non_finite": "fail"}
    assert report.verdict.level == "fail"  # and not "error": nothing broke
    undone = {section.id: section for section in report.sections if section.status != "done"}
    assert set(undone) == {"optvis", "loss_landscape"}
    for section in undone.values():
        assert section.status == "not_applicable"
        assert "weights.non_finite" in section.method[0]
        assert f"{layer}/kernel" in section.method[0]
    # What follows from it says so.
    for finding in report.findings:
        if finding.id == "features.non_finite" and finding.level == "note":
            assert finding.cause == "weights.non_finite"


def test_the_command_ends_well_on_a_model_with_nan(sound, tmp_path):
    """A report was made, and it is whole: exit 0. Whether its findings matter is the gate's."""
    from .test_cli import run

    def edit(kernel: Any) -> None:
        kernel[0, 0, 0, 3] = np.nan

    change(sound(), "c1", 0, edit).save(tmp_path / "nan.keras")
    x, y = digits()
    np.savez(tmp_path / "data.npz", x=x[TRAINED_ON:], y=y[TRAINED_ON:])
    done = run(
        "audit",
        tmp_path / "nan.keras",
        "--data",
        tmp_path / "data.npz",
        "--preprocessing",
        "none",
        "--preset",
        "quick",
        "--format",
        "json",
        "--out",
        tmp_path / "out",
    )
    assert done.returncode == 0, done.stderr
    assert alarms(Report.load(tmp_path / "out")) == {"weights.non_finite": "fail"}


def test_a_layer_of_which_two_thirds_died_raises_one_alarm(sound):
    def edit(bias: Any) -> None:
        bias[:12] = -1e6  # at any scaling of the input: -50 is nothing to pixels up to 255

    report = audit(change(sound(), "c2", 1, edit), layers=3)
    assert alarms(report) == {"features.dead_channels": "warn"}
    found = {finding.id: finding for finding in report.findings}
    dead = found["features.dead_channels"]
    assert dead.value == pytest.approx(12 / 18)
    assert "c2 (12 of 18 channels)" in dead.message
    # That no picture excites them is the same fact once more; that what is left of the network
    # answers badly follows from it.
    for id_ in ("optvis.unresponsive_units", "predictions.class_collapse"):
        assert (found[id_].level, found[id_].cause) == ("note", "features.dead_channels")


def test_a_class_that_is_never_predicted_raises_one_alarm(sound):
    def edit(bias: Any) -> None:
        bias[7] = -100

    report = audit(change(sound(), "out", 1, edit))
    assert alarms(report) == {"predictions.class_collapse": "warn"}
    (found,) = [f for f in report.findings if f.id == "predictions.class_collapse"]
    _, y = digits()
    assert f"7 is never predicted ({(y[TRAINED_ON:] == 7).sum()} samples)" in found.message
