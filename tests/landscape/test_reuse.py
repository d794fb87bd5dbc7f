"""What is computed once for a plane: the same numbers, and really only once."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen.landscape.directions import draw_plane
from reportgen.landscape.reuse import plan_reuse

from .conftest import data, dense_net, fill, open_bench, precision

STEPS = np.random.default_rng(0).uniform(-1, 1, (6, 2))
RUNS: list[int] = []


class Counted(layers.Dense):
    """Counts how often it really runs. The graph may drop it, as it may any other layer."""

    def call(self, inputs):
        def count(values):
            RUNS.append(len(values))
            return values

        seen = tf.numpy_function(count, [inputs], tf.float32, stateful=False)
        return super().call(tf.ensure_shape(seen, inputs.shape))


def backbone(first: layers.Layer, shape: tuple[int, ...]) -> keras.Model:
    """A frozen beginning and a head that moves."""
    inputs = keras.Input(shape)
    maps = layers.Flatten()(layers.Activation("tanh")(first(inputs)))
    maps = layers.Dense(6, "relu", name="middle")(maps)
    model = keras.Model(inputs, layers.Dense(3, activation="softmax", name="head")(maps))
    fill(model)
    first.trainable = False
    model.get_layer("middle").trainable = False
    return model


def both(bench, rng, tolerance: float, **options):
    """Losses with and without; the plan that was used."""
    plan = bench.reuse()
    plane = draw_plane(bench.parameters, bench.point, rng, vectors="keep")
    plain = bench.losses(plane, STEPS, **options)
    reused = bench.losses(plane, STEPS, reuse=plan, **options)
    np.testing.assert_allclose(reused, plain, rtol=tolerance)
    assert np.ptp(plain) > 1e-3
    return plan


def test_a_frozen_beginning_gives_the_same(rng):
    x, y = data((7,))
    bench = open_bench(backbone(layers.BatchNormalization(), (7,)), x, y, chunk=20)
    plan = both(bench, rng, 1e-6)
    assert [call.address for call in plan.frozen] == ["middle"]
    assert plan.linear == ()


def test_frozen_layers_run_once_for_each_chunk(rng):
    x, y = data((7,), count=30)
    bench = open_bench(backbone(Counted(8), (7,)), x, y, chunk=10)
    plane = draw_plane(bench.parameters, bench.point, rng)
    plan = bench.reuse()
    RUNS.clear()
    evaluator = bench.evaluator(reuse=plan)
    assert RUNS == [10, 10, 10]
    reused = np.concatenate([g.losses for g in evaluator.points(bench.point, plane, STEPS)])
    list(evaluator.points(bench.point, plane[::-1], STEPS))  # another plane, the same beginning
    assert len(RUNS) == 3
    plain = np.concatenate([g.losses for g in bench.evaluator().points(bench.point, plane, STEPS)])
    assert len(RUNS) == 3 + 3 * len(STEPS)  # or the count would prove nothing
    np.testing.assert_allclose(reused, plain, rtol=1e-5)


def test_the_head_of_a_nested_model(rng):
    inner = dense_net(5, 6, 4)
    inputs = keras.Input((5,))
    model = keras.Model(inputs, layers.Dense(3, "softmax", name="head")(inner(inputs)))
    fill(model)
    x, y = data((5,))
    bench = open_bench(model, x, y, moved=["head"])
    plan = both(bench, rng, 1e-6)
    assert [call.address for call in plan.frozen] == [f"{inner.name}/head"]


def test_two_branches_one_of_them_frozen(rng):
    inputs = keras.Input((5,))
    left = layers.Dense(4, "tanh", name="left", trainable=False)(inputs)
    right = layers.Dense(4, "tanh", name="right")(inputs)
    model = keras.Model(inputs, layers.Dense(3, "softmax")(layers.Concatenate()([left, right])))
    fill(model)
    x, y = data((5,))
    plan = both(open_bench(model, x, y), rng, 1e-6)
    assert [call.address for call in plan.frozen] == ["left"]


# A layer that comes first, the input, and whether three products are worth keeping.
LINEAR = {
    "Dense, 200 inputs": (layers.Dense(6, "relu", name="first"), (200,), True),
    "Dense, no bias": (layers.Dense(6, use_bias=False, name="first"), (200,), True),
    "Dense, few inputs": (layers.Dense(6, name="first"), (20,), False),
    "Conv2D, 3 x 3 x 32": (layers.Conv2D(4, 3, activation="gelu", name="first"), (5, 5, 32), True),
    "Conv2D, strided": (layers.Conv2D(4, 3, strides=2, name="first"), (7, 7, 32), True),
    "Conv2D, 3 x 3 x 3": (layers.Conv2D(4, 3, name="first"), (5, 5, 3), False),
    "Conv2DTranspose": (layers.Conv2DTranspose(4, 3, name="first"), (4, 4, 32), True),
    "EinsumDense": (
        layers.EinsumDense("abc,cd->abd", (3, 4), bias_axes="d", name="first"),
        (3, 150),
        True,
    ),
    "Conv1D, causal": (
        layers.Conv1D(4, 5, padding="causal", activation="relu", name="first"),
        (6, 40),
        True,
    ),
    "BatchNormalization": (layers.BatchNormalization(name="first"), (200,), False),
}


@pytest.mark.parametrize("name", LINEAR)
def test_first_layers_that_are_linear_in_their_weights(name, rng):
    layer, shape, worth = LINEAR[name]
    layer = type(layer).from_config(layer.get_config())
    stack = [keras.Input(shape), layer, layers.Flatten(), layers.Dense(3, "softmax")]
    model = keras.Sequential(stack)
    fill(model)
    x, y = data(shape, count=20)
    bench = open_bench(model, x, y)
    if not worth:
        assert bench.reuse() is None
        return
    plan = both(bench, rng, 1e-5)
    assert ([call.address for call in plan.linear], plan.frozen) == (["first"], ())


class ConvSwish(layers.Conv2D):
    """What users do: it extends a layer of Keras, and is not linear."""

    def call(self, inputs):
        return keras.ops.silu(super().call(inputs))


class DenseSquared(layers.Layer):
    """Named like a layer of Keras, with a kernel that enters squared."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 4), name="kernel")

    def call(self, inputs):
        return keras.ops.matmul(inputs, self.kernel**2)


@pytest.mark.parametrize(
    ("layer", "shape"), [(ConvSwish(4, 3), (5, 5, 32)), (DenseSquared(), (200,))]
)
def test_layers_of_the_user_are_not_taken_for_linear(layer, shape, rng):
    inputs = keras.Input(shape)
    head = layers.Dense(3, "softmax")(layers.Flatten()(layer(inputs)))
    model = keras.Model(inputs, head)
    fill(model)
    x, y = data(shape, count=20)
    bench = open_bench(model, x, y)
    assert bench.reuse() is None


def test_a_linear_layer_that_is_frozen_in_part(rng):
    """Behind a frozen layer: its inputs are held, and its three products made from them."""
    inputs = keras.Input((10,))
    wide = layers.Dense(200, "relu", name="wide", trainable=False)(inputs)
    model = keras.Model(inputs, layers.Dense(3, "softmax", name="head")(wide))
    fill(model)
    x, y = data((10,))
    plan = both(open_bench(model, x, y, chunk=16), rng, 1e-5)
    assert [call.address for call in plan.frozen] == ["wide"]
    assert [call.address for call in plan.linear] == ["head"]


def test_a_linear_layer_that_is_called_twice(rng):
    shared = layers.Dense(4, "tanh", name="shared")
    inputs = keras.Input((200,))
    turned = layers.Rescaling(-0.5)(inputs)
    both_calls = layers.Concatenate()([shared(inputs), shared(turned)])
    model = keras.Model(inputs, layers.Dense(3, "softmax")(both_calls))
    fill(model)
    x, y = data((200,))
    plan = both(open_bench(model, x, y), rng, 1e-5)
    assert [call.address for call in plan.linear] == ["shared", "shared#2"]


@pytest.mark.parametrize("policy", ["mixed_float16", "float64"])
def test_other_precisions(policy, rng):
    x, y = data((200,))
    with precision(policy):
        model = keras.Sequential([keras.Input((200,)), layers.Dense(6, "relu"), layers.Dense(3)])
    fill(model)
    assert both(open_bench(model, x, y), rng, 1e-5 if policy != "float64" else 1e-12).linear


def test_penalties_are_the_same(rng):
    x, y = data((200,))
    inputs = keras.Input((200,))
    first = layers.Dense(6, "relu", kernel_regularizer="l2", activity_regularizer="l1")(inputs)
    model = keras.Model(inputs, layers.Dense(3, "softmax")(first))
    fill(model)
    bench = open_bench(model, x, y, chunk=16)
    plane = draw_plane(bench.parameters, bench.point, rng)
    assert bench.reuse().linear
    plain, reused = (
        np.concatenate([g.penalties for g in made.points(bench.point, plane, STEPS)])
        for made in (bench.evaluator(), bench.evaluator(reuse=bench.reuse()))
    )
    np.testing.assert_allclose(reused, plain, rtol=1e-5)
    assert (plain > 0).all()


def test_what_takes_too_much_memory_is_not_kept():
    x, y = data((200,))
    model = keras.Sequential([keras.Input((200,)), layers.Dense(6), layers.Dense(3)])
    bench = open_bench(model, x, y)
    need = 4 * 3 * 6 * 40  # bytes of three results for forty samples
    calls = bench.probe.calls
    assert plan_reuse(bench.model, calls, 40, most_bytes=need).linear
    assert plan_reuse(bench.model, calls, 40, most_bytes=need - 1) is None
