"""Weights as Keras 1 stored them and as Keras 2 wants them; tf-keras is the oracle."""

import numpy as np
import pytest

from reportgen.errors import InputError
from reportgen.subject.model_file.repairs.keras1 import convert_arrays

from .dialect import DENSE, LSTM, layer


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
        (
            "Conv2D",
            {"filters": 4, "kernel_size": [3, 2], "data_format": "channels_first"},
            (None, 2, 6, 6),
            [(4, 2, 3, 2), (4,)],
        ),
        (
            "Conv2D",
            {"filters": 4, "kernel_size": [3, 2], "data_format": "channels_first"},
            (None, 2, 6, 6),
            [(3, 2, 2, 4), (4,)],
        ),
        (
            "Conv3D",
            {"filters": 4, "kernel_size": [1, 3, 2], "data_format": "channels_first"},
            (None, 2, 6, 6, 6),
            [(4, 2, 1, 3, 2), (4,)],
        ),
        (
            "Conv2DTranspose",
            {"filters": 4, "kernel_size": [3, 2]},
            (None, 6, 6, 2),
            [(3, 2, 2, 4), (4,)],
        ),
        (
            "Conv2DTranspose",
            {"filters": 4, "kernel_size": [3, 2], "data_format": "channels_first"},
            (None, 2, 6, 6),
            [(4, 2, 3, 2), (4,)],
        ),
        (
            "ConvLSTM2D",
            {"filters": 4, "kernel_size": [3, 3]},
            (None, 5, 6, 6, 2),
            [(3, 3, 2, 4), (3, 3, 4, 4), (4,)] * 4,
        ),
        ("LSTM", {"units": 3}, (None, 5, 2), [(2, 3), (3, 3), (3,)] * 4),
        ("LSTM", {"units": 3}, (None, 5, 2), [(2, 12), (3, 12), (12,)]),
        ("GRU", {"units": 3, "reset_after": False}, (None, 5, 2), [(2, 3), (3, 3), (3,)] * 3),
        ("GRU", {"units": 3, "reset_after": False}, (None, 5, 2), [(2, 9), (3, 9), (9,)]),
        ("Dense", {"units": 3}, (None, 2), [(2, 3), (3,)]),
        ("BatchNormalization", {}, (None, 4), [(4,)] * 4),
    ],
)
def test_layouts_as_tf_keras_reads_them(draw, class_name, config, shape, stored):
    arrays = [draw(*sides) for sides in stored]
    expected = twin(class_name, shape=shape, **config)(arrays)
    found = convert_arrays(class_name, config, arrays, backend=None)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_theano_turned_its_kernels_round(draw):
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


def test_separable_kernels_of_channels_first(draw):
    depthwise, pointwise, bias = draw(2, 3, 5, 4), draw(7, 6, 1, 1), draw(7)
    found = convert_arrays(
        "SeparableConvolution2D", {"dim_ordering": "th"}, [depthwise, pointwise, bias], backend=None
    )
    assert [array.shape for array in found] == [(5, 4, 3, 2), (1, 1, 6, 7), (7,)]
    assert found[0][1, 2, 2, 1] == depthwise[1, 2, 1, 2]


def test_nested_weights_are_found_among_the_frozen(draw):
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
