"""Words of Keras 1 and what each became in Keras 2, by hand."""

import copy

import pytest

from reportgen.subject.model_file.repairs.keras1 import is_keras1, translate

from .dialect import CONVOLUTION, DENSE, INPUT, layer, of, sequential


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
        "name": "c",
        "trainable": True,
        "filters": 4,
        "kernel_size": [3, 2],
        "padding": "same",
        "strides": [1, 1],
        "data_format": "channels_last",
        "kernel_initializer": "glorot_uniform",
        "activation": "relu",
        "use_bias": True,
        "kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.01}},
        "bias_regularizer": None,
        "kernel_constraint": {"class_name": "MaxNorm", "config": {"max_value": 2, "axis": 0}},
        "bias_constraint": None,
        "activity_regularizer": None,
        "batch_input_shape": [None, 6, 5, 3],
    }


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        (layer("Dropout", "x", p=0.25), {"rate": 0.25}),
        (layer("GaussianNoise", "x", sigma=0.1), {"stddev": 0.1}),
        (
            layer("SpatialDropout2D", "x", p=0.5, dim_ordering="th"),
            {"rate": 0.5, "data_format": "channels_first"},
        ),
        (
            layer("MaxPooling1D", "x", pool_length=2, stride=2, border_mode="valid"),
            {"pool_size": 2, "strides": 2, "padding": "valid"},
        ),
        (layer("GlobalAveragePooling2D", "x", dim_ordering="tf"), {"data_format": "channels_last"}),
        (layer("UpSampling1D", "x", length=3), {"size": 3}),
        (
            layer("ZeroPadding2D", "x", padding=[1, 2], dim_ordering="tf"),
            {"padding": [1, 2], "data_format": "channels_last"},
        ),
        (layer("ZeroPadding2D", "x", padding=[1, 2, 3, 4]), {"padding": [[1, 2], [3, 4]]}),
        (
            layer("ZeroPadding2D", "x", padding={"top_pad": 1, "right_pad": 2}),
            {"padding": [[1, 0], [0, 2]]},
        ),
        (layer("PReLU", "x", init="zero", weights=None), {"alpha_initializer": "zeros"}),
        (
            layer("BatchNormalization", "x", mode=0, beta_init="zero", gamma_init="my_own"),
            {"beta_initializer": "zeros"},
        ),
        (layer("BatchNormalization", "x", mode=1), {"mode": 1}),
        (
            layer(
                "Embedding",
                "x",
                input_dim=9,
                output_dim=4,
                input_length=3,
                init="uniform",
                W_constraint={"name": "NonNeg"},
                dropout=0.0,
                input_dtype="int32",
            ),
            {
                "input_dim": 9,
                "output_dim": 4,
                "input_length": 3,
                "embeddings_initializer": "random_uniform",
                "embeddings_constraint": {"class_name": "NonNeg", "config": {}},
            },
        ),
        (
            layer("Convolution3D", "x", kernel_dim1=1, kernel_dim2=2, kernel_dim3=3, nb_filter=4),
            {"kernel_size": [1, 2, 3], "filters": 4},
        ),
        (
            layer("AtrousConvolution1D", "x", nb_filter=2, filter_length=3, atrous_rate=2),
            {"filters": 2, "kernel_size": 3, "dilation_rate": 2},
        ),
        (
            layer("InputLayer", "x", batch_input_shape=[None, 3], input_dtype="int32"),
            {"batch_input_shape": [None, 3], "dtype": "int32"},
        ),
        (
            layer("Dense", "x", W_regularizer={"name": "EigenvalueRegularizer", "k": 1}),
            {"kernel_regularizer": None},
        ),
    ],
)
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
            words = (
                "padding",
                "W_constraint",
                "W_regularizer",
                "init",
                "mode",
                "dot_axes",
                "subsample",
                "output_shape",
                "nb_row",
                "dim_ordering",
                "layer",
            )
            translate(sequential(layer(kind, "x", **dict.fromkeys(words, value))))
            translate(sequential({"class_name": kind, "config": value}))
