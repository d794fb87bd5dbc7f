"""What the tests of the engine share: tiny models with fixed weights, and a plain recipe."""

from collections.abc import Callable
from contextlib import contextmanager
from hashlib import sha256

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen.optvis.parameterizations import Pixels
from reportgen.optvis.recipe import Optimizer, Recipe, Stage


@pytest.fixture(autouse=True)
def _seeded():
    """Every test sees the same initial weights, whatever ran before."""
    keras.utils.set_random_seed(7)


def convnet(
    shape: tuple = (16, 16, 3), classes: int = 4, activation: str = "softmax", **options
) -> keras.Model:
    """Two convolutions, "first" and "second", and a dense "head"; takes any size if told so."""
    image = keras.Input(shape)
    maps = layers.Conv2D(6, 3, padding="same", activation="relu", name="first", **options)(image)
    maps = layers.Conv2D(5, 3, strides=2, activation="relu", name="second", **options)(maps)
    data_format = options.get("data_format")
    pooled = layers.GlobalAveragePooling2D(data_format=data_format, name="pool")(maps)
    return keras.Model(image, layers.Dense(classes, activation=activation, name="head")(pooled))


def linear(weights: np.ndarray, shape: tuple, bias: np.ndarray | None = None) -> keras.Model:
    """Flattened pixels times ``weights`` ``(pixels, units)``: layer "head"."""
    head = layers.Dense(weights.shape[1], name="head")
    model = keras.Sequential([keras.Input(shape), layers.Flatten(), head])
    head.set_weights([weights, np.zeros(weights.shape[1]) if bias is None else bias])
    return model


def dead_start(bias: float = -0.6) -> keras.Model:
    """One ReLU that is silent on grey and speaks on white: mean of pixels plus bias."""
    head = layers.Conv2D(2, 1, activation="relu", name="dead")
    model = keras.Sequential([keras.Input((8, 8, 3)), head])
    head.set_weights([np.full((1, 1, 3, 2), 1 / 3), np.array([bias, 0.1])])
    return model


def plain(steps: int = 8, **changes) -> Recipe:
    """Pixels and Adam, nothing else."""
    parts = {"parameterization": Pixels(spread=0.5), "optimizer": Optimizer("adam", 0.1)}
    return Recipe(name="plain", source="tests", stages=(Stage(steps),), **{**parts, **changes})


def hash_weights(model: keras.Model) -> str:
    digest = sha256()
    for weight in model.weights:
        digest.update(weight.numpy().tobytes())
    return digest.hexdigest()


def snapshot(model: keras.Model) -> list:
    """Every entry of every layer's dictionary, by identity."""
    return [(part.name, {k: id(v) for k, v in part.__dict__.items()}) for part in _parts(model)]


def _parts(model: keras.Model) -> list:
    parts = list(model._flatten_layers())
    inner = [getattr(part, "_functional", None) for part in parts]
    return parts + [part for part in inner if part is not None]


@contextmanager
def unchanged(model: keras.Model):
    """The model is afterwards what it was before, whatever happens inside."""
    before = hash_weights(model), snapshot(model)
    try:
        yield
    finally:
        assert hash_weights(model) == before[0]
        for (name, was), (_, now) in zip(before[1], snapshot(model), strict=True):
            changed = {key for key in {*was, *now} if was.get(key) != now.get(key)}
            assert changed <= {"_called"}, name  # Keras' own mark


def trace(function: Callable, inputs: np.ndarray) -> dict:
    """What a function of inputs ``(b, ...)`` returns when it is traced, as arrays."""
    traced = tf.function(function, autograph=False).get_concrete_function(
        tf.TensorSpec([None, *inputs.shape[1:]], tf.float32)
    )
    result = traced(tf.constant(inputs, tf.float32))
    return tf.nest.map_structure(lambda tensor: tensor.numpy(), result)
