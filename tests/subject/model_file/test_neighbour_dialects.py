"""The same networks as other versions wrote them: names, policies, and words rewritten."""

import io
import json
import re

import h5py
import numpy as np
import pytest

FORMS = pytest.mark.parametrize("form", ["h5", "keras"])
IMAGE = (8, 8, 3)


def small(tf_keras, *, shape=IMAGE, batch=None, name=None):
    k = tf_keras.layers
    first = tf_keras.Input(shape, batch_size=batch)
    layers = [k.DepthwiseConv2D(3), k.BatchNormalization(), k.Flatten(), k.Dense(3, "softmax")]
    return tf_keras.Sequential([first, *layers], name=name)


def rewrite_config(path, change, **attributes):
    """Change ``model_config`` of an HDF5 file in place, and set attributes such as the writer."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        file.attrs["model_config"] = json.dumps(change(config))
        for key, value in attributes.items():
            file.attrs[key] = value
            file["model_weights"].attrs[key] = value


def without_inputs(node):
    """As Keras 2.2 wrote a Sequential: no input layer, a shape on the first layer instead."""
    if not isinstance(node, dict):
        return [without_inputs(child) for child in node] if isinstance(node, list) else node
    node = {key: without_inputs(value) for key, value in node.items()}
    if node.get("class_name") == "Sequential":
        first, second, *rest = node["config"]["layers"]
        if first["class_name"] == "InputLayer":
            inner = second["config"]
            if second["class_name"] not in ("Sequential", "Model", "Functional"):
                inner["batch_input_shape"] = first["config"]["batch_input_shape"]
            node["config"]["layers"] = [second, *rest]
    if node.get("class_name") == "Functional":
        node["class_name"] = "Model"
    return node


def bare_lists(node):
    """As Keras 2.0 to 2.2.2 wrote it: a Sequential is the list of its layers."""
    if isinstance(node, list):
        return [bare_lists(child) for child in node]
    if not isinstance(node, dict):
        return node
    node = {key: bare_lists(value) for key, value in node.items()}
    if node.get("class_name") == "Sequential":
        node["config"] = node["config"]["layers"]
    return node


def test_no_input_layer(tf_keras, assert_same):
    assert_same(
        small(tf_keras),
        "h5",
        change=lambda path: rewrite_config(path, without_inputs, keras_version="2.2.4"),
    )


def test_no_input_layer_and_a_bare_list(tf_keras, assert_same):
    def change(config):
        return bare_lists(without_inputs(config))

    assert_same(
        small(tf_keras),
        "h5",
        change=lambda path: rewrite_config(path, change, keras_version="2.1.6"),
    )


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_no_input_layer_inside_models(tf_keras, assert_same, depth):
    k = tf_keras.layers
    model = tf_keras.Sequential(
        [tf_keras.Input(IMAGE), k.DepthwiseConv2D(3, padding="same"), k.BatchNormalization()]
    )
    for level in range(depth):
        outer = [tf_keras.Input(IMAGE), model, k.Conv2D(3, 1, name=f"after_{level}")]
        model = tf_keras.Sequential(outer)
    x = tf_keras.Input(IMAGE)
    assert_same(
        tf_keras.Model(x, k.Flatten()(model(x))),
        "h5",
        change=lambda path: rewrite_config(path, without_inputs, keras_version="2.2.4"),
    )


def test_a_model_that_was_called_model(tf_keras, assert_same):
    x = tf_keras.Input(IMAGE)
    inner = tf_keras.Model(x, tf_keras.layers.DepthwiseConv2D(3, padding="same")(x))
    y = tf_keras.Input(IMAGE)
    assert_same(
        tf_keras.Model(y, tf_keras.layers.ReLU()(inner(y))),
        "h5",
        change=lambda path: rewrite_config(path, without_inputs, keras_version="2.3.0"),
    )


def test_weights_with_numbered_names(tf_keras, assert_same):
    def change(path):
        with h5py.File(path, "r+") as file:
            for number, layer in enumerate(file["model_weights"].values()):
                names = []
                for name in layer.attrs["weight_names"]:
                    old = name.decode() if isinstance(name, bytes) else name
                    new = f"{old.removesuffix(':0')}_{number + 120}:0"
                    layer.move(old, new)
                    names.append(new.encode())
                if names:
                    layer.attrs["weight_names"] = names

    assert_same(small(tf_keras), "h5", change=change)


def test_theano_turned_its_kernels(tf_keras, assert_same):
    """A file of Keras 2 with that backend: kernels backwards, the rest as ever."""
    k = tf_keras.layers
    layers = [k.Conv2D(4, (3, 2)), k.Conv2DTranspose(3, (2, 3)), k.Conv2D(2, 3), k.Flatten()]
    model = tf_keras.Sequential([tf_keras.Input(IMAGE), *layers, k.Dense(2)])

    def change(path):
        with h5py.File(path, "r+") as file:
            file.attrs["backend"] = file["model_weights"].attrs["backend"] = b"theano"
            file.attrs["keras_version"] = b"2.1.6"
            file["model_weights"].attrs["keras_version"] = b"2.1.6"
            found = []
            file.visititems(lambda name, item: found.append(item))
            for item in found:
                if isinstance(item, h5py.Dataset) and item.ndim == 4:
                    item[...] = item[...][::-1, ::-1]

    assert_same(model, "h5", change=change)


@pytest.mark.parametrize("nested", [False, True])
def test_backslashes_in_archives(tf_keras, assert_same, rewrite_member, nested):
    """Keras 2.12 to 2.15 joined the names of weight groups as Windows joins paths."""
    model = small(tf_keras)
    if nested:
        x = tf_keras.Input(IMAGE)
        model = tf_keras.Model(x, tf_keras.layers.Dense(2)(model(x)))

    def turn(data):
        old, target = h5py.File(io.BytesIO(data), "r"), io.BytesIO()
        with h5py.File(target, "w") as new:

            def copy(name, item):
                if isinstance(item, h5py.Dataset):
                    path, _, last = name.rpartition("/vars/")
                    new[f"{path}".replace("/", "\\") + f"/vars/{last}"] = item[()]

            old.visititems(copy)
        return target.getvalue()

    assert_same(model, "keras", change=lambda path: rewrite_member(path, "model.weights.h5", turn))


@pytest.mark.parametrize("form", ["h5", "keras"])
@pytest.mark.parametrize("batch", [1, 4])
def test_a_fixed_number_of_samples(
    tf_keras, randomize, draw_inputs, call, write, opened, tmp_path, batch, form
):
    model = randomize(small(tf_keras, batch=batch))
    (x,) = draw_inputs(model)
    (expected,) = call(model, [x])
    ours = opened(write(model, tmp_path, form))
    (found,) = call(ours, [np.concatenate([x, x, x[:1]])])
    np.testing.assert_allclose(found[:batch], expected, atol=1e-5)
    np.testing.assert_allclose(found[-1], expected[0], atol=1e-5)


@FORMS
@pytest.mark.parametrize(
    ("policy", "atol"), [("mixed_float16", 4e-3), ("mixed_bfloat16", 3e-2), ("float16", 4e-3)]
)
def test_policies(tf_keras, assert_same, policy, atol, form):
    tf_keras.mixed_precision.set_global_policy(policy)
    try:
        model = small(tf_keras)
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")
    assert_same(model, form, atol=atol)


@FORMS
def test_a_policy_of_one_layer(tf_keras, assert_same, form):
    k = tf_keras.layers
    policy = tf_keras.mixed_precision.Policy("mixed_float16")
    layers = [k.Conv2D(4, 3, dtype=policy), k.Flatten(), k.Dense(2, dtype="float32")]
    assert_same(tf_keras.Sequential([tf_keras.Input(IMAGE), *layers]), form, atol=1e-2)


@FORMS
def test_penalties_bounds_and_initial_values(tf_keras, assert_same, form):
    r, c, i = tf_keras.regularizers, tf_keras.constraints, tf_keras.initializers
    k = tf_keras.layers
    layers = [
        k.Conv2D(
            4,
            3,
            kernel_regularizer=r.L1L2(0.1, 0.2),
            bias_constraint=c.NonNeg(),
            kernel_initializer=i.VarianceScaling(2.0, "fan_out", "truncated_normal", seed=1),
        ),
        k.Dense(
            3,
            kernel_constraint=c.MaxNorm(3, axis=0),
            activity_regularizer=r.L2(0.1),
            kernel_initializer=i.RandomNormal(stddev=0.1),
            kernel_regularizer="l2",
        ),
        k.Dense(
            3,
            kernel_constraint=c.MinMaxNorm(0.1, 2),
            bias_initializer=i.Constant(0.5),
            kernel_regularizer=r.OrthogonalRegularizer(),
            kernel_initializer="he_normal",
        ),
        k.Dense(3, kernel_constraint=c.UnitNorm(), kernel_initializer=i.Orthogonal(gain=2)),
    ]
    assert_same(tf_keras.Sequential([tf_keras.Input(IMAGE), *layers]), form)


@FORMS
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop", "legacy", "scaled"])
def test_an_optimizer_with_state(tf_keras, assert_same, optimizer, form):
    o = tf_keras.optimizers
    schedule = o.schedules.ExponentialDecay(0.01, 10, 0.9)
    chosen = {
        "adam": lambda: o.Adam(schedule, clipnorm=1.0, weight_decay=0.01, use_ema=True),
        "sgd": lambda: o.SGD(0.1, momentum=0.9),
        "rmsprop": lambda: o.RMSprop(),
        "legacy": lambda: o.legacy.Adam(0.01, decay=1e-4),
        "scaled": lambda: tf_keras.mixed_precision.LossScaleOptimizer(o.Adam()),
    }[optimizer]()
    model = small(tf_keras)
    model.compile(chosen, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.train_on_batch(np.zeros((4, *IMAGE), np.float32), np.zeros(4))
    assert_same(model, form)


@pytest.mark.parametrize(
    ("name", "form"),
    [(name, form) for name in ("a.b", "1", "A>b", "vars", "layers") for form in ("h5", "keras")]
    + [("block/conv", "h5"), ("a b", "h5"), ("größe", "h5"), ("<b>&", "h5"), ("$x^2$", "h5")],
)
def test_odd_names(tf_keras, assert_same, name, form):
    """TensorFlow 2 refuses most of them, older files have them: the name is put in afterwards."""
    k = tf_keras.layers
    x = tf_keras.Input(IMAGE, name="i")
    layers = [k.Conv2D(2, 3, name="placeholder"), k.Flatten(), k.Dense(2, name="end")]
    late = not re.fullmatch(r"[A-Za-z0-9.][A-Za-z0-9_.>/-]*", name)
    if not late:
        layers[0] = k.Conv2D(2, 3, name=name)
    y = x
    for layer in layers:
        y = layer(y)

    def rename(path):
        with h5py.File(path, "r+") as file:
            config = file.attrs["model_config"]
            file.attrs["model_config"] = config.replace("placeholder", json.dumps(name)[1:-1])
            weights = file["model_weights"]
            weights.move("placeholder", name)
            names = [name if each == "placeholder" else each for each in ("i", *weights)]
            weights.attrs["layer_names"] = [each.encode() for each in names if each in weights]

    model = tf_keras.Model(x, y, name="odd")
    assert_same(model, form, change=rename if late else None)


@pytest.mark.parametrize("suffix", ["h5", "keras", "bin"])
@FORMS
def test_the_suffix_does_not_matter(
    tf_keras, randomize, draw_inputs, call, write, opened, tmp_path, form, suffix
):
    model = randomize(small(tf_keras))
    inputs = draw_inputs(model)
    path = write(model, tmp_path, form).rename(tmp_path / f"other.{suffix}")
    np.testing.assert_allclose(call(opened(path), inputs)[0], call(model, inputs)[0], atol=1e-5)
