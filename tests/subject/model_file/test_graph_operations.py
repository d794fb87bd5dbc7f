"""Operations that reach out of a graph: hostile modules, their benign twins, and the registry."""

import re
import time
from types import SimpleNamespace

import pytest

tf = pytest.importorskip("tensorflow")

from reportgen.subject.model_file.safety.graph_operations import (  # noqa: E402
    GUARD,
    MAX_HAZARDS,
    find_file_operations,
)
from reportgen.subject.model_file.safety.outside_operations import (  # noqa: E402
    _AFFIXES,
    _BY_ATTRIBUTE,
    HARMLESS,
    OUTSIDE,
    describe_operation,
)
from reportgen.subject.model_file.saved_model.folder import read_saved_model  # noqa: E402
from reportgen.subject.model_file.saved_model.protocol import parse_message  # noqa: E402

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


@pytest.fixture
def canary(tmp_path):
    yield str(tmp_path / "canary")
    assert not (tmp_path / "canary").exists()


def write(path):
    tf.io.write_file(path, "x")
    return 1.0


def in_signature(x, path):
    tf.io.write_file(path, "x")
    return x


def in_cond(x, path):
    return x + tf.cond(tf.reduce_sum(x) > 9e9, lambda: write(path), lambda: 0.0)


def in_nested_cond(x, path):
    def inner():
        return tf.cond(tf.reduce_sum(x) > 9e9, lambda: write(path), lambda: 0.0)

    return x + tf.cond(tf.reduce_sum(x) > 8e9, inner, lambda: 0.0)


def in_while(x, path):
    def body(i):
        tf.io.write_file(path, "x")
        return i + 1

    return x + tf.cast(tf.while_loop(lambda i: i < 0, body, [0])[0], tf.float32)


def in_case(x, path):
    return x + tf.switch_case(tf.cast(x[0], tf.int32), [lambda: 0.0, lambda: write(path)])


def in_map(x, path):
    return tf.map_fn(lambda one: one + write(path), x)


def in_called_function(x, path):
    @tf.function
    def deep(y):
        tf.io.write_file(path, "x")
        return y

    @tf.function
    def middle(y):
        return deep(y) + 1

    return middle(x)


def in_dataset(x, path):
    data = tf.data.Dataset.from_tensor_slices(x).map(lambda one: one + write(path))
    return data.reduce(0.0, lambda a, b: a + b)


def reading(x, path):
    return x + tf.cast(tf.strings.length(tf.io.read_file(path)), tf.float32)


def listing(x, path):
    return x + tf.cast(tf.size(tf.io.matching_files(path)), tf.float32)


def printing(x, path):
    tf.print("secret", output_stream=f"file://{path}")
    return x


def python(x, path):
    return tf.py_function(lambda y: y, [x], tf.float32)


def numpy(x, path):
    return tf.numpy_function(lambda y: y, [x], tf.float32)


def lines(x, path):
    return tf.data.TextLineDataset(path).reduce(x, lambda a, _: a)


def cache(x, path):
    data = tf.data.Dataset.from_tensor_slices(x).cache(path)
    return data.reduce(0.0, lambda a, b: a + b)


def checkpoint(x, path):
    return (
        x
        + tf.raw_ops.RestoreV2(
            prefix=path, tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32]
        )[0]
    )


def table(x, path):
    handle = tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
    tf.raw_ops.InitializeTableFromTextFileV2(
        table_handle=handle, filename=path, key_index=-2, value_index=-1
    )
    return x


HOSTILE = {
    in_signature: "WriteFile writes a file",
    in_cond: "WriteFile writes a file",
    in_nested_cond: "WriteFile writes a file",
    in_while: "WriteFile writes a file",
    in_case: "WriteFile writes a file",
    in_map: "WriteFile writes a file",
    in_called_function: "WriteFile writes a file",
    in_dataset: "WriteFile writes a file",
    reading: "ReadFile reads a file",
    listing: "MatchingFiles lists files",
    printing: "PrintV2 reaches a file",
    python: "EagerPyFunc runs Python code",
    numpy: "PyFunc runs Python code",
    lines: "TextLineDataset reads a file",
    cache: "CacheDatasetV2 writes a file",
    checkpoint: "RestoreV2 reads a file",
    table: "InitializeTableFromTextFileV2 reads a file",
}


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: body.__name__)
def test_what_reaches_out_is_named_with_its_signature(body, tmp_path, canary):
    folder = save(tmp_path / "model", lambda x: {"y": body(x, canary)})
    assert hazards(folder) == [f"signature 'serve': {HOSTILE[body]} when it is called"]


def harmless_print(x):
    tf.print("shape", tf.shape(x))
    return x


def harmless_flow(x):
    y = tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: -x)
    return tf.map_fn(tf.sqrt, tf.while_loop(lambda v: v[0] < 3, lambda v: [v + 1], [y])[0])


def harmless_dataset(x):
    return tf.data.Dataset.from_tensor_slices(x).batch(2).reduce(0.0, lambda a, b: a + b[0])


def harmless_strings(x):
    name = tf.strings.join(["/etc", "passwd"], "/")
    return x + tf.cast(tf.strings.length(name), tf.float32)


BENIGN = [harmless_print, harmless_flow, harmless_dataset, harmless_strings, tf.nn.softmax]


@pytest.mark.parametrize("body", BENIGN, ids=lambda body: body.__name__)
def test_a_benign_twin_passes(body, tmp_path):
    assert hazards(save(tmp_path / "model", lambda x: {"y": body(x)})) == []


def test_what_nothing_calls_is_no_hazard(tmp_path, canary):
    function = tf.function(lambda x: in_signature(x, canary), input_signature=[FLOATS])
    folder = save(tmp_path / "model", lambda x: {"y": x}, attach=function)
    assert b"WriteFile" in (folder / "saved_model.pb").read_bytes()
    assert hazards(folder) == []


class Table(tf.Module):
    def __init__(self, path):
        super().__init__()
        source = tf.lookup.TextFileInitializer(path, tf.string, 0, tf.int64, 1, delimiter=" ")
        self.table = tf.lookup.StaticHashTable(source, -1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def call(self, x):
        return {"y": self.table.lookup(x)}


@pytest.fixture
def vocabulary(tmp_path):
    (tmp_path / "words.txt").write_text("a 1\nb 2\n")
    module = Table(str(tmp_path / "words.txt"))
    tf.saved_model.save(module, tmp_path / "model", signatures=module.call)
    return tmp_path / "model"


def test_a_vocabulary_in_the_folder_is_part_of_the_model(vocabulary):
    assert hazards(vocabulary) == []
    assert "assets" in read_saved_model(vocabulary).notes[0]


def change(folder, edit):
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    model.ParseFromString((folder / "saved_model.pb").read_bytes())
    edit(model.meta_graphs[0])
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())


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


@pytest.fixture
def plain(tmp_path):
    return save(tmp_path / "model", lambda x: {"y": x * 2})


def add_writer(graph, name="writer"):
    """A function that writes a file, called by nobody yet."""
    function = graph.graph_def.library.function.add()
    function.signature.name = name
    function.node_def.add(name="w", op="WriteFile")


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
    start = time.monotonic()
    (said,) = find_file_operations(own.meta_graphs)
    assert "InitializeTableFromTextFileV2 reads a file" in str(said)  # a circle is no asset
    assert time.monotonic() - start < 5  # the limit for a refusal; it takes a tenth of that


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


# Operations whose name or arguments speak of files, hosts or Python, and that stay inside.
REVIEWED = re.compile(
    "|".join(
        [
            r"(?:Audio|Histogram|Image|Merge|Scalar|Tensor|StatsAggregator)Summary",  # to a string
            r"BoostedTrees\w+",  # "stats_summary" is a tensor
            r"SetStatsAggregatorDataset",  # "prefix" of the names of counters
            r"DecodeCSV",  # "records" are texts that were read before
            r"TensorSliceDataset",  # "is_files" is a remark
            r"Xla(?:Send|Recv)\w*|XlaHostCompute\w*",  # between a TPU and its own host
            r"Parse\w*SequenceExample|\w*VarHandleOp",  # "debug_name" is shown in messages
            r"(?:Send|Recv|Xla\w+)TPUEmbedding\w+",
            r"DebugGradient(?:Ref)?Identity",  # an identity with a mark for gradients
            r"(?:Disable)?CopyOnRead",
            r"CTCBeamSearchDecoder",  # "top_paths" are sequences
        ]
    )
)
WORDS = re.compile(
    r"file|(?:^|_)paths?(?:_|$)|url|address|(?:^|_)py(?:_|$)|python|prefix|server|service|remote"
    r"|sql|library|descriptor|summary|writer|checkpoint|dump|records?(?:_|$)|(?:^|_)send|(?:^|_)recv"
    r"|debug|hostname|socket|http|rpc",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def registry():
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session as session

    operations = op_def_pb2.OpList()
    operations.ParseFromString(session.TF_GetBuffer(session.TF_GetAllOpList()))
    return operations.op


def bare(operation):
    return _AFFIXES.sub("", operation.name)


def test_every_operation_that_speaks_of_files_was_looked_at(registry):
    open_questions = {}
    for operation in registry:
        name = bare(operation)
        node = SimpleNamespace(op=operation.name, attr={})
        if describe_operation(node) or name in _BY_ATTRIBUTE or name in HARMLESS:
            continue
        said = [operation.name, *(arg.name for arg in (*operation.input_arg, *operation.attr))]
        spoken = [word for word in said if WORDS.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word))]
        if spoken and not REVIEWED.fullmatch(name):
            open_questions[operation.name] = spoken
    assert open_questions == {}


def test_the_list_names_operations_that_exist(registry):
    known = {bare(operation) for operation in registry}
    assert (set(OUTSIDE) | set(_BY_ATTRIBUTE) | HARMLESS) - known == set()


def test_the_operations_of_ordinary_networks_are_not_suspected(registry):
    """The pattern for names that no version knows flags few of those that are known."""
    suspected = {
        bare(operation)
        for operation in registry
        if bare(operation) not in OUTSIDE
        and describe_operation(SimpleNamespace(op=operation.name, attr={}))
    }
    assert all(name.startswith(("Collective", "Nccl", "Reader", "Identity")) for name in suspected)
    for name in ("BigQueryReader", "KafkaDataset", "GcsConfigureBlockCache", "RunShell"):
        assert describe_operation(SimpleNamespace(op=name, attr={}))
