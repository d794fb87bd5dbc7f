"""The list of operations against the registry of the TensorFlow that is installed."""

import re
from types import SimpleNamespace

import pytest

from reportgen.subject.model_file.safety.outside_operations import (
    _AFFIXES,
    _BY_ATTRIBUTE,
    HARMLESS,
    OUTSIDE,
    describe_operation,
)

pytest.importorskip("tensorflow")


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
