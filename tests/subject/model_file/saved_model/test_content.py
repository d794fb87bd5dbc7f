"""Configuration, arrays and state of a SavedModel: tf-keras wrote them and is the oracle."""

import subprocess
import sys

import numpy as np
import pytest

from reportgen.subject.model_file.content import Format
from reportgen.subject.model_file.saved_model.checkpoint import Checkpoint
from reportgen.subject.model_file.saved_model.folder import (
    read_arrays,
    read_saved_model,
    read_signatures,
)


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


def test_the_configuration_builds_the_same_network(written, tf_keras):
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


def test_metadata_inside_the_graph_as_before_2_5(copy, folder):
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
    expected = read_saved_model(folder)
    content = read_saved_model(copy)
    assert content.config == expected.config
    assert content.arrays == expected.arrays


def test_nothing_of_tensorflow_is_imported(folder):
    code = (
        "import sys; from pathlib import Path\n"
        "from reportgen.subject.model_file.saved_model.folder import *\n"
        "folder = Path(sys.argv[1]); content = read_saved_model(folder)\n"
        "list(read_arrays(folder, [a.key for a in content.arrays]))\n"
        "assert content.arrays and 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)


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
