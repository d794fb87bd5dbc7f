"""Products with the Hessian of networks as users have them (float32), whatever TensorFlow lacks.

The oracle is a twin of the network in float64 and differences of its gradient, weight by weight.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen.landscape.limits import NoProductError
from reportgen.landscape.spectrum import find_extremes

from .conftest import open_bench, precision

IMAGE = (8, 8, 1)
# TensorFlow resizes in float32 also in the twin, so its differences need a longer way.
_STEP = 3e-4


@keras.saving.register_keras_serializable("tests")
class Normalised(layers.Layer):
    """Local response normalisation, as AlexNet has it."""

    def call(self, x):
        return tf.nn.local_response_normalization(x, depth_radius=1, bias=1.0, alpha=0.5, beta=0.75)


@keras.saving.register_keras_serializable("tests")
class Enlarged(layers.Layer):
    """The function of TensorFlow 1, which nothing here replaces."""

    def call(self, x):
        return tf.cast(tf.compat.v1.image.resize_bilinear(x, (8, 8)), x.dtype)


@keras.saving.register_keras_serializable("tests")
class Stopped(layers.Layer):
    """A derivative that is right once and wrong twice, and no error."""

    def call(self, x):
        return x * x - tf.stop_gradient(x) * x + tf.stop_gradient(x) * tf.stop_gradient(x)


def _convolutions(*middle):
    inputs = keras.Input(IMAGE)
    x = layers.Conv2D(2, 3, padding="same", activation="tanh")(inputs)
    x = layers.AveragePooling2D(2)(x)
    for layer in middle:
        x = layer(x)
    x = layers.Conv2D(2, 2, activation="tanh")(x)
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.Flatten()(x)))


def area():
    """The mean of four; TensorFlow has not even a first derivative of it by its name."""
    oracle = keras.config.floatx() == "float64"
    return layers.AveragePooling2D(2) if oracle else layers.Resizing(2, 2, interpolation="area")


def _sequence(*middle):
    inputs = keras.Input((5, 3))
    x = layers.Dense(3, activation="tanh")(inputs)
    for layer in middle:
        x = layer(x)
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.Flatten()(x)))


def _attention():
    inputs = keras.Input((5, 4))
    x = layers.MultiHeadAttention(2, 3)(inputs, inputs)
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.Flatten()(x)))


def _nested():
    inner = keras.Sequential(
        [keras.Input((4, 4, 2)), layers.UpSampling2D(interpolation="bicubic"), layers.Conv2D(2, 3)]
    )
    return _convolutions(inner)


NETWORKS = {
    **{
        f"resizing, {method}": lambda method=method: _convolutions(
            layers.Resizing(7, 6, interpolation=method)
        )
        for method in ("nearest", "bilinear", "bicubic", "lanczos3")
    },
    "resizing, area": lambda: _convolutions(area()),
    "resizing that smooths": lambda: _convolutions(
        layers.Resizing(3, 3, interpolation="bicubic", antialias=True)
    ),
    "upsampling, bilinear": lambda: _convolutions(layers.UpSampling2D(interpolation="bilinear")),
    "resizing in a nested model": _nested,
    "pooling": lambda: _convolutions(layers.MaxPooling2D(2, strides=1)),
    "local response": lambda: _convolutions(Normalised()),
    "a function of TensorFlow 1": lambda: _convolutions(Enlarged()),
    "a wrong second derivative": lambda: _convolutions(Stopped()),
    "batch normalisation": lambda: _convolutions(layers.BatchNormalization()),
    "layer normalisation": lambda: _convolutions(layers.LayerNormalization()),
    "group normalisation": lambda: _convolutions(layers.GroupNormalization(2)),
    "separable": lambda: _convolutions(layers.SeparableConv2D(2, 3, padding="same")),
    "transposed": lambda: _convolutions(layers.Conv2DTranspose(2, 3, strides=2)),
    "attention": _attention,
    "recurrent": lambda: _sequence(layers.LSTM(3, return_sequences=True)),
    "gated": lambda: _sequence(layers.Bidirectional(layers.GRU(2))),
}
# TensorFlow has these, or their first derivatives, in float32 only.
SINGLE = ("resizing, lanczos3", "resizing that smooths", "local response")
DIFFERENCES = ("local response", "a function of TensorFlow 1", "a wrong second derivative")
BLAMED = {"local response": "normalised", "a function of TensorFlow 1": "enlarged"}


def build(name):
    keras.utils.set_random_seed(5)
    network = NETWORKS[name]()
    rng = np.random.default_rng(3)
    for variable in network.trainable_variables:
        spread = 0.6 if len(variable.shape) > 1 else 0.2
        variable.assign(rng.normal(0, spread, variable.shape))
    for variable in network.non_trainable_variables:
        if "variance" in variable.path:
            variable.assign(rng.uniform(0.5, 2, variable.shape))
    return network


def samples(network):
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (24, *network.input_shape[1:])).astype("float32")
    return x, (x.reshape(24, -1)[:, :4].mean(axis=1) > 0).astype("int64")


def spectrum(name, network, x, y):
    """All eigenvalues, by differences of the gradient of a twin in float64."""
    single = name in SINGLE
    step = 3e-3 if single else _STEP
    with precision("float32" if single else "float64"):
        twin = build(name)
        twin.set_weights(network.get_weights())
        inputs, truth = tf.constant(x, twin.compute_dtype), tf.constant(y)

        @tf.function(autograph=False)
        def gradient():
            with tf.GradientTape() as tape:
                loss = keras.losses.sparse_categorical_crossentropy(truth, twin(inputs))
                mean = tf.reduce_mean(loss)
            return [tf.convert_to_tensor(g) for g in tape.gradient(mean, twin.trainable_variables)]

        rows = []
        for variable in twin.trainable_variables:
            array = variable.numpy()
            for place in np.ndindex(array.shape):
                ends = []
                for sign in (1, -1):
                    moved = array.copy()
                    moved[place] += sign * step
                    variable.assign(moved)
                    ends.append(np.concatenate([g.numpy().ravel() for g in gradient()]))
                rows.append((ends[0] - ends[1]) / (2 * step))
            variable.assign(array)
    matrix = np.array(rows)
    return np.linalg.eigvalsh((matrix + matrix.T) / 2)


EVERY_DAY = (*DIFFERENCES, "resizing, bilinear", "resizing, area", "layer normalisation")


@pytest.mark.parametrize(
    "name",
    [n if n in EVERY_DAY else pytest.param(n, marks=pytest.mark.matrix) for n in NETWORKS],
)
def test_the_outermost_eigenvalues_are_those_of_the_oracle(name):
    network = build(name)
    x, y = samples(network)
    hessian = open_bench(network, x, y).hessian()
    found = find_extremes(hessian, np.random.default_rng(0), count=1, tolerance=1e-4)
    values = spectrum(name, network, x, y)
    assert found.top[0].value == pytest.approx(values[-1], rel=0.01)
    assert found.bottom[0].value == pytest.approx(
        values[0], rel=0.01, abs=0.002 * float(values[-1])
    )
    source = hessian.settle()
    assert source.kind == ("differences" if name in DIFFERENCES else "derivatives")
    assert source.error <= (1e-2 if name in DIFFERENCES else 1e-3)


@pytest.mark.parametrize("name", BLAMED)
def test_the_layer_that_cannot_be_differentiated_twice_is_named(name):
    network = build(name)
    source = open_bench(network, *samples(network)).hessian().settle()
    assert [layer.partition("_")[0] for layer in source.layers] == [BLAMED[name]]


def test_corners_of_rectifiers_are_no_fault_of_the_derivative():
    inputs = keras.Input((12,))
    x = layers.Dense(40, activation="relu")(inputs)
    x = layers.Dense(40, activation="relu")(x)
    network = keras.Model(inputs, layers.Dense(2, activation="softmax")(x))
    source = open_bench(network, *samples(network)).hessian().settle()
    assert source.kind == "derivatives"


def test_what_cannot_be_had_is_not_made_up():
    """Steps instead of a slope: differences of the gradient depend on their length alone."""

    @tf.custom_gradient
    def rough(x):
        return x, lambda upstream: upstream * tf.sign(tf.sin(1e9 * x))

    @keras.saving.register_keras_serializable("tests")
    class Rough(layers.Layer):
        def call(self, x):
            return rough(x)

    network = _sequence(Rough())
    hessian = open_bench(network, *samples(network)).hessian()
    assert hessian.settle().kind == "none"
    with pytest.raises(NoProductError):
        hessian.product(np.ones(hessian.size))


def test_what_there_is_in_single_precision_only_is_checked_in_it():
    @keras.saving.register_keras_serializable("tests")
    class Single(layers.Layer):
        def call(self, x):
            if x.dtype != tf.float32:
                raise TypeError("float32 only")
            return tf.tanh(x)

    network = _sequence(Single())
    source = open_bench(network, *samples(network)).hessian().settle()
    assert source.kind == "derivatives"
    assert source.why.startswith("checked in single precision")
    assert "float32 only" in source.why


def test_without_a_gradient_there_is_no_product():
    @tf.custom_gradient
    def steep(x):
        def refuse(upstream):
            raise LookupError("no gradient is defined")

        return x, refuse

    @keras.saving.register_keras_serializable("tests")
    class Steep(layers.Layer):
        def call(self, x):
            return steep(x)

    network = _sequence(Steep())
    hessian = open_bench(network, *samples(network)).hessian()
    source = hessian.settle()
    assert source.kind == "none"
    assert "no gradient is defined" in source.why
    with pytest.raises(NoProductError):
        hessian.product(np.ones(hessian.size))
