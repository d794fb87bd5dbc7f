"""Graphs with nodes that are no layers: operations, numbers that are stored in a call, slices.

The oracle is Keras: the live model, and the tensors of its graph.
"""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from reportgen.errors import UsageError
from reportgen.subject.census import take_census
from reportgen.subject.model_file import identify
from reportgen.subject.model_file.opening import open_repaired
from reportgen.subject.probe import Probe, Tap


def stored(*shape):
    return np.random.default_rng(2).random(shape).astype(np.float32)


def minus_its_mean(h):
    mean, variance = ops.moments(h, axes=[1, 2], keepdims=True)
    return (h - mean) / ops.sqrt(variance + 1e-3)


def spectrum(h):
    real, imaginary = ops.fft2((h, ops.zeros_like(h)))
    return ops.sqrt(real * real + imaginary * imaginary + 1e-3)


def ranked(h):
    values, places = ops.top_k(layers.Flatten()(h), k=5)
    return values + ops.cast(places, "float32") * 0.01


def halves(h):
    one, other = ops.split(h, 2, axis=-1)
    return one * other


def patches(h):
    h = layers.Reshape((4, 64))(ops.image.extract_patches(h, 4))
    h = layers.Dense(8)(h)
    h = h + layers.MultiHeadAttention(2, 4)(h, h)
    return layers.LayerNormalization()(h)


# What stands between a convolution (n, 8, 8, 4) and a dense layer.
MIDDLES = {
    "arithmetic": lambda h: h + h * 2 - 1,
    "a slice": lambda h: h[:, 1:, ::2, :2],
    "an ellipsis": lambda h: h[..., None, 0],
    "two halves": halves,
    "a choice": lambda h: ops.where(h > 0.1, ops.stack([h, h], -1)[..., 0], ops.zeros_like(h)),
    "a stored array": lambda h: h * stored(8, 8, 4),
    "noise by the maximum": lambda h: h + ops.max(h) * tf.constant(stored(8, 8, 4)),
    "a spectrum": spectrum,
    "the largest": lambda h: ops.one_hot(ops.argmax(h, -1), 4) + h,
    "ranks": ranked,
    "moments": minus_its_mean,
    "turned over": lambda h: ops.flip(
        ops.roll(ops.pad(h, ((0, 0), (1, 1), (1, 1), (0, 0))), 1, axis=1), axis=2
    ),
    "a stored kernel": lambda h: ops.conv(h, stored(3, 3, 4, 2), padding="same"),
    "patches": patches,
    "a constant branch": lambda h: h * (ops.sum(h) * 0 + 1.0),
}
X = np.random.default_rng(0).random((6, 8, 8, 3)).astype(np.float32)


def network(middle):
    keras.utils.set_random_seed(1)
    start = keras.Input((8, 8, 3))
    h = layers.Conv2D(4, 3, padding="same", activation="relu", name="stem")(start)
    h = layers.Flatten(name="flat")(MIDDLES[middle](h))
    return keras.Model(start, layers.Dense(3, activation="softmax", name="head")(h))


def reopened(model, path):
    model.save(path)
    return open_repaired(identify(path))[0]


@pytest.mark.parametrize("form", ["keras", "h5"])
@pytest.mark.parametrize("middle", MIDDLES)
def test_a_saved_graph_answers_as_the_live_one(middle, form, tmp_path):
    model = network(middle)
    opened = reopened(model, tmp_path / f"net.{form}")
    known = np.asarray(model(X, training=False))
    assert np.ptp(known, axis=0).max() > 1e-3  # it tells the samples apart
    np.testing.assert_allclose(np.asarray(opened(X, training=False)), known, atol=1e-7)


@pytest.mark.parametrize(
    "middle",
    ["two halves", "a choice", "noise by the maximum", "a spectrum", "ranks", "patches"],
)
def test_every_node_of_an_opened_graph_is_read_as_keras_has_it(middle, tmp_path):
    model = network(middle)
    opened = reopened(model, tmp_path / "net.h5")
    pairs = zip(opened.operations, model.operations, strict=True)  # Keras forgets some names
    tensors = {ours.name: keras.tree.flatten(live.output)[0] for ours, live in pairs}
    tensors.pop(opened.operations[0].name)  # the input
    probe = Probe(opened, (8, 8, 3))
    assert {call.address for call in probe.calls} == set(tensors)
    read = [call.address for call in probe.calls if call.per_sample]
    assert len(read) >= 4
    _, seen = probe.activations(X, [Tap(address) for address in read])
    known = keras.Model(model.input, [tensors[address] for address in read])(X, training=False)
    for address, values in zip(read, known, strict=True):
        np.testing.assert_allclose(
            seen[Tap(address)], np.asarray(values, np.float32), atol=1e-5, err_msg=address
        )


# Which nodes answer for each sample.


def vectors(middle, batch=None):
    keras.utils.set_random_seed(1)
    start = keras.Input((6,)) if batch is None else keras.Input(batch_shape=(batch, 6))
    h = layers.Dense(6, activation="relu", name="first")(start)
    return keras.Model(start, layers.Dense(3, activation="softmax", name="head")(middle(h)))


def together(h):
    return ops.subtract(h, ops.mean(h, axis=0, keepdims=True))


def regrouped(h):
    return ops.reshape(layers.Dense(4, name="inside")(ops.reshape(h, (-1, 3))), (-1, 8))


WHOLE = {  # network, input, classes of the nodes that are not by sample
    "a mean over the batch": (lambda: vectors(together), (6,), ["Mean"]),
    "the same of a fixed batch": (lambda: vectors(together, 4), (6,), ["Mean"]),
    "other rows": (lambda: vectors(regrouped), (6,), ["Reshape", "Dense"]),
    "a maximum of all": (lambda: network("noise by the maximum"), (8, 8, 3), ["Max", "Multiply"]),
    "a constant branch": (
        lambda: network("a constant branch"),
        (8, 8, 3),
        ["Sum", "Multiply", "Add"],
    ),
    "nothing": (lambda: network("arithmetic"), (8, 8, 3), []),
    "a mean over positions": (lambda: network("moments"), (8, 8, 3), []),
    "patches": (lambda: network("patches"), (8, 8, 3), []),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_what_is_not_by_sample_is_known(kind):
    make, shape, classes = WHOLE[kind]
    calls = Probe(make(), shape).calls
    assert [call.class_name for call in calls if not call.per_sample] == classes
    by_sample = [call for call in calls if call.per_sample]
    assert len(by_sample) >= 3
    batch = 4 if "fixed" in kind else None
    assert {call.output_shape[0] for call in by_sample} == {batch}


def census_of(model, x):
    return take_census(
        SimpleNamespace(
            probe=Probe(model, tuple(x.shape[1:])),
            samples=x,
            inputs=lambda rows: x[rows],
            labels=SimpleNamespace(values=None),
            config=SimpleNamespace(seed=0),
        )
    )


def test_the_census_leaves_out_what_is_no_answer_to_a_sample():
    x = np.random.default_rng(4).normal(size=(10, 6)).astype(np.float32)
    model = vectors(together)
    census = census_of(model, x)
    names = [one.name for one in model.operations]
    assert [layer.address for layer in census.layers] == ["first", names[3], "head"]
    h = np.maximum(x @ model.get_layer("first").kernel.numpy(), 0)
    for address, values in (("first", h), (names[3], h - h.mean(axis=0))):
        layer = census.by_address[address]
        np.testing.assert_allclose(layer.mean, values.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(layer.low, values.min(axis=0), atol=1e-6)
        np.testing.assert_allclose(layer.high, values.max(axis=0), atol=1e-6)


def test_the_census_goes_past_rows_that_are_no_samples():
    x = np.random.default_rng(4).normal(size=(10, 6)).astype(np.float32)
    model = vectors(regrouped)
    census = census_of(model, x)
    shown = [layer.address for layer in census.layers]
    assert (len(shown), shown[0], shown[-1]) == (3, "first", "head")
    assert "inside" not in shown
    h = np.maximum(x @ model.get_layer("first").kernel.numpy(), 0).reshape(-1, 3)
    h = (h @ model.get_layer("inside").kernel.numpy()).reshape(-1, 8)
    np.testing.assert_allclose(census.layers[1].mean, h.mean(axis=0), atol=1e-6)


# Numbers that a call stores.


@pytest.mark.parametrize("form", ["keras", "h5"])
def test_noise_that_a_file_stores_is_in_what_is_read(form, tmp_path):
    model = network("noise by the maximum")
    opened = reopened(model, tmp_path / f"net.{form}")
    probe = Probe(opened, (8, 8, 3))
    add = next(call for call in probe.calls if call.class_name == "Add")
    assert add.inputs == (0, 2)
    assert [call.output_shape for call in probe.calls[1:4]] == [(), (8, 8, 4), (None, 8, 8, 4)]
    _, seen = probe.activations(X, [Tap("stem"), Tap(add.address)])
    stem = seen[Tap("stem")]
    np.testing.assert_allclose(
        seen[Tap(add.address)], stem + stem.max() * stored(8, 8, 4), atol=1e-6
    )
    with pytest.raises(UsageError, match="No layer 'noise' in this model"):
        probe.call("noise")
