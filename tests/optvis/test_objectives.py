"""Objectives compose like numbers, change nothing, and give what NumPy gives by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen.errors import UsageError
from reportgen.optvis import (
    channel,
    direction,
    diversity,
    layer,
    logit,
    neuron,
    softmax,
    visualize,
)
from reportgen.optvis.cut import Cut
from reportgen.optvis.objectives import signed_logit
from reportgen.optvis.places import Head, View
from reportgen.subject.probe import Tap

from .conftest import convnet, linear, plain, trace

VALUES = np.round(np.random.default_rng(0).normal(size=(4, 5, 6, 3)), 3).astype(np.float32)
OTHERS = np.round(np.random.default_rng(1).normal(size=(4, 7)), 3).astype(np.float32)
UNITS = [2, 0, 1, 2]


def evaluate(objective, values=VALUES, others=OTHERS, variants=1) -> np.ndarray:
    """Of four images, with "maps" and "vector" as the layers that there are."""
    places = {place: others if _is_vector(place) else values for place in objective.places}
    view = View({place: tf.constant(given) for place, given in places.items()}, variants)
    rows = np.arange(len(objective)) if len(objective) == 4 else np.zeros(4, int)
    parameters = [tf.constant(parameter[rows]) for parameter in objective.parameters]
    return np.broadcast_to(objective.evaluate(view, parameters), 4)


def _is_vector(place) -> bool:
    return isinstance(place, Head) or place.address == "vector"


def picked(values=VALUES) -> np.ndarray:
    """The maps of UNITS, one an image: (4, 5, 6)."""
    return np.stack([values[i, ..., unit] for i, unit in enumerate(UNITS)])


ARITHMETIC = {
    "sum": lambda a, b: a + b,
    "difference": lambda a, b: a - b,
    "product": lambda a, b: a * b,
    "multiple": lambda a, b: 2 * a,
    "multiple from the right": lambda a, b: a * 0.5,
    "multiple by NumPy": lambda a, b: np.float32(2) * a + np.float64(1) - np.int64(3) * b,
    "number added": lambda a, b: 1.5 + a + 3,
    "number subtracted": lambda a, b: (1 - a) - 2,
    "negative": lambda a, b: -a,
    "brackets": lambda a, b: (a - 1) * (b + 2 * a) - (a - b),
    "sum of a list": lambda a, b: sum([a, b, a]),
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_is_that_of_the_values(name):
    first, second = channel("maps", UNITS), neuron("vector", 3)
    by_hand = ARITHMETIC[name](evaluate(first), evaluate(second))
    combined = ARITHMETIC[name](first, second)
    assert len(combined) == 4
    np.testing.assert_allclose(evaluate(combined), by_hand, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ARITHMETIC)
def test_composing_changes_no_operand(name):
    first, second = channel("maps", UNITS), neuron("vector", 3)
    before = [(o.places, o.labels, o.key, o.highest, o.paired) for o in (first, second)]
    values = [evaluate(o) for o in (first, second)]
    combined = ARITHMETIC[name](first, second)
    assert not any(parameter.flags.writeable for parameter in combined.parameters)
    assert [(o.places, o.labels, o.key, o.highest, o.paired) for o in (first, second)] == before
    for objective, value in zip((first, second), values, strict=True):
        np.testing.assert_array_equal(evaluate(objective), value)


def test_labels_read_as_the_formula():
    first, second = layer("a"), layer("b")
    assert (first + 2 * second).labels == ("a + 2 * b",)
    assert (-(first + second)).labels == ("-(a + b)",)
    assert (first - (second - 1)).labels == ("a - (b - 1)",)
    assert ((first + second) * first).labels == ("(a + b) * a",)
    assert channel("a", [3, 5]).labels == ("a, unit 3", "a, unit 5")


def test_a_direction_keeps_its_own_copy():
    vectors = VECTORS.copy()
    objective = direction("maps", vectors)
    vectors[:] = 0
    np.testing.assert_array_equal(objective.parameters[0], VECTORS)


def test_one_unit_goes_with_many_and_others_do_not():
    combined = neuron("vector", 0) - channel("maps", UNITS)
    assert len(combined) == 4
    assert combined.labels[1] == "vector, unit 0, one neuron - maps, unit 0"
    with pytest.raises(UsageError, match="2 and 4 units do not go together"):
        channel("maps", [0, 1]) + channel("maps", UNITS)


def test_slices_keep_the_units_own_numbers():
    whole = channel("maps", UNITS) * 2 + direction("maps", np.eye(3)[[0, 1, 2, 0]])
    for part in (whole[1:3], whole[[1, 2]], whole[np.array([1, 2])]):
        assert part.labels == whole.labels[1:3]
        for kept, parameter in zip(part.parameters, whole.parameters, strict=True):
            np.testing.assert_array_equal(kept, parameter[1:3])
    assert whole[-1].labels == (whole.labels[3],)
    assert [one.labels[0] for one in whole] == list(whole.labels)
    with pytest.raises(IndexError):
        whole[4]


def test_equal_keys_are_those_that_share_a_trace():
    assert channel("a", 0).key == channel("a", [3, 4]).key
    assert (2 * channel("a", 0) - layer("b")).key == (2 * channel("a", [1, 2]) - layer("b")).key
    assert direction("a", [1, 2]).key == direction("a", [3, 4]).key
    others = [
        channel("b", 0),
        channel("a", 0, trim=1),
        channel("a", 0, stage="before"),
        neuron("a", 0),
        neuron("a", 0, (1, 1)),
        layer("a"),
        layer("a", power=1),
        direction("a", [1]),
        direction("a", [1], cosine_power=1),
        diversity("a"),
        logit(0),
        logit(0, output=1),
        softmax(0),
        2 * channel("a", 0),
        3 * channel("a", 0),
        channel("a", 0) + 2,
        signed_logit([0], [1]),
    ]
    assert len({channel("a", 0).key, *(other.key for other in others)}) == len(others) + 1


def by_hand_diversity(values: np.ndarray, variants: int) -> np.ndarray:
    grams = [np.ravel(m.T @ m) for m in values.reshape(4, -1, 3)]
    unit = [gram / np.linalg.norm(gram) for gram in grams]
    groups = np.arange(4) // variants
    mates = [[j for j in range(4) if j != i and groups[j] == groups[i]] for i in range(4)]
    return np.array([-np.mean([unit[i] @ unit[j] for j in mates[i]]) for i in range(4)])


def by_hand_direction(vectors: np.ndarray, power: int) -> np.ndarray:
    dots = np.einsum("bhwc,bc->bhw", VALUES, vectors)
    lengths = np.linalg.norm(VALUES, axis=-1) * np.linalg.norm(vectors, axis=-1)[:, None, None]
    return np.mean(dots * np.maximum(dots / lengths, 0.1) ** power, axis=(1, 2))


VECTORS = np.array([[1, 2, 3], [0, -1, 0.5], [1, 1, 1], [2, 0, 0]], np.float32)
BY_HAND = {
    "channel": (channel("maps", UNITS), picked().mean((1, 2))),
    "channel of a dense layer": (channel("vector", UNITS), OTHERS[range(4), UNITS]),
    "trimmed": (channel("maps", UNITS, trim=2), picked()[:, 2:3, 2:4].mean((1, 2))),
    "trimmed vector": (channel("vector", UNITS, trim=2), OTHERS[range(4), UNITS]),
    "middle neuron": (neuron("maps", UNITS), picked()[:, 2, 3]),
    "neuron": (neuron("maps", UNITS, (4, 0)), picked()[:, 4, 0]),
    "layer": (layer("maps"), (VALUES**2).mean((1, 2, 3))),
    "layer, power 1": (layer("maps", power=1), VALUES.mean((1, 2, 3))),
    "two layers": (layer("maps", "vector"), (VALUES**2).mean((1, 2, 3)) + (OTHERS**2).mean(1)),
    "direction": (direction("maps", VECTORS), by_hand_direction(VECTORS, 0)),
    "cosine": (direction("maps", VECTORS, cosine_power=2), by_hand_direction(VECTORS, 2)),
    "logit": (logit(UNITS), OTHERS[range(4), UNITS]),
    "signed": (signed_logit(UNITS, [1, -1, -1, 1]), OTHERS[range(4), UNITS] * [1, -1, -1, 1]),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_values_by_hand(name):
    objective, expected = BY_HAND[name]
    # float32 sums of 30 to 90 terms of size 1.
    np.testing.assert_allclose(evaluate(objective), expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("variants", [2, 4])
def test_diversity_by_hand(variants):
    expected = by_hand_diversity(VALUES, variants)
    found = evaluate(diversity("maps"), variants=variants)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    same = np.repeat(VALUES[:1], 4, axis=0)
    np.testing.assert_allclose(evaluate(diversity("maps"), same, variants=2), -1, rtol=1e-6)


@pytest.mark.parametrize(
    "objective",
    [direction("maps", VECTORS, cosine_power=2), diversity("maps"), layer("maps")],
    ids=["direction", "diversity", "layer"],
)
def test_silent_positions_have_a_finite_gradient(objective):
    values = tf.constant(np.maximum(VALUES, 0) * (np.arange(5) > 2)[:, None, None])
    silent = tf.concat([values[:3], tf.zeros_like(values[:1])], axis=0)
    (tap,) = objective.places
    with tf.GradientTape() as tape:
        tape.watch(silent)
        parameters = [tf.constant(p) for p in objective.parameters]
        score = tf.reduce_sum(objective.evaluate(View({tap: silent}, 2), parameters))
    assert np.isfinite(tape.gradient(score, silent).numpy()).all()


def head_ends(kind: str) -> tuple[keras.Model, np.ndarray, np.ndarray]:
    """A model whose output is made in one of many ways, its dense weights, its bias."""
    image = keras.Input((4, 4, 1))
    ends = {"fused": "softmax", "fused sigmoid": "sigmoid"}
    dense = layers.Dense(3, activation=ends.get(kind), name="dense")
    made = dense(layers.Flatten()(image))
    after = {
        "activation layer": layers.Activation("softmax"),
        "softmax layer": layers.Softmax(),
        "operation": keras.ops.softmax,
        "sigmoid operation": keras.ops.sigmoid,
        "log softmax": keras.ops.log_softmax,
        "named identity": lambda t: layers.Activation("linear")(layers.Softmax()(t)),
        "reshaped": lambda t: layers.Reshape((3,))(layers.Softmax()(layers.Reshape((1, 3))(t))),
    }
    made = after[kind](made) if kind in after else made
    model = keras.Model(image, made)
    if kind == "nested":
        outer = keras.Input((4, 4, 1))
        inner = keras.Model(image, layers.Softmax()(made), name="inner")
        model = keras.Model(outer, inner(outer))
    return model, *dense.get_weights()


KINDS = [
    "fused",
    "fused sigmoid",
    "activation layer",
    "softmax layer",
    "operation",
    "sigmoid operation",
    "log softmax",
    "named identity",
    "reshaped",
    "nested",
    "linear",
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_logit_is_what_the_dense_layer_makes(kind):
    model, weights, bias = head_ends(kind)
    images = np.random.default_rng(0).normal(size=(5, 4, 4, 1)).astype(np.float32) * 50
    logits = images.reshape(5, -1) @ weights + bias
    read = trace(Cut(model, [Head(), Head(0, "output")]).read, images)
    # Values of size 100: float32 keeps six digits. Probabilities are saturated here.
    np.testing.assert_allclose(read[Head()], logits, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(read[Head(0, "output")], model.predict(images, verbose=0), atol=1e-6)


def test_logit_of_class_is_its_column():
    model, weights, bias = head_ends("fused")
    result = visualize(model, logit([2, 0]), recipe=plain(16))
    pixels = result.images.reshape(2, -1)
    expected = [pixels[0] @ weights[:, 2] + bias[2], pixels[1] @ weights[:, 0] + bias[0]]
    np.testing.assert_allclose(result.scores[:, 0], expected, rtol=1e-5)
    inside = visualize(model, softmax(2), recipe=plain(4))
    assert inside.scores[0, 0] == pytest.approx(
        model.predict(inside.images[0], verbose=0)[0, 2], rel=1e-5
    )


WRONG = {
    "unit": (lambda: channel("second", [1, 5]), "second has 5 units, .*no unit 5"),
    "neuron": (lambda: neuron("second", 7), "second has 5 units, .*no unit 7"),
    "class": (lambda: logit(4), "The output has 4 units, .*no unit 4"),
    "in a sum": (lambda: channel("first", 0) - channel("second", 9), "second has 5 .*no unit 9"),
    "output": (lambda: logit(0, output=2), "1 outputs, there is no output 2"),
    "layer": (lambda: channel("block/second", 0), "No layer 'block/second'.*are: second"),
    "far layer": (lambda: channel("third", 0), "No layer 'third'.*first, second, pool, head"),
    "trim": (lambda: channel("second", 0, trim=4), r"leaves nothing of a map of \(7, 7\)"),
    "position": (lambda: neuron("second", 0, (7, 0)), r"map is \(7, 7\), .*no position \(7, 0\)"),
    "rank": (lambda: neuron("second", 0, (1,)), r"there is no position \(1,\)"),
    "direction": (lambda: direction("second", [1, 2]), "5 channels, the direction has 2"),
    "negative": (lambda: channel("second", -1), "counted from 0, got -1"),
    "fraction": (lambda: channel("second", [0.5]), "whole numbers"),
    "no unit": (lambda: channel("second", []), "whole numbers"),
    "no layer": (lambda: layer(), "at least one address"),
    "negative trim": (lambda: channel("second", 0, trim=-1), "trim: 0 or more .*not -1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said(name):
    make, message = WRONG[name]
    with pytest.raises(UsageError, match=message):
        visualize(convnet(), make(), recipe=plain(1))


def test_stages_of_a_layer():
    model = linear(np.ones((4, 1)), (2, 2, 1))
    read = trace(Cut(model, [Tap("head", "before")]).read, np.full((1, 2, 2, 1), 2.0))
    assert read[Tap("head", "before")] == 8
