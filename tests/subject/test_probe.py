"""The probe: values against NumPy, batches, and the promise that nothing is left behind."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen.errors import UsageError
from reportgen.subject.probe import Probe, Tap


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(3)


def probe_of(model: keras.Model) -> Probe:
    return Probe(model, tuple(model.inputs[0].shape[1:]))


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).uniform(-1, 1, shape).astype(np.float32)


def convolve(x, kernel, bias):
    """Valid convolution by loops, in double precision: kernel ``(k, k, in, out)``."""
    k = kernel.shape[0]
    n, h, w, _ = x.shape
    out = np.zeros((n, h - k + 1, w - k + 1, kernel.shape[3]))
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            window = x[:, i : i + k, j : j + k].astype(np.float64)
            out[:, i, j] = np.einsum("nabc,abcd->nd", window, kernel.astype(np.float64))
    return out + bias


def depthwise(x, kernel):
    """Channel by channel: kernel ``(k, k, in, multiplier)`` -> ``in * multiplier`` channels."""
    parts = [convolve(x[..., c : c + 1], kernel[:, :, c : c + 1], 0) for c in range(x.shape[-1])]
    return np.concatenate(parts, axis=-1)


def conv_by_hand(layer, x):
    return convolve(x, layer.kernel.numpy(), layer.bias.numpy())


def depthwise_by_hand(layer, x):
    return depthwise(x, layer.kernel.numpy()) + layer.bias.numpy()


def separable_by_hand(layer, x):
    middle = depthwise(x, layer.depthwise_kernel.numpy())
    return convolve(middle, layer.pointwise_kernel.numpy(), layer.bias.numpy())


def dense_by_hand(layer, x):
    return x.astype(np.float64) @ layer.kernel.numpy() + layer.bias.numpy()


LAYERS = {
    "conv": (lambda: layers.Conv2D(4, 3, activation="relu"), conv_by_hand),
    "depthwise": (
        lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu"),
        depthwise_by_hand,
    ),
    "separable": (lambda: layers.SeparableConv2D(4, 3, activation="relu"), separable_by_hand),
    "dense": (lambda: layers.Dense(4, activation="relu"), dense_by_hand),
}


@pytest.mark.parametrize("name", LAYERS)
def test_before_the_fused_relu_is_the_sum_by_hand_and_after_is_its_relu(name):
    make, by_hand = LAYERS[name]
    model = keras.Sequential([keras.Input((6, 7, 2)), make()])
    layer = model.layers[0]
    layer.bias.assign(draw(*layer.bias.shape))
    x = draw(3, 6, 7, 2)
    outputs, seen = probe_of(model).activations(
        x, [Tap(layer.name, "before"), Tap(layer.name, "after")]
    )
    before, after = seen[Tap(layer.name, "before")], seen[Tap(layer.name, "after")]
    # Fewer than 40 products of size one in float32.
    np.testing.assert_allclose(before, by_hand(layer, x), atol=1e-6)
    np.testing.assert_array_equal(after, np.maximum(before, 0))
    np.testing.assert_array_equal(after, outputs[0])
    assert (before < 0).any()


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (layers.Activation("relu", name="a"), lambda v: np.maximum(v, 0)),
        (layers.Activation("tanh", name="a"), np.tanh),
        (layers.ReLU(name="a"), lambda v: np.maximum(v, 0)),
        (layers.LeakyReLU(negative_slope=0.2, name="a"), lambda v: np.where(v > 0, v, 0.2 * v)),
    ],
)
def test_a_standalone_activation_has_both_stages(layer, function):
    model = keras.Sequential([keras.Input((5,)), layers.Dense(6, name="d"), layer])
    _, seen = probe_of(model).activations(
        draw(4, 5), [Tap("d"), Tap("a", "before"), Tap("a", "after")]
    )
    np.testing.assert_array_equal(seen[Tap("a", "before")], seen[Tap("d")])
    np.testing.assert_allclose(
        seen[Tap("a")], function(seen[Tap("d")]), rtol=1e-6
    )  # float32 tanh of two libraries
    assert probe_of(model).call("a").activation is not None


def test_without_an_activation_function_both_stages_are_the_same():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(6, name="d")])
    _, seen = probe_of(model).activations(draw(2, 5), [Tap("d", "before"), Tap("d", "after")])
    np.testing.assert_array_equal(seen[Tap("d", "before")], seen[Tap("d", "after")])


def test_channels_first_is_known_and_read_as_it_is():
    model = keras.Sequential(
        [
            keras.Input((3, 4, 5)),
            layers.Cropping2D(1, data_format="channels_first", name="c"),
            layers.GlobalAveragePooling2D("channels_first", name="g"),
        ]
    )
    data = draw(2, 3, 4, 5)
    probe = probe_of(model)
    assert probe.call("c").channels_first
    assert not probe.call("g").channels_first  # no positions are left
    _, seen = probe.activations(data, [Tap("c"), Tap("g")])
    np.testing.assert_array_equal(seen[Tap("c")], data[:, :, 1:-1, 1:-1])
    by_hand = data[:, :, 1:-1, 1:-1].mean(axis=(2, 3))
    np.testing.assert_allclose(seen[Tap("g")], by_hand, rtol=1e-5, atol=1e-6)


def test_mixed_precision_keeps_edges_and_gives_float32():
    policy = keras.dtype_policies.DTypePolicy("mixed_float16")
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, activation="relu", dtype=policy, name="a"),
            layers.Dense(3, dtype="float32", name="b"),
        ]
    )
    probe = probe_of(model)
    assert [call.inputs for call in probe.calls] == [(-1,), (0,)]
    assert [call.dtype for call in probe.calls] == ["float16", "float32"]
    data = draw(3, 4)
    _, seen = probe.activations(data, [Tap("a", "before")])
    assert seen[Tap("a", "before")].dtype == np.float32
    by_hand = dense_by_hand(model.layers[0], data)
    # Half precision has eleven bits; sums of four products of size one.
    np.testing.assert_allclose(seen[Tap("a", "before")], by_hand, atol=4e-3)


def test_a_fixed_batch_is_padded_and_the_padding_never_seen():
    x = keras.Input(batch_shape=(4, 5))
    fixed = keras.Model(x, layers.Dense(3, activation="relu", name="d")(x))
    free = keras.Sequential([keras.Input((5,)), fixed.get_layer("d")])
    data = draw(10, 5)
    taps = [Tap("d", "before")]
    outputs, seen = probe_of(fixed).activations(data, taps)
    expected, wanted = probe_of(free).activations(data, taps)
    np.testing.assert_array_equal(outputs[0], expected[0])
    np.testing.assert_array_equal(seen[taps[0]], wanted[taps[0]])


def test_an_unknown_address_names_near_ones():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="head")], name="net")
    with pytest.raises(UsageError, match=r"'net/head'.*There are: head"):
        probe_of(model).call("net/head")
    with pytest.raises(UsageError, match="There are: head"):
        probe_of(model).activations(draw(1, 4), [Tap("nowhere")])


def small_net() -> keras.Model:
    x = keras.Input((6, 6, 2))
    y = layers.Conv2D(3, 3, activation="relu", name="c")(x)
    inner = keras.Sequential([keras.Input((4, 4, 3)), layers.Dense(3, "tanh", name="d")], name="n")
    return keras.Model(x, layers.Dense(2, name="out")(layers.Flatten(name="f")(inner(y))))


def attributes(model: keras.Model) -> dict:
    found = {}
    for layer in model._flatten_layers():
        found[layer.name] = {k: id(v) for k, v in layer.__dict__.items() if not k.startswith("_")}
    return found


def test_the_same_taps_are_traced_once():
    probe, data = probe_of(small_net()), draw(5, 6, 6, 2)
    taps = [Tap("c", "before"), Tap("n/d")]
    probe.activations(data, taps)
    assert probe.traces == 2  # the layout and the taps
    probe.activations(data[:2], taps)
    probe.activations(data, taps)
    assert probe.traces == 2
    probe.predict(lambda rows: data[rows], 5)
    probe.predict(lambda rows: data[rows], 3)
    assert probe.traces == 3


def test_layers_are_put_back_as_they_were():
    model, data = small_net(), draw(4, 6, 6, 2)
    predicted, before = model.predict(data, verbose=0), attributes(model)
    probe_of(model).activations(data, [Tap("c", "before"), Tap("n/d", "before")])
    assert attributes(model) == before
    np.testing.assert_array_equal(model.predict(data, verbose=0), predicted)


def test_layers_are_put_back_after_an_exception(monkeypatch):
    model = small_net()
    last = model.get_layer("out")

    def fail(values):
        raise RuntimeError("injected")

    last.activation = fail
    before = attributes(model)
    with pytest.raises(RuntimeError, match="injected"):
        _ = probe_of(model).calls
    assert attributes(model) == before


def test_a_method_that_somebody_replaced_on_the_layer_is_kept():
    model = small_net()
    layer = model.get_layer("f")
    original = layer.call

    def doubled(inputs):
        return 2 * original(inputs)

    layer.__dict__["call"] = doubled
    data = draw(2, 6, 6, 2)
    _, seen = probe_of(model).activations(data, [Tap("n/d"), Tap("f")])
    np.testing.assert_array_equal(seen[Tap("f")], 2 * seen[Tap("n/d")].reshape(2, -1))
    assert layer.__dict__["call"] is doubled


@pytest.mark.parametrize("fixed", [None, 4])
def test_reduce_is_numpy_on_all_activations(fixed, monkeypatch):
    x = keras.Input(batch_shape=(fixed, 5))
    model = keras.Model(x, layers.Dense(3, activation="relu", name="d")(x))
    probe, data = probe_of(model), draw(10, 5)
    probe._batch_limit = 4  # three batches, the last one not full
    taps = [Tap("d", "before"), Tap("d")]

    def reducer(values):
        return {tap.stage: (tf.reduce_sum(v, 0), tf.shape(v)[0]) for tap, v in values.items()}

    parts = list(probe.reduce(lambda rows: data[rows], 10, taps, reducer, "sum"))
    assert [int(part["after"][1]) for part in parts] == [4, 4, 2]
    _, full = probe.activations(data, taps)
    for tap in taps:
        total = sum(part[tap.stage][0] for part in parts)
        # Ten float32 values of size one, added in another order.
        np.testing.assert_allclose(total, full[tap].sum(axis=0), atol=2e-6)


def test_memory_that_runs_out_halves_the_batch(monkeypatch):
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3, name="d")])
    probe, data, sizes = probe_of(model), draw(20, 5), []
    expected, _ = probe.activations(data, [Tap("d")])
    run = probe._functions[(Tap("d"),)]

    def starved(batch, real):
        sizes.append(len(batch))
        if len(batch) > 6:
            raise tf.errors.ResourceExhaustedError(None, None, "injected")
        return run(batch, real)

    monkeypatch.setitem(probe._functions, (Tap("d"),), starved)
    outputs, _ = probe.activations(data, [Tap("d")])
    # A matrix product over other batch sizes may add in another order.
    np.testing.assert_allclose(outputs[0], expected[0], atol=1e-6)
    assert sizes[0] == 20
    assert sizes[-1] <= 6
    assert max(sizes[sizes.index(min(sizes)) :]) <= 6


def test_memory_that_never_suffices_is_an_error(monkeypatch):
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3, name="d")])
    probe = probe_of(model)

    def starved(batch, real):
        raise tf.errors.ResourceExhaustedError(None, None, "injected")

    monkeypatch.setattr(probe, "_trace", lambda taps, finish: starved)
    with pytest.raises(tf.errors.ResourceExhaustedError, match="injected"):
        probe.activations(draw(8, 5), [])
