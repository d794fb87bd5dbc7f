"""Calls of layers: addresses and edges of nested, shared and subclassed models, and their values.

These are what the overview's table and graph show.
"""

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.subject.probe import Probe, Tap


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(3)


def probe_of(model: keras.Model) -> Probe:
    return Probe(model, tuple(model.inputs[0].shape[1:]))


def addresses(model: keras.Model) -> list[str]:
    return [call.address for call in probe_of(model).calls]


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).uniform(-1, 1, shape).astype(np.float32)


def dense_by_hand(layer, x):
    return x.astype(np.float64) @ layer.kernel.numpy() + layer.bias.numpy()


def test_nested_models_read_like_the_same_layers_flat():
    conv, dense = layers.Conv2D(3, 3, activation="relu", name="c"), layers.Dense(4, name="d")
    pool = layers.GlobalAveragePooling2D(name="g")
    inner = keras.Sequential([keras.Input((8, 8, 2)), conv, pool], name="inner")
    a = keras.Input((8, 8, 2))
    outer = keras.Model(a, inner(a), name="outer")
    b = keras.Input((8, 8, 2))
    nested = keras.Model(b, dense(outer(b)))
    flat = keras.Sequential([keras.Input((8, 8, 2)), conv, pool, dense])
    assert addresses(nested) == ["outer/inner/c", "outer/inner/g", "d"]
    x = draw(5, 8, 8, 2)
    pairs = {"outer/inner/c": "c", "outer/inner/g": "g", "d": "d"}
    _, deep = probe_of(nested).activations(x, [Tap(address) for address in pairs])
    _, shallow = probe_of(flat).activations(x, [Tap(name) for name in pairs.values()])
    for address, name in pairs.items():
        np.testing.assert_array_equal(deep[Tap(address)], shallow[Tap(name)])
    assert [call.inputs for call in probe_of(nested).calls] == [(-1,), (0,), (1,)]


def test_sequential_in_sequential_in_sequential():
    first = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="d")], name="first")
    second = keras.Sequential([keras.Input((4,)), first], name="second")
    model = keras.Sequential([keras.Input((4,)), second, layers.Dense(2, name="out")])
    assert addresses(model) == ["second/first/d", "out"]


def test_shared_layers_and_submodels_are_numbered():
    shared = layers.Dense(4, activation="relu", name="s")
    sub = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="d")], name="sub")
    x = keras.Input((4,))
    model = keras.Model(x, sub(shared(sub(shared(x)))))
    assert addresses(model) == ["s", "sub/d", "s#2", "sub/d#2"]
    data = draw(3, 4)
    probe = probe_of(model)
    _, seen = probe.activations(data, [Tap("s", "before"), Tap("s#2", "before"), Tap("sub/d")])
    np.testing.assert_allclose(seen[Tap("s", "before")], dense_by_hand(shared, data), atol=1e-6)
    again = dense_by_hand(shared, seen[Tap("sub/d")])
    np.testing.assert_allclose(seen[Tap("s#2", "before")], again, atol=1e-6)
    assert [call.inputs for call in probe.calls] == [(-1,), (0,), (1,), (2,)]


class Block(keras.Model):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.first = layers.Dense(4, activation="relu", name="first")
        self.second = layers.Dense(4, name="second")

    def call(self, x):
        return x + self.second(self.first(x)) * 2.0


def test_a_subclassed_model_is_watched_too():
    x = keras.Input((4,))
    model = keras.Model(x, layers.Dense(2, name="out")(Block(name="block")(x)))
    probe = probe_of(model)
    assert [c.address for c in probe.calls] == ["block/first", "block/second", "out"]
    # The sum inside the block is a bare operation: its sources are found through it.
    assert probe.call("out").inputs == (-1, 1)
    data = draw(3, 4)
    _, seen = probe.activations(data, [Tap("block/first", "before")])
    by_hand = dense_by_hand(model.get_layer("block").first, data)
    np.testing.assert_allclose(seen[Tap("block/first", "before")], by_hand, atol=1e-6)


def test_bare_operations_and_residual_edges():
    x = keras.Input((6, 6, 3))
    y = layers.Conv2D(3, 3, padding="same", name="c")(x)
    z = layers.Add(name="add")([x, y])
    mean = keras.ops.mean(z, axis=(1, 2))
    model = keras.Model(x, layers.Dense(2, name="out")(mean))
    probe = probe_of(model)
    names = [call.class_name for call in probe.calls]
    assert names == ["Conv2D", "Add", "Mean", "Dense"]
    assert [call.inputs for call in probe.calls] == [(-1,), (-1, 0), (1,), (2,)]
    data = draw(2, 6, 6, 3)
    address = probe.calls[2].address
    _, seen = probe.activations(data, [Tap("add"), Tap(address)])
    by_hand = seen[Tap("add")].mean(axis=(1, 2))
    np.testing.assert_allclose(seen[Tap(address)], by_hand, rtol=1e-5, atol=1e-6)


def test_several_outputs_come_in_order_with_their_calls():
    x = keras.Input((4,))
    body = layers.Dense(5, name="body")(x)
    model = keras.Model(x, [layers.Dense(1, name="b")(body), layers.Dense(3, name="a")(body)])
    probe = probe_of(model)
    outputs, _ = probe.activations(draw(3, 4), [])
    assert [output.shape for output in outputs] == [(3, 1), (3, 3)]
    found = [[probe.calls[i].address for i in group] for group in probe.output_calls]
    assert found == [["b"], ["a"]]
