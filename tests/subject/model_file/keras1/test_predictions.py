"""What networks of Keras 1 predict once translated; the oracles are closed forms in NumPy."""

import numpy as np
import pytest

from reportgen.subject.model_file.repairs.keras1 import convert_arrays, translate

from .dialect import (
    CONVOLUTION,
    DENSE,
    GRU,
    INPUT,
    LSTM,
    NORMALIZATION,
    built,
    layer,
    of,
    predict,
    sequential,
    write,
)


def test_a_sequential_predicts_as_its_closed_form(draw):
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


def test_a_file_of_keras_1_opens(draw, tmp_path, opened):
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


def gates(draw, number):
    return [(draw(4, 3), draw(3, 3), draw(3)) for _ in range(number)]


@pytest.mark.parametrize(
    ("kind", "words", "run", "number"), [("LSTM", LSTM, run_lstm, 4), ("GRU", GRU, run_gru, 3)]
)
def test_gates_as_single_arrays(draw, tmp_path, kind, words, run, number, opened):
    config = sequential(layer(kind, "r", **words, batch_input_shape=[None, 6, 4]))
    parts, x = gates(draw, number), draw(5, 6, 4)
    stored = [array for part in parts for array in part]
    expected = run(x, *parts)
    new, _ = translate(config)
    model = built(new)
    model.set_weights(convert_arrays(kind, of(new, 0), stored, backend=None))
    np.testing.assert_allclose(predict(model, x), expected, atol=1e-5)
    path = write(tmp_path / "old.h5", config, {"r": stored})
    np.testing.assert_allclose(predict(opened(path), x), expected, atol=1e-5)


def test_both_directions(draw):
    inner = layer("LSTM", "r", **LSTM)
    config = sequential(
        layer(
            "Bidirectional",
            "b",
            layer=inner,
            merge_mode="concat",
            batch_input_shape=[None, 6, 4],
            input_dtype="float32",
        ),
    )
    there, back, x = gates(draw, 4), gates(draw, 4), draw(5, 6, 4)
    stored = [array for part in (*there, *back) for array in part]
    new, _ = translate(config)
    model = built(new)
    model.set_weights(convert_arrays("Bidirectional", of(new, 0), stored, backend=None))
    expected = np.concatenate([run_lstm(x, *there), run_lstm(x[:, ::-1], *back)], axis=-1)
    np.testing.assert_allclose(predict(model, x), expected, atol=1e-5)


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
            "Deconvolution2D",
            "d",
            nb_filter=2,
            nb_row=side,
            nb_col=side,
            border_mode=border,
            subsample=[stride, stride],
            output_shape=[None, size, size, 2],
            dim_ordering="tf",
            bias=False,
            activation="linear",
            batch_input_shape=[None, 3, 3, 1],
        )
        new, _ = translate(sequential(old))
        assert built(new).output_shape == (None, size, size, 2)
