"""Probabilities that no layer's activation function tells; the oracle is Keras' predict."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from reportgen.config import AuditConfig
from reportgen.subject.probe import Probe
from reportgen.subject.subject import LiveInput, open_subject


def dense(units, activation=None):
    return layers.Dense(units, activation=activation, kernel_initializer="glorot_normal")


def gated(x):
    return layers.GRU(1, activation="sigmoid")(layers.Reshape((2, 3))(x))


def per_step(x):
    return layers.TimeDistributed(dense(1, "sigmoid"))(layers.Reshape((1, 6))(x))


def pooled(x):
    return layers.GlobalAveragePooling1D()(dense(1, "sigmoid")(layers.Reshape((2, 3))(x)))


ONE = {  # probabilities of the second class
    "an operation": lambda x: ops.sigmoid(dense(1)(x)),
    "a function": lambda x: keras.activations.sigmoid(dense(1)(x)),
    "a cast behind it": lambda x: layers.Activation("linear", dtype="float32")(
        dense(1, "sigmoid")(x)
    ),
    "the mean of two models": lambda x: layers.Average()(
        [dense(1, "sigmoid")(x), dense(1, "sigmoid")(x)]
    ),
    "the largest of two": lambda x: layers.Maximum()(
        [dense(1, "sigmoid")(x), dense(1, "sigmoid")(x)]
    ),
    "the other class": lambda x: 1.0 - dense(1, "sigmoid")(x),
    "cut": lambda x: ops.clip(dense(1, "sigmoid")(x), 0.01, 0.99),
    "of a softmax": lambda x: dense(2, "softmax")(x)[:, 1:],
    "decided": lambda x: ops.where(dense(1, "sigmoid")(x) > 0.5, 1.0, 0.0),
    "a step of a sequence": per_step,
    "the mean of a sequence": pooled,
    "a recurrent layer": gated,
}
MANY = {
    "softmax": {
        "the mean of two models": lambda x: layers.Average()(
            [dense(3, "softmax")(x), dense(3, "softmax")(x)]
        ),
        "a cast behind it": lambda x: layers.Activation("linear")(dense(3, "softmax")(x)),
        "of its logarithm": lambda x: ops.exp(ops.log_softmax(dense(3)(x))),
        "both classes": lambda x: (lambda p: layers.Concatenate()([1 - p, p]))(
            dense(1, "sigmoid")(x)
        ),
        "a quotient": lambda x: (lambda e: e / ops.sum(e, axis=-1, keepdims=True))(
            ops.exp(dense(3)(x))
        ),
    },
    "independent": {"an operation": lambda x: ops.sigmoid(dense(3)(x))},
    "logits": {
        "scores": lambda x: dense(3)(x),
        "log-softmax behind a cast": lambda x: layers.Activation("linear")(
            ops.log_softmax(dense(3)(x))
        ),
    },
}


def subject(build, truth):
    keras.utils.set_random_seed(3)
    start = keras.Input((6,))
    model = keras.Model(start, build(start))
    x = np.random.default_rng(1).normal(0, 2, (40, 6)).astype(np.float32)
    said = model.predict(x, verbose=0)
    config = AuditConfig(model="live", preprocessing="none")
    return open_subject(config, LiveInput(model, x, truth(said.reshape(40, -1)))), said


@pytest.mark.parametrize("name", ONE)
def test_one_probability(name):
    opened, said = subject(ONE[name], lambda said: (said[:, 0] > 0.5).astype(int))
    assert opened.reading.task == "binary"
    np.testing.assert_allclose(opened.probabilities[:, 1], said.ravel(), atol=1e-6)


@pytest.mark.parametrize(("task", "name"), [(t, n) for t, found in MANY.items() for n in found])
def test_many(task, name):
    opened, said = subject(MANY[task][name], lambda said: said.argmax(axis=1))
    assert opened.reading.task == task
    if task != "logits":
        np.testing.assert_allclose(opened.probabilities, said, atol=1e-6)


@pytest.mark.parametrize(
    ("build", "truth", "task"),
    [
        (lambda x: dense(1)(x), lambda said: (said[:, 0] > 0).astype(int), "binary_logit"),
        (lambda x: 9.0 * dense(1, "sigmoid")(x), lambda said: said[:, 0], "regression"),
        (lambda x: 0.5 * dense(1, "sigmoid")(x), lambda said: said[:, 0], "regression"),
        (lambda x: dense(1)(x) * 0.01 + 0.5, lambda said: said[:, 0], "regression"),
    ],
)
def test_what_is_no_probability(build, truth, task):
    assert subject(build, truth)[0].reading.task == task


def test_endings_by_hand():
    start = keras.Input((4,))
    mixed = layers.Add()([dense(2, "sigmoid")(start), dense(2)(start)])
    model = keras.Model(start, [ops.sigmoid(dense(2)(start)) * 0.5, mixed, dense(2)(start)])
    found = Probe(model, (4,)).output_endings
    assert found == ({"Sigmoid"}, {"Sigmoid", "other"}, {"other"})
