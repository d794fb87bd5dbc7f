"""SavedModel folders: tf-keras writes them and is the oracle for order and values."""

import os
import random
import shutil
import subprocess
import sys

import numpy as np
import pytest

from reportgen.errors import InputError, UnsafeInputError
from reportgen.subject.model_file.content import Format
from reportgen.subject.model_file.saved_model import folder as saved_model
from reportgen.subject.model_file.saved_model import objects as saved_objects
from reportgen.subject.model_file.saved_model.checkpoint import Checkpoint
from reportgen.subject.model_file.saved_model.checksum import crc32c, mask
from reportgen.subject.model_file.saved_model.folder import (
    read_arrays,
    read_saved_model,
    read_signatures,
)


@pytest.fixture(scope="module")
def old_keras():
    return pytest.importorskip("tf_keras")


def fill(model):
    generator = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(generator.integers(1, 99, weight.shape).astype(weight.dtype.as_numpy_dtype))
    return model


def build_sequential(k):
    inner = k.Sequential(
        [k.layers.RandomFlip(seed=1), k.layers.RandomRotation(0.1, seed=2)], name="augmentation"
    )
    model = k.Sequential(
        [
            k.Input((8, 8, 3)),
            inner,
            k.layers.Rescaling(1 / 255),
            k.layers.SeparableConv2D(4, 3, name="separable"),
            k.layers.BatchNormalization(name="norm"),
            k.layers.Flatten(),
            k.layers.Dropout(0.5, seed=3),
            k.layers.Dense(2, name="head"),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((2, 8, 8, 3)), np.ones((2, 2)), verbose=0)
    return model


def build_functional(k):
    deep = k.Sequential([k.Input((6,)), k.layers.Dense(6, name="low")], name="deep")
    frozen = k.layers.BatchNormalization(name="frozen", trainable=False)
    inside = k.Input((6,))
    shared = k.Model(
        inside, frozen(k.layers.BatchNormalization(name="free")(deep(inside))), name="shared"
    )
    entry = k.Input((6,), name="entry")
    value = k.layers.Normalization(name="scaled")(entry)
    value = shared(shared(value))
    value = k.layers.Reshape((2, 3))(value)
    value = k.layers.MultiHeadAttention(1, 2, name="attention")(value, value)
    value = k.layers.Bidirectional(k.layers.LSTM(2), name="both")(value)
    return k.Model(entry, [k.layers.Dense(1, name="a")(value), k.layers.Dense(3, name="b")(value)])


def build_nested(k):
    """Order has to be found without the lists that tracing leaves behind, and with them."""
    low = k.Sequential([k.Input((5,)), k.layers.Dense(5, name="low")], name="lowest")
    frozen = k.layers.BatchNormalization(name="frozen", trainable=False)
    middle = k.Sequential([low, frozen, k.layers.BatchNormalization(name="free")], name="middle")
    off = k.Sequential([k.Input((5,)), k.layers.BatchNormalization()], name="off")
    off.trainable = False
    return k.Sequential([k.Input((5,)), middle, off, k.layers.Dense(1, name="last")])


BUILDERS = {
    "sequential": (build_sequential, True),
    "functional": (build_functional, False),
    "nested": (build_nested, False),
    "nested_traced": (build_nested, True),
}


@pytest.fixture(scope="module", params=list(BUILDERS))
def written(request, old_keras, saved):
    return saved[request.param]


@pytest.fixture(scope="module")
def saved(old_keras, tmp_path_factory):
    """Folder and model, by name; written once."""
    root = tmp_path_factory.mktemp("saved")
    models = {}
    for name, (build, traces) in BUILDERS.items():
        model = fill(build(old_keras))
        # The functions of every layer take long to trace, and are no part of the weights.
        model.save(root / name, save_format="tf", save_traces=traces)
        models[name] = (root / name, model)
    return models


@pytest.fixture(scope="module")
def folder(saved):
    return saved["sequential"][0]


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def test_configuration_is_that_of_the_model(written):
    path, model = written
    content = read_saved_model(path)
    assert content.format is Format.SAVED_MODEL
    assert content.writer.startswith("2.")
    assert content.hazards == ()
    names = [layer["config"]["name"] for layer in content.config["config"]["layers"]]
    assert [n for n in names if "input" not in n] == [
        layer.name for layer in model.layers if "input" not in layer.name
    ]
    assert "__tuple__" not in repr(content.config)
    assert "__passive" not in repr(content.config)


def test_the_configuration_builds_the_same_network(written, old_keras):
    path, model = written
    config = read_saved_model(path).config
    built = type(model).from_config(config["config"])
    assert [weight.shape for weight in built.weights] == [weight.shape for weight in model.weights]


def test_arrays_are_the_weights_of_each_layer_in_their_order(written):
    path, model = written
    content = read_saved_model(path)
    values = dict(read_arrays(path, [array.key for array in content.arrays]))
    total = 0
    for layer in model.layers:
        arrays = [array for array in content.arrays if array.layer == layer.name]
        expected = layer.trainable_weights + layer.non_trainable_weights  # the order of h5 files
        assert [array.name for array in arrays] == [weight.name for weight in expected]
        for array, weight in zip(arrays, expected, strict=True):
            value = values[array.key]
            np.testing.assert_array_equal(value, weight.numpy())
            assert (value.shape, value.dtype.name) == (array.shape, array.dtype)
            assert array.stored_bytes == value.nbytes
        total += len(arrays)
    assert total == len(content.arrays) == len(model.weights)


def test_state_that_is_no_weight_is_kept_apart(folder):
    content = read_saved_model(folder)
    assert not any("optimizer" in array.key or "metric" in array.key for array in content.arrays)
    assert any("optimizer" in array.key for array in content.rest)
    assert content.training["loss"] == "mse"


def test_values_are_those_that_tensorflow_reads(folder):
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    keys = Checkpoint(folder).stored_keys()
    assert set(keys) | {"_CHECKPOINTABLE_OBJECT_GRAPH"} == set(reader.get_variable_to_shape_map())
    for key, value in read_arrays(folder, keys):
        np.testing.assert_array_equal(value, reader.get_tensor(key))


def test_metadata_inside_the_graph_as_before_2_5(copy, saved):
    from tensorflow.core.protobuf import saved_model_pb2
    from tf_keras.protobuf import saved_metadata_pb2

    metadata = saved_metadata_pb2.SavedMetadata()
    metadata.ParseFromString((copy / "keras_metadata.pb").read_bytes())
    graph = saved_model_pb2.SavedModel()
    graph.ParseFromString((copy / "saved_model.pb").read_bytes())
    for node in metadata.nodes:
        user = graph.meta_graphs[0].object_graph_def.nodes[node.node_id].user_object
        user.metadata = node.metadata
    (copy / "saved_model.pb").write_bytes(graph.SerializeToString())
    (copy / "keras_metadata.pb").unlink()
    expected = read_saved_model(saved["sequential"][0])
    content = read_saved_model(copy)
    assert content.config == expected.config
    assert content.arrays == expected.arrays


def test_without_any_metadata_it_is_a_function(copy):
    (copy / "keras_metadata.pb").unlink()
    content = read_saved_model(copy)
    assert content.format is Format.FUNCTION
    assert content.config is None
    assert content.training is None
    assert "without the configuration" in content.notes[-1]


def test_a_plain_module_and_an_export_are_functions(tmp_path):
    import keras
    import tensorflow as tf

    class Scale(tf.Module):
        def __init__(self):
            super().__init__()
            self.factor = tf.Variable([2.0, 3.0], name="factor")
            self.half = tf.Variable(tf.constant([1.5, -2.0], tf.bfloat16), name="half")

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
        def call(self, x):
            return {"y": x * self.factor + tf.cast(self.half, tf.float32)}

    module = Scale()
    tf.saved_model.save(module, tmp_path / "module", signatures=module.call)
    content = read_saved_model(tmp_path / "module")
    assert content.format is Format.FUNCTION
    assert content.hazards == ()
    assert [array.shape for array in content.arrays] == [(2,), (2,)]
    values = [value for _, value in read_arrays(tmp_path / "module", [content.arrays[1].key])]
    np.testing.assert_array_equal(values[0], np.array([1.5, -2.0], np.float32))
    (signature,) = read_signatures(tmp_path / "module")
    assert signature.name == "serving_default"
    assert signature.inputs == (saved_model.Endpoint("x", "float32", (None, 2)),)
    assert signature.outputs[0].name == "y"

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.export(tmp_path / "export", verbose=False)
    content = read_saved_model(tmp_path / "export")
    assert content.format is Format.FUNCTION
    assert content.hazards == ()


def test_a_frozen_graph_needs_no_variables(tmp_path):
    import tensorflow as tf

    class Double(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def call(self, x):
            return x * 2

    module = Double()
    tf.saved_model.save(module, tmp_path, signatures=module.call)
    shutil.rmtree(tmp_path / "variables")
    assert read_saved_model(tmp_path).format is Format.FUNCTION


def test_a_class_of_its_own_is_named(old_keras, tmp_path):
    class Ranker(old_keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = old_keras.layers.Dense(1)

        def call(self, x):
            return self.dense(x)

    model = Ranker()
    model.predict(np.ones((1, 2)), verbose=0)
    model.save(tmp_path / "own", save_format="tf")
    with pytest.raises(InputError, match=r"class 'Ranker'.*reportgen\.audit"):
        read_saved_model(tmp_path / "own")


def test_nothing_of_tensorflow_is_imported(folder):
    code = (
        "import sys; from pathlib import Path\n"
        "from reportgen.subject.model_file.saved_model.folder import *\n"
        "folder = Path(sys.argv[1]); content = read_saved_model(folder)\n"
        "list(read_arrays(folder, [a.key for a in content.arrays]))\n"
        "assert content.arrays and 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("variables", "without its variables. Copy the whole folder"),
        ("variables/variables.index", "without its variables. Copy the whole folder"),
        ("variables/variables.data-00000-of-00001", "without its file variables.data-00000"),
        ("saved_model.pb", "has no saved_model.pb"),
    ],
)
def test_a_missing_part_is_named(copy, missing, says):
    part = copy / missing
    shutil.rmtree(part) if part.is_dir() else part.unlink()
    with pytest.raises(InputError, match=says):
        read_saved_model(copy)


def test_an_empty_graph_is_told(copy):
    (copy / "saved_model.pb").write_bytes(b"")
    with pytest.raises(InputError, match="empty"):
        read_saved_model(copy)


def test_changed_weights_are_told(copy):
    data = copy / "variables" / "variables.data-00000-of-00001"
    keys = [array.key for array in read_saved_model(copy).arrays]
    raw = bytearray(data.read_bytes())
    raw[:] = bytes(len(raw) // 2) + raw[len(raw) // 2 :]
    data.write_bytes(raw)
    with pytest.raises(InputError, match="have changed"):
        list(read_arrays(copy, keys))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_a_fifo_does_not_hang(copy):
    (copy / "saved_model.pb").unlink()
    os.mkfifo(copy / "saved_model.pb")
    with pytest.raises(InputError, match="no regular file"):
        read_saved_model(copy)


def test_a_link_that_leaves_the_folder_is_a_hazard(copy, tmp_path):
    (tmp_path / "vocabulary.txt").write_text("secret")
    (copy / "assets" / "inner.txt").write_text("mine")
    (copy / "assets" / "same.txt").symlink_to("inner.txt")
    content = read_saved_model(copy)
    assert content.hazards == ()
    assert "assets/inner.txt" in content.notes[0].replace(os.sep, "/")
    (copy / "assets" / "out.txt").symlink_to(tmp_path / "vocabulary.txt")
    (hazard,) = read_saved_model(copy).hazards
    assert hazard.guard == "folder_links"
    assert "out.txt" in hazard.where


@pytest.mark.parametrize("name", ["../../secret", "/etc/hostname", "..\\up", "C:\\up"])
def test_an_asset_outside_the_folder_is_a_hazard(copy, name):
    from tensorflow.core.protobuf import saved_model_pb2

    graph = saved_model_pb2.SavedModel()
    graph.ParseFromString((copy / "saved_model.pb").read_bytes())
    graph.meta_graphs[0].asset_file_def.add(filename=name)
    (copy / "saved_model.pb").write_bytes(graph.SerializeToString())
    (hazard,) = read_saved_model(copy).hazards
    assert (hazard.guard, hazard.where) == ("folder_links", name)


def test_a_list_that_many_layers_share_is_refused(copy, monkeypatch):
    monkeypatch.setattr(saved_objects, "MAX_STEPS", 100)
    with pytest.raises(UnsafeInputError, match="more objects"):
        read_saved_model(copy)


def test_metadata_beyond_the_limit_is_refused_unparsed(copy, monkeypatch):
    monkeypatch.setattr(saved_model, "MAX_METADATA_BYTES", 2**10)
    with pytest.raises(UnsafeInputError, match="Keras metadata"):
        read_saved_model(copy)


def test_a_graph_beyond_the_limit_is_refused_unread(copy, monkeypatch):
    monkeypatch.setattr(saved_model, "MAX_GRAPH_BYTES", 2**10)
    with pytest.raises(UnsafeInputError, match="more than"):
        read_saved_model(copy)


def read_all(path):
    content = read_saved_model(path)
    read_signatures(path)
    return list(read_arrays(path, [array.key for array in content.arrays]))


def test_flipped_and_truncated_files_are_read_or_told(copy):
    """Only the two errors; and no other value than the one that was written."""
    generator = random.Random(8)
    expected = {key: value.copy() for key, value in read_all(copy)}
    files = [
        copy / "saved_model.pb",
        copy / "keras_metadata.pb",
        *sorted((copy / "variables").iterdir()),
    ]
    outcomes = {"read": 0, "told": 0}
    for trial in range(200):
        file = files[trial % len(files)]
        original = file.read_bytes()
        changed = bytearray(original)
        if trial % 5 == 0:
            del changed[generator.randrange(len(changed)) :]
        else:
            changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)
        file.write_bytes(changed)
        try:
            for key, value in read_all(copy):
                np.testing.assert_array_equal(value, expected[key])
            outcomes["read"] += 1
        except (InputError, UnsafeInputError):
            outcomes["told"] += 1
        file.write_bytes(original)
    assert min(outcomes.values()) > 20, outcomes


def test_the_checksum_is_that_of_the_standard():
    """RFC 3720, B.4; and one lane against many."""
    cases = {
        b"": 0,
        b"123456789": 0xE3069283,
        bytes(32): 0x8A9136AA,
        b"\xff" * 32: 0x62A8AB43,
        bytes(range(32)): 0x46DD794E,
    }
    for data, expected in cases.items():
        assert crc32c(np.frombuffer(data, np.uint8)) == expected
    assert mask(0) == 0xA282EAD8
    data = np.random.default_rng(1).integers(0, 256, 70_001, np.uint8)
    register = 0xFFFFFFFF
    for byte in data.tolist():
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0x82F63B78 if register & 1 else 0)
    assert crc32c(data) == register ^ 0xFFFFFFFF


@pytest.mark.real
def test_a_real_folder_is_read_as_tensorflow_reads_it(real):
    import tensorflow as tf

    folder = real / "models" / "codebasics_potato" / "saved_models" / "1"
    content = read_saved_model(folder)
    assert content.format is Format.SAVED_MODEL
    assert content.writer == "2.5.0"
    assert content.hazards == ()
    assert len(content.config["config"]["layers"]) == 18
    assert len(content.arrays) == 16
    reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    for key, value in read_arrays(folder, [array.key for array in content.arrays]):
        np.testing.assert_array_equal(value, reader.get_tensor(key))
    assert read_signatures(folder)[0].inputs[0].shape == (None, 256, 256, 3)


@pytest.mark.real
def test_a_real_folder_without_variables_says_so(real):
    with pytest.raises(InputError, match=r"without its variables\. Copy the whole folder again\."):
        read_saved_model(real / "models" / "NEG_savedmodel_no_variables")
