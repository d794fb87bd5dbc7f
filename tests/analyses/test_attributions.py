"""The section on attributions: what it shows, what it says, what it cannot know."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.analyses.attributions.options import ALL
from reportgen.attributions import METHODS

FAITHFULNESS, SANITY = "attributions.faithfulness", "attributions.sanity"


def squares(n: int, seed: int):
    """A square of one of four colours anywhere on noise."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 0.5, (n, 16, 16, 3))
    y = rng.integers(0, 4, n)
    colours = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
    for picture, label, (top, left) in zip(x, y, rng.integers(0, 11, (n, 2)), strict=True):
        picture[top : top + 5, left : left + 5] = colours[label]
    return np.rint(x * 255).astype(np.uint8), y


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(4)
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(12, 3, padding="same", activation="relu")(image)
    x = layers.GlobalMaxPooling2D()(layers.Conv2D(16, 3, activation="relu", name="last")(x))
    model = keras.Model(image, layers.Dense(4, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    x, y = squares(800, 1)
    model.fit(x / 255, y, epochs=6, batch_size=64, verbose=0)
    return model


@pytest.fixture(scope="module")
def found(network, analyse, subject_of):
    x, y = squares(60, 2)
    y[:3] = (y[:3] + 1) % 4  # mistakes by their labels
    return analyse(
        "attributions", subject_of(network, x, y, preprocessing="unit"), samples=24, shown=4
    )


def test_all_methods_are_named_alike():
    assert set(ALL) == set(METHODS)


def test_what_can_be_checked_is_proved(found):
    passed = {one.method for one in found.result.faithfulness.verdicts if one.passes}
    assert "occlusion" in passed
    assert "integrated_gradients" in passed
    assert found.levels[FAITHFULNESS] in ("pass", "note")
    assert "a random fifth on" in found.findings[FAITHFULNESS].message
    assert found.levels[SANITY] == "pass"


def test_each_sample_stands_beside_its_maps(found):
    (grid,) = [block for block in found.body.blocks if block.id == "attributions-maps"]
    panel = grid.panels[0]
    assert panel.columns == 5
    tiles = found.body.arrays["maps"]
    assert tiles.shape == (4 * 5, 192, 192, 3)
    assert len(panel.labels) == 20
    assert {label.text for label in panel.labels} >= {"Occlusion", "HiResCAM", "Gradient"}
    assert "20 more samples" in grid.caption


def test_mistakes_are_shown_for_both_classes(found):
    assert found.result.chosen.mistakes >= 3
    assert len(found.result.mistakes) >= 3
    (grid,) = [block for block in found.body.blocks if block.id == "attributions-mistakes"]
    assert found.body.arrays["mistakes"].shape[0] == 3 * len(found.result.mistakes)
    assert grid.panels[0].labels[1].text.startswith("for ")
    # A red square holds nothing that speaks for blue: the two maps are not alike.
    assert all(one.specific for one in found.result.mistakes[:1])


def test_the_table_gives_each_method_its_own_check(found):
    (table,) = [block for block in found.body.blocks if block.id == "attributions-proof"]
    by_name = {row[0]: row for row in table.rows}
    assert "sums to the score but for 0.0%" in by_name["HiResCAM"][-1]
    assert "sums to the score" in by_name["Integrated gradients"][-1]
    assert by_name["Occlusion"][1] == "proved"


def test_nothing_is_changed_and_the_same_seed_gives_the_same(network, analyse, subject_of):
    x, y = squares(20, 3)
    subject = subject_of(network, x, y, preprocessing="unit")
    before = subject.weights_hash()
    first, second = (
        analyse("attributions", subject, samples=8, shown=2, randomised=2) for _ in range(2)
    )
    assert subject.weights_hash() == before
    assert first.body.findings == second.body.findings
    for name, array in first.body.arrays.items():
        np.testing.assert_array_equal(array, second.body.arrays[name])


def test_few_samples_are_drawn_and_not_judged(network, analyse, subject_of):
    x, y = squares(3, 3)
    found = analyse("attributions", subject_of(network, x, y, preprocessing="unit"), randomised=0)
    assert found.findings["attributions.sanity"].message == (
        "Left out: attributions.randomised is 0."
    )
    assert found.levels[FAITHFULNESS] == "not_applicable"
    assert "3 samples are too few" in found.findings[FAITHFULNESS].message
    assert found.body.arrays["maps"].shape[0] == 15


def test_a_network_without_positions_has_the_other_methods(analyse, subject_of):
    image = keras.Input((12, 12, 1))
    x = layers.Dense(16, activation="relu")(layers.Flatten()(image))
    model = keras.Model(image, layers.Dense(1)(x))
    x = np.random.default_rng(0).integers(0, 256, (20, 12, 12, 1)).astype(np.uint8)
    found = analyse(
        "attributions",
        subject_of(model, x, np.linspace(0, 1, 20), preprocessing="unit"),
        samples=12,
    )
    missing = {one.name: one.missing for one in found.result.methods if one.missing}
    assert set(missing) == {"hires_cam"}
    assert "no layer with rows and columns" in missing["hires_cam"]
    assert found.result.faithfulness is not None  # a regression: the number is explained


def test_no_time_is_said(network, analyse, subject_of):
    x, y = squares(20, 3)
    subject = subject_of(network, x, y, preprocessing="unit")
    found = analyse("attributions", subject, seconds=1e-6)
    assert found.levels[FAITHFULNESS] == "not_applicable"
    assert "attributions.seconds" in found.findings[FAITHFULNESS].message
