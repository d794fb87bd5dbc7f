"""The census against NumPy on the values of every layer, read by plain Keras models."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.subject.census import take_census
from reportgen.subject.census.plan import plan_readings
from reportgen.subject.probe import Probe


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(3)


def draw(*shape):
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


def subject_of(model, x, labels=None):
    """What `take_census` reads of a subject."""
    return SimpleNamespace(
        probe=Probe(model, tuple(x.shape[1:])),
        samples=x,
        inputs=lambda rows: x[rows],
        labels=SimpleNamespace(values=labels),
        config=SimpleNamespace(seed=0),
    )


def test_sums_of_many_positions_keep_their_digits():
    """Half a million equal small values one after another lose the fourth digit in float32."""
    model = keras.Sequential([keras.Input((64, 64, 1)), layers.Conv2D(2, 1, name="c")])
    model.set_weights([np.array([[[[0.1, 1.0]]]]), np.array([0.3, 1.0])])
    x = draw(200, 64, 64, 1)
    found = take_census(subject_of(model, x)).by_address["c"]
    values = (x[..., 0, None].astype(np.float64) * [0.1, 1.0] + [0.3, 1.0]).reshape(-1, 2)
    # float32 values themselves: 6e-8 of the mean, which is up to ten spreads here.
    np.testing.assert_allclose(found.mean, values.mean(axis=0), rtol=2e-6)
    np.testing.assert_allclose(found.spread, values.std(axis=0), rtol=1e-5)


def build(data_format="channels_last"):
    """Every way on which something follows: BatchNorm, ReLU, dropout, a branch, fused ReLU."""
    first = data_format == "channels_first"
    options = {"data_format": data_format, "padding": "same"}
    axis = 1 if first else -1
    inputs = keras.Input((2, 6, 5) if first else (6, 5, 2))
    x = layers.Conv2D(4, 3, name="conv", **options)(inputs)
    x = layers.BatchNormalization(axis=axis, name="norm")(x)
    x = layers.Activation("relu", name="act")(x)
    x = short = layers.Dropout(0.5, name="drop")(x)
    x = layers.DepthwiseConv2D(3, name="depth", **options)(x)
    x = layers.BatchNormalization(axis=axis, name="norm2")(x)
    x = layers.Add(name="add")([x, short])
    x = layers.Conv2D(3, 3, activation="relu", name="fused", **options)(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(5, activation="tanh", name="tanh")(x)
    model = keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(x))
    rng = np.random.default_rng(1)
    for norm in ("norm", "norm2"):
        weights = [rng.normal(size=w.shape) for w in model.get_layer(norm).get_weights()]
        weights[3] = np.abs(weights[3]) + 0.1  # a variance
        model.get_layer(norm).set_weights(weights)
    return model


def values_of(model, name, x):
    """``(values, channels)``, by an own model for each layer."""
    layer = model.get_layer(name)
    out = keras.Model(model.input, layer.output).predict(x, verbose=0).astype(np.float64)
    first = out.ndim == 4 and out.shape[1:] in ((4, 6, 5), (3, 6, 5))
    return (
        np.moveaxis(out, 1, -1).reshape(-1, out.shape[1])
        if first
        else out.reshape(-1, out.shape[-1])
    )


@pytest.mark.parametrize("batch", [1, 7, 256])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_every_number_of_every_layer(data_format, batch):
    model = build(data_format)
    x = draw(23, *model.inputs[0].shape[1:])
    subject = subject_of(model, x)
    subject.probe._batch_limit = batch
    census = take_census(subject)
    assert [layer.address for layer in census.layers] == [layer.name for layer in model.layers[1:]]
    for layer in census.layers:
        values = values_of(model, layer.address, x)
        size = float(np.abs(values).max())
        for found, expected in (
            (layer.low, values.min(axis=0)),
            (layer.high, values.max(axis=0)),
            (layer.mean, values.mean(axis=0)),
            (layer.spread, values.std(axis=0)),
        ):
            # float32 sums of about a thousand values; a deviation doubles the digits lost.
            np.testing.assert_allclose(found, expected, atol=2e-4 * size)
        assert not layer.non_finite.any()
        if layer.zeros is not None:
            np.testing.assert_allclose(layer.zeros, (values == 0).mean(axis=0), atol=1e-9)
    behind_relu = [layer.address for layer in census.layers if layer.zeros is not None]
    assert behind_relu == ["act", "drop", "fused"]


def test_units_are_read_where_they_leave_their_layer():
    probe = Probe(build(), (6, 5, 2))
    plan = plan_readings(probe.calls, probe.output_calls)
    units = {r.call.address: r.head for r in plan if r.kind == "unit"}
    assert units == {
        "act": "conv",
        "norm2": "depth",
        "add": "add",
        "fused": "fused",
        "tanh": "tanh",
    }
    followed = {r.call.address: r.source for r in plan if not r.is_read}
    assert followed == {"conv": "norm", "drop": "act", "depth": "norm2"}


def test_peaks_and_responses_of_units():
    model = build()
    x = draw(40, 6, 5, 2)
    labels = np.arange(40) % 4
    units = take_census(subject_of(model, x, labels)).by_address["fused"].units
    maps = keras.Model(model.input, model.get_layer("fused").output).predict(x, verbose=0)
    peaks, means = maps.max(axis=(1, 2)), maps.mean(axis=(1, 2))
    order = np.argsort(-peaks, axis=0, kind="stable")
    np.testing.assert_array_equal(units.most, order[:8].T)
    np.testing.assert_array_equal(units.silent, (peaks <= 0).sum(axis=0))
    r = np.array(
        [[np.corrcoef(means[:, c], labels == k)[0, 1] for k in range(4)] for c in range(3)]
    )
    np.testing.assert_allclose(units.selectivity.r, r.max(axis=1), atol=1e-5)
    np.testing.assert_array_equal(units.selectivity.best, r.argmax(axis=1))


@pytest.mark.parametrize("scale", [1.0, 3e38])
@pytest.mark.parametrize("planted", [None, np.nan, np.inf, -np.inf])
def test_only_finite_values_count_and_the_others_are_counted(planted, scale):
    """Also where the quick test by a sum overflows: 3e38 twice is infinite in float32."""
    model = keras.Sequential([keras.Input((3, 3, 2)), layers.DepthwiseConv2D(1, name="same")])
    model.layers[0].set_weights([np.ones((1, 1, 2, 1)), np.zeros(2)])
    x = np.random.default_rng(0).uniform(0.5, 1, (4, 3, 3, 2)).astype(np.float32) * scale
    if planted is not None:
        x[1, 2, 0, 1] = planted
    (layer,) = take_census(subject_of(model, x)).layers
    finite = np.where(np.isfinite(x), x, np.nan)
    np.testing.assert_array_equal(layer.low, np.nanmin(finite, axis=(0, 1, 2)))
    np.testing.assert_array_equal(layer.high, np.nanmax(finite, axis=(0, 1, 2)))
    assert layer.non_finite.tolist() == [0, int(planted is not None)]


def test_nan_in_a_normalisation_begins_there():
    model = build()
    weights = model.get_layer("norm").get_weights()
    weights[0][2] = np.nan
    model.get_layer("norm").set_weights(weights)
    census = take_census(subject_of(model, draw(9, 6, 5, 2)))
    bad = {layer.address: layer.non_finite.tolist() for layer in census.layers}
    assert bad["conv"] == [0, 0, 0, 0]
    assert bad["norm"] == [0, 0, 9 * 30, 0]


def test_nan_in_a_kernel_begins_there_also_where_only_its_normalisation_is_read():
    model = build()
    kernel, bias = model.get_layer("conv").get_weights()
    kernel[0, 0, 0, 1] = np.nan
    model.get_layer("conv").set_weights([kernel, bias])
    census = take_census(subject_of(model, draw(9, 6, 5, 2)))
    assert np.flatnonzero(census.by_address["conv"].non_finite).tolist() == [1]


def test_what_rounding_hides_behind_a_tiny_scale_is_not_made_up():
    model = build()
    gamma = model.get_layer("norm").gamma.numpy()
    gamma[:2] = 0, 1e-9
    model.get_layer("norm").gamma.assign(gamma)
    layer = take_census(subject_of(model, draw(9, 6, 5, 2))).by_address["conv"]
    assert np.isnan(layer.mean).tolist() == [True, True, False, False]
    assert not layer.constant.any()


def test_a_filter_of_zero_is_constant_also_before_its_normalisation():
    model = build()
    kernel, bias = model.get_layer("conv").get_weights()
    kernel[..., 3], bias[3] = 0, 0.7
    model.get_layer("conv").set_weights([kernel, bias])
    layer = take_census(subject_of(model, draw(9, 6, 5, 2))).by_address["conv"]
    assert layer.constant.tolist() == [False, False, False, True]
    assert layer.mean[3] == pytest.approx(0.7, rel=1e-5)


def test_a_static_batch_is_padded_and_the_padding_not_counted():
    model = keras.Sequential(
        [keras.Input(batch_shape=(8, 4)), layers.Dense(3, "relu", name="a"), layers.Dense(2)]
    )
    x = draw(11, 4)
    layer = take_census(subject_of(model, x)).by_address["a"]
    values = np.maximum(x @ model.layers[0].kernel.numpy(), 0)
    np.testing.assert_allclose(layer.mean, values.mean(axis=0), atol=1e-6)
    assert layer.units.samples == 11
    assert layer.units.most.max() <= 10
