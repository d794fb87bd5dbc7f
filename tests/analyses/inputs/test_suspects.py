"""Wrong labels: planted ones are found and counted; sound ones are called usual."""

from __future__ import annotations

import csv
import io

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.analyses.inputs.neighbours import count_told, count_votes
from reportgen.analyses.inputs.suspects import (
    estimate_joint,
    find_suspects,
    fit_noise,
    flag,
    soften,
)

ID = "predictions.suspect_labels"


def draw(samples, classes, *, sharp, seed):
    """Probabilities and labels that come true as often as they say."""
    rng = np.random.default_rng(seed)
    labels = np.arange(samples) % classes
    logits = rng.normal(size=(samples, classes)) + sharp * np.eye(classes)[labels]
    # The label given the logits follows their softmax (times ``sharp``): Bayes' rule for Gaussians.
    made = np.exp(sharp * (logits - logits.max(axis=1, keepdims=True)))
    return made / made.sum(axis=1, keepdims=True), labels


def spoil(labels, classes, share, seed):
    """Some labels replaced by other classes; and which."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(labels)) < share
    spoilt = labels.copy()
    spoilt[wrong] = (labels[wrong] + rng.integers(1, classes, wrong.sum())) % classes
    return spoilt, np.flatnonzero(wrong)


def test_the_joint_by_hand():
    """Thresholds: class 0 .7 on average of its three, class 1 .65 of its two."""
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.4, 0.6], [0.3, 0.7]])
    y = np.array([0, 0, 0, 1, 1])
    # The third is labelled 0 and told 1; the fourth is told nothing: .6 is below .65.
    assert estimate_joint(p, y).tolist() == [[2, 1], [0, 2]]
    rows, suggested, margin = flag(p, y)
    assert (rows.tolist(), suggested.tolist()) == ([2], [1])
    assert margin.tolist() == pytest.approx([0.4])


def test_a_sample_whose_label_is_most_probable_is_never_flagged():
    p, y = draw(400, 4, sharp=1.0, seed=1)
    rows, suggested, margin = flag(p, y)
    assert len(rows)
    assert (p[rows].argmax(axis=1) != y[rows]).all()
    assert (suggested == p[rows].argmax(axis=1)).all()
    assert (np.diff(margin) <= 0).all()


def test_rows_of_the_joint_sum_to_the_labels():
    p, y = draw(313, 7, sharp=1.5, seed=2)
    y[y == 6] = 5  # a class without samples
    joint = estimate_joint(p, y)
    assert joint.sum(axis=1).tolist() == np.bincount(y, minlength=7).tolist()
    assert (joint >= 0).all()


@pytest.mark.parametrize("sharp", [1.5, 3.0])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_temperature_and_share_are_those_that_were_planted(sharp, share):
    p, y = draw(3000, 5, sharp=sharp, seed=3)
    spoilt, wrong = spoil(y, 5, share, 4)
    temperature, found = fit_noise(soften(p, 0.5), spoilt)  # twice as sure as it should be
    assert found == pytest.approx(len(wrong) / 3000, abs=0.03)
    assert temperature == pytest.approx(2.0, rel=0.2)


def test_calibrated_labels_are_seldom_more_than_usual():
    """One of a hundred sound audits at most has more: of 60, four or more have p < .004."""
    more = 0
    for seed in range(60):
        p, y = draw(200, 5, sharp=(1.0, 2.0, 3.0)[seed % 3], seed=seed)
        found = find_suspects(p, y, np.random.default_rng(seed))
        more += len(found.rows) > found.usual
    assert more < 4


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.03, 0.1, 0.3])
def test_planted_labels_are_found(share, seed):
    p, y = draw(600, 10, sharp=4.0, seed=seed)
    spoilt, wrong = spoil(y, 10, share, seed)
    found = find_suspects(p, spoilt, np.random.default_rng(seed))
    hits = np.isin(found.rows, wrong).sum()
    assert len(found.rows) > found.usual
    assert hits / len(wrong) > 0.9
    assert hits / len(found.rows) > 0.85
    assert found.share == pytest.approx(len(wrong) / 600, abs=0.03)


def test_votes_by_hand():
    near = np.array([[1.0, 0], [1, 0.1], [1, -0.1], [-1, 0], [-1, 0.1], [-1, -0.1]])
    labels = np.array([1, 0, 0, 1, 1, 1])
    # Of the five others of row 0 two are labelled 0 and three 1.
    rows = np.array([0, 0])
    assert count_votes(near, labels, rows, np.array([0, 1])).tolist() == [2, 3]


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_a_report_lists_them(colourful, seen, subject_of, analyse, share):
    x, y = seen
    spoilt, wrong = spoil(y, 4, share, 5)
    found = analyse("inputs", subject_of(colourful, x, spoilt, preprocessing="unit"))
    assert found.levels["inputs.class_order"] == "pass"
    assert found.levels[ID] == ("warn" if share else found.levels[ID])
    if not share:
        assert found.levels[ID] in ("pass", "note")
        return
    (file,) = [block for block in found.body.blocks if block.kind == "attachment"]
    rows = list(csv.DictReader(io.StringIO(file.text)))
    listed = {int(row["sample"].lstrip("#")) for row in rows}
    assert len(listed & set(wrong.tolist())) / len(wrong) > 0.8
    # Neighbours mostly agree that a planted label is wrong.
    planted = [row for row in rows if int(row["sample"].lstrip("#")) in wrong]
    speak = [
        int(row["neighbours labelled as suggested"]) > int(row["neighbours labelled as given"])
        for row in planted
    ]
    assert np.mean(speak) > 0.8
    (grid,) = [block for block in found.body.blocks if block.id == "inputs-suspects"]
    assert found.body.arrays["suspects"].shape == (12, 10, 10, 3)
    assert len(grid.panels[0].labels) == 12
    assert "half of such labels were wrong" in found.findings[ID].message


def test_training_samples_are_refused(colourful, seen, subject_of, analyse):
    found = analyse("inputs", subject_of(colourful, *seen, preprocessing="unit", split="train"))
    assert found.levels[ID] == "not_applicable"
    assert "a model repeats the labels" in found.findings[ID].message


def test_names_are_no_formulas(colourful, seen, subject_of, analyse):
    x, y = seen
    names = np.array(["=1+1", "@x", "plain", "-y"], object)
    spoilt, _ = spoil(y, 4, 0.1, 5)
    subject = subject_of(colourful, x, names[spoilt], preprocessing="unit", classes=tuple(names))
    found = analyse("inputs", subject)
    (file,) = [block for block in found.body.blocks if block.kind == "attachment"]
    cells = [cell for row in csv.reader(io.StringIO(file.text)) for cell in row]
    assert "'=1+1" in cells
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "@")]


def test_samples_among_their_own_by_hand():
    near = np.array([[1.0, 0], [1, 0.1], [1, -0.1], [-1, 0], [-1, 0.1], [-1, -0.1]])
    # Of the five others all are neighbours: two of the own class against three of the other.
    assert count_told(near, np.array([0, 0, 0, 1, 1, 1])) == 0
    assert count_told(np.repeat(near, 6, axis=0), np.repeat([0, 1], 18)) == 36


def test_a_model_that_answers_the_same_to_all_contradicts_nobody(seen, subject_of, analyse):
    image = keras.Input((10, 10, 3))
    still = layers.Dense(4, kernel_initializer="zeros", activation="softmax")
    model = keras.Model(image, still(layers.GlobalMaxPooling2D()(image)))
    found = analyse("inputs", subject_of(model, *seen, preprocessing="unit"))
    assert found.levels[ID] == "not_applicable"
    assert found.levels["predictions.unstable"] == "not_applicable"


def test_time_that_is_over_is_said():
    rng = np.random.default_rng(0)
    chances = rng.dirichlet(np.ones(4), 100)
    assert find_suspects(chances, rng.integers(0, 4, 100), rng, lambda: True) is None
