"""Networks as Keras 1.2 wrote them, by hand; the oracles are NumPy and tf-keras."""

import copy
import json
import os

import h5py
import numpy as np
import pytest

os.environ.setdefault("TF_USE_LEGACY_KERAS", "0")

from reportgen.errors import InputError
from reportgen.subject.model_file.repairs.keras1 import convert_arrays, is_keras1, translate

RNG = np.random.default_rng(3)


def draw(*shape):
    return RNG.normal(0, 0.5, shape).astype(np.float32)


def layer(class_name, name, **config):
    return {"class_name": class_name, "config": {"name": name, "trainable": True, **config}}


CONVOLUTION = {
    "nb_filter": 4, "nb_row": 3, "nb_col": 2, "border_mode": "same", "subsample": [1, 1],
    "dim_ordering": "tf", "init": "glorot_uniform", "activation": "relu", "bias": True,
    "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.01},
    "b_regularizer": None, "W_constraint": {"name": "MaxNorm", "m": 2, "axis": 0},
    "b_constraint": None, "activity_regularizer": None,
}  # fmt: skip
DENSE = {
    "output_dim": 5, "input_dim": 7, "init": "normal", "bias": True, "activation": "linear",
    "W_regularizer": None, "b_regularizer": None, "W_constraint": None, "b_constraint": None,
    "activity_regularizer": None,
}  # fmt: skip
LSTM = {
    "output_dim": 3, "input_dim": 4, "input_length": 6, "init": "glorot_uniform",
    "inner_init": "orthogonal", "forget_bias_init": "one", "activation": "tanh",
    "inner_activation": "hard_sigmoid", "return_sequences": False, "go_backwards": False,
    "stateful": False, "unroll": False, "consume_less": "cpu", "W_regularizer": None,
    "U_regularizer": None, "b_regularizer": None, "dropout_W": 0.1, "dropout_U": 0.2,
}  # fmt: skip
GRU = {key: value for key, value in LSTM.items() if key != "forget_bias_init"}
NORMALIZATION = {
    "mode": 0, "axis": 3, "epsilon": 0.001, "momentum": 0.99, "gamma_regularizer": None,
    "beta_regularizer": None, "beta_init": "zero", "gamma_init": "one",
}  # fmt: skip
INPUT = {"batch_input_shape": [None, 6, 5, 3], "input_dtype": "float32"}


def sequential(*layers):
    return {"class_name": "Sequential", "config": list(layers)}


def of(node, number):
    return node["config"]["layers"][number]["config"]


def built(config):
    """tf-keras builds what it reads as the dialect of Keras 2."""
    import tf_keras

    return tf_keras.models.model_from_json(json.dumps(config))


def predict(model, *inputs):
    return model.predict(list(inputs) if len(inputs) > 1 else inputs[0], verbose=0)


def write(path, config, arrays):
    """A file as Keras 1.2 wrote it: names of layers and weights, no backend."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = b"1.2.2"
        file.attrs["model_config"] = json.dumps(config).encode()
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [name.encode() for name in arrays]
        for name, values in arrays.items():
            group = root.create_group(name)
            names = [f"{name}_{part}".encode() for part in range(len(values))]
            group.attrs["weight_names"] = names
            for key, value in zip(names, values, strict=True):
                group[key.decode()] = value
    return path


def opened(path):
    from reportgen.subject.model_file import identify, open_model

    return open_model(identify(path))


def test_the_writer_decides_and_else_the_words():
    old = sequential(layer("Dense", "d", **DENSE))
    assert is_keras1(old, "1.2.2")
    assert is_keras1(old, None)
    assert not is_keras1(old, "2.1.6-tf")
    new = sequential(layer("Dense", "d", units=5, kernel_initializer="zeros"))
    assert not is_keras1(new, None)
    inner = sequential(layer("MaxPooling2D", "m", pool_size=[2, 2], border_mode="valid"))
    assert is_keras1(sequential(inner), None)
    for odd in (None, [], "1", {"class_name": "Dense", "config": None}):
        assert not is_keras1(odd, None)


def test_the_input_is_not_changed():
    old = sequential(layer("Convolution2D", "c", **CONVOLUTION, **INPUT))
    before = copy.deepcopy(old)
    new, rules = translate(old)
    new["config"]["layers"][0]["config"]["batch_input_shape"].append(1)
    assert old == before
    assert all(rule.startswith("Keras 1: ") for rule in rules)
    assert "Keras 1: Convolution2D became Conv2D" in rules
    assert len(set(rules)) == len(rules)


def test_every_word_of_a_convolution_is_translated():
    new, _ = translate(sequential(layer("Convolution2D", "c", **CONVOLUTION, **INPUT)))
    assert of(new, 0) == {
        "name": "c", "trainable": True, "filters": 4, "kernel_size": [3, 2], "padding": "same",
        "strides": [1, 1], "data_format": "channels_last", "kernel_initializer": "glorot_uniform",
        "activation": "relu", "use_bias": True,
        "kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.01}},
        "bias_regularizer": None,
        "kernel_constraint": {"class_name": "MaxNorm", "config": {"max_value": 2, "axis": 0}},
        "bias_constraint": None, "activity_regularizer": None,
        "batch_input_shape": [None, 6, 5, 3],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        (layer("Dropout", "x", p=0.25), {"rate": 0.25}),
        (layer("GaussianNoise", "x", sigma=0.1), {"stddev": 0.1}),
        (layer("SpatialDropout2D", "x", p=0.5, dim_ordering="th"),
         {"rate": 0.5, "data_format": "channels_first"}),
        (layer("MaxPooling1D", "x", pool_length=2, stride=2, border_mode="valid"),
         {"pool_size": 2, "strides": 2, "padding": "valid"}),
        (layer("GlobalAveragePooling2D", "x", dim_ordering="tf"),
         {"data_format": "channels_last"}),
        (layer("UpSampling1D", "x", length=3), {"size": 3}),
        (layer("ZeroPadding2D", "x", padding=[1, 2], dim_ordering="tf"),
         {"padding": [1, 2], "data_format": "channels_last"}),
        (layer("ZeroPadding2D", "x", padding=[1, 2, 3, 4]), {"padding": [[1, 2], [3, 4]]}),
        (layer("ZeroPadding2D", "x", padding={"top_pad": 1, "right_pad": 2}),
         {"padding": [[1, 0], [0, 2]]}),
        (layer("PReLU", "x", init="zero", weights=None), {"alpha_initializer": "zeros"}),
        (layer("BatchNormalization", "x", mode=0, beta_init="zero", gamma_init="my_own"),
         {"beta_initializer": "zeros"}),
        (layer("BatchNormalization", "x", mode=1), {"mode": 1}),
        (layer("Embedding", "x", input_dim=9, output_dim=4, input_length=3, init="uniform",
               W_constraint={"name": "NonNeg"}, dropout=0.0, input_dtype="int32"),
         {"input_dim": 9, "output_dim": 4, "input_length": 3,
          "embeddings_initializer": "random_uniform",
          "embeddings_constraint": {"class_name": "NonNeg", "config": {}}}),
        (layer("Convolution3D", "x", kernel_dim1=1, kernel_dim2=2, kernel_dim3=3, nb_filter=4),
         {"kernel_size": [1, 2, 3], "filters": 4}),
        (layer("AtrousConvolution1D", "x", nb_filter=2, filter_length=3, atrous_rate=2),
         {"filters": 2, "kernel_size": 3, "dilation_rate": 2}),
        (layer("InputLayer", "x", batch_input_shape=[None, 3], input_dtype="int32"),
         {"batch_input_shape": [None, 3], "dtype": "int32"}),
        (layer("Dense", "x", W_regularizer={"name": "EigenvalueRegularizer", "k": 1}),
         {"kernel_regularizer": None}),
    ],
)  # fmt: skip
def test_words_of_other_layers(old, expected):
    new, _ = translate(sequential(layer("Flatten", "f"), old))
    assert of(new, 1) == {"name": "x", "trainable": True, **expected}


def test_classes_that_are_gone_stay_to_be_named():
    gone = layer("Highway", "h", init="one", W_regularizer=None)
    new, rules = translate(sequential(gone))
    assert new["config"]["layers"] == [gone]
    assert rules == []


@pytest.mark.parametrize("odd", [None, [], "x", {"class_name": 3}, {"class_name": "Sequential"}])
def test_what_is_no_network_passes_through(odd):
    assert translate(odd) == (odd, [])


def test_hostile_settings_do_not_raise():
    kinds = ("Convolution2D", "Deconvolution2D", "ZeroPadding2D", "Merge", "LSTM", "Bidirectional")
    odd = (None, "x", -1, [], {}, [[]], {"name": []}, {"name": "MaxNorm"})
    for kind in kinds:
        for value in odd:
            words = ("padding", "W_constraint", "W_regularizer", "init", "mode", "dot_axes",
                     "subsample", "output_shape", "nb_row", "dim_ordering", "layer")  # fmt: skip
            translate(sequential(layer(kind, "x", **dict.fromkeys(words, value))))
            translate(sequential({"class_name": kind, "config": value}))


def test_a_sequential_predicts_as_its_closed_form():
    """Convolution as a sum over windows, normalisation by the stored variance, a dense layer."""
    config = sequential(
        layer("Convolution2D", "c", **{**CONVOLUTION, "border_mode": "valid"}, **INPUT),
        layer("BatchNormalization", "n", **NORMALIZATION),
        layer("Flatten", "f"),
        layer("Dense", "d", **DENSE),
    )
    kernel, bias = draw(3, 2, 3, 4), draw(4)
    gamma, beta, mean, variance = draw(4), draw(4), draw(4), np.abs(draw(4)) + 0.1
    w, b = draw(4 * 4 * 4, 5), draw(5)
    x = draw(2, 6, 5, 3)
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 2), axis=(1, 2))
    maps = np.maximum(np.einsum("nhwcij,ijcf->nhwf", windows, kernel) + bias, 0)
    maps = gamma * (maps - mean) / np.sqrt(variance + 0.001) + beta
    expected = maps.reshape(2, -1) @ w + b
    stored = [[kernel, bias], [gamma, beta, mean, variance], [w, b]]
    new, _ = translate(config)
    model = built(new)
    layers = [each for each in new["config"]["layers"] if each["class_name"] != "Flatten"]
    for each, arrays in zip(layers, stored, strict=True):
        target = model.get_layer(each["config"]["name"])
        target.set_weights(convert_arrays(each["class_name"], each["config"], arrays, backend=None))
    np.testing.assert_allclose(predict(model, x), expected, atol=1e-5)


def test_a_file_of_keras_1_opens(tmp_path):
    config = sequential(
        layer("Convolution2D", "c", **{**CONVOLUTION, "border_mode": "valid"}, **INPUT),
        layer("Flatten", "f"),
        layer("Dropout", "o", p=0.5),
        layer("Dense", "d", **DENSE),
    )
    kernel, bias, w, b = draw(3, 2, 3, 4), draw(4), draw(4 * 4 * 4, 5), draw(5)
    path = write(tmp_path / "old.h5", config, {"c": [kernel, bias], "f": [], "o": [], "d": [w, b]})
    x = draw(2, 6, 5, 3)
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 2), axis=(1, 2))
    maps = np.maximum(np.einsum("nhwcij,ijcf->nhwf", windows, kernel) + bias, 0)
    expected = maps.reshape(2, -1) @ w + b
    np.testing.assert_allclose(predict(opened(path), x), expected, atol=1e-5)


def sigmoid(x):
    """The hard sigmoid of Keras 1 and 2."""
    return np.clip(0.2 * x + 0.5, 0, 1)


def run_lstm(x, i, c, f, o):
    h = state = np.zeros((len(x), 3), np.float32)
    for step in range(x.shape[1]):
        gate = [x[:, step] @ w + h @ u + b for w, u, b in (i, c, f, o)]
        state = sigmoid(gate[2]) * state + sigmoid(gate[0]) * np.tanh(gate[1])
        h = sigmoid(gate[3]) * np.tanh(state)
    return h


def run_gru(x, z, r, h):
    state = np.zeros((len(x), 3), np.float32)
    for step in range(x.shape[1]):
        now = x[:, step]
        update = sigmoid(now @ z[0] + state @ z[1] + z[2])
        reset = sigmoid(now @ r[0] + state @ r[1] + r[2])
        new = np.tanh(now @ h[0] + (reset * state) @ h[1] + h[2])
        state = update * state + (1 - update) * new
    return state


def gates(number):
    return [(draw(4, 3), draw(3, 3), draw(3)) for _ in range(number)]


@pytest.mark.parametrize(
    ("kind", "words", "run", "number"), [("LSTM", LSTM, run_lstm, 4), ("GRU", GRU, run_gru, 3)]
)
def test_gates_as_single_arrays(tmp_path, kind, words, run, number):
    config = sequential(layer(kind, "r", **words, batch_input_shape=[None, 6, 4]))
    parts, x = gates(number), draw(5, 6, 4)
    stored = [array for part in parts for array in part]
    expected = run(x, *parts)
    new, _ = translate(config)
    model = built(new)
    model.set_weights(convert_arrays(kind, of(new, 0), stored, backend=None))
    np.testing.assert_allclose(predict(model, x), expected, atol=1e-5)
    path = write(tmp_path / "old.h5", config, {"r": stored})
    np.testing.assert_allclose(predict(opened(path), x), expected, atol=1e-5)


def test_both_directions():
    inner = layer("LSTM", "r", **LSTM)
    config = sequential(
        layer("Bidirectional", "b", layer=inner, merge_mode="concat",
              batch_input_shape=[None, 6, 4], input_dtype="float32"),
    )  # fmt: skip
    there, back, x = gates(4), gates(4), draw(5, 6, 4)
    stored = [array for part in (*there, *back) for array in part]
    new, _ = translate(config)
    model = built(new)
    model.set_weights(convert_arrays("Bidirectional", of(new, 0), stored, backend=None))
    expected = np.concatenate([run_lstm(x, *there), run_lstm(x[:, ::-1], *back)], axis=-1)
    np.testing.assert_allclose(predict(model, x), expected, atol=1e-5)


def twin(class_name, **config):
    """A built layer of tf-keras and what it makes of weights of Keras 1."""
    import tf_keras
    from tf_keras.src.saving.legacy.hdf5_format import preprocess_weights_for_loading

    shape = config.pop("shape")
    made = getattr(tf_keras.layers, class_name)(**config)
    made.build(shape)
    return lambda arrays: preprocess_weights_for_loading(made, list(arrays), "1", "tensorflow")


@pytest.mark.parametrize(
    ("class_name", "config", "shape", "stored"),
    [
        ("Conv1D", {"filters": 4, "kernel_size": [3]}, (None, 6, 2), [(3, 1, 2, 4), (4,)]),
        ("Conv1D", {"filters": 4, "kernel_size": [3]}, (None, 6, 2), [(4, 2, 3, 1), (4,)]),
        ("Conv2D", {"filters": 4, "kernel_size": [3, 2]}, (None, 6, 6, 2), [(3, 2, 2, 4), (4,)]),
        ("Conv2D", {"filters": 4, "kernel_size": [3, 2], "data_format": "channels_first"},
         (None, 2, 6, 6), [(4, 2, 3, 2), (4,)]),
        ("Conv2D", {"filters": 4, "kernel_size": [3, 2], "data_format": "channels_first"},
         (None, 2, 6, 6), [(3, 2, 2, 4), (4,)]),
        ("Conv3D", {"filters": 4, "kernel_size": [1, 3, 2], "data_format": "channels_first"},
         (None, 2, 6, 6, 6), [(4, 2, 1, 3, 2), (4,)]),
        ("Conv2DTranspose", {"filters": 4, "kernel_size": [3, 2]}, (None, 6, 6, 2),
         [(3, 2, 2, 4), (4,)]),
        ("Conv2DTranspose", {"filters": 4, "kernel_size": [3, 2],
                             "data_format": "channels_first"},
         (None, 2, 6, 6), [(4, 2, 3, 2), (4,)]),
        ("ConvLSTM2D", {"filters": 4, "kernel_size": [3, 3]}, (None, 5, 6, 6, 2),
         [(3, 3, 2, 4), (3, 3, 4, 4), (4,)] * 4),
        ("LSTM", {"units": 3}, (None, 5, 2), [(2, 3), (3, 3), (3,)] * 4),
        ("LSTM", {"units": 3}, (None, 5, 2), [(2, 12), (3, 12), (12,)]),
        ("GRU", {"units": 3, "reset_after": False}, (None, 5, 2), [(2, 3), (3, 3), (3,)] * 3),
        ("GRU", {"units": 3, "reset_after": False}, (None, 5, 2), [(2, 9), (3, 9), (9,)]),
        ("Dense", {"units": 3}, (None, 2), [(2, 3), (3,)]),
        ("BatchNormalization", {}, (None, 4), [(4,)] * 4),
    ],
)  # fmt: skip
def test_layouts_as_tf_keras_reads_them(class_name, config, shape, stored):
    arrays = [draw(*sides) for sides in stored]
    expected = twin(class_name, shape=shape, **config)(arrays)
    found = convert_arrays(class_name, config, arrays, backend=None)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_theano_turned_its_kernels_round():
    """A convolution proper is a correlation with the kernel read backwards."""
    kernel, bias = draw(4, 2, 3, 3), draw(4)
    config = {"nb_filter": 4, "nb_row": 3, "nb_col": 3, "dim_ordering": "th"}
    found, same = convert_arrays("Convolution2D", config, [kernel, bias], backend="theano")
    np.testing.assert_array_equal(found[0, 2, 1, 3], kernel[3, 1, 2, 0])
    np.testing.assert_array_equal(found[1, 1], kernel[:, :, 1, 1].T)
    np.testing.assert_array_equal(same, bias)
    (line,) = convert_arrays(
        "Convolution1D", {"nb_filter": 2, "filter_length": 3}, [draw(3, 1, 1, 2)], backend="theano"
    )
    assert line.shape == (3, 1, 2)


def test_separable_kernels_of_channels_first():
    depthwise, pointwise, bias = draw(2, 3, 5, 4), draw(7, 6, 1, 1), draw(7)
    found = convert_arrays(
        "SeparableConvolution2D", {"dim_ordering": "th"}, [depthwise, pointwise, bias], backend=None
    )
    assert [array.shape for array in found] == [(5, 4, 3, 2), (1, 1, 6, 7), (7,)]
    assert found[0][1, 2, 2, 1] == depthwise[1, 2, 1, 2]


@pytest.mark.parametrize("border", ["valid", "same"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("side", [1, 2, 3, 4])
def test_a_deconvolution_has_the_size_it_stated(border, stride, side):
    """Every size that a convolution would turn into three positions, and no other."""
    for size in range(1, 20):
        inside = -(-size // stride) if border == "same" else (size - side) // stride + 1
        if inside != 3 or size < side:
            continue
        old = layer(
            "Deconvolution2D", "d", nb_filter=2, nb_row=side, nb_col=side, border_mode=border,
            subsample=[stride, stride], output_shape=[None, size, size, 2], dim_ordering="tf",
            bias=False, activation="linear", batch_input_shape=[None, 3, 3, 1],
        )  # fmt: skip
        new, _ = translate(sequential(old))
        assert built(new).output_shape == (None, size, size, 2)


def branch(name):
    return sequential(
        layer("Dense", name, **{**DENSE, "input_dim": 4}, batch_input_shape=[None, 4])
    )


@pytest.mark.parametrize(
    ("mode", "merge"),
    [
        ("sum", lambda a, b: a + b),
        ("mul", lambda a, b: a * b),
        ("ave", lambda a, b: (a + b) / 2),
        ("max", np.maximum),
        ("concat", lambda a, b: np.concatenate([a, b], axis=-1)),
        ("dot", lambda a, b: (a * b).sum(axis=1, keepdims=True)),
        ("cos", lambda a, b: (a * b).sum(axis=1, keepdims=True)
            / np.sqrt((a * a).sum(1, keepdims=True) * (b * b).sum(1, keepdims=True))),
    ],
)  # fmt: skip
def test_a_merge_at_the_start_of_a_sequential(tmp_path, mode, merge):
    config = sequential(
        layer("Merge", "m", mode=mode, mode_type="raw", concat_axis=-1, dot_axes=[1, 1],
              output_shape=None, output_shape_type="raw", output_mask=None,
              output_mask_type="raw", arguments={}, layers=[branch("d1"), branch("d2")]),
        layer("Activation", "a", activation="tanh"),
    )  # fmt: skip
    weights = {"d1": [draw(4, 5), draw(5)], "d2": [draw(4, 5), draw(5)]}
    left, right = draw(3, 4), draw(3, 4)
    expected = np.tanh(
        merge(
            left @ weights["d1"][0] + weights["d1"][1], right @ weights["d2"][0] + weights["d2"][1]
        )
    )
    new, rules = translate(config)
    assert "Keras 1: a Sequential that starts with a Merge became a graph" in rules
    model = built(new)
    for name, arrays in weights.items():
        model.get_layer(name).set_weights(arrays)
    np.testing.assert_allclose(predict(model, left, right), expected, atol=1e-5)
    path = write(tmp_path / "old.h5", config, {**weights, "a": []})
    np.testing.assert_allclose(predict(opened(path), left, right), expected, atol=1e-5)


def test_merges_in_merges_keep_their_branches():
    inner = sequential(
        layer("Merge", "m1", mode="sum", mode_type="raw", layers=[branch("d1"), branch("d2")]),
        layer("Dense", "d3", **DENSE),
    )
    new, _ = translate(
        sequential(
            layer("Merge", "m2", mode="concat", mode_type="raw", layers=[inner, branch("d4")])
        )
    )
    model = built(new)
    assert [each.shape[-1] for each in model.inputs] == [4, 4, 4]
    assert model.output_shape == (None, 10)


def test_a_branch_without_a_shape_is_named():
    blind = sequential(layer("Activation", "a", activation="tanh"))
    with pytest.raises(InputError, match="branch a of a Merge does not state its input shape"):
        translate(sequential(layer("Merge", "m", mode="sum", layers=[blind, blind])))


def graph(*layers, output):
    return {
        "class_name": "Model",
        "config": {
            "name": "model_1",
            "layers": [
                {**each, "name": each["config"]["name"], "inbound_nodes": nodes}
                for each, nodes in layers
            ],
            "input_layers": [["i", 0, 0]],
            "output_layers": [[output, 0, 0]],
        },
    }


def test_a_graph_with_a_nested_sequential(tmp_path):
    nested = [
        layer("Dense", "d", **DENSE, batch_input_shape=[None, 7], input_dtype="float32"),
        layer("BatchNormalization", "n", **{**NORMALIZATION, "axis": -1}),
        layer("Dense", "e", **DENSE),
    ]
    config = graph(
        (layer("InputLayer", "i", batch_input_shape=[None, 7], input_dtype="float32"), []),
        (layer("Merge", "m", mode="mul", mode_type="raw", concat_axis=-1),
         [[["s", 1, 0], ["s", 2, 0]]]),
        output="m",
    )  # fmt: skip
    inner = {"class_name": "Sequential", "config": nested, "name": "s"}
    inner["inbound_nodes"] = [[["i", 0, 0]], [["i", 0, 0]]]
    config["config"]["layers"].insert(1, inner)
    del config["config"]["layers"][0]["config"]["trainable"]  # an input has no such word
    w1, b1, w2, b2 = draw(7, 5), draw(5), draw(5, 5), draw(5)
    gamma, beta, mean, variance = draw(5), draw(5), draw(5), np.abs(draw(5)) + 0.1
    x = draw(3, 7)
    y = gamma * (x @ w1 + b1 - mean) / np.sqrt(variance + 0.001) + beta
    expected = (y @ w2 + b2) ** 2
    stored = [w1, b1, gamma, beta, w2, b2, mean, variance]
    new, _ = translate(config)
    assert of(new, 1)["name"] == "s"
    model = built(new)
    inner = model.get_layer("s")
    variables = [*inner.trainable_weights, *inner.non_trainable_weights]
    found = convert_arrays("Sequential", of(new, 1), stored, backend=None)
    for variable, array in zip(variables, found, strict=True):
        variable.assign(array)
    np.testing.assert_allclose(predict(model, x), expected, atol=1e-5)
    path = write(tmp_path / "old.h5", config, {"i": [], "s": stored, "m": []})
    np.testing.assert_allclose(predict(opened(path), x), expected, atol=1e-5)


def test_nested_weights_are_found_among_the_frozen():
    """A frozen layer's weights stand behind all trainable ones; joined gates are fewer."""
    frozen = layer("LSTM", "r", **LSTM)
    frozen["config"]["trainable"] = False
    nested = [frozen, layer("Dense", "d", **DENSE), layer("BatchNormalization", "n", mode=0)]
    single = [draw(4, 3), draw(3, 3), draw(3)] * 4
    dense, scale, moments = [draw(3, 5), draw(5)], [draw(5), draw(5)], [draw(5), draw(5)]
    stored = [*dense, *scale, *single, *moments]
    found = convert_arrays("Sequential", nested, stored, backend=None)
    assert [array.shape for array in found[4:7]] == [(4, 12), (3, 12), (12,)]
    for ours, theirs in zip([*found[:4], *found[7:]], [*dense, *scale, *moments], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(InputError, match="holds 3 arrays for the model"):
        convert_arrays("Sequential", nested, stored[:3], backend=None)
