"""Answers to nothing, by networks whose answers to it are known."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

ID = "inputs.blank_answer"


def bias_only(bias, activation="softmax"):
    """Answers the same to everything."""
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(len(bias), activation)]
    )
    model.set_weights([np.zeros((64, len(bias)), np.float32), np.array(bias, np.float32)])
    return model


X = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1)).astype(np.uint8)


@pytest.mark.parametrize(("bias", "level"), [((4.0, 0.0), "note"), ((1.0, 0.0), "pass")])
def test_a_confident_answer_is_a_note(analyse, subject_of, bias, level):
    found = analyse("inputs", subject_of(bias_only(bias), X, np.arange(40) % 2))
    finding = found.findings[ID]
    sure = 1 / (1 + np.exp(-bias[0]))
    assert (finding.level, finding.threshold) == (level, 0.9)
    assert finding.value == pytest.approx(sure, rel=1e-6)
    (table,) = [block for block in found.body.blocks if block.id == "inputs-blanks"]
    assert len(table.rows) == 5
    assert {row[2] for row in table.rows} == {f"{sure:.0%}"}


def test_pictures_are_asked_as_samples_would_be(analyse, subject_of):
    """Class 1 from a mean of half of white on: white is of it, black is not, whatever the unit."""
    model = bias_only((0.0, 0.0))
    kernel = np.zeros((64, 2), np.float32)
    kernel[:, 1] = 20 / 64
    model.set_weights([kernel, np.array([0, -10], np.float32)])
    for x, scaling in ((X, "unit"), (X.astype(np.float32) / 255, "none")):
        found = analyse("inputs", subject_of(model, x, np.arange(40) % 2, preprocessing=scaling))
        said = {blank.name: blank.answer for blank in found.result.blanks.asked}
        assert (said["black"], said["white"]) == ("class 0", "class 1")
        surest = found.result.blanks.surest
        assert surest.confidence == pytest.approx(1 / (1 + np.exp(-10)), rel=1e-5)


def test_what_is_no_picture_is_not_asked(analyse, subject_of):
    model = keras.Sequential([keras.Input((5,)), layers.Dense(2, activation="softmax")])
    found = analyse("inputs", subject_of(model, np.eye(5, dtype=np.float32), np.arange(5) % 2))
    assert found.levels[ID] == "not_applicable"
