"""What Keras itself writes into files, and does not always read again: functions of TensorFlow,
settings of other versions, numbers with gaps, layers of its own networks, quantised kernels.

The oracle is the live model, or the function that a layer was given.
"""

import copy
import io
import json
import re
import warnings
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

from reportgen.errors import InputError
from reportgen.subject.kernels import list_kernels
from reportgen.subject.model_file import identify
from reportgen.subject.model_file.building.groups import close_gaps, rename
from reportgen.subject.model_file.opening import open_repaired
from reportgen.subject.probe import Probe

FORMS = ["keras", "h5"]
X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(1)


def reopened(model, path, custom=None):
    """The model from its file, and the repairs by their rule."""
    model.save(path)
    return opened(path, custom)


def opened(path, custom=None):
    found, repairs = open_repaired(identify(path, custom=list(custom or ())), custom=custom)
    return found, {repair.rule: str(repair) for repair in repairs}


def answer(model, x=X):
    return np.asarray(model(x, training=False), np.float32)


def vectors(*middle):
    return keras.Sequential([keras.Input((4,)), *middle])


# Functions of TensorFlow and of keras.ops as activation functions.

FUNCTIONS = {
    "tf.nn.log_softmax": tf.nn.log_softmax,
    "tf.nn.softmax": tf.nn.softmax,
    "tf.nn.silu": tf.nn.silu,
    "tf.nn.leaky_relu": tf.nn.leaky_relu,
    "tf.nn.relu6": tf.nn.relu6,
    "tf.nn.selu": tf.nn.selu,
    "tf.nn.gelu": tf.nn.gelu,
    "tf.identity": tf.identity,
    "tf.sin": tf.sin,
    "tf.math.square": tf.math.square,
    "tf.math.erf": tf.math.erf,
    "tf.atan": tf.atan,
    "keras.ops.arctan": keras.ops.arctan,
    "keras.ops.absolute": keras.ops.absolute,
    "keras.ops.negative": keras.ops.negative,
    "keras.ops.log_softmax": keras.ops.log_softmax,
    "tf.nn.l2_normalize": tf.nn.l2_normalize,
}


@pytest.mark.parametrize("form", FORMS)
def test_functions_are_found_by_their_inner_names(form, tmp_path):
    start = keras.Input((4,))
    inside = [layers.Dense(3, activation=function) for function in FUNCTIONS.values()]
    alone = [layers.Activation(function) for function in FUNCTIONS.values()]
    pairs = zip(inside, alone, strict=True)
    model = keras.Model(start, [outer(inner(start)) for inner, outer in pairs])
    found, _ = reopened(model, tmp_path / f"net.{form}")
    said = found(X, training=False)
    for (name, function), layer, values in zip(FUNCTIONS.items(), inside, said, strict=True):
        kernel, bias = layer.get_weights()
        known = function(function(tf.constant(X @ kernel + bias)))
        np.testing.assert_allclose(values, known, atol=1e-6, err_msg=name)


def test_what_was_found_by_its_name_is_told(tmp_path):
    model = vectors(layers.Dense(3, activation=tf.sin, name="wave"), layers.Dense(2, "relu"))
    _, repairs = reopened(model, tmp_path / "net.keras")
    assert list(repairs) == ["tensorflow_activations"]
    said = repairs["tensorflow_activations"]
    assert said.startswith("Functions of TensorFlow that are used as activation functions")
    assert said.endswith("(tensorflow_activations: sin): wave")


@pytest.mark.parametrize("form", FORMS)
def test_functions_of_recurrent_layers(form, tmp_path):
    start = keras.Input((6, 4))
    made = layers.LSTM(3, activation=tf.sin, recurrent_activation=tf.math.square)(start)
    model = keras.Model(start, made)
    found, _ = reopened(model, tmp_path / f"net.{form}")
    x = np.random.default_rng(2).normal(size=(3, 6, 4)).astype(np.float32)
    np.testing.assert_allclose(answer(found, x), answer(model, x), atol=1e-6)
    plain = keras.Model(start, layers.LSTM(3)(start))
    plain.set_weights(model.get_weights())
    assert np.abs(answer(plain, x) - answer(model, x)).max() > 0.01


@pytest.mark.parametrize("form", FORMS)
def test_a_function_of_the_users_own_wins_by_its_name(form, tmp_path):
    def sin(x):
        return 3 * x

    model = vectors(layers.Dense(3, activation=sin))
    found, repairs = reopened(model, tmp_path / f"net.{form}", {"sin": sin})
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(answer(found), 3 * (X @ kernel + bias), atol=1e-6)
    assert repairs == {}
    taken, repairs = opened(tmp_path / f"net.{form}")
    np.testing.assert_allclose(answer(taken), np.sin(X @ kernel + bias), atol=1e-6)
    assert "sin" in repairs["tensorflow_activations"]


def test_a_function_that_nobody_knows_is_asked_for(tmp_path):
    def wobble(x):
        return 3 * x

    with pytest.raises(InputError, match=r"needs the custom .*'wobble'"):
        reopened(vectors(layers.Dense(3, activation=wobble)), tmp_path / "net.keras")


# Settings of other versions, written into a file of this one.


def pictures():
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.RandomFlip(name="flip"),
            layers.RandomRotation(0.1, name="turn"),
            layers.RandomContrast(0.1, name="contrast"),
            layers.RandomZoom(0.1, name="zoom"),
            layers.Rescaling(1 / 255, name="scale"),
            layers.Resizing(6, 6, name="resize"),
            layers.Conv2D(4, 3, name="conv"),
            layers.Flatten(),
            layers.Dense(3, name="head"),
        ]
    )


PIXELS = np.random.default_rng(3).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A network in both forms, and what it answers."""
    return save_both(pictures(), tmp_path_factory.mktemp("saved"), PIXELS)


@pytest.fixture(scope="module")
def saved_plain(tmp_path_factory):
    """The same of two dense layers."""
    model = vectors(layers.Dense(3, "relu", name="first"), layers.Dense(2, name="head"))
    return save_both(model, tmp_path_factory.mktemp("saved"), X)


def save_both(model, folder, x):
    for form in FORMS:
        model.save(folder / f"net.{form}")
    return folder, answer(model, x)


def rewritten(saved, form, target, change, version):
    """The file with ``change`` done to the settings of every layer, of another version."""
    if form == "h5":
        target.write_bytes((saved / "net.h5").read_bytes())
        with h5py.File(target, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            for layer in config["config"]["layers"]:
                change(layer)
            file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(config), version
        return target
    members = members_of(saved / "net.keras")
    config, metadata = (json.loads(members[f"{name}.json"]) for name in ("config", "metadata"))
    for layer in config["config"]["layers"]:
        change(layer)
    members["config.json"] = json.dumps(config).encode()
    members["metadata.json"] = json.dumps({**metadata, "keras_version": version}).encode()
    return write_archive(target, members)


def members_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_archive(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def initial(class_name, **config):
    return {"class_name": class_name, "config": config}


VARIANCE = {"scale": 2.0, "seed": None, "dtype": "float32"}
INITIALISERS = {  # as it stands in the file: the class that it is, and what of it is known
    "with a dtype": (initial("GlorotUniform", seed=None, dtype="float32"), "GlorotUniform", {}),
    "normal until TensorFlow 2": (
        initial("VarianceScaling", mode="fan_in", distribution="normal", **VARIANCE),
        "VarianceScaling",
        {"mode": "fan_in", "distribution": "truncated_normal", "scale": 2.0},
    ),
    "in capitals": (
        initial("VarianceScaling", mode="FAN_AVG", distribution="uniform", **VARIANCE),
        "VarianceScaling",
        {"mode": "fan_avg", "distribution": "uniform"},
    ),
    "with limits": (
        initial("RandomUniform", minval=-0.1, maxval=0.1, seed=None, dtype="float32"),
        "RandomUniform",
        {"minval": -0.1, "maxval": 0.1},
    ),
    "with a shape to verify": (
        initial("Constant", value=0.25, dtype="float32", verify_shape=False),
        "Constant",
        {"value": 0.25},
    ),
    "of a second version": (initial("GlorotNormalV2", seed=None), "GlorotNormal", {}),
    "zeros": (initial("Zeros", dtype="float32"), "Zeros", {}),
    "without an upper limit": (
        initial("RandomUniform", minval=0, maxval=None, seed=None),
        "RandomUniform",
        {"minval": 0},
    ),
    "of an earlier name": (initial("normal", mean=0.0, stddev=0.1), "RandomNormal", {"mean": 0.0}),
    "gone": (initial("UniformUnitScaling", factor=1.0, seed=None), "VarianceScaling", {}),
    "orthogonal": (
        initial("Orthogonal", gain=2.0, seed=None, dtype="float32"),
        "Orthogonal",
        {"gain": 2.0},
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", INITIALISERS)
def test_initialisers_of_tensorflow_1(case, form, saved_plain, tmp_path):
    written, class_name, known = INITIALISERS[case]
    folder, answers = saved_plain
    more = {"module": "keras.initializers", "registered_name": None} if form == "keras" else {}

    def change(layer):
        if layer["config"].get("name") in ("first", "head"):
            layer["config"]["kernel_initializer"] = {**copy.deepcopy(written), **more}

    version = "3.3.0" if form == "keras" else "2.1.0"
    path = rewritten(folder, form, tmp_path / f"net.{form}", change, version)
    found, _ = opened(path)
    np.testing.assert_allclose(answer(found), answers, atol=1e-6)
    made = found.get_layer("first").kernel_initializer
    assert type(made).__name__ == class_name
    assert {key: getattr(made, key) for key in known} == known


@pytest.mark.parametrize(
    ("layer", "key", "value", "version"),
    [
        ("flip", "value_range", [0, 255], "3.3.0"),
        ("flip", "auto_vectorize", False, "3.15.1"),
        ("turn", "turns_more", 3, "3.3.0"),
        ("contrast", "anything", [1, 2], "3.15.1"),
        ("zoom", "of_another_keras", 1.0, "3.3.0"),
    ],
)
def test_settings_of_augmentation_that_came_and_went(layer, key, value, version, saved, tmp_path):
    folder, answers = saved

    def change(node):
        if node["config"].get("name") == layer:
            assert key not in node["config"]
            node["config"][key] = value

    path = rewritten(folder, "keras", tmp_path / "net.keras", change, version)
    found, repairs = opened(path)
    np.testing.assert_allclose(answer(found, PIXELS), answers, atol=1e-6)
    assert repairs["inactive_augmentation"].endswith(f"(inactive_augmentation: {key}): {layer}")


def test_settings_that_are_off_are_left_out_of_any_layer(saved, tmp_path):
    folder, answers = saved

    def change(node):
        if node["config"].get("name") in ("resize", "scale"):
            node["config"]["of_another_keras"] = None

    found, repairs = opened(rewritten(folder, "keras", tmp_path / "net.keras", change, "3.3.0"))
    np.testing.assert_allclose(answer(found, PIXELS), answers, atol=1e-6)
    assert "of_another_keras" in repairs["unknown_arguments"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layer", ["resize", "scale", "conv"])
def test_an_unknown_setting_of_a_layer_that_computes_is_refused(layer, form, saved, tmp_path):
    def change(node):
        if node["config"].get("name") == layer:
            node["config"]["mystery"] = "yes"

    path = rewritten(saved[0], form, tmp_path / f"net.{form}", change, "3.15.1")
    with pytest.raises(InputError, match="mystery"):
        opened(path)


# Groups of weights that are numbered with gaps, as Keras 2.13 numbered them.


def under(parent, *names):
    return [f"{parent}/{name}/vars/0" for name in names]


@pytest.mark.parametrize("parent", ["layers", "_layer_checkpoint_dependencies"])
def test_gaps_are_closed(parent):
    paths = under(parent, "conv2d", "conv2d_2", "conv2d_4", "dense", "flatten_1")
    renamed = close_gaps(paths, 8)
    assert [rename(path, renamed).split("/")[1] for path in paths] == [
        *("conv2d", "conv2d_1", "conv2d_2", "dense", "flatten"),
    ]


def test_gaps_are_closed_in_every_list_of_its_own():
    paths = [
        *under("layers", "conv2d", "conv2d_1", "sequential_2"),
        *under("layers/sequential_2/layers", "conv2d", "conv2d_6", "conv2d_20"),
    ]
    renamed = close_gaps(paths, 3)
    assert [rename(path, renamed) for path in paths] == [
        *under("layers", "conv2d", "conv2d_1", "sequential"),
        *under("layers/sequential/layers", "conv2d", "conv2d_1", "conv2d_2"),
    ]


def test_numbers_are_sorted_as_numbers():
    paths = under("layers", "conv2d_10", "conv2d_8", "conv2d", "conv2d_2")
    renamed = close_gaps(paths, 4)
    assert [rename(path, renamed).split("/")[1] for path in paths] == [
        *("conv2d_3", "conv2d_2", "conv2d", "conv2d_1"),
    ]


@pytest.mark.parametrize(
    "paths",
    [
        [],
        under("layers", "conv2d", "conv2d_1", "conv2d_2", "dense"),
        under("layers/functional/layers", "dense", "dense_1"),
        ["optimizer/vars/0", "optimizer/vars/7", "_token", "dense_3/vars/0"],
    ],
)
def test_without_a_gap_nothing_is_renamed(paths):
    assert close_gaps(paths, 9) == {}
    assert [rename(path, {}) for path in paths] == paths


def test_more_groups_than_layers_say_nothing():
    paths = under("layers", "conv2d", "conv2d_2", "conv2d_4")
    assert close_gaps(paths, 3)
    assert close_gaps(paths, 2) == {}


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """An archive that Keras 2 wrote, with equal shapes and a nested model; and its answers."""
    tf_keras = pytest.importorskip("tf_keras")
    tf_keras.utils.set_random_seed(6)
    own = tf_keras.layers
    start = tf_keras.Input((6, 6, 3))
    inner = tf_keras.Sequential(
        [
            own.Conv2D(4, 3, padding="same", input_shape=(6, 6, 4)),
            own.Conv2D(4, 3, padding="same", activation="relu"),
            own.BatchNormalization(),
        ]
    )
    h = inner(own.Conv2D(4, 3, padding="same", activation="relu")(start))
    h = own.Conv2D(4, 3, padding="same")(own.Conv2D(4, 3, padding="same")(h))
    model = tf_keras.Model(start, own.Dense(3)(own.Flatten()(h)))
    path = tmp_path_factory.mktemp("counted") / "net.keras"
    model.save(path)
    x = np.random.default_rng(4).normal(size=(3, 6, 6, 3)).astype(np.float32)
    return path, x, np.asarray(model(x, training=False))


def with_gaps(name):
    counted = r"(?<=layers/)(conv2d|dense|flatten|sequential|batch_normalization)_(\d+)(?=/|$)"
    return re.sub(counted, lambda found: f"{found[1]}_{2 * int(found[2])}", name)


WRITTEN = {  # how the groups are called: the repairs that it takes
    "as now": (lambda name: name, []),
    "with gaps": (with_gaps, ["with gaps, as Keras 2.13 did"]),
    "with gaps under the old name": (
        lambda name: with_gaps(name).replace("layers", "_layer_checkpoint_dependencies"),
        ["with gaps, as Keras 2.13 did"],
    ),
    "on Windows": (lambda name: name.replace("/", "\\"), ["with backslashes, as Windows does"]),
    "on Windows with gaps": (
        lambda name: with_gaps(name).replace("/", "\\"),
        ["with backslashes", "with gaps"],
    ),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_groups_of_an_archive_are_found(case, counted, tmp_path):
    change, said = WRITTEN[case]
    path, x, known = counted
    members = members_of(path)
    with h5py.File(io.BytesIO(members["model.weights.h5"])) as old:
        names = []
        old.visit(names.append)
        written = io.BytesIO()
        with h5py.File(written, "w") as new:
            for name in names:
                if isinstance(old[name], h5py.Group):
                    new.require_group(change(name))
                else:
                    new[change(name)] = old[name][()]
    changed = [name for name in names if change(name) != name]
    assert bool(changed) == (case != "as now")
    write_archive(tmp_path / "net.keras", {**members, "model.weights.h5": written.getvalue()})
    found, repairs = open_repaired(identify(tmp_path / "net.keras"))
    np.testing.assert_allclose(answer(found, x), known, atol=1e-5)
    told = [str(repair) for repair in repairs if repair.rule == "weight_groups"]
    assert len(told) == len(said)
    assert all(part in one for part, one in zip(said, told, strict=True))


class Block_1(layers.Dense):  # noqa: N801 - as people do name them
    pass


class Block_2(layers.Dense):  # noqa: N801
    pass


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("classes", [(Block_2,), (Block_1, Block_2)])
def test_classes_whose_own_names_end_in_numbers(classes, form, tmp_path):
    """Their groups are called ``block_2``, and that is no gap."""
    model = vectors(*(made(4) for made in classes))
    custom = {made.__name__: made for made in classes}
    found, repairs = reopened(model, tmp_path / f"net.{form}", custom)
    np.testing.assert_allclose(answer(found), answer(model), atol=1e-6)
    assert "weight_groups" not in repairs


# Layers of keras.applications, which are not in keras.layers.


def shaken(model):
    rng = np.random.default_rng(9)
    model.set_weights([rng.normal(size=weight.shape) for weight in model.weights])
    return model


def convnext():
    start = keras.Input((4,))
    h = layers.Dense(4, name="dense")(start)
    branch = StochasticDepth(0.2, name="depth")(LayerScale(0.3, 4, name="gamma")(h))
    h = CustomScaleLayer(0.17, name="mix")([layers.Add()([h, branch]), start])
    return shaken(keras.Model(start, h))


@pytest.mark.parametrize("form", FORMS)
def test_layers_of_keras_applications(form, tmp_path):
    model = convnext()
    found, _ = reopened(model, tmp_path / f"net.{form}")
    kernel, bias = model.get_layer("dense").get_weights()
    (gamma,) = model.get_layer("gamma").get_weights()
    h = X @ kernel + bias
    h = h + h * gamma
    np.testing.assert_allclose(answer(found), h + X * np.float32(0.17), atol=1e-5)
    assert type(found.get_layer("gamma")) is LayerScale


def test_that_a_name_was_taken_for_keras_own_is_told(tmp_path):
    """HDF5 files have nothing but the name; archives say where the class is from."""
    _, repairs = reopened(convnext(), tmp_path / "net.h5")
    assert repairs["application_layers"].endswith(": gamma, depth, mix")
    _, repairs = reopened(convnext(), tmp_path / "net.keras")
    assert repairs == {}


def own_scale(*settings):
    """A class of the user's that is called as one of Keras', with settings of that name."""

    def init(self, *, trainable=True, dtype=None, name=None, **given):
        layers.Layer.__init__(self, trainable=trainable, dtype=dtype, name=name)
        self.given = given

    def get_config(self):
        return {**layers.Layer.get_config(self), **self.given}

    made = {"__init__": init, "get_config": get_config, "call": lambda self, x: 5 * x}
    return type("LayerScale", (layers.Layer,), made)(**dict.fromkeys(settings, 4))


@pytest.mark.parametrize("form", FORMS)
def test_a_layer_of_that_name_with_other_settings_is_the_users(form, tmp_path):
    layer = own_scale("factor")
    model = vectors(layers.Dense(4), layer)
    with pytest.raises(InputError, match="needs the custom class 'LayerScale'"):
        reopened(model, tmp_path / f"net.{form}")
    found, repairs = opened(tmp_path / f"net.{form}", {"LayerScale": type(layer)})
    np.testing.assert_allclose(answer(found), answer(model), atol=1e-6)
    assert repairs == {}


@pytest.mark.parametrize("form", FORMS)
def test_what_the_user_supplies_is_not_said_to_be_keras_own(form, tmp_path):
    layer = own_scale("init_values", "projection_dim")
    model = vectors(layers.Dense(4), layer)
    found, repairs = reopened(model, tmp_path / f"net.{form}", {"LayerScale": type(layer)})
    np.testing.assert_allclose(answer(found), answer(model), atol=1e-6)
    assert "application_layers" not in repairs


# Quantised networks.


def mixed(*, attention=False):
    """Kernels of every kind that Keras quantises. It does not open attention again itself."""
    keras.utils.set_random_seed(1)
    start = keras.Input((8,))
    h = layers.Reshape((4, 4))(layers.Dense(16, activation="relu", name="dense")(start))
    einsum = layers.EinsumDense("abc,cd->abd", output_shape=(4, 8), bias_axes="d", name="einsum")
    h = einsum(h)
    h = layers.MultiHeadAttention(2, 4, name="look")(h, h) if attention else h
    h = layers.Flatten()(h)
    return keras.Model(start, layers.Dense(3, activation="softmax", name="head")(h))


def quantised(model, mode):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the layers that have no kernels
        model.quantize(mode)
    return model


VALUES = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_quantised_networks_answer_as_they_are_stored(mode, form, tmp_path):
    model = quantised(mixed(), mode)
    found, _ = reopened(model, tmp_path / f"net.{form}")
    known = answer(model, VALUES)
    np.testing.assert_allclose(answer(found, VALUES), known, atol=1e-6)
    (said,) = Probe(found, (8,)).predict(lambda rows: VALUES[rows], len(VALUES))
    np.testing.assert_allclose(said, known, atol=1e-6)
    if mode != "float8":  # which before training computes as before
        assert np.abs(known - answer(mixed(), VALUES)).max() > 1e-4
        assert found.get_layer("dense").quantization_mode == mode


def kernels_of(model, shape):
    return [kernel for call in Probe(model, shape).calls for kernel in list_kernels(call)]


# Half a step between whole numbers, as a part of the largest weight of a filter.
HALF_A_STEP = {"int8": 1 / 254, "int4": 1 / 14, "float8": 0.0}


def check_kernels(before, after, mode):
    for old, new in zip(before, after, strict=True):
        assert (new.label, new.axes, new.main) == (old.label, old.axes, old.main)
        assert new.values.shape == old.values.shape
        off = np.abs(new.filters - old.filters).max(axis=1)
        largest = np.abs(old.filters).max(axis=1)
        assert (off <= HALF_A_STEP[mode] * largest * 1.001).all()
        assert bool(off.any()) == (mode != "float8")


@pytest.mark.parametrize("mode", HALF_A_STEP)
def test_kernels_of_a_file_are_read_as_what_they_stand_for(mode, tmp_path):
    found, _ = reopened(quantised(mixed(), mode), tmp_path / "net.keras")
    after = kernels_of(found, (8,))
    assert [kernel.label for kernel in after] == ["dense", "einsum", "head"]
    check_kernels(kernels_of(mixed(), (8,)), after, mode)


@pytest.mark.parametrize("mode", HALF_A_STEP)
def test_kernels_of_attention_are_read_as_what_they_stand_for(mode):
    after = kernels_of(quantised(mixed(attention=True), mode), (8,))
    parts = [kernel.name for kernel in after if kernel.address == "look"]
    assert parts == ["query", "key", "value", "attention_output"]
    check_kernels(kernels_of(mixed(attention=True), (8,)), after, mode)


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_embeddings_are_read_as_what_they_stand_for(mode, tmp_path):
    start = keras.Input((5,), dtype="int32")
    model = keras.Model(start, layers.Flatten()(layers.Embedding(10, 6, name="tokens")(start)))
    table = model.get_layer("tokens").embeddings.numpy()
    tokens = np.random.default_rng(1).integers(0, 10, (3, 5))
    found, _ = reopened(quantised(model, mode), tmp_path / "net.keras")
    np.testing.assert_allclose(answer(found, tokens), answer(model, tokens), atol=1e-6)
    (kernel,) = kernels_of(found, (5,))
    assert (kernel.name, kernel.values.shape) == ("embeddings", (10, 6))
    off = np.abs(kernel.values - table).max(axis=1)
    assert (off <= HALF_A_STEP[mode] * np.abs(table).max(axis=1) * 1.001).all()
    assert off.any()


def gated_queries():
    start = keras.Input((4, 6))
    h = layers.GroupQueryAttention(3, 4, 2, use_gate=True, name="queries")(start, start)
    return keras.Model(start, h)


@pytest.mark.parametrize("form", FORMS)
def test_a_layer_whose_class_has_another_name_than_keras_gives_it(form, tmp_path):
    model = shaken(gated_queries())
    x = np.random.default_rng(2).normal(size=(5, 4, 6)).astype(np.float32)
    found, _ = reopened(model, tmp_path / f"net.{form}")
    np.testing.assert_allclose(np.asarray(found(x)), np.asarray(model(x)), atol=1e-6)


@pytest.mark.parametrize("keys", ["az", "za"])
@pytest.mark.parametrize("form", FORMS)
def test_outputs_of_a_nested_model_by_keys_in_any_order(form, keys, tmp_path):
    start = keras.Input((4,))
    made = {key: layers.Dense(2 + (key == "a"), name=key)(start) for key in keys}
    inner, outer = keras.Model(start, made, name="inner"), keras.Input((4,))
    model = shaken(keras.Model(outer, layers.Dense(2)(inner(outer)["z"])))
    found, _ = reopened(model, tmp_path / f"net.{form}")
    np.testing.assert_allclose(answer(found), answer(model), atol=1e-6)


def test_what_keras_itself_does_not_open_is_refused_with_its_cause(tmp_path):
    start = keras.Input((4, 8))
    model = keras.Model(start, layers.MultiHeadAttention(2, 4)(start, start))
    quantised(model, "float8")
    model.save(tmp_path / "net.keras")
    with pytest.raises(ValueError, match="could not be loaded"):
        keras.saving.load_model(tmp_path / "net.keras")
    with pytest.raises(InputError) as refused:
        opened(tmp_path / "net.keras")
    assert "A total of" not in str(refused.value)
    assert "This very Keras wrote it" in str(refused.value)
