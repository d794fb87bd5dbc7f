"""Models of every kind: the loss at moved weights is that of the model with its weights set."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen.landscape.directions import draw_plane
from reportgen.landscape.parameters import shifted

from .conftest import convnet, data, dense_net, fill, hash_weights, open_bench, precision

STEPS = np.array([(0.0, 0.0), (0.5, -0.3), (-0.4, 0.8)])


def outputs_at(bench, point, x: np.ndarray) -> np.ndarray:
    """Of the audited output, with the weights set as a user would."""
    kept = [variable.numpy() for variable in bench.parameters.variables]
    for variable, array in zip(bench.parameters.variables, point, strict=True):
        variable.assign(array)
    made = keras.tree.flatten(bench.network(tf.cast(x, bench.model.input_dtype), training=False))
    for variable, array in zip(bench.parameters.variables, kept, strict=True):
        variable.assign(array)
    return np.asarray(made[bench.model.output], float)


def agrees(bench, x: np.ndarray, y: np.ndarray, rng, tolerance: float = 2e-5) -> np.ndarray:
    """Cross entropy of one class, or the squared error of numbers; returns the losses."""
    plane = draw_plane(bench.parameters, bench.point, rng, vectors="keep")
    before = hash_weights(bench.network)
    found = np.concatenate([g.losses for g in bench.evaluator().points(bench.point, plane, STEPS)])
    assert hash_weights(bench.network) == before
    for row, step in zip(found, STEPS, strict=True):
        made = outputs_at(bench, shifted(bench.point, plane, step), x)
        if bench.reading.task == "regression":
            known = ((made - y.reshape(len(y), -1)) ** 2).mean(axis=1)
        else:
            known = -np.log(made[np.arange(len(y)), y])
        np.testing.assert_allclose(row, known, rtol=tolerance, atol=1e-6)
    assert np.ptp(found.mean(axis=1)) > 1e-3
    return found


class Subclassed(keras.Model):
    """No graph of layers inside, and a step of training of its own."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.first = layers.Dense(6, activation="tanh")
        self.head = layers.Dense(3, activation="softmax")

    def call(self, inputs, training=False):
        hidden = self.first(inputs)
        return self.head(hidden + (1000.0 if training else 0.0))


class Trained(keras.Model):
    def train_step(self, batch):
        raise AssertionError("nobody trains here")


def subclassed() -> keras.Model:
    inputs = keras.Input((4,))
    return Trained(inputs, Subclassed()(inputs))


def shared() -> keras.Model:
    inputs = keras.Input((4,))
    twice = layers.Dense(4, "tanh", name="shared")
    return keras.Model(inputs, layers.Dense(3, "softmax")(twice(twice(inputs))))


def recurrent() -> keras.Model:
    inputs = keras.Input((6, 4))
    both = layers.LSTM(3)(layers.GRU(3, return_sequences=True)(inputs))
    return keras.Model(inputs, layers.Dense(3, "softmax")(both))


def attention() -> keras.Model:
    inputs = keras.Input((6, 4))
    mixed = layers.LayerNormalization()(layers.MultiHeadAttention(2, 3)(inputs, inputs) + inputs)
    return keras.Model(inputs, layers.Dense(3, "softmax")(layers.GlobalAveragePooling1D()(mixed)))


def mobile() -> keras.Model:
    inputs = keras.Input((6, 6, 2))
    maps = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(4, 3, strides=2)(inputs)))
    maps = layers.ReLU(6.0)(layers.DepthwiseConv2D(2, padding="same")(maps))
    return keras.Model(inputs, layers.Dense(3, "softmax")(layers.GlobalAveragePooling2D()(maps)))


MODELS = {
    "subclassed": (subclassed, (4,)),
    "shared": (shared, (4,)),
    "recurrent": (recurrent, (6, 4)),
    "attention": (attention, (6, 4)),
    "mobile": (mobile, (6, 6, 2)),
}


@pytest.mark.parametrize("name", MODELS)
def test_any_model(name, rng):
    build, shape = MODELS[name]
    x, y = data(shape, count=24)
    model = build()
    fill(model)
    agrees(open_bench(model, x, y), x, y, rng)


def test_words(rng):
    stack = [layers.Embedding(12, 4), layers.Flatten(), layers.Dense(3, "softmax")]
    model = keras.Sequential([keras.Input((5,), dtype="int32"), *stack])
    fill(model)
    x = rng.integers(0, 12, (24, 5))
    _, y = data((5,), count=24)
    agrees(open_bench(model, x, y), x, y, rng)


def test_numbers_of_several_units(rng):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5, "tanh"), layers.Dense(3)])
    fill(model)
    x, y = rng.normal(size=(24, 4)), rng.normal(size=(24, 3))
    bench = open_bench(model, x, y)
    assert bench.model.loss.right is None
    agrees(bench, x, y, rng)
    group = bench.evaluator().at(bench.point)
    assert (group.right == 0).all()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_is_measured_in_float32(policy, rng):
    x, y = data((6, 6, 2))
    full = convnet()
    with precision(policy):
        half = convnet()
    half.set_weights(full.get_weights())
    types = [weight.dtype for weight in half.weights]
    bench, reference = open_bench(half, x, y), open_bench(full, x, y)
    assert bench.model.dtype == "float32"
    plane = draw_plane(bench.parameters, bench.point, rng)
    np.testing.assert_allclose(
        bench.losses(plane, STEPS), reference.losses(plane, STEPS), rtol=1e-5
    )
    # The model itself rounds: by 1e-3 or more, so that the comparison above means something.
    said = half.predict(x, verbose=0)
    rounded = -np.log(np.asarray(said, float)[np.arange(len(x)), y])
    exact = reference.evaluator().at(bench.point).losses[0]
    assert np.abs(rounded - exact).max() > 1e-4
    assert [weight.dtype for weight in half.weights] == types
    assert half.get_layer("conv").compute_dtype == policy.removeprefix("mixed_")
    if policy == "mixed_float16":
        gradient, known = (b.hessian().gradient() for b in (bench, reference))
        np.testing.assert_allclose(gradient, known, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("policy", ["float16", "bfloat16"])
def test_weights_in_half_precision_are_computed_with_in_float32(policy, rng):
    x, y = data((6, 6, 2))
    full = convnet()
    with precision(policy):
        half = convnet()
    half.set_weights(full.get_weights())
    full.set_weights([np.asarray(w, np.float32) for w in half.get_weights()])  # as it is rounded
    x = np.asarray(tf.cast(tf.cast(x, half.inputs[0].dtype), tf.float32))
    bench, reference = open_bench(half, x, y), open_bench(full, x, y)
    found, known = (b.evaluator().at(b.point).losses[0] for b in (bench, reference))
    np.testing.assert_allclose(found, known, rtol=1e-5)


def test_double_precision_is_kept(double, rng):
    x, y = data((4,))
    bench = open_bench(dense_net(), x, y)
    assert bench.model.dtype == "float64"
    agrees(bench, x, y, rng, 1e-11)


@pytest.mark.parametrize("output", ["first", "second", "1"])
def test_the_audited_one_of_two_outputs(output, rng):
    inputs = keras.Input((4,))
    hidden = layers.Dense(5, "tanh")(inputs)
    first = layers.Dense(3, "softmax", name="first")(hidden)
    second = layers.Dense(3, "softmax", name="second")(hidden)
    model = keras.Model(inputs, [first, second])
    fill(model)
    x, y = data((4,))
    bench = open_bench(model, x, y, output=output)
    assert bench.model.output == (output != "first")
    agrees(bench, x, y, rng)


def test_a_fixed_batch(rng):
    inputs = keras.Input(batch_shape=(32, 4))
    model = keras.Model(inputs, layers.Dense(3, "softmax")(layers.Dense(5, "tanh")(inputs)))
    free = dense_net()
    model.set_weights(free.get_weights())
    x, y = data((4,), count=50)
    bench = open_bench(model, x, y, chunk=32, fixed=True)
    reference = open_bench(free, x, y)
    plane = draw_plane(bench.parameters, bench.point, rng)
    groups = [next(b.evaluator().points(b.point, plane, STEPS)) for b in (bench, reference)]
    assert groups[0].losses.shape[1] == 50
    np.testing.assert_allclose(groups[0].losses, groups[1].losses, rtol=1e-5)
    ones = np.ones(bench.parameters.size)  # copies that fill the batch must not count
    known = reference.hessian()
    np.testing.assert_allclose(bench.hessian().product(ones), known.product(ones), atol=1e-6)
    np.testing.assert_allclose(bench.hessian().gradient(), known.gradient(), atol=1e-7)


def test_weights_that_are_not_numbers(rng):
    model = dense_net()
    kernel = model.get_layer("first").kernel
    kernel.assign(np.where(np.arange(20).reshape(4, 5) == 7, np.nan, kernel.numpy()))
    x, y = data((4,))
    bench = open_bench(model, x, y)
    group = bench.evaluator().at(bench.point)
    assert np.isnan(group.losses).all()
    assert group.whole.all()


def test_penalties_stay_apart_from_the_data_loss(rng):
    def build(**options) -> keras.Model:
        inputs = keras.Input((4,))
        hidden = layers.Dense(5, "tanh", name="first", **options)(inputs)
        model = keras.Model(inputs, layers.Dense(3, "softmax", name="head")(hidden))
        fill(model)
        return model

    x, y = data((4,))
    weighed = build(kernel_regularizer=keras.regularizers.L2(0.1), bias_regularizer="l1")
    bench, plain = open_bench(weighed, x, y, chunk=7), open_bench(build(), x, y)
    plane = draw_plane(bench.parameters, bench.point, rng, vectors="keep")
    group = next(bench.evaluator().points(bench.point, plane, STEPS[1:2]))
    np.testing.assert_allclose(group.losses[0].mean(), plain.losses(plane, STEPS[1:2]), rtol=1e-5)
    kernel, bias = shifted(bench.point, plane, STEPS[1])[:2]
    known = 0.1 * (kernel**2).sum() + 0.01 * np.abs(bias).sum()
    np.testing.assert_allclose(group.penalties, known, rtol=1e-5)
    # Second derivatives are of the data loss alone.
    ones = np.ones(bench.parameters.size)
    products = [b.hessian().product(ones) for b in (bench, plain)]
    np.testing.assert_allclose(*products, atol=1e-6)


def test_penalties_of_weights_that_do_not_move_count_too(rng):
    model = dense_net()
    for layer in model.layers:
        layer.kernel.regularizer = keras.regularizers.L2(0.5)
    x, y = data((4,))
    known = 0.5 * sum(float((w**2).sum()) for w in model.get_weights() if w.ndim == 2)
    bench = open_bench(model, x, y, moved=["head"])
    np.testing.assert_allclose(bench.evaluator().at(bench.point).penalties, known, rtol=1e-5)
    # As Keras has it, a frozen layer has no penalty.
    model.layers[0].trainable = False
    kernel = model.get_layer("head").kernel.numpy()
    bench = open_bench(model, x, y)
    known = 0.5 * float((kernel**2).sum())
    np.testing.assert_allclose(bench.evaluator().at(bench.point).penalties, known, rtol=1e-5)


def test_penalties_on_activations(rng):
    inputs = keras.Input((4,))
    hidden = layers.Dense(5, name="first", activity_regularizer=keras.regularizers.L2(0.3))
    model = keras.Model(inputs, layers.Dense(3, "softmax")(hidden(inputs)))
    fill(model)
    x, y = data((4,))
    bench = open_bench(model, x, y, chunk=16)  # 16, 16 and 8: chunks weigh by their samples
    kernel, bias = bench.point[:2]
    known = 0.3 * ((x @ kernel + bias) ** 2).sum() / len(x)
    np.testing.assert_allclose(bench.evaluator().at(bench.point).penalties, known, rtol=1e-5)


def test_a_point_that_is_given_up_has_the_whole_penalty(rng):
    model = dense_net()
    model.get_layer("head").kernel.regularizer = keras.regularizers.L2(1.0)
    x, y = data((4,), count=200)
    bench = open_bench(model, x, y, chunk=40)
    steps = np.array([(0.0,), (60.0,)])
    direction = tuple(np.sign(w) for w in bench.point)
    groups = list(bench.evaluator().points(bench.point, [direction], steps, ceiling=5.0))
    whole = np.concatenate([g.whole for g in groups])
    assert whole.tolist() == [True, False]
    known = [((w := bench.point[2] + s * direction[2]) * w).sum() for s in (0, 60)]
    np.testing.assert_allclose(np.concatenate([g.penalties for g in groups]), known, rtol=1e-5)


def test_the_models_own_way_of_computing_is_untouched():
    x, y = data((6, 6, 2))
    model = convnet()
    bench = open_bench(model, x, y)
    before = {part.name: dict(part.__dict__) for part in model._flatten_layers()}
    bench.evaluator(reuse=bench.reuse()).at(bench.point)
    bench.hessian().gradient()
    for part in model._flatten_layers():
        changed = {k for k, v in part.__dict__.items() if before[part.name].get(k) is not v}
        assert changed <= {"_called"}, part.name
