"""Layers of Keras 2 that no rule was made for: each file predicts as in tf-keras.

The neighbours of the real files. Names, sizes and depths are made up.
"""

import pytest

from reportgen.errors import InputError

IMAGE = (8, 8, 3)
# Name: shape of the input (without samples), and layers in a row.
LAYERS = {
    "depthwise": (IMAGE, lambda k: [k.DepthwiseConv2D(3, depth_multiplier=2, dilation_rate=2)]),
    "depthwise_strided": (IMAGE, lambda k: [k.DepthwiseConv2D(3, 2, "same", use_bias=False)]),
    "depthwise_1d": ((9, 3), lambda k: [k.DepthwiseConv1D(3)]),
    "separable": (IMAGE, lambda k: [k.SeparableConv2D(4, 3, depth_multiplier=2)]),
    "separable_1d": ((9, 3), lambda k: [k.SeparableConv1D(4, 3)]),
    "transposed": (
        IMAGE,
        lambda k: [k.Conv2DTranspose(4, 3, strides=2, padding="same", output_padding=1)],
    ),
    "transposed_valid": (IMAGE, lambda k: [k.Conv2DTranspose(2, (4, 3), strides=(3, 2))]),
    "transposed_1d": ((9, 3), lambda k: [k.Conv1DTranspose(4, 3, strides=2)]),
    "conv_groups": ((8, 8, 4), lambda k: [k.Conv2D(6, 3, groups=2, activation="relu")]),
    "conv_causal": ((9, 3), lambda k: [k.Conv1D(4, 3, padding="causal", dilation_rate=2)]),
    "conv_3d": ((5, 6, 7, 2), lambda k: [k.Conv3D(3, 2), k.AveragePooling3D(2)]),
    "pooling": (
        IMAGE,
        lambda k: [k.MaxPooling2D((3, 2), 2, "same"), k.AveragePooling2D(3, 1, "same")],
    ),
    "pooling_1d": ((9, 3), lambda k: [k.MaxPool1D(2), k.GlobalAveragePooling1D(keepdims=True)]),
    "global_max": (IMAGE, lambda k: [k.GlobalMaxPooling2D(keepdims=True), k.Flatten()]),
    "normalized_plain": (IMAGE, lambda k: [k.BatchNormalization(scale=False, epsilon=0.01)]),
    "normalized_bare": (IMAGE, lambda k: [k.BatchNormalization(center=False, scale=False)]),
    "normalized_axis": (IMAGE, lambda k: [k.BatchNormalization(axis=[2], center=False)]),
    "normalized_first_axis": (IMAGE, lambda k: [k.BatchNormalization(axis=1)]),
    "normalized_synchronized": (IMAGE, lambda k: [k.BatchNormalization(synchronized=True)]),
    "layer_norm": (IMAGE, lambda k: [k.LayerNormalization(axis=[2, 3], epsilon=0.01)]),
    "group_norm": ((8, 8, 6), lambda k: [k.GroupNormalization(3), k.UnitNormalization()]),
    "normalization": (IMAGE, lambda k: [k.Normalization(mean=[1.0, 2, 3], variance=[4.0, 5, 6])]),
    "normalization_adapted": (IMAGE, lambda k: [k.Normalization(axis=-1), k.Flatten()]),
    "rescaling": (IMAGE, lambda k: [k.Rescaling(1 / 127.5, offset=-1), k.Resizing(5, 6)]),
    "resizing_nearest": (IMAGE, lambda k: [k.Resizing(11, 4, interpolation="nearest")]),
    "center_crop": (IMAGE, lambda k: [k.CenterCrop(5, 4)]),
    "augmentation": (
        IMAGE,
        lambda k: [
            k.RandomFlip("horizontal"),
            k.RandomRotation(0.2, fill_mode="nearest"),
            k.RandomZoom(0.1, 0.2),
            k.RandomTranslation(0.1, 0.1),
            k.RandomContrast(0.3),
            k.RandomBrightness(0.2, value_range=(0, 1)),
            k.Conv2D(2, 3),
        ],
    ),
    "random_size": (IMAGE, lambda k: [k.RandomHeight(0.2), k.RandomWidth(0.2)]),
    "noise": (
        IMAGE,
        lambda k: [
            k.GaussianNoise(0.1),
            k.GaussianDropout(0.2),
            k.AlphaDropout(0.1),
            k.ActivityRegularization(0.1, 0.2),
            k.Dropout(0.4, noise_shape=(None, 1, 1, 3), seed=3),
        ],
    ),
    "spatial_dropout": (IMAGE, lambda k: [k.SpatialDropout2D(0.3), k.Flatten()]),
    "spatial_dropout_1d": ((9, 3), lambda k: [k.SpatialDropout1D(0.3), k.Flatten()]),
    "padding": (
        IMAGE,
        lambda k: [k.ZeroPadding2D(((1, 2), (0, 3))), k.Cropping2D(((2, 1), (1, 0)))],
    ),
    "padding_1d": ((9, 3), lambda k: [k.ZeroPadding1D((2, 1)), k.Cropping1D(1), k.UpSampling1D(2)]),
    "upsampling": (IMAGE, lambda k: [k.UpSampling2D((2, 3), interpolation="bilinear")]),
    "reshaping": (
        IMAGE,
        lambda k: [k.Permute((3, 1, 2)), k.Reshape((6, -1)), k.Flatten(), k.RepeatVector(2)],
    ),
    "prelu": (IMAGE, lambda k: [k.PReLU(shared_axes=[1, 2]), k.PReLU()]),
    "leaky_relu": (IMAGE, lambda k: [k.LeakyReLU(alpha=0.23), k.ELU(0.7)]),
    "relu": (IMAGE, lambda k: [k.ReLU(max_value=1.5, negative_slope=0.2, threshold=0.4)]),
    "thresholded_relu": (IMAGE, lambda k: [k.ThresholdedReLU(0.7)]),
    "softmax": (IMAGE, lambda k: [k.Softmax(axis=[1, 2])]),
    "dense_many_axes": ((4, 5, 6), lambda k: [k.Dense(3)]),
    "einsum_dense": (
        (5, 6),
        lambda k: [k.EinsumDense("abc,cd->abd", output_shape=(None, 4), bias_axes="d")],
    ),
    "embedding": ((7,), lambda k: [k.Embedding(9, 4, input_length=7), k.Flatten()]),
    "embedding_masked": ((7,), lambda k: [k.Embedding(9, 4, mask_zero=True), k.LSTM(3)]),
    "masking": ((6, 3), lambda k: [k.Masking(0.0), k.GRU(4)]),
    "lstm": ((6, 3), lambda k: [k.LSTM(4, return_sequences=True), k.LSTM(2, go_backwards=True)]),
    "lstm_stateful_off": ((6, 3), lambda k: [k.LSTM(4, implementation=1, use_bias=False)]),
    "lstm_hard": ((6, 3), lambda k: [k.LSTM(4, recurrent_activation="hard_sigmoid", unroll=True)]),
    "gru": ((6, 3), lambda k: [k.GRU(4, return_sequences=True), k.GRU(2, reset_after=False)]),
    "simple_rnn": ((6, 3), lambda k: [k.SimpleRNN(4, return_sequences=True), k.SimpleRNN(2)]),
    "rnn_of_cells": ((6, 3), lambda k: [k.RNN([k.LSTMCell(4), k.GRUCell(3)])]),
    "bidirectional": (
        (6, 3),
        lambda k: [
            k.Bidirectional(k.LSTM(4, return_sequences=True)),
            k.Bidirectional(k.GRU(2), merge_mode="sum"),
        ],
    ),
    "bidirectional_unlike": (
        (6, 3),
        lambda k: [k.Bidirectional(k.LSTM(4), backward_layer=k.GRU(3, go_backwards=True))],
    ),
    "conv_lstm": ((4, 6, 6, 2), lambda k: [k.ConvLSTM2D(3, 3, return_sequences=True)]),
    "time_distributed": (
        (4, 8, 8, 3),
        lambda k: [
            k.TimeDistributed(k.DepthwiseConv2D(3)),
            k.TimeDistributed(k.BatchNormalization()),
            k.TimeDistributed(k.Flatten()),
        ],
    ),
}
# A SavedModel takes a second to write, and many to write with recurrent layers.
FOLDERS = (
    "depthwise",
    "separable",
    "augmentation",
    "normalization_adapted",
    "normalized_axis",
    "prelu",
    "spatial_dropout",
    "relu",
    "thresholded_relu",
    "embedding",
    "time_distributed",
)
CASES = [(case, form) for case in LAYERS for form in ("h5", "keras")]
CASES += [(case, "tf") for case in FOLDERS]
ACTIVATIONS = (
    "elu exponential gelu hard_sigmoid linear mish relu relu6 leaky_relu selu sigmoid softmax "
    "softplus softsign swish silu tanh"
).split()


def in_a_row(tf_keras, shape, layers):
    dtype = "int32" if isinstance(layers[0], tf_keras.layers.Embedding) else None
    return tf_keras.Sequential([tf_keras.Input(shape, dtype=dtype), *layers])


@pytest.mark.parametrize(("case", "form"), CASES)
def test_a_layer_predicts_as_it_did(tf_keras, assert_same, case, form):
    shape, layers = LAYERS[case]
    assert_same(in_a_row(tf_keras, shape, layers(tf_keras.layers)), form)


@pytest.mark.parametrize("form", ["h5", "keras"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_by_name_keep_their_curve(tf_keras, assert_same, name, form):
    x = tf_keras.Input((6,))
    outputs = tf_keras.layers.Dense(4, activation=name)(x), tf_keras.layers.Activation(name)(x)
    assert_same(tf_keras.Model(x, outputs), form)


@pytest.mark.parametrize("form", ["h5", "keras"])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("kind", ["functional", "sequential"])
def test_nested_layers_are_mended_at_any_depth(tf_keras, assert_same, kind, depth, form):
    k = tf_keras.layers
    model = in_a_row(tf_keras, IMAGE, [k.DepthwiseConv2D(3, padding="same"), k.LeakyReLU(0.2)])
    for level in range(depth):
        if kind == "functional":
            x = tf_keras.Input(IMAGE)
            after = k.BatchNormalization(axis=-1)(k.DepthwiseConv2D(3, padding="same")(model(x)))
            model = tf_keras.Model(x, after, name=f"level_{level}")
        else:
            inner = [k.Rescaling(0.5), model, k.DepthwiseConv2D(1), k.BatchNormalization()]
            model = in_a_row(tf_keras, IMAGE, inner)
    assert_same(model, form)


@pytest.mark.parametrize("form", ["h5", "keras", "tf"])
@pytest.mark.parametrize("kind", ["functional", "sequential", "layer", "both"])
def test_what_is_shared_is_called_twice(tf_keras, assert_same, kind, form):
    k = tf_keras.layers
    shape = (8, 8, 3)
    layers = [k.DepthwiseConv2D(3, name="shared_depthwise"), k.BatchNormalization(), k.ReLU(0.9)]
    if kind == "functional":
        x = tf_keras.Input(shape)
        shared = tf_keras.Model(x, layers[2](layers[1](layers[0](x))), name="tower")
    elif kind == "layer":
        shared = layers[0]
    else:
        shared = in_a_row(tf_keras, shape, layers)
    if kind == "both":
        x = tf_keras.Input(shape)
        shared = tf_keras.Model(x, k.Add()([shared(x), shared(k.ReLU()(x))]), name="pair")
    left, right = tf_keras.Input(shape), tf_keras.Input(shape)
    joined = k.Concatenate()([shared(left), k.Subtract()([shared(right), shared(left)])])
    assert_same(tf_keras.Model([left, right], [joined, k.Flatten()(joined)]), form)


@pytest.mark.parametrize("form", ["h5", "keras"])
def test_a_model_inside_a_wrapper(tf_keras, assert_same, form):
    k = tf_keras.layers
    inner = in_a_row(tf_keras, IMAGE, [k.DepthwiseConv2D(3), k.BatchNormalization(), k.Flatten()])
    layers = [k.TimeDistributed(inner), k.Bidirectional(k.LSTM(3))]
    assert_same(in_a_row(tf_keras, (4, *IMAGE), layers), form)


@pytest.mark.parametrize("form", ["h5", "keras"])
@pytest.mark.parametrize("frozen", ["backbone", "layer", "all", "deep"])
def test_frozen_parts_keep_their_weights(tf_keras, assert_same, frozen, form):
    """HDF5 lists trainable weights first: equal shapes make a wrong order look right."""
    k = tf_keras.layers
    conv = lambda: k.Conv2D(3, 3, padding="same")  # noqa: E731
    deep = in_a_row(tf_keras, IMAGE, [conv(), k.BatchNormalization()])
    layers = [conv(), k.BatchNormalization(), deep, conv(), k.BatchNormalization(scale=False)]
    backbone = in_a_row(tf_keras, IMAGE, layers)
    model = in_a_row(tf_keras, IMAGE, [backbone, k.GlobalAveragePooling2D(), k.Dense(3)])
    chosen = {"backbone": backbone, "layer": backbone.layers[0], "all": model, "deep": deep}
    chosen[frozen].trainable = False
    assert_same(model, form)


@pytest.mark.parametrize("form", ["h5", "keras"])
@pytest.mark.parametrize("kind", ["LocallyConnected1D", "LocallyConnected2D"])
def test_a_layer_without_a_successor_is_named(tf_keras, write, opened, tmp_path, kind, form):
    shape = (9, 3) if kind.endswith("1D") else IMAGE
    model = in_a_row(tf_keras, shape, [getattr(tf_keras.layers, kind)(2, 3)])
    path = write(model, tmp_path, form)
    with pytest.raises(InputError, match=kind):
        opened(path)
