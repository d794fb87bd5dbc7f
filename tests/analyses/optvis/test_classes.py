"""Pictures of classes, whatever the output says: they raise what they are meant to raise."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.analyses.optvis.classes import choose_classes

SHAPE = (8, 8, 3)


@pytest.fixture(scope="module")
def draw(paint, stack, noisy):
    """``draw(units, activation, y, ...)``: classes of a net whose output is a dense layer."""

    def run(units, activation, y=None, *, end=(), classes=5, x=None):
        model = stack(
            layers.Conv2D(8, 3, activation="relu", name="c1"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(units, activation=activation, name="out"),
            *end,
            shape=SHAPE,
            seed=4,
        )
        x = noisy(SHAPE) if x is None else x
        return paint(model, x, y, layers=0, classes=classes)

    return run


def pictures(found):
    """All pictures ``(classes * variants, h, w, c)`` and the shape to fold answers to."""
    images = found.classes.optimised.images
    return images.reshape(-1, *images.shape[2:]), images.shape[:2]


def answer(found, images):
    return np.asarray(found.subject.model(images, training=False))


def raw_scores(found, inputs):
    """Before the last activation, by NumPy."""
    pooled = keras.Model(
        found.subject.model.inputs[0], found.subject.model.get_layer("pool").output
    )
    kernel, bias = found.subject.model.get_layer("out").get_weights()
    return np.asarray(pooled(inputs)) @ kernel + bias


@pytest.mark.parametrize("activation", ["softmax", None])
def test_classes_of_softmax_and_of_logits(draw, activation):
    found = draw(3, activation, np.arange(40) % 3)
    classes = found.result.classes
    assert (classes.chosen, classes.left) == ((0, 1, 2), 0)
    assert classes.names == ("class 0", "class 1", "class 2")
    flat, shape = pictures(found)
    scores = raw_scores(found, flat)
    folded = scores.reshape(*shape, 3)
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    chance = (odds / odds.sum(axis=1, keepdims=True)).reshape(*shape, 3)
    for i, judged in enumerate(classes.judged):
        # float32, another batch
        np.testing.assert_allclose(judged.scores, folded[i, :, i], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(classes.answers[i], chance[i, :, i], rtol=1e-3, atol=1e-5)
        natural = raw_scores(found, found.subject.inputs())[:, i]
        assert judged.natural == pytest.approx(natural.max(), rel=1e-4, abs=1e-5)
        assert judged.best > judged.natural


@pytest.mark.parametrize(("activation", "y"), [("sigmoid", None), (None, np.arange(40) % 2)])
def test_of_one_unit_class_0_is_the_other_direction(draw, activation, y):
    found = draw(1, activation, y)
    classes = found.result.classes
    assert classes.chosen == (0, 1)
    assert classes.names == ("class 0", "class 1")
    flat, shape = pictures(found)
    scores = raw_scores(found, flat).reshape(shape)
    natural = raw_scores(found, found.subject.inputs())
    assert scores[0].max() < natural.min()
    assert scores[1].min() > natural.max()
    np.testing.assert_allclose(classes.judged[0].scores, -scores[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(classes.judged[1].scores, scores[1], rtol=1e-4, atol=1e-5)
    assert classes.judged[0].natural == pytest.approx(-natural.min(), rel=1e-4)
    chance = 1 / (1 + np.exp(-scores))
    np.testing.assert_allclose(classes.answers[0], 1 - chance[0], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(classes.answers[1], chance[1], rtol=1e-3, atol=1e-5)


def test_independent_sigmoids_are_each_their_own(draw):
    found = draw(4, "sigmoid", (np.random.default_rng(0).random((40, 4)) > 0.5).astype(int))
    classes = found.result.classes
    assert classes.chosen == (0, 1, 2, 3)
    flat, shape = pictures(found)
    chance = answer(found, flat).reshape(*shape, 4)
    for i in range(4):
        np.testing.assert_allclose(classes.answers[i], chance[i, :, i], rtol=1e-3, atol=1e-5)
        assert chance[i, :, i].min() > answer(found, found.subject.inputs())[:, i].max()


def test_outputs_of_a_regression_are_named_by_number(draw):
    found = draw(2, None, np.random.default_rng(0).random((40, 2)))
    classes = found.result.classes
    assert classes.names == ("output 0", "output 1")
    flat, shape = pictures(found)
    values = answer(found, flat).reshape(*shape, 2)
    for i in range(2):
        np.testing.assert_allclose(classes.answers[i], values[i, :, i], rtol=1e-4, atol=1e-5)
    (block,) = [b for b in found.body.blocks if b.id == "optvis-classes"]
    assert block.title == "What raises an output"
    assert not any("the model gives it" in panel.note for panel in block.panels)


def test_of_one_number_the_largest_is_painted(draw):
    found = draw(1, None, np.random.default_rng(0).random(40))
    assert found.subject.reading.task == "regression"
    assert found.result.classes.names == ("output 0",)
    flat, _ = pictures(found)
    assert answer(found, flat).min() > answer(found, found.subject.inputs()).max()


def test_a_linear_activation_layer_behind_the_scores_is_seen_through(draw):
    found = draw(3, None, np.arange(40) % 3, end=(layers.Activation("softmax", name="soft"),))
    flat, shape = pictures(found)
    scores = raw_scores(found, flat).reshape(*shape, 3)
    for i, judged in enumerate(found.result.classes.judged):
        np.testing.assert_allclose(judged.scores, scores[i, :, i], rtol=1e-4, atol=1e-5)


def test_of_many_classes_the_most_answered_are_painted(draw):
    found = draw(9, "softmax", np.arange(40) % 9, classes=4)
    counts = np.bincount(found.subject.probabilities.argmax(axis=1), minlength=9)
    ranked = np.argsort(-counts, kind="stable")[:4]
    assert found.result.classes.chosen == tuple(sorted(ranked.tolist()))
    assert found.result.classes.left == 5
    assert choose_classes(found.subject, 9) == (tuple(range(9)), 0)
    assert choose_classes(found.subject, 0) == ((), 9)
    (block,) = [b for b in found.body.blocks if b.id == "optvis-classes"]
    assert len(block.panels) == 4
    assert "5 more are not drawn" in block.caption


def test_an_output_that_is_a_map_has_no_classes(paint, stack, noisy):
    model = stack(
        layers.Conv2D(8, 3, activation="relu", name="c1"),
        layers.Conv2D(2, 1, activation="softmax", name="map"),
        shape=SHAPE,
    )
    found = paint(model, noisy(SHAPE), classes=5, units=1)
    assert found.result.classes is None
    assert found.result.layers
    assert "optvis-classes" not in {block.id for block in found.body.blocks}


def test_the_strongest_samples_of_a_class_stand_beside_it(draw):
    found = draw(3, "softmax", np.arange(40) % 3)
    scores = raw_scores(found, found.subject.inputs())
    samples = found.result.classes.samples
    assert samples.shape == (3, 3, 32, 32, 3)
    for i in range(3):
        row = int(scores[:, i].argmax())
        shown = found.subject.pictures(np.array([row]))[0]
        # eight pixels a side are drawn four times as large; interpolation keeps the mean
        assert abs(samples[i, 0].mean() - shown.mean()) < 3


def test_far_scores_overflow_nothing(draw, planted):
    """A warning would be an error here: exp(-scores) of a score of -1000 is beyond float32."""
    found = draw(1, "sigmoid")
    kernel, bias = found.subject.model.get_layer("out").get_weights()
    found.subject.model.get_layer("out").set_weights([kernel * 1e4, bias])
    from reportgen.analyses.optvis.judging import _answers

    far = _answers(found.subject, np.array([[-1000.0, 1000.0]], np.float32))
    assert far.tolist() == [[0.0, 1.0]]
