"""Graphs of Keras 2 that no rule was made for: each file predicts as in tf-keras."""

import numpy as np
import pytest

MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")
FORMS = pytest.mark.parametrize("form", ["h5", "keras"])


@FORMS
@pytest.mark.parametrize("kind", MERGES)
def test_merges(tf_keras, assert_same, kind, form):
    k = tf_keras.layers
    left, right = tf_keras.Input((4, 3)), tf_keras.Input((4, 3))
    settings = {"axis": 1} if kind == "Concatenate" else {}
    merged = getattr(k, kind)(**settings)([k.Dense(3)(left), right])
    assert_same(tf_keras.Model([left, right], merged), form)


@FORMS
@pytest.mark.parametrize(("axes", "normalize"), [(-1, False), ((2, 2), True), ((1, 1), False)])
def test_dot(tf_keras, assert_same, axes, normalize, form):
    left, right = tf_keras.Input((4, 3)), tf_keras.Input((4, 3))
    merged = tf_keras.layers.Dot(axes, normalize=normalize)([left, right])
    assert_same(tf_keras.Model([left, right], merged), form)


@FORMS
@pytest.mark.parametrize("kind", ["Attention", "AdditiveAttention", "MultiHeadAttention"])
def test_attention(tf_keras, assert_same, kind, form):
    k = tf_keras.layers
    query, value = tf_keras.Input((4, 6)), tf_keras.Input((5, 6))
    if kind == "MultiHeadAttention":
        layer = k.MultiHeadAttention(2, 3, value_dim=4, dropout=0.1)
        result = k.LayerNormalization()(layer(query, value) + query)
    else:
        result = getattr(k, kind)(use_scale=True)([query, value])
    assert_same(tf_keras.Model([query, value], result), form)


@FORMS
def test_attention_to_itself(tf_keras, assert_same, form):
    x = tf_keras.Input((4, 6))
    attended = tf_keras.layers.MultiHeadAttention(2, 3)(query=x, value=x, key=x)
    assert_same(tf_keras.Model(x, attended), form)


@FORMS
def test_several_inputs_and_outputs(tf_keras, assert_same, form):
    k = tf_keras.layers
    image = tf_keras.Input((6, 6, 3), name="image")
    facts = tf_keras.Input((4,), name="facts")
    ids = tf_keras.Input((5,), dtype="int32", name="ids")
    seen = k.GlobalAveragePooling2D()(k.Conv2D(4, 3)(image))
    words = k.GlobalAveragePooling1D()(k.Embedding(9, 4)(ids))
    joined = k.Concatenate()([seen, k.Dense(4)(facts), words])
    outputs = [k.Dense(2, name="b")(joined), k.Dense(1, activation="sigmoid", name="a")(joined)]
    assert_same(tf_keras.Model([image, facts, ids], outputs), form)


@FORMS
@pytest.mark.parametrize("initial", ["h", "both"])
def test_a_state_that_is_handed_over(tf_keras, assert_same, initial, form):
    k = tf_keras.layers
    x, y = tf_keras.Input((6, 3)), tf_keras.Input((4, 3))
    kind = k.GRU if initial == "h" else k.LSTM
    _, *state = kind(4, return_state=True)(x)
    decoded = kind(4, return_sequences=True)(y, initial_state=state)
    assert_same(tf_keras.Model([x, y], decoded), form)


def calls(tf):
    """Functions of TensorFlow in a graph: Keras 2 made layers of them."""
    return {
        "scaled": lambda x: x / 127.5 - 1.0,
        "reversed_operands": lambda x: 1.0 - x + 2.0 * x,
        "negated": lambda x: -x,
        "power": lambda x: x**2,
        "relu": tf.nn.relu,
        "relu6": tf.nn.relu6,
        "leaky": lambda x: tf.nn.leaky_relu(x, alpha=0.3),
        "sigmoid": tf.sigmoid,
        "softmax": lambda x: tf.nn.softmax(x, axis=1),
        "concat": lambda x: tf.concat([x, x * 2.0, tf.abs(x)], axis=-1),
        "stack": lambda x: tf.stack([x, x], axis=1),
        "reshape": lambda x: tf.reshape(x, (-1, 24, 3)),
        "transpose": lambda x: tf.transpose(x, [0, 3, 1, 2]),
        "mean": lambda x: tf.reduce_mean(x, axis=[1, 2]),
        "mean_kept": lambda x: tf.reduce_mean(x, axis=-1, keepdims=True),
        "sum_max": lambda x: tf.reduce_sum(x, 1) + tf.reduce_max(x, axis=1),
        "slice": lambda x: x[:, 1:],
        "slice_strided": lambda x: x[:, ::2, 1:-1, 0],
        "slice_ellipsis": lambda x: x[..., ::-1],
        "slice_new_axis": lambda x: x[:, tf.newaxis, ..., 1:2],
        "cast": lambda x: tf.cast(x, tf.float16),
        "add": lambda x: tf.math.add(x, [1.0, 2.0, 3.0]),
        "multiply": lambda x: tf.math.multiply(x, x),
        "subtract": lambda x: tf.math.subtract(5.0, x),
        "divide": lambda x: tf.math.truediv(x, tf.constant([2.0, 3.0, 4.0])),
        "tensors": lambda x: x * tf.sigmoid(x) + x / (tf.abs(x) + 1.0) - x,
        "maximum": lambda x: tf.maximum(x, 0.3) - tf.minimum(x, tf.square(x)),
        "clip": lambda x: tf.clip_by_value(x, -0.5, 0.5),
        "expand": lambda x: tf.squeeze(tf.expand_dims(x, 1), [1]),
        "pad": lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]]),
        "resize": lambda x: tf.image.resize(x, (4, 5)),
        "exponential": lambda x: tf.exp(x) + tf.math.log(tf.abs(x) + 1.0) + tf.sqrt(tf.abs(x)),
        "normalize": lambda x: tf.math.l2_normalize(x, axis=-1),
        "flattened_by_shape": lambda x: tf.reshape(x, [tf.shape(x)[0], -1]),
    }


CALLS = (
    "scaled reversed_operands negated power relu relu6 leaky sigmoid softmax concat stack reshape "
    "transpose mean mean_kept sum_max slice slice_strided slice_ellipsis slice_new_axis cast add "
    "multiply subtract divide tensors maximum clip expand pad resize exponential normalize "
    "flattened_by_shape"
).split()


def test_every_call_is_tried():
    import tensorflow as tf

    assert list(calls(tf)) == CALLS


# tf-keras cannot write the "..." of a slice into an archive.
ELLIPSES = ("slice_ellipsis", "slice_new_axis")
WRITTEN = [(name, "h5") for name in CALLS]
WRITTEN += [(name, "tf" if name in ELLIPSES else "keras") for name in CALLS]


@pytest.mark.parametrize(("name", "form"), WRITTEN)
def test_functions_of_tensorflow_in_the_graph(tf_keras, assert_same, name, form):
    import tensorflow as tf

    x = tf_keras.Input((6, 4, 3))
    assert_same(tf_keras.Model(x, calls(tf)[name](x)), form)


@FORMS
def test_functions_of_tensorflow_in_a_nested_graph(tf_keras, assert_same, form):
    import tensorflow as tf

    k = tf_keras.layers
    x, y = tf_keras.Input((6, 6, 3)), tf_keras.Input((6, 6, 3))
    inner = tf_keras.Model(x, tf.nn.relu(k.DepthwiseConv2D(3, padding="same")(x) / 2.0 - 1.0))
    assert_same(tf_keras.Model(y, tf.concat([inner(y * 0.5), y], -1)), form)


@pytest.mark.parametrize(
    ("family", "form"),
    [(family, "h5") for family in ("mobilenet_v2", "resnet50", "densenet", "resnet_v2")]
    + [("mobilenet_v2", "keras"), ("resnet50", "tf"), ("densenet", "keras")],
)
def test_preprocessing_inside(tf_keras, assert_same, family, form):
    """Scaling to [-1, 1], the blue-green-red means of Caffe, and the deviations of PyTorch."""
    x = tf_keras.Input((5, 5, 3))
    prepared = getattr(tf_keras.applications, family).preprocess_input(x)
    assert_same(tf_keras.Model(x, tf_keras.layers.Conv2D(2, 3)(prepared)), form, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "form"),
    [("MobileNetV2", "h5"), ("MobileNetV3Small", "keras"), ("EfficientNetB0", "h5")],
)
def test_published_networks(tf_keras, assert_same, name, form):
    maker = getattr(tf_keras.applications, name)
    settings = {"alpha": 0.35} if name == "MobileNetV2" else {}
    model = maker(weights=None, input_shape=(32, 32, 3), classes=5, **settings)
    assert_same(model, form, atol=1e-4)


@FORMS
def test_a_published_network_as_a_frozen_backbone(tf_keras, assert_same, form):
    k = tf_keras.layers
    backbone = tf_keras.applications.MobileNet(
        weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.25
    )
    backbone.trainable = False
    x = tf_keras.Input((32, 32, 3))
    features = k.GlobalAveragePooling2D()(backbone(k.Rescaling(1 / 127.5, -1)(x), training=False))
    model = tf_keras.Model(x, k.Dense(3, "softmax")(k.Dropout(0.2)(features)))
    assert_same(model, form, atol=1e-4)


def image_layers(k, order):
    axis = 1 if order == "channels_first" else -1
    same = {"data_format": order, "padding": "same"}
    return [
        k.ZeroPadding2D(1, data_format=order),
        k.Conv2D(4, 3, activation="relu", **same),
        k.BatchNormalization(axis=axis),
        k.MaxPooling2D(2, **same),
        k.DepthwiseConv2D(3, **same),
        k.SeparableConv2D(4, 3, data_format=order),
        k.Conv2DTranspose(3, 3, strides=2, **same),
        k.AveragePooling2D(2, data_format=order),
        k.UpSampling2D(2, data_format=order),
        k.Cropping2D(1, data_format=order),
    ]


@FORMS
@pytest.mark.parametrize("end", ["maps", "pooled", "flat"])
def test_channels_first_on_a_processor(
    tf_keras, randomize, draw_inputs, call, write, opened, tmp_path, end, form
):
    """tf-keras cannot run it there: the oracle is its twin with the channels last."""
    k = tf_keras.layers

    def build(order):
        shape = (3, 10, 12) if order == "channels_first" else (10, 12, 3)
        tail = {
            "maps": [],
            "pooled": [k.GlobalAveragePooling2D(data_format=order), k.Dense(2)],
            "flat": [k.Flatten(data_format=order), k.Dense(2)],
        }[end]
        return tf_keras.Sequential([tf_keras.Input(shape), *image_layers(k, order), *tail])

    first, last = randomize(build("channels_first")), build("channels_last")
    last.set_weights(first.get_weights())
    (x,) = draw_inputs(last)
    (expected,) = call(last, [x])
    if end == "maps":
        expected = expected.transpose(0, 3, 1, 2)
    (found,) = call(opened(write(first, tmp_path, form)), [x.transpose(0, 3, 1, 2)])
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-5)
