"""Layers that follow from others in every order, against plain Keras models."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.subject.census import take_census
from reportgen.subject.probe import Probe

CHAINS = {
    "dropout, relu": [layers.Dropout(0.5), layers.ReLU()],
    "norm, dropout, relu": [layers.BatchNormalization(), layers.Dropout(0.5), layers.ReLU()],
    "spatial dropout, relu": [layers.SpatialDropout2D(0.5), layers.Activation("relu")],
    "relu, norm, relu": [layers.ReLU(), layers.BatchNormalization(), layers.ReLU()],
    "tanh, norm, relu": [
        layers.Activation("tanh"),
        layers.BatchNormalization(),
        layers.ReLU(max_value=6),
    ],
    "norm, norm": [layers.BatchNormalization(), layers.BatchNormalization()],
    "dropout, norm, dropout": [
        layers.Dropout(0.5),
        layers.BatchNormalization(),
        layers.Dropout(0.5),
    ],
    "leaky relu, dropout": [layers.LeakyReLU(), layers.Dropout(0.1)],
}


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


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("first", ["conv", "fused conv", "dense"])
def test_every_number_of_every_chain(name, first):
    if first == "dense" and "spatial" in name:
        pytest.skip("spatial dropout is for pictures")
    keras.utils.set_random_seed(2)
    if first == "dense":
        inputs, head = keras.Input((7,)), layers.Dense(4)
    else:
        activation = "relu" if first == "fused conv" else None
        inputs, head = keras.Input((5, 6, 2)), layers.Conv2D(4, 3, activation=activation)
    x = head(inputs)
    for layer in CHAINS[name]:
        x = type(layer).from_config(layer.get_config())(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.get_weights()])
    data = rng.normal(size=(30, *inputs.shape[1:])).astype(np.float32)
    census = census_of(model, data)
    assert len(census.layers) == len(model.layers) - 1
    for found in census.layers:
        output = keras.Model(inputs, model.get_layer(found.address).output)(data).numpy()
        values = output.reshape(-1, output.shape[-1]).astype(np.float64)
        for number, expected in (
            (found.low, values.min(axis=0)),
            (found.high, values.max(axis=0)),
            (found.mean, values.mean(axis=0)),
            (found.spread, values.std(axis=0)),
        ):
            np.testing.assert_allclose(number, expected, atol=1e-4 * np.abs(values).max())


def test_a_small_spread_beside_a_large_mean():
    """float32 squares of 2000 differ by a half from one to the next."""
    rng = np.random.default_rng(0)
    x = (2000 + rng.normal(size=(500, 6))).astype(np.float32)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(6, name="same"), layers.Dense(2)])
    model.layers[0].set_weights([np.eye(6), np.zeros(6)])
    found = census_of(model, x).by_address["same"]
    np.testing.assert_allclose(found.spread, x.astype(np.float64).std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.mean, x.astype(np.float64).mean(axis=0), rtol=1e-9)


def test_means_are_of_the_finite_values():
    x = np.ones((10, 2), np.float32) * 3
    x[4, 1] = np.nan
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, name="same")])
    model.layers[0].set_weights([np.eye(2), np.zeros(2)])
    (found,) = census_of(model, x).layers
    # NaN in one input is NaN in both units of a Dense layer.
    assert found.non_finite.tolist() == [1, 1]
    assert found.mean.tolist() == [3, 3]
    assert found.spread.tolist() == [0, 0]
