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


FIRST = {"data_format": "channels_first"}


def axes(model: keras.Model) -> dict[str, int]:
    return {call.address: call.channel_axis for call in probe_of(model).calls}


def test_the_channels_of_layers_behind_a_channels_first_convolution():
    x = keras.Input((3, 8, 9))
    y = layers.Rescaling(2.0, name="scaled")(x)
    y = layers.Conv2D(4, 3, padding="same", name="c", **FIRST)(y)
    z = layers.BatchNormalization(axis=1, name="b")(y)
    z = layers.Dropout(0.5, name="drop")(layers.Activation("relu", name="a")(z))
    y = layers.Add(name="add")([y, z])
    gate = layers.GlobalAveragePooling2D(name="g", **FIRST)(y)
    gate = layers.Reshape((4, 1, 1), name="r")(layers.Dense(4, name="d")(gate))
    y = layers.Multiply(name="m")([gate, y])
    y = layers.Permute((2, 3, 1), name="p")(keras.ops.relu(y))
    model = keras.Model(x, layers.ReLU(name="last")(y))
    found = axes(model)
    relu = next(name for name in found if name.startswith("relu"))
    for name in ("scaled", "c", "b", "a", "drop", "add", "g", "r", "m", relu):
        assert found[name] == 1, name
    assert (found["p"], found["last"]) == (3, 3)
    first = [c.address for c in probe_of(model).calls if c.channels_first]
    assert first == ["scaled", "c", "b", "a", "drop", "add", "r", "m", relu]


def test_the_channels_of_layers_that_look_at_the_last_axis():
    x = keras.Input((3, 8))
    y = layers.Conv1D(4, 3, name="c", **FIRST)(x)
    sequence = layers.LSTM(5, return_sequences=True, name="lstm")(y)
    model = keras.Model(x, [sequence, layers.Dense(7, name="d")(y)])
    assert axes(model) == {"c": 1, "lstm": 2, "d": 2}


def test_the_channels_of_a_normalisation_stand_along_its_axis():
    model = keras.Sequential(
        [keras.Input((4, 6, 6)), layers.BatchNormalization(axis=1, name="b"), layers.ReLU(name="a")]
    )
    assert axes(model) == {"b": 1, "a": 1}


def test_channels_are_last_where_nothing_says_otherwise():
    x = keras.Input((8, 9, 3))
    y = layers.ReLU(name="a")(layers.Conv2D(4, 3, name="c")(x))
    model = keras.Model(x, layers.Dense(2, name="d")(layers.Flatten(name="f")(y)))
    assert axes(model) == {"c": 3, "a": 3, "f": 1, "d": 1}
    assert not any(call.channels_first for call in probe_of(model).calls)


def test_the_channels_inside_wrappers():
    x = keras.Input((2, 3, 8, 8))
    steps = layers.TimeDistributed(layers.Conv2D(4, 3, **FIRST), name="t")(x)
    y = keras.Input((3, 8, 8))
    normed = layers.SpectralNormalization(layers.Conv2D(4, 3, **FIRST), name="s")(y)
    assert axes(keras.Model(x, layers.ReLU(name="a")(steps))) == {"t": 2, "a": 2}
    assert axes(keras.Model(y, layers.ReLU(name="a")(normed))) == {"s": 1, "a": 1}


def test_a_model_that_turns_its_input_over_first():
    parts = [layers.Rescaling(2.0, name="scaled"), layers.Permute((3, 1, 2), name="p")]
    parts += [layers.Conv2D(4, 3, name="c", **FIRST), layers.ReLU(name="a")]
    model = keras.Sequential([keras.Input((8, 9, 3)), *parts])
    assert axes(model) == {"scaled": 3, "p": 1, "c": 1, "a": 1}


def test_operations_between_calls_are_named():
    x = keras.Input((4,))
    model = keras.Model(x, layers.Dense(2, name="out")(Block(name="block")(x)))
    calls = {call.address: call for call in probe_of(model).calls}
    assert calls["block/second"].between == frozenset()
    assert {"AddV2", "Mul"} <= calls["out"].between
