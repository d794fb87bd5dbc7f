"""Folders without the configuration of Keras layers: functions, exports, classes of their own."""

import shutil

import numpy as np
import pytest

from reportgen.errors import InputError
from reportgen.subject.model_file.content import Format
from reportgen.subject.model_file.saved_model.folder import (
    Endpoint,
    read_arrays,
    read_saved_model,
    read_signatures,
)


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
    assert signature.inputs == (Endpoint("x", "float32", (None, 2)),)
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


def test_a_class_of_its_own_is_named(tf_keras, tmp_path):
    class Ranker(tf_keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = tf_keras.layers.Dense(1)

        def call(self, x):
            return self.dense(x)

    model = Ranker()
    model.predict(np.ones((1, 2)), verbose=0)
    model.save(tmp_path / "own", save_format="tf")
    with pytest.raises(InputError, match=r"class 'Ranker'.*reportgen\.audit"):
        read_saved_model(tmp_path / "own")
