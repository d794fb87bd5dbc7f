"""Every kernel of every kind of layer is read along the right axis, by what the layer computes."""

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.subject.kernels import list_kernels
from reportgen.subject.probe import Probe


def kernels_in(layer, shape, dtype="float32", calls=None):
    inputs = keras.Input(shape, dtype=dtype)
    model = keras.Model(inputs, (calls or layer)(inputs))
    return model, list_kernels(Probe(model, shape).calls[-1])


CASES = [
    (layers.Dense(5), (7,)),
    (layers.Conv1D(5, 3), (9, 4)),
    (layers.Conv2D(5, 3), (6, 6, 4)),
    (layers.Conv2D(6, 3, groups=2), (6, 6, 4)),
    (layers.Conv3D(3, 2), (4, 4, 4, 2)),
    (layers.Conv1DTranspose(5, 3), (9, 4)),
    (layers.Conv2DTranspose(5, 3), (6, 6, 4)),
    (layers.Conv3DTranspose(3, 2), (4, 4, 4, 2)),
    (layers.DepthwiseConv1D(3, depth_multiplier=2), (9, 4)),
    (layers.DepthwiseConv2D(3, depth_multiplier=2), (6, 6, 4)),
    (layers.SeparableConv1D(5, 3), (9, 4)),
    (layers.SeparableConv2D(5, 3), (6, 6, 4)),
    (layers.EinsumDense("ab,bc->ac", output_shape=5), (7,)),
    (layers.TimeDistributed(layers.Dense(5)), (3, 7)),
    (layers.MultiHeadAttention(2, 3), (4, 6)),
    (layers.GroupQueryAttention(3, 4, 2), (4, 6)),
]


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=str)
def test_a_zeroed_main_filter_silences_exactly_its_channel(layer, shape):
    layer = type(layer).from_config(layer.get_config())
    attention = "Attention" in type(layer).__name__
    calls = (lambda x: layer(x, x)) if attention else None
    model, kernels = kernels_in(layer, shape, calls=calls)
    (main,) = [kernel for kernel in kernels if kernel.main]
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    assert np.asarray(model(x)).any(axis=tuple(range(len(shape)))).all()
    assert main.filters.shape[0] == model.output_shape[-1]
    # Through the rows: mark filter 2, and put the rows back where they came from.
    rows = main.filters.copy()
    rows[2] = 0
    sizes = [main.values.shape[axis] for axis in main.axes]
    rest = [s for axis, s in enumerate(main.values.shape) if axis not in main.axes]
    back = np.moveaxis(rows.reshape(*sizes, *rest), range(len(sizes)), main.axes)
    main.variable.assign(back)
    silent = ~np.asarray(model(x)).any(axis=tuple(range(len(shape))))
    assert np.flatnonzero(silent).tolist() == [2]


def test_depthwise_filters_are_channel_and_multiplier():
    _, (kernel,) = kernels_in(layers.DepthwiseConv2D((2, 3), depth_multiplier=2), (6, 6, 4))
    assert kernel.filters.shape == (8, 6)
    assert (kernel.groups, kernel.depthwise) == (4, True)
    np.testing.assert_array_equal(kernel.filters[5], kernel.values[:, :, 2, 1].ravel())


def test_separable_convolutions_have_two_kernels():
    _, kernels = kernels_in(layers.SeparableConv2D(5, 3, depth_multiplier=2, name="s"), (6, 6, 4))
    assert [(k.name, k.filters.shape, k.main) for k in kernels] == [
        ("depthwise_kernel", (8, 9), False),
        ("pointwise_kernel", (5, 8), True),
    ]
    assert [kernel.label for kernel in kernels] == ["s, depthwise_kernel", "s, pointwise_kernel"]
    assert [kernel.place for kernel in kernels] == ["s, depthwise_kernel", "s"]


def test_rows_of_an_embedding_are_tokens():
    _, (kernel,) = kernels_in(layers.Embedding(11, 6), (9,), dtype="int32")
    assert kernel.filters.shape == (11, 6)
    assert not kernel.judged  # a padding token may well be zero


def test_projections_of_attention_are_matrices():
    layer = layers.MultiHeadAttention(2, 3, value_dim=5, name="a")
    _, kernels = kernels_in(layer, (4, 6), calls=lambda x: layer(x, x))
    assert {k.name: k.filters.T.shape for k in kernels} == {
        "query": (6, 6),
        "key": (6, 6),
        "value": (6, 10),
        "attention_output": (10, 6),
    }
    query = kernels[0]
    np.testing.assert_array_equal(query.filters.T, query.values.reshape(6, 6))
    assert query.label == "a, query"


def test_recurrent_layers_have_a_kernel_for_inputs_and_one_for_states():
    _, kernels = kernels_in(layers.LSTM(5, name="l"), (7, 6))
    assert [(k.label, k.filters.shape) for k in kernels] == [
        ("l", (20, 6)),
        ("l, recurrent_kernel", (20, 5)),
    ]
    _, kernels = kernels_in(layers.Bidirectional(layers.GRU(3, name="g"), name="b"), (7, 6))
    assert len(kernels) == 4
    assert len({id(k.variable) for k in kernels}) == 4
    assert kernels[0].name == "forward_g"


@pytest.mark.parametrize("layer", [layers.BatchNormalization(), layers.LayerNormalization()])
def test_normalisations_have_no_kernel(layer):
    assert kernels_in(layer, (6, 6, 4))[1] == []


def test_a_kernel_in_half_precision_is_read():
    layer = layers.Dense(5, dtype=keras.DTypePolicy("bfloat16"))
    _, (kernel,) = kernels_in(layer, (7,))
    assert kernel.values.dtype == np.float32


@pytest.fixture
def attentive():
    keras.utils.set_random_seed(4)
    inputs = keras.Input((12, 8))
    x = layers.MultiHeadAttention(4, 8, name="mha")(inputs, inputs)
    x = layers.LSTM(16, name="lstm")(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(x))


def test_a_model_of_attention_is_audited(attentive, subject_of, analyse):
    x = np.random.default_rng(0).normal(size=(20, 12, 8)).astype(np.float32)
    subject = subject_of(attentive, x)
    found = analyse("weights", subject)
    labels = [
        "mha, query",
        "mha, key",
        "mha, value",
        "mha, attention_output",
        "lstm",
        "lstm, recurrent_kernel",
        "out",
    ]
    assert [s.label for s in found.result.survey.spectra] == labels
    assert [k.label for k in found.result.kernels] == labels
    names = {row.name for row in found.result.tensors if row.address == "mha"}
    assert {"query/kernel", "attention_output/kernel", "bias"} <= names
    # Nothing was trained, and the initialisers of einsum and recurrent kernels are known.
    assert {"mha", "lstm"} <= {flag.address for flag in found.result.untrained}


def test_a_zeroed_head_and_a_nan_in_a_query_are_named(attentive, subject_of, analyse):
    mha = attentive.get_layer("mha")
    value = mha._value_dense.kernel.numpy()
    value[:, 1, 3] = 0  # head 1, entry 3: filter 11
    mha._value_dense.kernel.assign(value)
    query = mha._query_dense.kernel.numpy()
    query[2, 0, 5] = np.nan
    mha._query_dense.kernel.assign(query)
    x = np.random.default_rng(0).normal(size=(20, 12, 8)).astype(np.float32)
    found = analyse("weights", subject_of(attentive, x))
    assert [(f.label, f.filters) for f in found.result.dead] == [("mha, value", (11,))]
    (flag,) = found.result.non_finite
    assert (flag.label, flag.filters) == ("mha, query/kernel", (5,))
    assert flag.silence is None


@pytest.mark.parametrize(
    "layer",
    [
        layers.DepthwiseConv2D(5, name="x"),
        layers.SeparableConv2D(32, 5, name="x"),
    ],
)
def test_untrained_depthwise_kernels_are_found(layer, subject_of, analyse):
    keras.utils.set_random_seed(6)
    layer = type(layer).from_config(layer.get_config())
    model = keras.Sequential([keras.Input((8, 8, 16)), layer, layers.Flatten()])
    found = analyse("weights", subject_of(model, np.zeros((3, 8, 8, 16), np.float32)))
    assert [flag.address for flag in found.result.untrained] == ["x"]
    layer.weights[0].assign(layer.weights[0].numpy() * 0.4)
    found = analyse("weights", subject_of(model, np.zeros((3, 8, 8, 16), np.float32)))
    assert found.result.untrained == ()
