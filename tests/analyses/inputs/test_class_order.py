"""Orders of the outputs: planted ones are found and named, sound ones stay as they are."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from reportgen.analyses.inputs.class_order import judge_order, name_cause
from reportgen.subject.class_names import read_class_names

ID = "inputs.class_order"
TWELVE = tuple(sorted((str(i) for i in range(12)), key=int))


def draw(classes, truth, *, samples, right, seed):
    """Labels as positions in ``classes``, and answers of a model whose outputs are ``truth``.

    right: share of samples whose output is that of their class; the others are even.
    """
    rng = np.random.default_rng(seed)
    targets = rng.permutation(np.arange(samples) % len(classes))
    outputs = np.array([truth.index(name) for name in classes])[targets]
    lost = rng.random(samples) > right
    outputs[lost] = rng.integers(0, len(classes), lost.sum())
    return targets, outputs


def judge(classes, truth, *, samples=240, right=0.85, seed=0):
    targets, answers = draw(classes, list(truth), samples=samples, right=right, seed=seed)
    return judge_order(classes, targets, answers, np.random.default_rng(seed))


LETTERS = tuple("abcdefgh")
PLANTED = {
    "pair": (LETTERS, "abdcefgh", "these two are exchanged"),
    "cycle of three": (LETTERS, "abdecfgh", ""),
    "two groups": (LETTERS, "bacdefhg", ""),
    "reversed": (LETTERS, "hgfedcba", "they are the other way round"),
    "shifted": (LETTERS, "bcdefgha", "they are shifted by 1"),
    "shifted back": (LETTERS, "habcdefg", "they are shifted by 1"),
    "permuted": (LETTERS, "dahgbecf", ""),
    "by number, as text": (tuple(sorted(TWELVE)), TWELVE, "order of their numbers"),
    "as text, by number": (TWELVE, tuple(sorted(TWELVE)), "sorted them as text"),
    "capitals": (("Zebra", "ant", "bee"), ("ant", "bee", "Zebra"), "without regard to capitals"),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_order_is_found_and_named(kind, seed):
    classes, truth, cause = PLANTED[kind]
    found = judge(classes, tuple(truth), seed=seed)
    assert found.names == tuple(truth)
    assert found.cause == cause or (cause and cause in found.cause)
    assert found.doubtful == 0
    assert found.paired.after > found.paired.before
    moved = {i for one in found.moved for i in one.outputs}
    assert moved == {i for i, name in enumerate(classes) if truth[i] != name}


@pytest.mark.parametrize("right", [0.2, 0.5, 0.7, 0.95])
def test_a_sound_order_is_left_alone(right):
    """Two hundred models of each strength, down to hardly better than chance."""
    for seed in range(200):
        samples = (30, 100, 400)[seed % 3]
        found = judge(LETTERS, LETTERS, samples=samples, right=right, seed=seed)
        assert found.names == LETTERS
        assert not found.moved
        assert found.cause == ""


def test_models_of_pure_chance_are_left_alone():
    """The best of all orders is right for .25 of 100 samples of ten classes: that is no order."""
    classes = tuple("abcdefghij")
    for seed in range(200):
        assert not judge(classes, classes, samples=100, right=0.0, seed=seed).moved


def test_a_class_that_is_still_wrong_is_not_moved():
    """Samples of b are answered as c, those of c as anything: b and c are not exchanged."""
    rng = np.random.default_rng(1)
    targets = np.arange(300) % 3
    answers = np.where(targets == 0, 0, np.where(targets == 1, 2, rng.integers(0, 3, 300)))
    found = judge_order(("a", "b", "c"), targets, answers, rng)
    assert not found.moved
    assert found.names == ("a", "b", "c")


def test_classes_without_samples_keep_their_names():
    targets, answers = draw(LETTERS, list("abdcefgh"), samples=240, right=0.9, seed=4)
    there = targets < 5
    found = judge_order(LETTERS, targets[there], answers[there], np.random.default_rng(0))
    assert found.names == tuple("abdcefgh")


def test_a_cause_is_named_only_where_it_fits():
    assert name_cause(("a", "b", "c", "d"), ("c", "a", "b", "d")) == ""
    assert "order of their numbers" in name_cause(("x1", "x10", "x2"), ("x1", "x2", "x10"))
    # Right names that happen to be sorted, as those of folders are, are no cause by themselves.
    digits = tuple("0123456789")
    assert name_cause(digits[::-1], digits) == "they are the other way round"
    assert name_cause(digits[1:] + digits[:1], digits) == "they are shifted by 1"
    assert name_cause(("b", "a", "c"), ("a", "b", "c")) == "these two are exchanged"


def test_a_wrong_order_accuses_no_scaling(colourful, seen, subject_of, analyse):
    """Named the other way round next to nothing is right: what has collapsed to one class is."""
    x, y = seen
    found = analyse("inputs", subject_of(colourful, x, 3 - y, preprocessing="unit"))
    assert found.levels[ID] == "warn"
    assert found.levels["inputs.scaling"] == "pass"


AWKWARD = (
    ("001.Auk", "002.Bee", "003.Cat", "004.Dog"),
    ("class", "label", "# a", "[b]"),
    ("{c}", "'x'", "- y", "z,"),
    ('"q"', "two\u2028lines", "0 cat", "cat 1"),
)


@pytest.mark.parametrize("names", AWKWARD)
def test_the_file_says_the_same_whatever_classes_are_called(
    colourful, seen, subject_of, analyse, names, tmp_path
):
    x, y = seen
    wrong = (names[3], names[1], names[2], names[0])
    labels = np.array([wrong.index(names[k]) for k in y])
    found = analyse("inputs", subject_of(colourful, x, labels, preprocessing="unit", classes=wrong))
    (file,) = [block for block in found.body.blocks if block.id == "inputs-classes"]
    (tmp_path / file.name).write_text(file.text, "utf-8")
    assert read_class_names(tmp_path / file.name) == names


@pytest.mark.parametrize("order", [(1, 0, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_the_file_that_is_written_mends_it(colourful, seen, subject_of, analyse, order):
    """Names in a wrong order are found; with the names of the file all is well."""
    x, y = seen
    names = ("red", "blue", "red frame", "blue frame")
    wrong = tuple(names[i] for i in order)
    labels = np.array(names, object)[y]
    found = analyse("inputs", subject_of(colourful, x, labels, preprocessing="unit", classes=wrong))
    assert found.levels[ID] == "warn"
    (file,) = [block for block in found.body.blocks if block.id == "inputs-classes"]
    mended = tuple(json.loads(file.text))
    assert mended == names
    again = analyse(
        "inputs", subject_of(colourful, x, labels, preprocessing="unit", classes=mended)
    )
    assert again.levels[ID] == "pass"
    assert "--classes" in found.findings[ID].message
    assert f"data/{file.name}" in found.findings[ID].message


def test_a_wrong_scaling_does_not_hide_a_wrong_order(colourful, seen, subject_of, analyse):
    """Scaled twice the net hardly answers; the order shows by the scaling that fits better."""
    x, y = seen
    names = ("red", "blue", "red frame", "blue frame")
    wrong = ("red frame", "blue", "red", "blue frame")
    labels = np.array(names, object)[y]
    subject = subject_of(colourful, x, labels, preprocessing="unit-twice", classes=wrong)
    found = analyse("inputs", subject)
    assert (found.levels["inputs.scaling"], found.levels[ID]) == ("warn", "warn")
    assert found.result.order.scaling == "unit"
    assert "(with samples scaled by unit)" in found.findings[ID].message
    assert found.result.order.names == names


def test_a_head_that_loses_what_the_network_knows_is_said(colourful, seen, subject_of, analyse):
    """The last layer is noise: no order helps, but its input lies apart by class."""
    twin = keras.models.clone_model(colourful)
    twin.set_weights(colourful.get_weights())
    kernel, bias = twin.layers[-1].get_weights()
    kernel[:] = np.random.default_rng(1).normal(size=kernel.shape)
    twin.layers[-1].set_weights([kernel, bias])
    found = analyse("inputs", subject_of(twin, *seen, preprocessing="unit"))
    message = found.findings[ID].message
    assert "the layer before the output tells classes apart" in message
    assert "look at the last layer" in message
    sound = analyse("inputs", subject_of(colourful, *seen, preprocessing="unit"))
    assert "Yet" not in sound.findings[ID].message
