"""Writing, changing and judging SavedModel folders whose graphs do more than compute."""

import pytest

from reportgen.subject.model_file.safety.graph_operations import GUARD
from reportgen.subject.model_file.saved_model.folder import read_saved_model

tf = pytest.importorskip("tensorflow")

FLOATS = tf.TensorSpec([None], tf.float32, name="x")


def save(folder, body, *, attach=None):
    """A module whose signature runs ``body``; ``attach`` is saved with it, uncalled."""
    module = tf.Module()
    module.call = tf.function(body, input_signature=[FLOATS])
    if attach is not None:
        module.attached = attach
    tf.saved_model.save(module, folder, signatures={"serve": module.call})
    return folder


def hazards(folder):
    found = read_saved_model(folder).hazards
    assert all(hazard.guard == GUARD for hazard in found)
    return [str(hazard) for hazard in found]


def change(folder, edit):
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    model.ParseFromString((folder / "saved_model.pb").read_bytes())
    edit(model.meta_graphs[0])
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())


def add_writer(graph, name="writer"):
    """A function that writes a file, called by nobody yet."""
    function = graph.graph_def.library.function.add()
    function.signature.name = name
    function.node_def.add(name="w", op="WriteFile")
