"""Files that a reviewer made to slip through, refused now; and honest ones that were refused."""

from __future__ import annotations

import json
import zipfile

import h5py
import numpy as np
import pytest

from reportgen.errors import InputError, UnsafeInputError
from reportgen.subject.model_file import identify, open_model


def edit(path, change):
    """Rewrite the configuration in an archive."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def functional(tmp_path):
    """A saved functional model: input, two layers in a row, output."""
    import keras
    from keras import layers

    inputs = keras.Input((8, 8, 3), name="in")
    x = layers.UpSampling2D(1, name="up")(inputs)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    path = tmp_path / "model.keras"
    keras.Model(inputs, layers.Dense(2, name="head")(x)).save(path)
    return path


def layer(config, name):
    return next(each for each in config["config"]["layers"] if each["name"] == name)


def opening(path):
    return open_model(identify(path))


def test_a_layer_that_is_called_on_stored_values(functional):
    tensor = {"class_name": "__tensor__", "config": {"value": [[[[1.0]]]], "dtype": "float32"}}

    def call(config):
        idle = json.loads(json.dumps(layer(config, "up")))
        idle["name"] = idle["config"]["name"] = "idle"
        idle["inbound_nodes"] = [{"args": [tensor], "kwargs": {}}]
        config["config"]["layers"].append(idle)

    with pytest.raises(UnsafeInputError, match="layer idle: is called on stored values"):
        identify(edit(functional, call))


def test_many_datasets_that_were_never_written(functional, tmp_path):
    with zipfile.ZipFile(functional, "a") as archive:
        with h5py.File(tmp_path / "w.h5", "w") as file:
            for number in range(40):
                file.create_dataset(f"layers/d{number}", (1000, 1000), "f4", chunks=(100, 100))
        bomb = (tmp_path / "w.h5").read_bytes()
        members = {n: archive.read(n) for n in archive.namelist() if n != "model.weights.h5"}
    with zipfile.ZipFile(functional, "w") as archive:
        for name, content in {**members, "model.weights.h5": bomb}.items():
            archive.writestr(name, content)
    with pytest.raises(UnsafeInputError, match="its datasets unpack to 152 MB"):
        identify(functional)


@pytest.mark.parametrize("setting", [{"ngrams": 10**8}, {"num": 8_000_000}])
def test_counts_that_become_objects(functional, setting):
    with pytest.raises(UnsafeInputError, match="which no network needs"):
        identify(edit(functional, lambda c: layer(c, "up")["config"].update(setting)))


def test_a_dataset_beside_a_layer_whose_weights_are_not_derived(tmp_path):
    import keras

    wrapped = keras.layers.SpectralNormalization(keras.layers.Dense(3))
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((4,)), wrapped]).save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (tmp_path / "w.h5").write_bytes(members["model.weights.h5"])
    with h5py.File(tmp_path / "w.h5", "a") as file:
        file["layers/hidden"] = np.ones((50, 50), np.float32)
    members["model.weights.h5"] = (tmp_path / "w.h5").read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(UnsafeInputError, match="hidden: a dataset of"):
        opening(path)


def tile(x):
    import keras

    return keras.ops.tile(x, [1, 2, 2, 1])


def broadcast(x):
    import keras

    return keras.ops.broadcast_to(keras.ops.mean(x, axis=0, keepdims=True), [7, 1, 1, 3])


def repeat(x):
    import keras

    return keras.ops.repeat(keras.ops.mean(x, axis=0, keepdims=True), 77, axis=0)


def pad(x):
    import keras

    return keras.ops.pad(
        keras.ops.mean(x, axis=0, keepdims=True), ((0, 77), (0, 0), (0, 0), (0, 0))
    )


@pytest.mark.parametrize(
    ("operate", "small", "large"),
    [
        (tile, "[1, 2, 2, 1]", "[1, 40000, 40000, 1]"),
        (broadcast, "[7, 1, 1, 3]", "[1500000000, 1, 1, 3]"),
        (repeat, "77", "1500000000"),
        (pad, "77", "1500000000"),
    ],
)
def test_an_operation_whose_output_is_known_only_when_it_is_built(tmp_path, operate, small, large):
    """In whatever axis it is large, also in the first one, which is that of the samples."""
    import keras

    inputs = keras.Input((1, 1, 3))
    path = tmp_path / "model.keras"
    keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(operate(inputs))).save(path)

    def enlarge(config):
        changed = json.dumps(config).replace(small, large)
        assert changed != json.dumps(config)
        config.update(json.loads(changed))

    opening(path)  # small, it is accepted
    with pytest.raises(UnsafeInputError, match="numbers at once"):
        opening(edit(path, enlarge))


@pytest.mark.parametrize("name", [["q"], {"a": 1}, 3, None])
def test_names_that_are_no_text(functional, name):
    def rename(config):
        layer(config, "up")["config"]["name"] = name
        pool = layer(config, "pool")
        pool["name"] = pool["config"]["name"] = "a/b"

    with pytest.raises((InputError, UnsafeInputError)):
        opening(edit(functional, rename))


def test_thousands_of_names_that_become_the_same(functional):
    def add(config):
        for number in range(3000):
            extra = json.loads(json.dumps(layer(config, "up")))
            extra["name"] = extra["config"]["name"] = "a" + chr(0x4E00 + number)
            config["config"]["layers"].append(extra)

    file = identify(edit(functional, add))
    names = [each["name"] for each in file.config["config"]["layers"]]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_honest_models_of_bfloat16(tmp_path, suffix):
    import keras

    stack = [keras.Input((4,)), keras.layers.Dense(3, dtype="bfloat16")]
    model = keras.Sequential(stack)
    path = tmp_path / f"model.{suffix}"
    model.save(path)
    x = np.ones((1, 4), np.float32)
    ours, theirs = opening(path)(x), model(x)
    np.testing.assert_array_equal(np.float32(ours), np.float32(theirs))


def test_an_honest_stateful_layer_in_a_wrapper(tmp_path):
    import keras

    inner = keras.layers.Bidirectional(keras.layers.LSTM(2, stateful=True))
    model = keras.Sequential([keras.Input(batch_shape=(2, 3, 4)), inner])
    model.save(tmp_path / "model.keras")
    assert opening(tmp_path / "model.keras").input_shape == (2, 3, 4)


def test_honest_seeds_of_keras(tmp_path):
    import keras

    start = keras.initializers.GlorotUniform(seed=keras.random.SeedGenerator(3))
    dense = keras.layers.Dense(2, kernel_initializer=start)
    model = keras.Sequential([keras.Input((4,)), dense])
    model.save(tmp_path / "model.keras")
    x = np.ones((1, 4), np.float32)
    np.testing.assert_allclose(opening(tmp_path / "model.keras")(x), model(x), rtol=1e-6)


def test_a_vocabulary_beside_the_weights_is_said_not_dropped(tmp_path):
    import keras

    lookup = keras.layers.IntegerLookup()
    lookup.adapt(np.array([3, 5, 7]))
    model = keras.Sequential([keras.Input((1,), dtype="int64"), lookup])
    model.save(tmp_path / "model.keras")
    with pytest.raises(InputError, match="keeps the vocabulary of layer integer_lookup"):
        opening(tmp_path / "model.keras")


def test_allow_unsafe_leaves_a_hidden_dataset_out_and_opens_the_rest(functional, tmp_path):
    with zipfile.ZipFile(functional) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (tmp_path / "w.h5").write_bytes(members["model.weights.h5"])
    with h5py.File(tmp_path / "w.h5", "a") as file:
        file["layers/hidden"] = np.ones((50, 50), np.float32)
    members["model.weights.h5"] = (tmp_path / "w.h5").read_bytes()
    with zipfile.ZipFile(functional, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(UnsafeInputError, match="that the network does not declare"):
        identify(functional)
    file = identify(functional, allow_unsafe=True)
    assert file.hazards
    assert open_model(file, allow_unsafe=True).count_params() == 8


def test_allow_unsafe_does_not_follow_links(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["away"] = h5py.ExternalLink("/etc/hosts", "/")
    file = identify(tmp_path / "a.h5", allow_unsafe=True)
    with pytest.raises(UnsafeInputError, match=r"a link to another file .* not this"):
        open_model(file, allow_unsafe=True)
