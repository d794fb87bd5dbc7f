"""Graphs made to be slow to judge or long to describe."""

import time

import pytest

from reportgen.subject.model_file.safety.graph_operations import (
    MAX_HAZARDS,
    find_file_operations,
)
from reportgen.subject.model_file.saved_model.protocol import parse_message

pytest.importorskip("tensorflow")


def test_a_graph_of_many_cross_references_is_judged_in_time():
    """Each function, name and object once: 5,000 of each would be 25 million pairs."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    graph = model.meta_graphs.add()
    nodes = graph.object_graph_def.nodes
    nodes.add().function.concrete_functions.extend(f"f{number}" for number in range(5_000))
    for number in range(5_000):
        function = graph.graph_def.library.function.add()
        function.signature.name = f"f{number}"
        function.attr["api_implements"].s = b"one"
        node = function.node_def.add(name="n", op="InitializeTableFromTextFileV2")
        node.input.extend(["t", "n2:0"])
        function.node_def.add(name="n2", op="Identity", input=["n2"])
        nodes.add().children.add(local_name="_initialize", node_id=0)
    own = parse_message("SavedModel", model.SerializeToString(), "graph")
    start = time.process_time()  # not the wall's: the machine may be busy
    (said,) = find_file_operations(own.meta_graphs)
    assert "InitializeTableFromTextFileV2 reads a file" in str(said)  # a circle is no asset
    assert time.process_time() - start < 5  # the limit for a refusal; it takes a tenth of that


def test_many_signatures_and_long_names_stay_short():
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    graph = model.meta_graphs.add()
    for number in range(300):
        graph.graph_def.node.add(name=f"n{number}", op=f"File{number}" + "x" * 500)
        name = f"{number}" + "s" * 500
        graph.signature_def[name].outputs["y"].name = f"n{number}:0"
    own = parse_message("SavedModel", model.SerializeToString(), "graph")
    found = find_file_operations(own.meta_graphs)
    assert len(found) == MAX_HAZARDS
    assert all(len(str(hazard)) < 300 for hazard in found)
