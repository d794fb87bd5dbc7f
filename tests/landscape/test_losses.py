"""Which loss is drawn, and that nothing but a loss of Keras is ever called by its name."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen.errors import ConfigurationError
from reportgen.landscape.losses import choose_loss
from reportgen.landscape.named_losses import find_loss
from reportgen.subject.outputs import Output, Reading, list_outputs, read_output
from reportgen.subject.probe import Probe

from .conftest import data, dense_net, open_bench

SPARSE = "sparse categorical crossentropy"


def reading(task: str, units: int = 3, name: str = "head", index: int = 0) -> Reading:
    return Reading(Output(index, name, (None, units), None, name), task, "")


def in_keras_3(class_name: str, **config) -> dict:
    known = {"name": "a", "reduction": "sum_over_batch_size", "dtype": "float32"}
    return {
        "module": "keras.losses",
        "class_name": class_name,
        "config": {**known, **config},
        "registered_name": None,
    }


DECLARED = {
    "a name": ("mean_absolute_error", "mean absolute error"),
    "an alias": ("MSE", "mean squared error"),
    "Keras 2": (
        {
            "class_name": "SparseCategoricalCrossentropy",
            "config": {"reduction": "auto", "name": "x", "from_logits": False, "fn": "y"},
        },
        SPARSE,
    ),
    "Keras 3": (in_keras_3("Huber", delta=2.0), "huber"),
    "a function of Keras 3": (
        {
            "module": "builtins",
            "class_name": "function",
            "config": "mean_absolute_error",
            "registered_name": "function",
        },
        "mean absolute error",
    ),
    "a function by its configuration": (
        {"class_name": "function", "config": {"name": "hinge"}},
        "hinge",
    ),
    "a class without settings": ({"class_name": "LogCosh"}, "log cosh"),
}


@pytest.mark.parametrize("kind", DECLARED)
def test_losses_as_files_have_them(kind):
    declared, name = DECLARED[kind]
    loss = choose_loss(reading("softmax"), declared)
    assert loss.name == name
    assert "compiled with" in loss.reason


@pytest.mark.parametrize("name", ["categorical_crossentropy", "SparseCategoricalCrossentropy"])
@pytest.mark.parametrize("task", ["binary", "binary_logit"])
def test_a_loss_that_a_single_output_cannot_change(task, name):
    """Of one output the categorical one is 0, whatever the answer: no landscape at all."""
    loss = choose_loss(reading(task, units=1), name)
    assert loss.name == "binary crossentropy"
    assert "same for every answer" in loss.reason
    with pytest.raises(ConfigurationError, match="binary_crossentropy"):
        choose_loss(reading(task, units=1), None, name)


def test_settings_are_taken_over():
    assert find_loss(in_keras_3("Huber", delta=2.5))._fn_kwargs["delta"] == 2.5
    smoothed = find_loss(in_keras_3("CategoricalCrossentropy", label_smoothing=0.3))
    assert smoothed._fn_kwargs["label_smoothing"] == 0.3
    assert smoothed.reduction == "sum_over_batch_size"
    assert find_loss(in_keras_3("Huber", reduction="none", delta=1.0)).reduction != "none"


HOSTILE = [
    "get",
    "deserialize",
    "serialize",
    "Loss",
    "losses",
    "__class__",
    "__init__",
    "__dir__",
    "__setattr__",
    "__builtins__",
    "__reduce_ex__",
    "_private",
    "keras.losses.Huber",
    "os.system",
    "builtins.eval",
    "eval",
    "exec",
    "",
    " ",
    "huber()",
    "Huber\n",
    "no_such_loss",
    7,
    1.5,
    b"mse",
    [["mse"]],
    True,
    {"class_name": "function", "config": {"name": {"a": 1}}},
    {"class_name": "function", "config": "get"},
    {"class_name": "function", "config": "deserialize"},
    {"class_name": "__lambda__", "config": {"value": "code"}},
    {"class_name": "Lambda", "config": {}, "module": "keras.layers"},
    {"class_name": ["Huber"], "config": {}},
    {"class_name": None, "config": None},
    {"class_name": "Huber", "config": {"no_such_setting": 1}},
    {"class_name": "Huber", "config": {"delta": -1, "unknown": 3}},
    {"class_name": {"class_name": "Huber"}, "config": {}},
    {"config": {"class_name": "Huber"}, "class_name": "Loss"},
    {"module": "os", "class_name": "system", "config": {"command": "true"}},
]


@pytest.mark.parametrize("declared", HOSTILE, ids=[str(h)[:40] for h in HOSTILE])
def test_what_is_no_loss_is_never_called(declared, monkeypatch):
    def called(*args, **kwargs):
        raise AssertionError("the name in a file was called")

    for name in ("get", "deserialize", "serialize"):
        monkeypatch.setattr(keras.losses, name, called)
    assert find_loss(declared) is None
    loss = choose_loss(reading("softmax"), declared)
    assert loss.name == "categorical crossentropy"
    assert "inferred" in loss.reason


def test_nested_settings_are_not_passed_on():
    """A dictionary inside might be an object that Keras would make."""
    config = {"delta": {"class_name": "Lambda", "config": {}}, "axis": [1]}
    found = find_loss({"class_name": "Huber", "config": config})
    assert found._fn_kwargs == {"delta": 1.0}


def test_the_reason_says_why():
    assert "no loss is in the file" in choose_loss(reading("softmax")).reason
    unknown = choose_loss(reading("softmax"), "my_loss").reason
    assert "my_loss" in unknown
    assert "no loss of Keras" in unknown
    long = choose_loss(reading("softmax"), "x" * 5000).reason
    assert len(long) < 300
    assert choose_loss(reading("softmax"), "mse", wanted="mae").reason == "asked for with --loss"
    with pytest.raises(ConfigurationError, match=r"'get' is no loss of Keras"):
        choose_loss(reading("softmax"), "mse", wanted="get")


@pytest.mark.parametrize(
    ("task", "units", "name", "chance"),
    [
        ("softmax", 10, "categorical crossentropy", np.log(10)),
        ("logits", 4, "categorical crossentropy", np.log(4)),
        ("binary", 1, "binary crossentropy", np.log(2)),
        ("binary_logit", 1, "binary crossentropy", np.log(2)),
        # Each class by itself: .5 costs log 2, however many there are.
        ("independent", 7, "binary crossentropy", np.log(2)),
        ("regression", 3, "mean squared error", None),
    ],
)
def test_the_loss_that_fits_the_output(task, units, name, chance):
    loss = choose_loss(reading(task, units))
    assert loss.name == name
    assert loss.chance == (None if chance is None else pytest.approx(chance))
    assert (loss.right is None) == (task == "regression")


@pytest.mark.parametrize(
    "compiled",
    [
        {"first": "mae", "second": "hinge"},
        {"second": "hinge", "first": "mae"},
        ["mae", "hinge"],
        ("mae", in_keras_3("Hinge")),
    ],
)
def test_losses_of_several_outputs(compiled):
    assert choose_loss(reading("softmax", index=1, name="second"), compiled).name == "hinge"
    first = choose_loss(reading("softmax", index=0, name="outer/first"), compiled)
    assert first.name == "mean absolute error"


@pytest.mark.parametrize("compiled", [{}, [], {"other": "mae"}, ["mae"], {"second": None}])
def test_an_output_without_a_loss(compiled):
    loss = choose_loss(reading("softmax", index=1, name="second"), compiled)
    assert "inferred" in loss.reason


def keyed(*pairs):
    """A model with an output for each key, made by a layer of that name, and the outputs."""
    start = keras.Input((4,))
    model = keras.Model(start, {key: layers.Dense(2, name=name)(start) for key, name in pairs})
    return model, list_outputs(Probe(model, (4,)))


SIZES = [("kind", "first"), ("size", "second")]


@pytest.mark.parametrize(
    ("pairs", "compiled"),
    [
        (SIZES, {"kind": "mae", "size": "huber"}),
        (SIZES, {"size": "huber", "kind": "mae"}),
        ([("size", "a"), ("kind", "b")], {"kind": "mae", "size": "huber"}),
        # Keys that are numbers, or names of each other's layers, are keys all the same.
        ([("1", "a"), ("2", "b")], {"1": "mae", "2": "huber"}),
        ([("a", "b"), ("b", "a")], {"b": "huber", "a": "mae"}),
    ],
)
def test_each_key_has_the_loss_that_was_compiled_for_it(pairs, compiled):
    model, outputs = keyed(*pairs)
    model.compile("sgd", compiled)
    short = {"mae": "mean absolute error", "huber": "huber"}
    chosen = {}
    for output in outputs:
        loss = choose_loss(Reading(output, "regression", ""), model.loss)
        assert "compiled with" in loss.reason
        chosen[output.name] = loss.name
    assert chosen == {key: short[name] for key, name in compiled.items()}


def test_the_loss_of_a_key_is_what_is_measured():
    model, outputs = keyed(*SIZES)
    model.compile("sgd", {"kind": "mse", "size": "mae"})
    x, y = data((4,))
    targets = np.stack([y, 1 - y], 1).astype(np.float32)
    said = {name: np.asarray(value) for name, value in model(x).items()}
    for wanted, known in (
        ("size", np.abs(said["size"] - targets).mean(axis=1)),
        ("kind", ((said["kind"] - targets) ** 2).mean(axis=1)),
    ):
        assert read_output(outputs, targets, wanted).task == "regression"
        bench = open_bench(model, x, targets, compiled=model.loss, output=wanted)
        losses = bench.evaluator().at(bench.point).losses[0]
        np.testing.assert_allclose(losses, known, rtol=1e-5)


def test_the_loss_of_a_key_in_a_key():
    """Keras takes losses that are nested as the outputs are."""
    start = keras.Input((4,))
    part = {name: layers.Dense(2, name=name)(start) for name in ("w", "y")}
    model = keras.Model(start, {"x": part, "z": layers.Dense(2)(start)})
    model.compile("sgd", {"x": {"y": "mae", "w": "huber"}, "z": "hinge"})
    outputs = list_outputs(Probe(model, (4,)))
    chosen = {
        output.name: choose_loss(Reading(output, "regression", ""), model.loss).name
        for output in outputs
    }
    assert chosen == {"x/w": "huber", "x/y": "mean absolute error", "z": "hinge"}


def test_functions_of_a_live_model():
    def own(truth, said):
        return keras.ops.mean((truth - said) ** 4, axis=-1)

    x, y = data((4,))
    bench = open_bench(dense_net(), x, y, compiled=own)
    assert bench.model.loss.name == "own"
    said = bench.network.predict(x, verbose=0)
    losses = bench.evaluator().at(bench.point).losses[0]
    np.testing.assert_allclose(losses, ((np.eye(3)[y] - said) ** 4).mean(axis=1), rtol=1e-5)


def test_a_loss_of_all_samples_together():
    """Dice has one value a batch: each sample gets it."""
    x, y = data((4,))
    bench = open_bench(dense_net(), x, y, compiled="dice")
    said = bench.network.predict(x, verbose=0)
    truth = np.eye(3)[y]
    known = 1 - (2 * (truth * said).sum() + 1e-7) / (truth.sum() + said.sum() + 1e-7)
    losses = bench.evaluator().at(bench.point).losses[0]
    np.testing.assert_allclose(losses, np.full(len(x), known), rtol=1e-5)


def test_wrong_answers_beyond_the_clipping_have_a_loss():
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, "sigmoid", use_bias=False)])
    model.set_weights([np.array([[60.0]])])
    bench = open_bench(model, np.ones((2, 1)), np.array([0, 1]))
    losses = bench.evaluator().at(bench.point).losses[0]
    np.testing.assert_allclose(losses, [60, 0], atol=1e-6)  # Keras' from probabilities: 16.1


@pytest.mark.parametrize(
    ("task", "said", "truth", "known"),
    [
        ("softmax", [[0.7, 0.2, 0.1], [1.0, 0.0, 0.0]], [1, 2], [-np.log(0.2), -np.log(1e-7)]),
        ("binary", [[0.3], [0.0]], [[0.0], [1.0]], [-np.log(0.7), -np.log(1e-7)]),
        (
            "independent",
            [[0.3, 0.8], [0.5, 0.5]],
            [[0.0, 1.0], [1.0, 0.0]],
            [-np.log(0.7 * 0.8) / 2, np.log(2)],
        ),
    ],
)
def test_probabilities_whose_scores_are_hidden(task, said, truth, known):
    """Nothing tells what they were made of: from themselves, clipped as Keras does."""
    loss = choose_loss(reading(task, len(said[0])))
    outputs = tf.constant(said, tf.float64)
    targets = tf.constant(truth, tf.int64 if task == "softmax" else tf.float64)
    found = tf.function(loss.values, autograph=False)(outputs, targets)
    np.testing.assert_allclose(found, known, rtol=1e-6)
