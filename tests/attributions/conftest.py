"""Networks whose maps are known by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(11)


def linear(weights: np.ndarray, bias: float = 0.0, activation: str | None = None) -> keras.Model:
    """``(h, w, c, units)`` times the pixels."""
    *shape, units = weights.shape
    head = layers.Dense(units, activation=activation)
    model = keras.Sequential([keras.Input(shape), layers.Flatten(), head])
    head.set_weights([weights.reshape(-1, units), np.full(units, bias)])
    return model


def function(shape: tuple[int, ...], of) -> keras.Model:
    """A network of one number: ``of(pictures (b, h, w, c))`` -> ``(b, 1)``."""
    image = keras.Input(shape)
    return keras.Model(image, layers.Lambda(of, output_shape=(1,))(image))


def convnet(shape=(16, 16, 3), classes: int = 4, head: str = "pool", activation="softmax"):
    """Two convolutions, then pooling or flattening, and one dense layer."""
    image = keras.Input(shape)
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="first")(image)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="last")(x)
    x = layers.GlobalAveragePooling2D()(x) if head == "pool" else layers.Flatten()(x)
    out = layers.Dense(classes, activation=activation, bias_initializer="normal", name="head")(x)
    return keras.Model(image, out)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def pictures(rng):
    return rng.normal(size=(3, 8, 8, 2)).astype(np.float32)
