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
        (1, None, "regression"),
        (3, POSITIONS, "logits"),
        (3, TEXT, "logits"),
        (3, ONE_HOT, "logits"),
        (3, POSITIONS.astype(float), "logits"),
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
