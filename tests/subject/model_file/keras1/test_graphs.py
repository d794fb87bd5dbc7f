"""Merges, branches and nested networks of Keras 1; the oracles are closed forms in NumPy."""

import numpy as np
import pytest

from reportgen.errors import InputError
from reportgen.subject.model_file.repairs.keras1 import convert_arrays, translate

from .dialect import DENSE, NORMALIZATION, built, layer, of, predict, sequential, write


def branch(name):
    return sequential(
        layer("Dense", name, **{**DENSE, "input_dim": 4}, batch_input_shape=[None, 4])
    )


@pytest.mark.parametrize(
    ("mode", "merge"),
    [
        ("sum", lambda a, b: a + b),
        ("mul", lambda a, b: a * b),
        ("ave", lambda a, b: (a + b) / 2),
        ("max", np.maximum),
        ("concat", lambda a, b: np.concatenate([a, b], axis=-1)),
        ("dot", lambda a, b: (a * b).sum(axis=1, keepdims=True)),
        (
            "cos",
            lambda a, b: (
                (a * b).sum(axis=1, keepdims=True)
                / np.sqrt((a * a).sum(1, keepdims=True) * (b * b).sum(1, keepdims=True))
            ),
        ),
    ],
)
def test_a_merge_at_the_start_of_a_sequential(draw, tmp_path, mode, merge, opened):
    config = sequential(
        layer(
            "Merge",
            "m",
            mode=mode,
            mode_type="raw",
            concat_axis=-1,
            dot_axes=[1, 1],
            output_shape=None,
            output_shape_type="raw",
            output_mask=None,
            output_mask_type="raw",
            arguments={},
            layers=[branch("d1"), branch("d2")],
        ),
        layer("Activation", "a", activation="tanh"),
    )
    weights = {"d1": [draw(4, 5), draw(5)], "d2": [draw(4, 5), draw(5)]}
    left, right = draw(3, 4), draw(3, 4)
    expected = np.tanh(
        merge(
            left @ weights["d1"][0] + weights["d1"][1], right @ weights["d2"][0] + weights["d2"][1]
        )
    )
    new, rules = translate(config)
    assert "Keras 1: a Sequential that starts with a Merge became a graph" in rules
    model = built(new)
    for name, arrays in weights.items():
        model.get_layer(name).set_weights(arrays)
    np.testing.assert_allclose(predict(model, left, right), expected, atol=1e-5)
    path = write(tmp_path / "old.h5", config, {**weights, "a": []})
    np.testing.assert_allclose(predict(opened(path), left, right), expected, atol=1e-5)


def test_merges_in_merges_keep_their_branches():
    inner = sequential(
        layer("Merge", "m1", mode="sum", mode_type="raw", layers=[branch("d1"), branch("d2")]),
        layer("Dense", "d3", **DENSE),
    )
    new, _ = translate(
        sequential(
            layer("Merge", "m2", mode="concat", mode_type="raw", layers=[inner, branch("d4")])
        )
    )
    model = built(new)
    assert [each.shape[-1] for each in model.inputs] == [4, 4, 4]
    assert model.output_shape == (None, 10)


def test_a_branch_without_a_shape_is_named():
    blind = sequential(layer("Activation", "a", activation="tanh"))
    with pytest.raises(InputError, match="branch a of a Merge does not state its input shape"):
        translate(sequential(layer("Merge", "m", mode="sum", layers=[blind, blind])))


def graph(*layers, output):
    return {
        "class_name": "Model",
        "config": {
            "name": "model_1",
            "layers": [
                {**each, "name": each["config"]["name"], "inbound_nodes": nodes}
                for each, nodes in layers
            ],
            "input_layers": [["i", 0, 0]],
            "output_layers": [[output, 0, 0]],
        },
    }


def test_a_graph_with_a_nested_sequential(draw, tmp_path, opened):
    nested = [
        layer("Dense", "d", **DENSE, batch_input_shape=[None, 7], input_dtype="float32"),
        layer("BatchNormalization", "n", **{**NORMALIZATION, "axis": -1}),
        layer("Dense", "e", **DENSE),
    ]
    config = graph(
        (layer("InputLayer", "i", batch_input_shape=[None, 7], input_dtype="float32"), []),
        (
            layer("Merge", "m", mode="mul", mode_type="raw", concat_axis=-1),
            [[["s", 1, 0], ["s", 2, 0]]],
        ),
        output="m",
    )
    inner = {"class_name": "Sequential", "config": nested, "name": "s"}
    inner["inbound_nodes"] = [[["i", 0, 0]], [["i", 0, 0]]]
    config["config"]["layers"].insert(1, inner)
    del config["config"]["layers"][0]["config"]["trainable"]  # an input has no such word
    w1, b1, w2, b2 = draw(7, 5), draw(5), draw(5, 5), draw(5)
    gamma, beta, mean, variance = draw(5), draw(5), draw(5), np.abs(draw(5)) + 0.1
    x = draw(3, 7)
    y = gamma * (x @ w1 + b1 - mean) / np.sqrt(variance + 0.001) + beta
    expected = (y @ w2 + b2) ** 2
    stored = [w1, b1, gamma, beta, w2, b2, mean, variance]
    new, _ = translate(config)
    assert of(new, 1)["name"] == "s"
    model = built(new)
    inner = model.get_layer("s")
    variables = [*inner.trainable_weights, *inner.non_trainable_weights]
    found = convert_arrays("Sequential", of(new, 1), stored, backend=None)
    for variable, array in zip(variables, found, strict=True):
        variable.assign(array)
    np.testing.assert_allclose(predict(model, x), expected, atol=1e-5)
    path = write(tmp_path / "old.h5", config, {"i": [], "s": stored, "m": []})
    np.testing.assert_allclose(predict(opened(path), x), expected, atol=1e-5)
