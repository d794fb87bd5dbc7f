"""What an output means: read from the last activation, and from the labels where that is silent."""

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.errors import ConfigurationError
from reportgen.subject.outputs import Output, list_outputs, probabilities, read_output
from reportgen.subject.probe import Probe


def outputs_of(*middle, shape=(4,)):
    start = keras.Input(shape)
    x = start
    for layer in middle:
        x = layer(x)
    return list_outputs(Probe(keras.Model(start, x), shape))


def task_of(*middle, labels=None, **options):
    return read_output(outputs_of(*middle, **options), labels, None).task


def dense(units, activation=None):
    return layers.Dense(units, activation=activation)


POSITIONS, TEXT = np.array([0, 1, 0]), np.array(["a", "b", "a"], object)
ONE_HOT, NUMBERS = np.eye(3), np.array([[0.1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(
    ("made", "task", "classes"),
    [
        ([dense(1, "sigmoid")], "binary", 2),
        ([dense(3, "sigmoid")], "independent", 3),
        ([dense(1, "hard_sigmoid")], "binary", 2),
        ([dense(3, "softmax")], "softmax", 3),
        ([dense(3), layers.Activation("softmax")], "softmax", 3),
        ([dense(1), layers.Activation("sigmoid")], "binary", 2),
        ([dense(3), layers.Softmax()], "softmax", 3),
        ([dense(3, "softmax"), layers.Reshape((3,))], "softmax", 3),
        ([dense(3, "softmax"), layers.Dropout(0.5)], "softmax", 3),
        ([dense(3, "log_softmax")], "logits", 3),
        ([dense(3, "relu")], "regression", 0),
        ([dense(1, "tanh")], "regression", 0),
        ([dense(3)], "logits", 3),
        ([dense(1)], "regression", 0),
        ([dense(3, "linear")], "logits", 3),
    ],
)
def test_the_last_activation_decides(made, task, classes):
    (output,) = outputs_of(*made)
    reading = read_output((output,), None, None)
    assert (reading.task, reading.classes) == (task, classes)
    assert reading.reason.endswith(".")


@pytest.mark.parametrize(
    ("units", "labels", "task"),
    [
        (1, POSITIONS, "binary_logit"),
        (1, TEXT, "binary_logit"),
        (1, np.array([0, 1, 2]), "regression"),
        (1, np.array([0.5, 1.0]), "regression"),
        (1, np.array([20, 30]), "regression"),
        (1, np.array(["20", "30"], object), "regression"),
        (1, np.array(["-1", "1"], object), "binary_logit"),
        (1, None, "regression"),
        (3, POSITIONS, "logits"),
        (3, TEXT, "logits"),
        (3, ONE_HOT, "logits"),
        (3, POSITIONS.astype(float), "logits"),
        (3, np.array([[1, 1, 0], [0, 0, 0]]), "logits"),
        (3, NUMBERS, "regression"),
        (3, None, "logits"),
    ],
)
def test_labels_decide_about_linear_outputs(units, labels, task):
    assert task_of(dense(units), labels=labels) == task


@pytest.mark.parametrize("labels", [POSITIONS, TEXT, NUMBERS, None])
def test_labels_do_not_overrule_an_activation(labels):
    assert task_of(dense(3, "softmax"), labels=labels) == "softmax"
    assert task_of(dense(1, "sigmoid"), labels=labels) == "binary"


def test_a_map_is_no_answer_a_sample():
    reading = read_output(
        outputs_of(layers.Conv2D(2, 3, activation="softmax"), shape=(8, 8, 1)), None, None
    )
    assert (reading.task, reading.classes) == ("other", 0)
    assert "(6, 6, 2)" in reading.reason


def test_a_softmax_inside_of_a_nested_model():
    inner = keras.Sequential([keras.Input((4,)), dense(3, "softmax")], name="inner")
    (output,) = outputs_of(inner)
    assert (output.name.split("/")[0], output.activation) == ("inner", "softmax")


@pytest.fixture(scope="module")
def two_heads():
    start = keras.Input((4,))
    kind = layers.Dense(3, activation="softmax", name="kind")(start)
    size = layers.Dense(1, name="size")(start)
    return list_outputs(Probe(keras.Model(start, [kind, size]), (4,)))


@pytest.mark.parametrize(
    ("wanted", "name", "task"),
    [
        (None, "kind", "softmax"),
        ("0", "kind", "softmax"),
        ("1", "size", "regression"),
        ("size", "size", "regression"),
    ],
)
def test_one_of_several_outputs(two_heads, wanted, name, task):
    reading = read_output(two_heads, None, wanted)
    assert (reading.output.name, reading.task) == (name, task)
    assert f"({name}) of 2 is audited" in reading.reason


@pytest.mark.parametrize("wanted", ["2", "-1", "weight", ""])
def test_an_output_that_is_not_there(two_heads, wanted):
    with pytest.raises(ConfigurationError, match=r"is not an output\. There are 0: kind, 1: size"):
        read_output(two_heads, None, wanted)


def test_an_output_may_be_named_by_the_end_of_its_address():
    output = Output(0, "outer/inner/kind", (None, 3), "softmax", "outer/inner/kind")
    assert read_output((output,), None, "kind").output is output


# Probabilities, by hand.


def column(*values):
    return np.array(values, np.float32)[:, None]


def test_one_sigmoid_is_the_second_class():
    np.testing.assert_array_equal(
        probabilities("binary", column(0, 0.25, 1)), [[1, 0], [0.75, 0.25], [0, 1]]
    )


def test_the_logit_of_the_second_class():
    got = probabilities("binary_logit", column(0, np.log(3), -1000, 1000))
    # float32 holds log(3) to 1e-7.
    np.testing.assert_allclose(got, [[0.5, 0.5], [0.25, 0.75], [1, 0], [0, 1]], atol=1e-7)


def test_logits():
    logits = np.log(np.array([[1, 2, 5], [2, 2, 4]], np.float32))
    np.testing.assert_allclose(
        probabilities("logits", logits), [[1 / 8, 2 / 8, 5 / 8], [0.25, 0.25, 0.5]], atol=1e-7
    )
    # A common shift changes nothing, however large.
    huge = np.array([[1e30, 1e30, -1e30]], np.float32)
    np.testing.assert_array_equal(probabilities("logits", huge), [[0.5, 0.5, 0]])


def test_log_softmax_read_as_logits_gives_the_probabilities_back():
    shares = np.array([[0.125, 0.375, 0.5]])
    np.testing.assert_allclose(probabilities("logits", np.log(shares)), shares, rtol=1e-12)


@pytest.mark.parametrize("task", ["softmax", "independent"])
def test_what_is_a_probability_already_is_left_alone(task):
    values = np.array([[0.9, 0.8], [0.1, 0.1]], np.float32)
    np.testing.assert_array_equal(probabilities(task, values), values.astype(np.float64))


# Outputs with keys.


def keyed(make):
    """The outputs of a model that answers with ``make(start)``, and the model."""
    keras.utils.set_random_seed(2)
    start = keras.Input((4,))
    model = keras.Model(start, make(start))
    return list_outputs(Probe(model, (4,))), model


def two_keys(start):
    return {
        "size": layers.Dense(1, name="second")(start),
        "kind": layers.Dense(3, activation="softmax", name="first")(start),
    }


def keys_in_keys(start):
    part = {"y": layers.Dense(3, "softmax", name="a")(start), "w": layers.Dense(4, name="b")(start)}
    return {"x": part, "z": layers.Dense(2, name="c")(start)}


def keys_in_a_list(start):
    rest = {"k": layers.Dense(2, name="b")(start), "l": layers.Dense(4, name="c")(start)}
    return [layers.Dense(3, name="a")(start), rest]


def exchanged(start):
    return {"a": layers.Dense(3, name="b")(start), "b": layers.Dense(2, name="a")(start)}


# Where each name stands in what the model answers.
KEYED = {
    "keys": (two_keys, {"kind": ["kind"], "size": ["size"]}),
    "keys in keys": (keys_in_keys, {"x/w": ["x", "w"], "x/y": ["x", "y"], "z": ["z"]}),
    "keys in a list": (keys_in_a_list, {"a": [0], "k": [1, "k"], "l": [1, "l"]}),
    "names of each other": (exchanged, {"a": ["a"], "b": ["b"]}),
}
SAMPLES = np.random.default_rng(3).normal(size=(5, 4)).astype(np.float32)


@pytest.mark.parametrize("kind", KEYED)
def test_outputs_are_named_by_their_keys(kind):
    make, places = KEYED[kind]
    outputs, model = keyed(make)
    assert {output.name for output in outputs} == set(places)
    said = Probe(model, (4,)).predict(lambda rows: SAMPLES[rows], len(SAMPLES))
    for output in outputs:
        known = model(SAMPLES)
        for key in places[output.name]:
            known = known[key]
        assert output.units == known.shape[1]
        np.testing.assert_allclose(said[output.index], np.asarray(known), atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "wanted", "name"),
    [
        ("keys", None, "kind"),
        ("keys", "size", "size"),
        ("keys", "second", "size"),
        ("keys", "first", "kind"),
        ("keys", "1", "size"),
        ("keys in keys", "x/y", "x/y"),
        ("keys in keys", "y", "x/y"),
        ("keys in keys", "a", "x/y"),
        ("keys in keys", "z", "z"),
        ("keys in keys", "0", "x/w"),
        ("keys in a list", "a", "a"),
        ("keys in a list", "l", "l"),
        ("keys in a list", "b", "k"),
        ("names of each other", "a", "a"),
        ("names of each other", "b", "b"),
    ],
)
def test_an_output_by_its_key_its_layer_or_its_number(kind, wanted, name):
    outputs, _ = keyed(KEYED[kind][0])
    reading = read_output(outputs, None, wanted)
    assert reading.output.name == name
    assert f"({name}) of {len(outputs)} is audited" in reading.reason


def numbered(start):
    return {"1": layers.Dense(3, name="a")(start), "2": layers.Dense(2, name="b")(start)}


@pytest.mark.parametrize(("make", "wanted"), [(keys_in_keys, "x"), (numbered, "1")])
def test_a_name_of_two_outputs_is_refused(make, wanted):
    outputs, _ = keyed(make)
    with pytest.raises(ConfigurationError, match=rf"'{wanted}' is 2 of the outputs\. There are 0:"):
        read_output(outputs, None, wanted)


# Maps of one position.


def at_one_place(shape, activation):
    """Dense units as a map of that shape; and the same as a row."""
    units = int(np.prod(shape))
    return keras.Sequential(
        [keras.Input((4,)), dense(units, activation), layers.Reshape(shape, name="place")]
    )


@pytest.mark.parametrize(
    ("shape", "activation", "task", "classes"),
    [
        ((1, 1, 3), "softmax", "softmax", 3),
        ((1, 1, 3), None, "logits", 3),
        ((3, 1, 1), "softmax", "softmax", 3),
        ((1, 1, 1), "sigmoid", "binary", 2),
        ((1, 1, 3), "sigmoid", "independent", 3),
        ((1, 3), "softmax", "softmax", 3),
        ((1, 1, 1, 3), "softmax", "softmax", 3),
    ],
)
def test_a_map_of_one_position_is_an_answer(shape, activation, task, classes):
    keras.utils.set_random_seed(2)
    model = at_one_place(shape, activation)
    probe = Probe(model, (4,))
    (output,) = list_outputs(probe)
    reading = read_output((output,), None, None)
    assert (reading.task, reading.classes) == (task, classes)
    assert output.shape == (None, int(np.prod(shape)))
    (said,) = probe.predict(lambda rows: SAMPLES[rows], len(SAMPLES))
    known = np.asarray(model(SAMPLES)).reshape(len(SAMPLES), -1)
    np.testing.assert_allclose(said, known, atol=1e-7)


@pytest.mark.parametrize(("units", "activation"), [(1, "sigmoid"), (5, "softmax")])
def test_a_convolution_of_what_was_pooled_to_one_position(units, activation):
    pooled = layers.GlobalAveragePooling2D(keepdims=True)
    head = layers.Conv2D(units, 1, activation=activation)
    (output,) = outputs_of(layers.Conv2D(4, 3), pooled, head, shape=(8, 8, 1))
    assert (output.shape, output.activation) == ((None, units), activation)


@pytest.mark.parametrize("shape", [(2, 1, 3), (1, 2, 3), (2, 2, 1), (2, 3)])
def test_a_map_of_more_positions_stays_one(shape):
    keras.utils.set_random_seed(2)
    (output,) = list_outputs(Probe(at_one_place(shape, "softmax"), (4,)))
    assert output.shape == (None, *shape)
    reading = read_output((output,), None, None)
    assert (reading.task, reading.classes) == ("other", 0)
    assert f"{shape}: a map" in reading.reason
