"""Channels set to zero: exactly those, and every weight comes back."""

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.config import AuditConfig
from reportgen.errors import ReportgenError, UsageError
from reportgen.subject.ablation import Effect, measure_effect, read_outputs, zeroed
from reportgen.subject.channel_weights import find_parts
from reportgen.subject.probe import Probe, Tap
from reportgen.subject.subject import LiveInput, open_subject


def open_live(model, x, y=None, **settings):
    return open_subject(AuditConfig(preprocessing="none", **settings), LiveInput(model, x, y))


def values_at(subject, address):
    tap = Tap(address)
    return subject.probe.activations(subject.inputs(), [tap])[1][tap]


@pytest.fixture
def network():
    """A convolution with bias, one with BatchNorm, pooling, a depthwise one, a dense head."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="conv", bias_initializer="ones")(inputs)
    x = layers.Activation("relu", name="relu")(x)
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Conv2D(6, 1, name="plain", use_bias=False)(x)
    x = layers.BatchNormalization(name="norm", beta_initializer="ones")(x)
    x = layers.ReLU(name="relu2")(x)
    x = layers.DepthwiseConv2D(2, depth_multiplier=2, bias_initializer="ones", name="depth")(x)
    x = layers.Flatten(name="flat")(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="head")(x))


@pytest.fixture
def subject(network):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 8, 8, 3)).astype(np.float32)
    return open_live(network, x, np.argmax(network.predict(x, verbose=0), axis=1))


@pytest.mark.parametrize(
    ("address", "read", "channels", "count"),
    [
        ("conv", "conv", [1, 3], 4),
        ("relu", "conv", [2], 4),  # walked back to the convolution
        ("pool", "conv", [0], 4),  # through two layers without weights
        ("plain", "plain", [5], 6),
        ("norm", "norm", [0, 4], 6),
        ("relu2", "norm", [3], 6),
        ("depth", "depth", [7], 12),
    ],
)
def test_exactly_these_channels_are_zero(subject, address, read, channels, count):
    usual = values_at(subject, read)
    with zeroed(subject, {address: channels}):
        now = values_at(subject, read)
    silent = ~now.any(axis=(0, 1, 2))
    assert np.flatnonzero(silent).tolist() == channels
    others = np.setdiff1d(np.arange(count), channels)
    np.testing.assert_array_equal(now[..., others], usual[..., others])
    np.testing.assert_array_equal(values_at(subject, read), usual)


def test_none_is_the_whole_layer(subject):
    with zeroed(subject, {"conv": None}):
        assert not values_at(subject, "conv").any()


def test_every_weight_comes_back(subject):
    before = subject.weights_hash()
    with zeroed(subject, {"conv": [1], "norm": [2], "head": None}):
        assert subject.weights_hash() != before
    assert subject.weights_hash() == before


def test_weights_come_back_after_an_exception(subject):
    before = subject.weights_hash()
    with pytest.raises(ZeroDivisionError), zeroed(subject, {"conv": [1], "relu": [2]}):
        raise ZeroDivisionError
    assert subject.weights_hash() == before


def test_weights_that_do_not_come_back_are_told(subject, network):
    with pytest.raises(ReportgenError, match="differ"), zeroed(subject, {"conv": [1]}):
        network.get_layer("head").kernel.assign(np.zeros((48, 3)))


@pytest.mark.parametrize(
    ("channels", "said"),
    [
        ({"flat": [1]}, "flat: no weight"),
        ({"conv": [4]}, "channel 4 of 4"),
        ({"nowhere": [0]}, "No layer 'nowhere'"),
    ],
)
def test_what_cannot_be_done_changes_nothing(subject, channels, said):
    before = subject.weights_hash()
    with pytest.raises(UsageError, match=said), zeroed(subject, {"conv": [0], **channels}):
        pass
    assert subject.weights_hash() == before


def layer_cases():
    yield layers.Dense(5), (7,)
    yield layers.Conv1D(5, 3), (9, 4)
    yield layers.Conv2DTranspose(5, 3), (6, 6, 4)
    yield layers.Conv3D(5, 2), (4, 4, 4, 2)
    yield layers.DepthwiseConv1D(3, depth_multiplier=2), (9, 4)
    yield layers.SeparableConv2D(5, 3), (6, 6, 4)
    yield layers.EinsumDense("abc,cde->abde", (4, 2, 5), bias_axes="de"), (4, 6)
    yield layers.TimeDistributed(layers.Dense(5)), (3, 7)
    yield layers.LSTM(5, return_sequences=True), (6, 3)
    yield layers.GRU(5, return_sequences=True), (6, 3)
    yield layers.SimpleRNN(5), (6, 3)
    yield layers.LayerNormalization(beta_initializer="ones"), (6, 5)
    yield layers.BatchNormalization(moving_mean_initializer="ones"), (6, 6, 5)


@pytest.mark.parametrize(("layer", "shape"), list(layer_cases()), ids=str)
def test_every_kind_of_layer(layer, shape):
    model = keras.Sequential([keras.Input(shape), layer])
    bias = getattr(layer, "bias", None)
    if bias is not None:
        bias.assign(np.ones(bias.shape))
    x = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    subject = open_live(model, x)
    address = subject.probe.calls[-1].address
    with zeroed(subject, {address: [2]}):
        outputs = read_outputs(subject, np.arange(3))
    silent = ~outputs.any(axis=tuple(range(outputs.ndim - 1)))
    assert np.flatnonzero(silent).tolist() == [2]


def test_attention_is_silenced_at_its_last_projection():
    inputs = keras.Input((5, 6))
    model = keras.Model(inputs, layers.MultiHeadAttention(2, 3, name="a")(inputs, inputs))
    x = np.random.default_rng(0).normal(size=(3, 5, 6)).astype(np.float32)
    with zeroed(subject := open_live(model, x), {"a": [4]}):
        outputs = read_outputs(subject, np.arange(3))
    assert np.flatnonzero(~outputs.any(axis=(0, 1))).tolist() == [4]


def test_channels_first_is_walked_back_along_its_own_axis():
    first = {"data_format": "channels_first"}
    inputs = keras.Input((5, 8, 7))
    x = layers.ZeroPadding2D(name="pad", **first)(inputs)
    x = layers.DepthwiseConv2D(1, name="depth", bias_initializer="ones", **first)(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.ZeroPadding2D(1, name="more", **first)(x)
    model = keras.Model(inputs, layers.GlobalAveragePooling2D(name="pool", **first)(x))
    probe = Probe(model, (5, 8, 7))
    for address in ("pool", "more", "relu", "depth"):
        kernel, bias = find_parts(probe, address)
        assert (kernel.channels, bias.channels, kernel.axes) == (5, 5, (2, 3))
    with pytest.raises(UsageError, match="pad: no weight"):
        find_parts(probe, "pad")


def test_a_batchnorm_without_scale_is_silenced_with_what_it_reads():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, bias_initializer="ones", name="c")(inputs)
    model = keras.Model(inputs, layers.BatchNormalization(scale=False, name="n")(x))
    model.get_layer("n").moving_mean.assign([1, 2, 3, 4])
    model.get_layer("n").beta.assign([1, 2, 3, 4])
    x = np.random.default_rng(0).normal(size=(3, 8, 8, 3)).astype(np.float32)
    with zeroed(subject := open_live(model, x), {"n": [1]}):
        outputs = read_outputs(subject, np.arange(3))
    assert np.flatnonzero(~outputs.any(axis=(0, 1, 2))).tolist() == [1]


def test_a_nan_in_the_statistics_is_silenced(subject, network):
    norm = network.get_layer("norm")
    norm.moving_variance.assign([1, np.nan, 1, 1, 1, 1])
    effect = measure_effect(subject, {"norm": [1]}, np.arange(40))
    assert (effect.broken_before, effect.broken_after) == (40, 0)
    assert effect.right_before == 0
    assert np.isnan(norm.moving_variance.numpy()[1])


def test_the_effect_by_hand():
    """Class = larger of two inputs; without the second one everything is class 0 or a tie (0)."""
    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(2, use_bias=False, activation="softmax", name="d")]
    )
    model.layers[-1].kernel.assign(np.eye(2))
    x = np.array([[3, 1], [1, 3], [2, 1], [1, 2], [5, 1]], np.float32)
    subject = open_live(model, x, np.array([0, 1, 0, 1, 1]))
    effect = measure_effect(subject, {"d": [1]}, np.arange(5))
    assert (effect.right_before, effect.right_after, effect.changed) == (4, 2, 2)
    assert not effect.unchanged
    assert effect.describe() == (
        "set to zero: 80.0 % -> 40.0 % right on 5 samples, 2 answers change"
    )
    part = measure_effect(subject, {"d": [1]}, np.array([0, 2]))
    assert (part.samples, part.right_before, part.right_after, part.changed) == (2, 2, 2, 0)
    assert part.unchanged
    plain = measure_effect(open_live(model, x), {"d": [1]}, np.arange(5))
    assert plain.describe() == "set to zero: 2 of 5 answers change"


def test_the_effect_on_numbers():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, use_bias=False, name="d")])
    model.layers[-1].kernel.assign([[1.0], [2.0]])
    subject = open_live(model, np.ones((4, 2), np.float32))
    effect = measure_effect(subject, {"d": [0]}, np.arange(4))
    assert (effect.right_before, effect.changed, effect.mean_change) == (None, None, 3)
    assert effect.describe() == "set to zero: outputs change by 3 on average over 4 samples"


def test_known_outputs_are_not_predicted_again(subject):
    rows = np.arange(10)
    before = read_outputs(subject, rows)
    assert measure_effect(subject, {"conv": [1]}, rows, before=before) == measure_effect(
        subject, {"conv": [1]}, rows
    )


def test_one_answer_is_singular():
    effect = Effect(10, 5, 4, 1, 0.1, 0, 0)
    assert effect.describe().endswith("1 answer changes")
