"""Declared shapes of graphs, whole and damaged, against what Keras 3 and tf-keras build."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest

from reportgen.subject.model_file.declared import Declared, declare


def plain(model: Any) -> Any:
    return json.loads(model.to_json())


def heads(k: Any, a: Any, b: Any) -> Any:
    layer = k.layers.MultiHeadAttention(num_heads=2, key_dim=3, value_dim=5)
    return layer(a, b)


def heads_by_keyword(k: Any, a: Any, b: Any) -> Any:
    layer = k.layers.MultiHeadAttention(2, 3, use_bias=False, output_shape=7)
    return layer(query=a, value=b, key=b)


def shared_dense(k: Any, a: Any, b: Any) -> Any:
    dense = k.layers.Dense(6)
    return k.layers.Concatenate(axis=1)([dense(a), dense(dense(k.layers.Dense(6)(b)))])


def nested(k: Any, depth: int) -> Any:
    model = k.Sequential([k.Input((12, 6)), k.layers.Dense(6), k.layers.LayerNormalization()])
    for _ in range(depth):
        inputs = k.Input((12, 6))
        model = k.Model(inputs, k.layers.Add()([model(inputs), model(inputs)]))
    return model


def open_backbone(k: Any) -> Any:
    inputs = k.Input((None, None, 6))
    x = k.layers.Conv2D(4, 3, strides=2, name="Conv1")(inputs)
    return k.Model(inputs, k.layers.BatchNormalization(name="bn")(x), name="model1")


def two_outputs(k: Any) -> Any:
    inputs = [k.Input((12, 6)), k.Input((12, 6))]
    return k.Model(inputs, [k.layers.Dense(4)(inputs[1]), k.layers.Dense(5)(inputs[0])])


# What two inputs of (n, 12, 6) become.
GRAPHS: dict[str, Any] = {
    "add": lambda k, a, b: k.layers.Add()([a, b]),
    "broadcast": lambda k, a, b: k.layers.Multiply()(
        [a, k.layers.Reshape((1, 6))(k.layers.GlobalMaxPooling1D()(b))]
    ),
    "shared": shared_dense,
    "average": lambda k, a, b: k.layers.Average()([a, k.layers.Dense(1)(b)]),
    "subtract": lambda k, a, b: k.layers.Subtract()([a, b]),
    "maximum": lambda k, a, b: k.layers.Maximum()([a, b]),
    "concatenate": lambda k, a, b: k.layers.Concatenate(axis=-1)([a, b, a]),
    "concatenate 1": lambda k, a, b: k.layers.Concatenate(axis=1)([a, b]),
    "dot": lambda k, a, b: k.layers.Dot(axes=(1, 1))([a, b]),
    "dot 2": lambda k, a, b: k.layers.Dot(axes=2)([a, b]),
    "attention": lambda k, a, b: k.layers.Attention(use_scale=True, score_mode="concat")([a, b]),
    "additive": lambda k, a, b: k.layers.AdditiveAttention()([a, b]),
    "heads": heads,
    "heads by keyword": heads_by_keyword,
    "time": lambda k, a, b: k.layers.TimeDistributed(k.layers.Dense(3))(a),
    "time model": lambda k, a, b: k.layers.TimeDistributed(
        k.Sequential([k.Input((6,)), k.layers.Dense(4), k.layers.Dense(2)])
    )(a),
    "both ways": lambda k, a, b: k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True))(a),
    "both ways sum": lambda k, a, b: k.layers.Bidirectional(k.layers.GRU(3), merge_mode="sum")(a),
    "both ways states": lambda k, a, b: k.layers.Bidirectional(
        k.layers.LSTM(3, return_state=True), merge_mode=None
    )(a),
    "operators": lambda k, a, b: k.layers.Dense(4)((a / 127.5 - 1.0) * b + 0.5),
    "nested": lambda k, a, b: nested(k, 3)(k.layers.Add()([a, b])),
    "siblings": lambda k, a, b: [nested(k, 1)(a), nested(k, 2)(b)],
    "other size": lambda k, a, b: open_backbone(k)(k.layers.Reshape((3, 4, 6))(a)),
    "two in and out": lambda k, a, b: k.layers.Concatenate()(two_outputs(k)([a, b])),
}


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize("graph", GRAPHS)
def test_declares_what_graphs_build(
    request: pytest.FixtureRequest, assert_declares: Any, library: str, graph: str
) -> None:
    k = request.getfixturevalue(library)
    inputs = [k.Input((12, 6)), k.Input((12, 6))]
    model = k.Model(inputs, GRAPHS[graph](k, *inputs))
    declared = assert_declares(model)
    assert declared.inputs == ((None, 12, 6), (None, 12, 6))


def test_a_wrapper_of_two_widths_declares_its_weights_only(keras: Any) -> None:
    # Keras 3 states (n, 6) and returns (n, 8).
    inputs = keras.Input((12, 6))
    forward, back = keras.layers.LSTM(3), keras.layers.GRU(5, go_backwards=True)
    both = keras.layers.Bidirectional(forward, backward_layer=back)
    model = keras.Model(inputs, both(inputs))
    declared = declare(plain(model))
    assert declared.parameters == model.count_params()
    assert declared.outputs is None


def test_an_unknown_shape_stays_unknown_until_the_file_states_one(
    keras: Any, tf_keras: Any
) -> None:
    models = []
    for k in (keras, tf_keras):
        inputs = k.Input((12, 6))
        x = k.layers.Dense(3, name="after")(inputs[:, ::2])
        models.append(k.Model(inputs, k.layers.Embedding(5, 2, name="free")(x)))
    three, config = declare(plain(models[0])), plain(models[1])
    for layer in config["config"]["layers"]:
        layer.pop("build_config", None)  # as before Keras 2.13
    two = declare(config)
    assert three.parameters == models[0].count_params()  # by its build_config
    assert two.of("after") is None
    assert two.of("free") == [(5, 2)]
    assert (two.parameters, two.lower_bound, two.complete) == (None, 10, False)
    assert two.outputs is None


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_a_constant_array_may_widen_what_it_meets(
    request: pytest.FixtureRequest, library: str
) -> None:
    k = request.getfixturevalue(library)
    inputs = k.Input((12, 6))
    model = k.Model(inputs, inputs * np.ones((5, 1, 12, 6), "float32"))
    assert declare(plain(model)).outputs is None


def test_addresses_follow_the_nesting(keras: Any) -> None:
    inner = keras.Sequential([open_backbone(keras), keras.layers.GlobalMaxPooling2D()], name="s")
    model = keras.Sequential([keras.Input((32, 32, 6)), inner, keras.layers.Dense(2, name="d")])
    rows = {row.address: row for row in declare(plain(model)).layers}
    assert rows["s/model1/Conv1"].layer == "s"
    assert rows["s/model1/Conv1"].weights == (("kernel", (3, 3, 6, 4)), ("bias", (4,)))
    assert rows["d"].output_shapes == ((None, 2),)


def tagged(value: Any) -> Any:
    """Write lists as the metadata of a SavedModel does."""
    if isinstance(value, dict):
        return {key: tagged(one) for key, one in value.items()}
    if isinstance(value, list):
        return {"class_name": "__tuple__", "items": [tagged(one) for one in value]}
    return value


def test_reads_the_tuples_of_a_saved_model(tf_keras: Any) -> None:
    inputs = [tf_keras.Input((12, 6)), tf_keras.Input((12, 6))]
    model = tf_keras.Model(inputs, heads_by_keyword(tf_keras, *inputs))
    config = plain(model)
    assert declare(tagged(config)) == declare(config)
    line = {"batch_input_shape": tagged([None, 8, 2]), "filters": 3, "kernel_size": tagged([3])}
    layers = [{"class_name": "Conv1D", "config": line}]
    first = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    assert declare(first).parameters == 3 * 2 * 3 + 3


JUNK: list[Any] = [
    *(None, True, -1, 0, 2**33, 10**400, 1.5, float("nan"), "", "x", [], [[]], {}, [None, -1]),
    {"class_name": "__tuple__", "items": 3},
    {"class_name": "__keras_tensor__"},
]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every container with each of its keys."""
    found: list[tuple[Any, Any]] = []
    stack = [value]
    while stack:
        item = stack.pop()
        keys = item.keys() if isinstance(item, dict) else range(len(item))
        found += [(item, key) for key in keys]
        stack += [item[key] for key in keys if isinstance(item[key], dict | list)]
    return found


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_never_raises_on_damaged_configurations(
    request: pytest.FixtureRequest, library: str
) -> None:
    k = request.getfixturevalue(library)
    inputs = [k.Input((12, 6)), k.Input((12, 6))]
    made = [build(k, *inputs) for build in GRAPHS.values()]
    text = k.Model(inputs, made).to_json()
    rng = random.Random(7)
    for _ in range(25):
        config = json.loads(text)
        for container, key in rng.sample(places(config), rng.choice([1, 5, 50])):
            container[key] = rng.choice(JUNK)
        declared = declare(config)
        settings = config["config"]
        if config["class_name"] == "Functional" and isinstance(settings, dict):
            assert declared.layers or not settings["layers"] or isinstance(settings["layers"], int)
        assert declared.lower_bound >= 0
        assert declared.complete == (declared.parameters is not None)
        assert all(
            declared.of(row.layer) is None or row.weights is not None for row in declared.layers
        )


@pytest.mark.parametrize("config", [*JUNK, {"class_name": "Functional", "config": {"layers": 3}}])
def test_never_raises_on_what_is_no_model(config: object) -> None:
    assert declare(config) == Declared(walked=config is None)
