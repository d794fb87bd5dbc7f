"""Attention maps against what Keras returns when it is asked for the scores."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen.errors import UsageError
from reportgen.subject.probe import Probe, Tap


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(3)


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).uniform(-1, 1, shape).astype(np.float32)


def self_attention(layer, **settings) -> keras.Model:
    """``(n, 6, 4)`` -> one number; the layer is called ``a``."""
    x = keras.Input((6, 4))
    y = layers.LayerNormalization(name="norm")(x)
    attended = layer(y, y, **settings)
    y = attended[0] if isinstance(attended, tuple | list) else attended
    return keras.Model(x, layers.Dense(1)(layers.GlobalAveragePooling1D()(layers.Add()([x, y]))))


def multi_head(**settings):
    return layers.MultiHeadAttention(3, 2, name="a", **settings)


def grouped(**settings):
    return layers.GroupQueryAttention(2, 4, 2, name="a", **settings)


def read(model: keras.Model, data: np.ndarray):
    return Probe(model, data.shape[1:]).activations(data, [Tap("a", "attention"), Tap("norm")])


CASES = {
    "plain": (multi_head, {}, {}),
    "causal": (multi_head, {}, {"use_causal_mask": True}),
    "asked for": (multi_head, {}, {"return_attention_scores": True}),
    "causal and asked for": (
        multi_head,
        {},
        {"use_causal_mask": True, "return_attention_scores": True},
    ),
    "with dropout": (multi_head, {"dropout": 0.5}, {}),
    "sliding": (multi_head, {"sliding_window": 2}, {}),
    "gated": (multi_head, {"use_gate": True}, {}),
    "flash attention off": (multi_head, {"flash_attention": False}, {}),
    "grouped": (grouped, {}, {}),
    "grouped and causal": (grouped, {}, {"use_causal_mask": True}),
    "grouped and asked for": (grouped, {}, {"return_attention_scores": True}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_map_is_what_keras_returns_and_nothing_else_changes(name):
    make, settings, call = CASES[name]
    layer, data = make(**settings), draw(5, 6, 4)
    model = self_attention(layer, **call)
    outputs, seen = read(model, data)
    scores, normed = seen[Tap("a", "attention")], seen[Tap("norm")]
    asked = {**call, "return_attention_scores": True}
    _, expected = layer(normed, normed, training=False, **asked)
    assert scores.shape == (5, len(expected[0]), 6, 6)
    # Six float32 numbers below one.
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    np.testing.assert_allclose(scores.sum(axis=-1), 1, atol=1e-6)
    plain, _ = Probe(model, (6, 4)).activations(data, [])
    np.testing.assert_array_equal(outputs[0], plain[0])
    # The probe's graph is compiled apart from Keras' own.
    np.testing.assert_allclose(outputs[0], model.predict(data, verbose=0), atol=1e-6)


def test_a_causal_map_looks_back_only():
    _, seen = read(self_attention(multi_head(), use_causal_mask=True), draw(2, 6, 4))
    above = np.triu(np.ones((6, 6), bool), 1)
    assert not seen[Tap("a", "attention")][:, :, above].any()


def test_by_hand():
    layer, data = multi_head(use_bias=False), draw(2, 6, 4)
    _, seen = read(self_attention(layer), data)
    normed = seen[Tap("norm")].astype(np.float64)
    q, k = (
        np.einsum("ntd,dhe->nhte", normed, part.kernel.numpy())
        for part in (layer.query_dense, layer.key_dense)
    )
    # Vaswani et al. 2017, eq. 1: softmax(Q K^T / sqrt(d)).
    logits = np.einsum("nhqe,nhke->nhqk", q, k) / np.sqrt(2)
    expected = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(seen[Tap("a", "attention")], expected, atol=1e-6)


def test_queries_and_keys_of_different_length():
    x = keras.Input((6, 4))
    y = layers.MultiHeadAttention(2, 3, name="a")(layers.Dense(4, name="norm")(x), x[:, :5])
    model = keras.Model(x, y)
    probe = Probe(model, (6, 4))
    assert probe.call("a").attention_shape == (None, 2, 6, 5)
    _, seen = read(model, draw(3, 6, 4))
    assert seen[Tap("a", "attention")].shape == (3, 2, 6, 5)


def test_attention_over_a_map_flattens_its_positions():
    x = keras.Input((3, 4, 2))
    layer = layers.MultiHeadAttention(2, 3, name="a")
    model, data = keras.Model(x, layer(x, x)), draw(2, 3, 4, 2)
    _, seen = Probe(model, (3, 4, 2)).activations(data, [Tap("a", "attention")])
    _, expected = layer(data, data, return_attention_scores=True)
    assert expected.shape == (2, 2, 3, 4, 3, 4)
    np.testing.assert_allclose(
        seen[Tap("a", "attention")], np.reshape(expected, (2, 2, 12, 12)), atol=1e-6
    )


def test_attention_along_one_axis_keeps_the_other_between():
    x = keras.Input((3, 4, 2))
    layer = layers.MultiHeadAttention(2, 3, attention_axes=(2,), name="a")
    model, data = keras.Model(x, layer(x, x)), draw(2, 3, 4, 2)
    _, seen = Probe(model, (3, 4, 2)).activations(data, [Tap("a", "attention")])
    _, expected = layer(data, data, return_attention_scores=True)
    assert expected.shape == (2, 3, 2, 4, 4)  # Keras: (n, rows, heads, queries, keys)
    np.testing.assert_allclose(
        seen[Tap("a", "attention")], np.transpose(expected, (0, 2, 1, 3, 4)), atol=1e-6
    )


@pytest.mark.parametrize("kind", [layers.Attention, layers.AdditiveAttention])
def test_attention_without_heads_has_one(kind):
    x = keras.Input((6, 4))
    layer, data = kind(name="a"), draw(2, 6, 4)
    model = keras.Model(x, layer([x, x]))
    _, seen = Probe(model, (6, 4)).activations(data, [Tap("a", "attention")])
    _, expected = layer([data, data], return_attention_scores=True)
    np.testing.assert_allclose(seen[Tap("a", "attention")][:, 0], expected, atol=1e-6)


def test_a_layer_that_is_called_twice_has_two_maps():
    layer, x = multi_head(), keras.Input((6, 4))
    y = layer(x, x)
    model, data = keras.Model(x, layer(y, y)), draw(2, 6, 4)
    taps = [Tap("a", "attention"), Tap("a"), Tap("a#2", "attention")]
    _, seen = Probe(model, (6, 4)).activations(data, taps)
    for tap, values in ((taps[0], data), (taps[2], seen[Tap("a")])):
        _, expected = layer(values, values, return_attention_scores=True)
        np.testing.assert_allclose(seen[tap], expected, atol=1e-6)


def test_half_precision_comes_as_float32():
    x = keras.Input((6, 4))
    layer = layers.MultiHeadAttention(2, 3, dtype="mixed_float16", name="a")
    _, seen = Probe(keras.Model(x, layer(x, x)), (6, 4)).activations(
        draw(2, 6, 4), [Tap("a", "attention")]
    )
    assert seen[Tap("a", "attention")].dtype == np.float32
    # Six numbers of eleven bits.
    np.testing.assert_allclose(seen[Tap("a", "attention")].sum(axis=-1), 1, atol=3e-3)


def test_the_layer_is_put_back():
    for make in (multi_head, grouped):
        layer = make()
        model, data = self_attention(layer), draw(2, 6, 4)
        before = {key: id(value) for key, value in layer.__dict__.items()}
        read(model, data)
        assert {key: id(value) for key, value in layer.__dict__.items()} == before


def test_the_layer_is_put_back_after_an_exception():
    layer = multi_head()
    model = self_attention(layer)

    def fail(*args, **kwargs):
        raise RuntimeError("injected")

    layer.__dict__["_compute_attention"] = fail
    with pytest.raises(RuntimeError, match="injected"):
        _ = Probe(model, (6, 4)).calls
    assert layer.__dict__["_compute_attention"] is fail


def test_only_attention_has_attention():
    probe = Probe(self_attention(multi_head()), (6, 4))
    assert [call.address for call in probe.calls if call.has_attention] == ["a"]
    with pytest.raises(UsageError, match=r"'norm' has no attention map.*have: a\."):
        probe.activations(draw(1, 6, 4), [Tap("norm", "attention")])
    plain = Probe(keras.Sequential([keras.Input((4,)), layers.Dense(3, name="d")]), (4,))
    with pytest.raises(UsageError, match="No layer here has"):
        plain.activations(draw(1, 4), [Tap("d", "attention")])
    with pytest.raises(UsageError, match="No layer 'nowhere'"):
        plain.activations(draw(1, 4), [Tap("nowhere", "attention")])


class Own(layers.MultiHeadAttention):
    def _compute_attention(self, query, key, value, *args, **kwargs):
        return value, None


def test_an_attention_of_its_own_is_left_alone():
    model = self_attention(Own(3, 4, name="a"))
    assert not Probe(model, (6, 4)).call("a").has_attention


def test_what_nobody_reads_is_not_computed():
    probe, data = Probe(self_attention(multi_head()), (6, 4)), draw(2, 6, 4)
    probe.activations(data, [Tap("norm")])
    graph = probe._functions[(Tap("norm"),)].graph
    optimised = tf.compat.v1.graph_util.extract_sub_graph(
        graph.as_graph_def(), [output.op.name for output in graph.outputs]
    )
    # One softmax is that of the layer's own result.
    assert sum(node.op == "Softmax" for node in optimised.node) == 1


def test_reading_long_maps_makes_small_batches():
    x = keras.Input((600, 2))
    model = keras.Model(x, layers.MultiHeadAttention(2, 1, name="a")(x, x))
    probe = Probe(model, (600, 2))
    assert probe.batch_size([Tap("a", "attention")]) < probe.batch_size([Tap("a")])
