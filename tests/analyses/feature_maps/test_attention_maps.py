"""Attention maps: a softmax worked out in NumPy from the layer's own weights."""

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.analyses.feature_maps.attention import read_attention
from reportgen.analyses.feature_maps.attention_blocks import draw_attention

TOKENS, WIDTH, HEADS, KEY = 6, 5, 2, 3


def build(**settings):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((TOKENS, WIDTH))
    mha = layers.MultiHeadAttention(HEADS, KEY, name="mha", **settings)
    x = layers.GlobalAveragePooling1D()(mha(inputs, inputs))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


@pytest.fixture(scope="module")
def tokens():
    return np.random.default_rng(0).normal(size=(30, TOKENS, WIDTH)).astype(np.float32)


def softmax_by_hand(layer, x):
    """softmax(q k' / sqrt(key_dim)), ``(n, heads, queries, keys)`` (Vaswani et al. 2017, eq. 1)."""
    wq, bq, wk, bk = (np.asarray(w, np.float64) for w in layer.get_weights()[:4])
    q = np.einsum("ntd,dhk->nhtk", x, wq) + bq[None, :, None]
    k = np.einsum("ntd,dhk->nhtk", x, wk) + bk[None, :, None]
    scores = np.einsum("nhqk,nhtk->nhqt", q, k) / np.sqrt(KEY)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def test_maps_are_the_softmax_of_the_projections(subject_of, tokens):
    model = build()
    layer = model.get_layer("mha")
    # Biases are zero at first, and attention nearly even: make both matter.
    rng = np.random.default_rng(1)
    layer.set_weights([w + rng.normal(size=w.shape) for w in layer.get_weights()])
    rows = np.array([4, 20])
    (found,) = read_attention(subject_of(model, tokens), rows, 64)
    expected = softmax_by_hand(layer, tokens[rows].astype(np.float64))
    # float32 sums of a few products.
    np.testing.assert_allclose(found.maps, expected, atol=1e-5)
    np.testing.assert_allclose(found.maps.sum(axis=-1), 1, atol=1e-5)
    entropy = -(expected * np.log(expected)).sum(axis=-1) / np.log(TOKENS)
    np.testing.assert_allclose(found.spread, entropy.mean(axis=(0, 2)), atol=1e-5)
    own = np.diagonal(expected, axis1=2, axis2=3).mean(axis=(0, 2))
    np.testing.assert_allclose(found.own, own, atol=1e-5)
    assert (found.address, found.tokens, found.rows.tolist()) == ("mha", (6, 6), [4, 20])


def test_a_head_without_projections_looks_everywhere_alike(subject_of, tokens):
    model = build()
    layer = model.get_layer("mha")
    layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    (found,) = read_attention(subject_of(model, tokens), np.arange(2), 64)
    np.testing.assert_allclose(found.maps, 1 / TOKENS, rtol=1e-6)
    np.testing.assert_allclose(found.spread, 1, rtol=1e-6)
    np.testing.assert_allclose(found.own, 1 / TOKENS, rtol=1e-6)


def test_a_head_that_looks_at_itself_only(subject_of):
    model = build()
    layer = model.get_layer("mha")
    weights = [np.zeros_like(w) for w in layer.get_weights()]
    weights[0][:3, :, :] = weights[2][:3, :, :] = 100 * np.eye(3)[:, None, :]
    layer.set_weights(weights)
    # Three tokens only, each a direction of its own; the others would share one.
    x = np.zeros((30, TOKENS, WIDTH), np.float32)
    x[:, np.arange(TOKENS), np.arange(TOKENS) % 3] = 1 + np.arange(TOKENS) // 3
    (found,) = read_attention(subject_of(model, x), np.arange(1), 64)
    # A token and its double point the same way, and the longer one is looked at.
    assert found.maps[0, 0].argmax(axis=1).tolist() == [3, 4, 5, 3, 4, 5]
    np.testing.assert_allclose(found.spread, 0, atol=1e-6)
    np.testing.assert_allclose(found.own, 0.5, atol=1e-6)


def test_only_the_first_tokens_are_kept_and_numbers_count_all(subject_of, tokens):
    subject = subject_of(build(), tokens)
    (whole,), (part,) = (read_attention(subject, np.arange(2), most) for most in (64, 4))
    assert part.maps.shape == (2, HEADS, 4, 4)
    np.testing.assert_array_equal(part.maps, whole.maps[..., :4, :4])
    np.testing.assert_array_equal(part.spread, whole.spread)
    (_, grid) = draw_attention((part,), {0: "#0", 1: "#1"}, {})
    assert "The first 4 × 4 of 6 × 6 tokens are drawn." in grid.caption


def test_queries_that_are_not_the_keys(subject_of, tokens):
    inputs = keras.Input((TOKENS, WIDTH))
    few = layers.Dense(2)(layers.Permute((2, 1))(inputs))  # five tokens that ask
    few = layers.Dense(WIDTH)(few)
    x = layers.MultiHeadAttention(HEADS, KEY, name="cross")(few, inputs)
    model = keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling1D()(x)))
    (found,) = read_attention(subject_of(model, tokens), np.arange(1), 64)
    assert (found.tokens, found.own) == ((WIDTH, TOKENS), None)
    (table, _) = draw_attention((found,), {0: "#0"}, {})
    assert [row[3] for row in table.rows] == [None] * HEADS


def test_no_attention_and_no_samples_give_nothing(subject_of, tokens, trained, pictures):
    assert read_attention(subject_of(trained, *pictures), np.arange(2), 64) == ()
    assert read_attention(subject_of(build(), tokens), np.arange(0), 64) == ()
    assert draw_attention((), {}, {}) == []


def test_the_blocks_have_a_tile_a_head_and_a_row_a_head(subject_of, tokens):
    found = read_attention(subject_of(build(), tokens), np.array([3, 9]), 64)
    arrays = {}
    table, grid = draw_attention(found, {3: "#3", 9: "#9"}, arrays)
    assert [panel.title for panel in grid.panels] == ["#3", "#9"]
    for position, panel in enumerate(grid.panels):
        np.testing.assert_array_equal(arrays[panel.tiles.split("/")[1]], found[0].maps[position])
    assert grid.panels[0].scale.high == pytest.approx(np.quantile(found[0].maps, 0.999))
    assert [row[:2] for row in table.rows] == [("mha", 0), ("mha", 1)]
    assert table.rows[0][2] == pytest.approx(100 * found[0].spread[0])
    assert "Over 2 samples." in table.caption
