"""Declared shapes of single layers, against what Keras 3 and tf-keras build."""

from __future__ import annotations

from typing import Any

import pytest

IMAGE, LINE, CUBE, ROW = (12, 10, 6), (12, 6), (6, 5, 4, 2), (7,)

FIRST = {"data_format": "channels_first"}

# class, input shape without the batch, arguments
LAYERS: list[tuple[str, tuple[int | None, ...], dict[str, Any]]] = [
    ("Dense", ROW, {"units": 3}),
    ("Dense", IMAGE, {"units": 3, "use_bias": False}),
    ("Dense", (None, 4), {"units": 2}),
    ("Conv1D", LINE, {"filters": 4, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}),
    ("Conv1D", LINE, {"filters": 4, "kernel_size": 5, "strides": 2, "groups": 2}),
    ("Conv2D", IMAGE, {"filters": 4, "kernel_size": 3}),
    ("Conv2D", IMAGE, {"filters": 4, "kernel_size": (3, 2), "strides": (2, 3), "padding": "same"}),
    ("Conv2D", IMAGE, {"filters": 6, "kernel_size": 3, "groups": 3, "use_bias": False}),
    ("Conv2D", IMAGE, {"filters": 6, "kernel_size": 3, "dilation_rate": (2, 3)}),
    ("Conv2D", (6, 12, 10), {"filters": 4, "kernel_size": 3, "strides": 2, **FIRST}),
    ("Conv2D", (None, None, 3), {"filters": 4, "kernel_size": 3, "strides": 2}),
    ("Conv3D", CUBE, {"filters": 4, "kernel_size": 2, "strides": (1, 2, 1)}),
    ("Conv1DTranspose", LINE, {"filters": 4, "kernel_size": 3, "strides": 2}),
    ("Conv2DTranspose", IMAGE, {"filters": 4, "kernel_size": 3, "strides": 2}),
    ("Conv2DTranspose", IMAGE, {"filters": 4, "kernel_size": 2, "strides": 3}),
    ("Conv2DTranspose", IMAGE, {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}),
    (
        "Conv2DTranspose",
        IMAGE,
        {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 1},
    ),
    ("Conv2DTranspose", IMAGE, {"filters": 4, "kernel_size": 4, "strides": 3, "output_padding": 2}),
    ("Conv2DTranspose", IMAGE, {"filters": 4, "kernel_size": 3, "dilation_rate": 2}),
    ("Conv3DTranspose", CUBE, {"filters": 4, "kernel_size": 2, "strides": 2}),
    ("DepthwiseConv1D", LINE, {"kernel_size": 3, "depth_multiplier": 2}),
    ("DepthwiseConv2D", IMAGE, {"kernel_size": 3, "depth_multiplier": 2, "strides": 2}),
    ("DepthwiseConv2D", IMAGE, {"kernel_size": 3, "use_bias": False, "padding": "same"}),
    ("SeparableConv1D", LINE, {"filters": 5, "kernel_size": 3}),
    ("SeparableConv2D", IMAGE, {"filters": 5, "kernel_size": 3, "depth_multiplier": 2}),
    ("SeparableConv2D", IMAGE, {"filters": 5, "kernel_size": 3, "use_bias": False}),
    ("BatchNormalization", IMAGE, {}),
    ("BatchNormalization", IMAGE, {"axis": 1, "scale": False}),
    ("BatchNormalization", ROW, {"center": False}),
    ("LayerNormalization", IMAGE, {}),
    ("LayerNormalization", IMAGE, {"axis": [2, 3], "center": False}),
    ("GroupNormalization", IMAGE, {"groups": 3}),
    ("UnitNormalization", IMAGE, {}),
    ("RMSNormalization", IMAGE, {}),
    ("Normalization", IMAGE, {}),
    ("Normalization", IMAGE, {"axis": None}),
    ("Normalization", IMAGE, {"axis": (1, 3)}),
    ("Normalization", IMAGE, {"mean": 1.0, "variance": 2.0}),
    ("Embedding", ROW, {"input_dim": 11, "output_dim": 5}),
    ("SimpleRNN", LINE, {"units": 4}),
    ("LSTM", LINE, {"units": 4, "return_sequences": True}),
    ("LSTM", LINE, {"units": 4, "use_bias": False, "return_state": True}),
    ("LSTM", (None, 6), {"units": 4, "return_sequences": True, "return_state": True}),
    ("GRU", LINE, {"units": 4}),
    ("GRU", LINE, {"units": 4, "reset_after": False, "return_state": True}),
    ("GRU", LINE, {"units": 4, "use_bias": False}),
    ("ConvLSTM1D", (3, 12, 6), {"filters": 4, "kernel_size": 3}),
    ("ConvLSTM2D", (3, *IMAGE), {"filters": 4, "kernel_size": 3, "return_sequences": True}),
    ("ConvLSTM2D", (3, *IMAGE), {"filters": 4, "kernel_size": 3, "padding": "same"}),
    ("ConvLSTM2D", (3, *IMAGE), {"filters": 4, "kernel_size": 2, "strides": 2, "use_bias": False}),
    ("EinsumDense", LINE, {"equation": "abc,cd->abd", "output_shape": (None, 8), "bias_axes": "d"}),
    ("EinsumDense", LINE, {"equation": "...x,xy->...y", "output_shape": 8, "bias_axes": "y"}),
    ("EinsumDense", LINE, {"equation": "abc,cdB->abdB", "output_shape": (None, 2, 3)}),
    (
        "EinsumDense",
        IMAGE,
        {"equation": "ab...,bc->ac...", "output_shape": 5, "bias_axes": "c"},
    ),
    ("PReLU", IMAGE, {}),
    ("PReLU", IMAGE, {"shared_axes": [1, 2]}),
    ("MaxPooling1D", LINE, {}),
    ("MaxPooling2D", IMAGE, {"pool_size": 3, "strides": 2, "padding": "same"}),
    ("MaxPooling2D", IMAGE, {"pool_size": (3, 2)}),
    ("AveragePooling2D", (6, 12, 10), {"pool_size": 5, "strides": 2, **FIRST}),
    ("AveragePooling3D", CUBE, {"pool_size": 2}),
    ("GlobalMaxPooling1D", LINE, {}),
    ("GlobalAveragePooling2D", IMAGE, {}),
    ("GlobalAveragePooling2D", (6, 12, 10), {"keepdims": True, **FIRST}),
    ("AdaptiveAveragePooling2D", IMAGE, {"output_size": (3, 2)}),
    ("ZeroPadding1D", LINE, {"padding": (1, 2)}),
    ("ZeroPadding2D", IMAGE, {"padding": ((0, 1), (2, 3))}),
    ("ZeroPadding2D", (6, 12, 10), {"padding": (1, 2), **FIRST}),
    ("ZeroPadding3D", CUBE, {"padding": 2}),
    ("Cropping1D", LINE, {"cropping": 2}),
    ("Cropping2D", IMAGE, {"cropping": ((0, 1), (2, 3))}),
    ("UpSampling1D", LINE, {"size": 3}),
    ("UpSampling2D", IMAGE, {"size": (2, 3)}),
    ("UpSampling3D", CUBE, {}),
    ("Flatten", IMAGE, {}),
    ("Flatten", (None, 4), {}),
    ("Reshape", IMAGE, {"target_shape": (-1, 20)}),
    ("Reshape", IMAGE, {"target_shape": (20, 36)}),
    ("Permute", IMAGE, {"dims": (3, 1, 2)}),
    ("RepeatVector", ROW, {"n": 5}),
    ("Activation", IMAGE, {"activation": "relu"}),
    ("ReLU", IMAGE, {}),
    ("LeakyReLU", IMAGE, {}),
    ("ELU", IMAGE, {}),
    ("Softmax", IMAGE, {}),
    ("Dropout", IMAGE, {"rate": 0.5}),
    ("SpatialDropout2D", IMAGE, {"rate": 0.5}),
    ("AlphaDropout", IMAGE, {"rate": 0.5}),
    ("GaussianDropout", IMAGE, {"rate": 0.5}),
    ("GaussianNoise", IMAGE, {"stddev": 0.5}),
    ("ActivityRegularization", IMAGE, {}),
    ("Masking", LINE, {}),
    ("Rescaling", IMAGE, {"scale": 2.0}),
    ("Resizing", IMAGE, {"height": 4, "width": 5}),
    ("CenterCrop", IMAGE, {"height": 4, "width": 5}),
    ("RandomCrop", IMAGE, {"height": 4, "width": 5}),
    ("RandomFlip", IMAGE, {}),
    ("RandomRotation", IMAGE, {"factor": 0.2}),
    ("RandomZoom", IMAGE, {"height_factor": 0.2}),
    ("RandomTranslation", IMAGE, {"height_factor": 0.2, "width_factor": 0.2}),
    ("RandomContrast", IMAGE, {"factor": 0.2}),
    ("RandomBrightness", IMAGE, {"factor": 0.2}),
]

NAMES = [f"{name}-{i}" for i, (name, _, _) in enumerate(LAYERS)]


@pytest.mark.parametrize(("name", "shape", "arguments"), LAYERS, ids=NAMES)
def test_declares_what_keras_3_builds(
    keras: Any, assert_declares: Any, name: str, shape: Any, arguments: Any
) -> None:
    inputs = keras.Input(shape)
    layer = getattr(keras.layers, name)(name="it", **arguments)
    model = keras.Model(inputs, layer(inputs))
    declared = assert_declares(model)
    row = declared.layers[-1]
    assert (row.address, row.layer, row.class_name) == ("it", "it", name)
    assert row.weights == tuple((w.name, tuple(w.shape)) for w in layer.weights)


@pytest.mark.parametrize(("name", "shape", "arguments"), LAYERS, ids=NAMES)
def test_declares_what_keras_2_builds(
    tf_keras: Any, assert_declares: Any, name: str, shape: Any, arguments: Any
) -> None:
    if not hasattr(tf_keras.layers, name):
        pytest.skip(f"Keras 2 has no {name}")
    if name == "EinsumDense" and isinstance(arguments["output_shape"], tuple):
        pytest.skip("Keras 3 leaves sides open that Keras 2 fills in")
    if arguments.get("data_format") == "channels_first" and "Conv" in name:
        pytest.skip("Keras 2 builds it on a GPU only")
    layer = getattr(tf_keras.layers, name)(name="it", **arguments)
    if arguments.get("return_state"):
        inputs = tf_keras.Input(shape)
        model = tf_keras.Model(inputs, layer(inputs))
    else:
        model = tf_keras.Sequential([layer])  # without an InputLayer
        model.build((None, *shape))
    assert_declares(model)
