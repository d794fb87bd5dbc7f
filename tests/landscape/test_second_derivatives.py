"""Hessian products of every kind of layer, against differences of plain gradients in float64."""

import time

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.landscape.limits import OutOfTimeError
from reportgen.progress import listening

from .conftest import data, fill, finite_product, hash_weights, open_bench, plain_gradient

pytestmark = pytest.mark.usefixtures("double")
SPARSE = keras.losses.sparse_categorical_crossentropy


def stack(shape: tuple[int, ...], *parts: layers.Layer, dtype: str | None = None) -> keras.Model:
    model = keras.Sequential(
        [keras.Input(shape, dtype=dtype), *parts, layers.Dense(3, activation="softmax")]
    )
    fill(model)
    return model


def attention() -> keras.Model:
    inputs = keras.Input((5, 4))
    mixed = layers.MultiHeadAttention(2, 3)(inputs, inputs)
    pooled = layers.GlobalAveragePooling1D()(mixed)
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(pooled))
    fill(model)
    return model


def embedding(**options) -> keras.Model:
    pooled = layers.GlobalAveragePooling1D()
    return stack((5,), layers.Embedding(9, 4, **options), pooled, dtype="int32")


IMAGE = (6, 6, 2)
MODELS = {
    "max pooling": (
        lambda: stack(
            IMAGE, layers.Conv2D(3, 3, activation="gelu"), layers.MaxPooling2D(), layers.Flatten()
        ),
        IMAGE,
    ),
    "mobile": (
        lambda: stack(
            IMAGE,
            layers.Conv2D(4, 3, strides=2),
            layers.BatchNormalization(),
            layers.ReLU(6.0),
            layers.DepthwiseConv2D(2),
            layers.ReLU(6.0),
            layers.GlobalAveragePooling2D(),
        ),
        IMAGE,
    ),
    "separable": (
        lambda: stack(
            IMAGE,
            layers.SeparableConv2D(3, 3, activation="swish"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
        ),
        IMAGE,
    ),
    "transposed": (
        lambda: stack(
            (3, 3, 2),
            layers.Conv2DTranspose(3, 2, strides=2, activation="tanh"),
            layers.GlobalMaxPooling2D(),
        ),
        (3, 3, 2),
    ),
    "LSTM": (lambda: stack((3, 4), layers.LSTM(2)), (3, 4)),
    "layer normalisation": (
        lambda: stack(
            (5, 4),
            layers.Dense(4, activation="tanh"),
            layers.LayerNormalization(),
            layers.GlobalAveragePooling1D(),
        ),
        (5, 4),
    ),
    "group normalisation": (
        lambda: stack(
            IMAGE,
            layers.Conv2D(4, 3),
            layers.GroupNormalization(2),
            layers.Activation("tanh"),
            layers.GlobalAveragePooling2D(),
        ),
        IMAGE,
    ),
    "attention": (attention, (5, 4)),
    "dropout and flips": (
        lambda: stack(
            IMAGE,
            layers.RandomFlip(),
            layers.Conv2D(3, 3, activation="elu"),
            layers.Dropout(0.5),
            layers.Flatten(),
        ),
        IMAGE,
    ),
}


def compare(model: keras.Model, x: np.ndarray, y: np.ndarray, rng) -> None:
    bench = open_bench(model, x, y, chunk=5)
    before = hash_weights(model)
    hessian = bench.hessian()
    gradient = plain_gradient(bench, bench.point, x, y, SPARSE)
    np.testing.assert_allclose(hessian.gradient(), gradient, atol=1e-9)
    vector = rng.normal(size=hessian.size)
    known = finite_product(bench, vector, x, y, SPARSE)
    found = hessian.product(vector)
    # Central differences of 1e-5 in float64: truncation and rounding near 1e-10 of the product.
    np.testing.assert_allclose(found, known, atol=1e-6 * np.abs(known).max())
    assert np.abs(known).max() > 1e-3
    assert hash_weights(model) == before


@pytest.mark.parametrize("name", MODELS)
def test_products(name, rng):
    build, shape = MODELS[name]
    x, y = data(shape, count=10)
    compare(build(), x, y, rng)


@pytest.mark.parametrize("options", [{}, {"mask_zero": True}])
def test_products_through_an_embedding(options, rng):
    """Its gradient is sparse, which must neither warn nor lose a row."""
    _, y = data((5,), count=10)
    compare(embedding(**options), rng.integers(0, 9, (10, 5)), y, rng)


def test_the_hessian_is_symmetric(rng):
    x, y = data(IMAGE, count=10)
    hessian = open_bench(MODELS["mobile"][0](), x, y).hessian()
    a, b = rng.normal(size=(2, hessian.size))
    assert b @ hessian.product(a) == pytest.approx(a @ hessian.product(b), rel=1e-9)
    assert hessian.products == 2


def test_layers_that_do_not_reach_the_output_have_zeros(rng):
    inputs = keras.Input((4,))
    idle = layers.Dense(3, name="idle")(inputs)
    model = keras.Model(inputs, [layers.Dense(3, activation="softmax", name="head")(inputs), idle])
    fill(model)
    x, y = data((4,))
    bench = open_bench(model, x, y, output="head")
    hessian = bench.hessian()
    gradient = bench.parameters.unpack(hessian.gradient())
    product = bench.parameters.unpack(hessian.product(rng.normal(size=hessian.size)))
    for path, g, p in zip(bench.parameters.layers, gradient, product, strict=True):
        assert bool(g.any()) == bool(p.any()) == (path == "head")


def test_gradients_elsewhere_and_of_weighted_samples(rng):
    x, y = data((4,))
    bench = open_bench(stack((4,), layers.Dense(5, activation="tanh")), x, y, chunk=16)
    hessian = bench.hessian()
    away = tuple(a + rng.normal(size=a.shape) for a in bench.point)
    known = plain_gradient(bench, away, x, y, SPARSE)
    np.testing.assert_allclose(hessian.gradient(away), known, atol=1e-10)
    half = np.where(np.arange(len(x)) % 2, 2.0, 0.0)
    known = plain_gradient(bench, bench.point, x[1::2], y[1::2], SPARSE)
    np.testing.assert_allclose(hessian.gradient(weights=half), known, atol=1e-10)


def test_progress_and_deadlines(rng):
    x, y = data((4,))
    bench = open_bench(stack((4,), layers.Dense(2)), x, y)
    hessian, told = bench.hessian(), []
    hessian.expected = 3
    with listening(lambda *given: told.append(given)):
        for _ in range(2):
            hessian.product(np.ones(hessian.size))
    assert [(done, total) for done, total, _ in told] == [(1, 3), (2, 3)]
    hessian.deadline = time.monotonic() - 1
    with pytest.raises(OutOfTimeError):
        hessian.product(np.ones(hessian.size))
    assert hessian.products == 2
