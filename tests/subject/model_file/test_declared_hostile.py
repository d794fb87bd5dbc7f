"""Declared shapes of configurations written by hand: wrong, endless or too large."""

from __future__ import annotations

import time
from typing import Any

import pytest

from reportgen.subject.model_file.declared import declare


def test_a_call_that_was_not_written_is_not_known() -> None:
    config = graph(("a", ["in"]))
    for number, outputs in enumerate([((None, 4),), ((None, 4),), None, None]):
        config["config"]["output_layers"] = [["a", number, 0]]  # nested models count from 1
        assert declare(config).outputs == outputs


def dense(units: object, **settings: object) -> dict[str, Any]:
    config = {"name": "d", "units": units, "batch_input_shape": [None, 4], **settings}
    return {"class_name": "Dense", "config": config}


def sequential(*layers: object) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "s", "layers": list(layers)}}


def graph(*nodes: tuple[str, list[str]], outputs: str = "a") -> dict[str, Any]:
    """Return a Keras 2 Functional model of `Add` layers with their inputs."""
    layers: list[dict[str, Any]] = [
        {
            "class_name": "InputLayer",
            "name": "in",
            "inbound_nodes": [],
            "config": {"name": "in", "batch_input_shape": [None, 4]},
        }
    ]
    for name, froms in nodes:
        inbound = [[[one, 0, 0, {}] for one in froms]]
        node = {"class_name": "Add", "name": name, "config": {"name": name}}
        layers.append({**node, "inbound_nodes": inbound})
    settings = {"layers": layers, "input_layers": [["in", 0, 0]]}
    return {
        "class_name": "Functional",
        "config": {**settings, "output_layers": [[outputs, 0, 0]]},
    }


def test_counts_what_would_not_fit_without_allocating() -> None:
    assert declare(sequential(dense(2**33))).parameters == 5 * 2**33
    huge = declare(sequential(dense(10**400), {"class_name": "Dense", "config": {"units": 2}}))
    assert huge.lower_bound == 5 * 10**400
    assert huge.parameters is None  # no tensor has such a side
    assert declare(sequential(dense(10**5000))).lower_bound == 10**500
    assert len(str(declare(sequential(dense(10**4299))))) < 20_000


@pytest.mark.parametrize(
    "units", [-3, 0, True, None, "3", float("nan"), float("inf"), 2.5, [3], {}, {"items": 3}]
)
def test_a_wrong_number_is_not_known(units: object) -> None:
    declared = declare(sequential(dense(units), dense(3)))
    assert declared.layers[0].weights is None
    assert not declared.complete
    assert declared.parameters is None


def test_one_bad_layer_does_not_hide_another() -> None:
    bad: list[object] = [
        None,
        3,
        "x",
        [],
        {},
        {"class_name": ["Dense"]},
        {"class_name": "Model"},
        {"class_name": "Sequential", "config": 3},
        {"class_name": "TimeDistributed", "config": {"layer": 3}},
    ]
    big = {"class_name": "Embedding", "config": {"input_dim": 2**33, "output_dim": 2}}
    for layer in bad:
        declared = declare(sequential(layer, big))
        assert declared.lower_bound == 2**34, layer
        assert not declared.complete, layer


@pytest.mark.parametrize(
    "changes",
    [
        {"module": "evil", "registered_name": "Dense"},
        {"registered_name": "Mine>Dense"},
        {"class_name": "Dense2"},
        {"config": {**dense(3)["config"], "lora_rank": 2}},
        {"config": {**dense(3)["config"], "dtype": {"class_name": "QuantizedDTypePolicy"}}},
    ],
)
def test_what_is_not_plain_keras_is_not_known(changes: dict[str, Any]) -> None:
    assert declare(sequential({**dense(3), **changes})).layers[0].weights is None


def test_a_cycle_ends() -> None:
    declared = declare(graph(("a", ["in", "b"]), ("b", ["a"]), ("c", ["c"])))
    assert declared.outputs is None
    assert [row.output_shapes for row in declared.layers] == [((None, 4),), None, None, None]


def test_names_that_do_not_exist_or_repeat() -> None:
    assert declare(graph(("a", ["nowhere"]))).outputs is None
    assert declare(graph(("a", ["in", "in"]), ("a", ["in"]))).outputs == ((None, 4),)
    assert declare(graph(("a", ["in"]), outputs="nowhere")).outputs is None


def test_fifty_thousand_layers_take_linear_time() -> None:
    count = 50_000
    nodes = [("in" if i == 0 else f"a{i - 1}", f"a{i}") for i in range(count)]
    config = graph(*((name, [before, before]) for before, name in nodes), outputs=f"a{count - 1}")
    config["config"]["layers"].reverse()
    start = time.process_time()
    declared = declare(config)
    assert time.process_time() - start < 10
    assert declared.outputs == ((None, 4),)
    assert declared.of("a7") == []


def test_models_within_models_do_not_multiply() -> None:
    pad = {"class_name": "ZeroPadding1D", "config": {"name": "pad", "padding": [0, 1]}}
    model = sequential(pad)
    start = time.process_time()
    for depth in range(50):  # each level passes the one below with two sizes: 2**50 of them
        one = {**model, "name": "m", "inbound_nodes": [[["in", 0, 0, {}]], [["p", 0, 0, {}]]]}
        around = graph(("a", ["m"]))
        shape = {"name": "in", "batch_input_shape": [None, 2**depth, 2]}
        around["config"]["layers"][0]["config"] = shape
        wide = {"class_name": "ZeroPadding1D", "name": "p", "config": {"padding": [0, 2**depth]}}
        around["config"]["layers"] += [one, {**wide, "inbound_nodes": [[["m", 0, 0, {}]]]}]
        around["config"]["output_layers"] = [["m", 1, 0]]
        model = around
    declare(model)
    both: dict[str, Any] = {"class_name": "LSTM", "config": {"units": 3}}
    for _ in range(60):
        both = {"class_name": "Bidirectional", "config": {"layer": both}}
    assert not declare(sequential(both)).complete
    assert time.process_time() - start < 10


@pytest.mark.parametrize("depth", [30, 100, 5000])
def test_deep_nesting_ends(depth: int) -> None:
    model = sequential(dense(3))
    wrapped = {"class_name": "Dense", "config": {"units": 3}}
    for _ in range(depth):
        model = sequential(model)
        wrapped = {"class_name": "TimeDistributed", "config": {"layer": wrapped}}
    assert (declare(model).parameters == 15) == (depth == 30)
    assert not declare(sequential(wrapped)).complete


def test_long_names_do_not_multiply() -> None:
    model = sequential(dense(3))
    for _ in range(30):
        model["config"]["name"] = "n" * 10**6
        model = sequential(model)
    assert all(len(row.address) <= 1000 for row in declare(model).layers)
