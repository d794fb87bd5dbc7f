"""Wrong scalings and channel orders are found with the right one; a right one stays silent."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.analyses.inputs.paired import DOUBTFUL, IMPROBABLE, Paired, compare, least_gain
from reportgen.analyses.inputs.scaling import list_names
from reportgen.config import PREPROCESSING
from reportgen.subject.preprocessing import find_preprocessing

ID = "inputs.scaling"


def test_the_probability_by_hand():
    assert Paired(100, 50, 64, 14, 0).p == pytest.approx(2**-14)
    # One of two is lost: of three told ways, two or more right by chance in half of the cases.
    assert Paired(100, 50, 51, 2, 1).p == pytest.approx(0.5)
    assert Paired(100, 50, 50, 0, 0).p == 1
    assert Paired(100, 50, 36, 0, 14).p == 1


@pytest.mark.parametrize("tried", [1, 5, 13])
def test_the_least_gain_is_the_least_that_is_told(tried):
    gain = least_gain(tried)
    assert Paired(99, 0, gain, gain, 0).is_better(tried)
    assert not Paired(99, 0, gain - 1, gain - 1, 0).is_better(tried)
    assert least_gain(1) == 10  # 2^-10 is below .001


def test_the_least_share_by_hand():
    assert Paired(100, 50, 50, 0, 0).least_share == 0.1  # ten of ten: 2^-10
    # With one lost 13 have to be gained: (14 + 1) / 2^14 is below .001, (13 + 1) / 2^13 is not.
    assert Paired(100, 50, 50, 1, 1).least_share == pytest.approx(0.12)


def test_counts():
    before, after = np.array([1, 1, 0, 0, 1], bool), np.array([1, 0, 1, 1, 1], bool)
    assert compare(before, after) == Paired(5, 3, 4, 2, 1)


def test_chance_alone_speaks_as_rarely_as_is_said():
    """Ways that are right by chance for the same share: at most .001 of the audits speak."""
    rng = np.random.default_rng(0)
    spoke = 0
    for _ in range(3000):
        right = rng.random((14, 200)) < 0.7
        ways = [compare(right[0], one) for one in right[1:]]
        spoke += any(way.is_better(13) for way in ways)
    assert spoke <= 3000 * IMPROBABLE * 3


def test_the_right_scaling_is_silent(colourful, seen, subject_of, analyse):
    found = analyse("inputs", subject_of(colourful, *seen, preprocessing="unit"))
    assert found.levels[ID] == "pass"
    assert len(found.result.scalings.tried) == 13
    assert "None of 13 other scalings" in found.findings[ID].message


@pytest.mark.parametrize("name", [name for name in PREPROCESSING if name != "unit"])
def test_a_wrong_scaling_is_found_with_the_right_one(colourful, seen, subject_of, analyse, name):
    """Or it answers as well, so far as a paired test can see: then both shares are said."""
    x, y = seen
    found = analyse("inputs", subject_of(colourful, x, y, preprocessing=name))
    wrong, right = (
        colourful.predict(find_preprocessing(way)[1](x.astype(np.float32)), verbose=0).argmax(1)
        == y
        for way in (name, "unit")
    )
    paired = compare(wrong, right)
    finding = found.findings[ID]
    sure, perhaps = paired.is_better(13), paired.is_better(13, DOUBTFUL)
    assert finding.level == ("warn" if sure else "note" if perhaps else "pass")
    if perhaps:
        assert finding.message.startswith("By unit (x / 255) ")
        assert "Audit again with --preprocessing unit, and feed" in finding.message
        assert finding.value == paired.after - paired.before
    table = {row[0]: row[1] for row in found.body.blocks[0].rows}
    assert table["unit (x / 255)"].startswith(f"{right.mean():.1%} (")


def test_most_wrong_ones_are_seen(colourful, seen, subject_of, analyse):
    """Or the test above would prove little."""
    levels = [
        analyse("inputs", subject_of(colourful, *seen, preprocessing=name)).levels[ID]
        for name in ("none", "unit-bgr", "symmetric", "imagenet-caffe", "unit-twice")
    ]
    assert levels == ["warn"] * 5


def test_scaled_twice_is_said(colourful, seen, subject_of, analyse):
    """The model divides by 255 itself, and so does who feeds it."""
    inside = keras.Sequential([keras.Input((10, 10, 3)), layers.Rescaling(1 / 255), colourful])
    found = analyse("inputs", subject_of(inside, *seen, preprocessing="unit"))
    message = found.findings[ID].message
    assert "The model scales its input itself (layer rescaling" in message
    assert "pixels are scaled twice" in message
    assert "--preprocessing none" in message
    assert analyse("inputs", subject_of(inside, *seen, preprocessing="none")).levels[ID] == "pass"


def test_fractions_are_compared_as_pixels(colourful, seen, subject_of, analyse):
    x, y = seen
    fractions = (x / 255).astype(np.float32)
    sound = analyse("inputs", subject_of(colourful, fractions, y, preprocessing="none"))
    assert sound.levels[ID] == "pass"
    assert "unit" in sound.result.scalings.same
    swapped = analyse(
        "inputs", subject_of(colourful, fractions[..., ::-1], y, preprocessing="none")
    )
    message = swapped.findings[ID].message
    assert message.startswith("By unit-bgr ")
    assert "multiply them by 255, then audit again with --preprocessing unit-bgr" in message


def test_what_cannot_be_told_is_said(colourful, seen, subject_of, analyse):
    x, y = seen
    unlabelled = analyse("inputs", subject_of(colourful, x, preprocessing="unit"))
    assert unlabelled.levels[ID] == "not_applicable"
    assert "no labels" in unlabelled.findings[ID].message
    heights = (x * 3.0 - 100).astype(np.float32)
    other = analyse("inputs", subject_of(colourful, heights, y, preprocessing="none"))
    assert "no pixels from 0 to 255" in other.findings[ID].message
    late = analyse("inputs", subject_of(colourful, x, y, preprocessing="unit"), seconds=1e-9)
    assert "Raise inputs.seconds" in late.findings[ID].message


def test_grey_pictures_are_not_tried_with_other_colours():
    twice = ("unit-twice", "symmetric-twice")
    assert list_names(1) == ("none", "unit", "symmetric", "standardize", *twice)
    assert set(list_names(3)) == set(PREPROCESSING)


@pytest.mark.parametrize("kind", ["black", "grey"])
def test_samples_that_many_ways_make_the_same_of(colourful, seen, subject_of, analyse, kind):
    """The first ones are black or grey: the right scaling is tried all the same."""
    x, y = (values[np.argsort(seen[1], kind="stable")] for values in seen)
    x = x.copy()
    x[:4] = 0 if kind == "black" else x[:4, ..., :1]
    found = analyse("inputs", subject_of(colourful, x, y, preprocessing="none"))
    assert "Audit again with --preprocessing unit," in found.findings[ID].message


def test_marks_of_zero_and_one_are_no_pixels_up_to_255(subject_of, analyse):
    network = keras.Sequential([keras.Input((20, 20, 1)), layers.Flatten(), layers.Dense(3)])
    marks = np.random.default_rng(0).integers(0, 2, (40, 20, 20, 1)).astype(np.uint8)
    found = analyse("inputs", subject_of(network, marks, np.arange(40) % 3, preprocessing="none"))
    assert found.result.scalings.fractions
    white = next(blank for blank in found.result.blanks.asked if blank.name == "white")
    said = network.predict(np.ones((1, 20, 20, 1)), verbose=0)
    assert white.confidence == pytest.approx(float(keras.ops.softmax(said).numpy().max()), abs=1e-5)
