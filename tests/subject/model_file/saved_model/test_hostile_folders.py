"""SavedModel folders that reach outside themselves or exceed the limits."""

import os

import pytest

from reportgen.errors import UnsafeInputError
from reportgen.subject.model_file.saved_model import folder as saved_model
from reportgen.subject.model_file.saved_model import objects as saved_objects
from reportgen.subject.model_file.saved_model.folder import read_saved_model


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
