"""Every way by which TensorFlow comes to run a function that no visible call names."""

import shutil

import pytest

from .folders import add_writer, change, hazards, save


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A model that doubles, to read only."""
    return save(tmp_path_factory.mktemp("plain") / "model", lambda x: {"y": x * 2})


@pytest.fixture
def plain(written, tmp_path):
    """A model that doubles, to change."""
    return shutil.copytree(written, tmp_path / "model")


def call_from_main(graph):
    node = graph.graph_def.node.add(name="extra", op="PartitionedCall")
    node.attr["f"].func.name = "writer"


def by_init_signature(graph):
    call_from_main(graph)
    graph.signature_def["__saved_model_init_op"].outputs["op"].name = "extra"


def by_init_collection(graph):
    call_from_main(graph)
    graph.collection_def["saved_model_main_op"].node_list.value.append("extra")


def by_control_edge(graph):
    call_from_main(graph)
    name = graph.signature_def["serve"].outputs["y"].name.split(":")[0]
    next(n for n in graph.graph_def.node if n.name == name).input.append("^extra")


def by_the_object_graph_alone(graph):
    """TensorFlow 2 calls the function that the signature map names, not the signature."""
    nodes = graph.object_graph_def.nodes
    signatures = next(c.node_id for c in nodes[0].children if c.local_name == "signatures")
    bare = nodes[nodes[signatures].children[0].node_id]
    bare.bare_concrete_function.concrete_function_name = "writer"


def by_a_resource(graph):
    nodes = graph.object_graph_def.nodes
    nodes.add().bare_concrete_function.concrete_function_name = "writer"
    resource = nodes.add()
    resource.resource.device = ""
    resource.children.add(local_name="_initialize", node_id=len(nodes) - 2)


def by_a_restore_function(graph):
    nodes = graph.object_graph_def.nodes
    nodes.add().bare_concrete_function.concrete_function_name = "writer"
    nodes[0].saveable_objects["a"].restore_function = len(nodes) - 1


def by_the_saver(graph):
    call_from_main(graph)
    graph.saver_def.restore_op_name = "extra"


def body_of_signature(graph):
    name = next(n for n in graph.graph_def.library.function if "signature" in n.signature.name)
    return name.node_def[0]


def by_nested_attribute(graph):
    function = body_of_signature(graph).attr["odd"].func
    function.name = "harmless"
    function.attr["deep"].list.func.add(name="writer")


def by_name_in_text(graph):
    body_of_signature(graph).attr["_forward"].s = b"writer"


def by_operation_name(graph):
    body_of_signature(graph).op = "writer"


def by_gradient(graph):
    name = next(n for n in graph.graph_def.library.function if "signature" in n.signature.name)
    graph.graph_def.library.gradient.add(function_name=name.signature.name, gradient_func="writer")


def by_registered_gradient(graph):
    body_of_signature(graph).attr["_gradient_op_type"].s = b"Custom-1"
    graph.graph_def.library.registered_gradients.add(
        registered_op_type="Custom-1", gradient_func="writer"
    )


def by_same_interface(graph):
    """TensorFlow swaps functions that claim one interface, as it does for LSTM."""
    for function in graph.graph_def.library.function:
        if "signature" in function.signature.name or function.signature.name == "writer":
            function.attr["api_implements"].s = b"lstm"


HIDDEN = [
    by_init_signature,
    by_init_collection,
    by_control_edge,
    by_the_object_graph_alone,
    by_a_resource,
    by_a_restore_function,
    by_the_saver,
    by_nested_attribute,
    by_name_in_text,
    by_operation_name,
    by_gradient,
    by_registered_gradient,
    by_same_interface,
]


@pytest.mark.parametrize("hide", HIDDEN, ids=lambda hide: hide.__name__)
def test_each_way_into_a_function_is_followed(hide, plain):
    change(plain, add_writer)
    assert hazards(plain) == []
    change(plain, hide)
    (said,) = hazards(plain)
    assert "WriteFile writes a file" in said


def test_a_second_graph_is_judged_too(plain):
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    model.ParseFromString((plain / "saved_model.pb").read_bytes())
    model.meta_graphs.add().CopyFrom(model.meta_graphs[0])
    add_writer(model.meta_graphs[1])
    by_init_signature(model.meta_graphs[1])
    (plain / "saved_model.pb").write_bytes(model.SerializeToString())
    assert len(hazards(plain)) == 1


def test_functions_that_call_themselves_end(plain):
    def edit(graph):
        add_writer(graph)
        by_operation_name(graph)
        writer = next(f for f in graph.graph_def.library.function if f.signature.name == "writer")
        writer.node_def.add(name="again", op="writer")

    change(plain, edit)
    assert len(hazards(plain)) == 1
