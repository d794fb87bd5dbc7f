"""Tables that are read from a file: harmless from the folder itself, a hazard from elsewhere."""

import shutil

import pytest

from reportgen.subject.model_file.saved_model.folder import read_saved_model

from .folders import change, hazards

tf = pytest.importorskip("tensorflow")


class Table(tf.Module):
    def __init__(self, path):
        super().__init__()
        source = tf.lookup.TextFileInitializer(path, tf.string, 0, tf.int64, 1, delimiter=" ")
        self.table = tf.lookup.StaticHashTable(source, -1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def call(self, x):
        return {"y": self.table.lookup(x)}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A model with a vocabulary, to read only."""
    folder = tmp_path_factory.mktemp("vocabulary")
    (folder / "words.txt").write_text("a 1\nb 2\n")
    module = Table(str(folder / "words.txt"))
    tf.saved_model.save(module, folder / "model", signatures=module.call)
    return folder / "model"


@pytest.fixture
def vocabulary(written, tmp_path):
    """A model with a vocabulary, to change."""
    return shutil.copytree(written, tmp_path / "model")


def test_a_vocabulary_in_the_folder_is_part_of_the_model(vocabulary):
    assert hazards(vocabulary) == []
    assert "assets" in read_saved_model(vocabulary).notes[0]


def test_a_vocabulary_elsewhere_is_a_hazard(vocabulary):
    def edit(graph):  # the table's path comes from a constant of the graph
        for function in graph.graph_def.library.function:
            for node in function.node_def:
                if node.op == "InitializeTableFromTextFileV2":
                    node.input[1] = "path:output:0"
                    path = function.node_def.add(name="path", op="Const")
                    path.attr["value"].tensor.string_val.append(b"/etc/passwd")
                    break

    change(vocabulary, edit)
    said = hazards(vocabulary)
    assert said == [
        "opening the folder: InitializeTableFromTextFileV2 reads a file when the folder is opened"
    ]


def test_the_path_is_no_asset_if_another_object_is_bound_to_it(vocabulary):
    def edit(graph):
        for name, function in graph.object_graph_def.concrete_functions.items():
            if "initializer" in name:
                function.bound_inputs[0] = 0

    change(vocabulary, edit)
    assert len(hazards(vocabulary)) == 1
