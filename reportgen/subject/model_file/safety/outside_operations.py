"""Which operations of TensorFlow reach out of the graph.

Reviewed against the registry of TensorFlow 2.21 (1910 operations); a test walks the registry of
the installed version, so that a new operation is looked at before it is trusted.
"""

from __future__ import annotations

import re

from reportgen.subject.model_file.saved_model.protocol import Message

# By what they do; without the prefixes "Experimental" and "_" and the version at the end.
_ACTIONS = {
    "reads a file": """
        ReadFile Restore RestoreSlice DTensorRestore LoadDataset ImmutableConst LoadAndRemapMatrix
        GenerateVocabRemapping InitializeTableFromTextFile TextLineDataset TFRecordDataset
        FixedLengthRecordDataset CSVDataset LMDBDataset RecordInput Skipgram WholeFileReader
        TextLineReader FixedLengthRecordReader TFRecordReader LMDBReader SnapshotDatasetReader
        SnapshotNestedDatasetReader SnapshotChunkDataset ListSnapshotChunksDataset SqlDataset
        ReaderRead ReaderReadUpTo
    """,
    "lists files": "MatchingFiles MatchingFilesDataset",
    "writes a file": """
        WriteFile Save SaveSlices SaveDataset DistributedSave MergeV2Checkpoints DatasetToTFRecord
        SnapshotDataset CacheDataset DumpTensor CalibrationStatisticsSaver ImportEvent
        CreateSummaryFileWriter CreateSummaryDbWriter SummaryWriter WriteSummary
        WriteRawProtoSummary WriteGraphSummary WriteScalarSummary WriteHistogramSummary
        WriteImageSummary WriteAudioSummary FlushSummaryWriter CloseSummaryWriter
        StatsAggregatorSetSummaryWriter DebugIdentity DebugNanCount DebugNumericSummary
        Copy CopyHost
    """,
    "runs Python code": "PyFunc PyFuncStateless EagerPyFunc",
    "talks to other machines": """
        RpcServer RpcServerStart RpcServerRegister RpcClient RpcCall RpcCheckStatus RpcGetValue
        DeleteRpcFutureResource RemoteCall DataServiceDataset RegisterDataset Send Recv HostSend
        HostRecv WorkerHeartbeat
    """,
    "changes how files are reached": "FileSystemSetConfiguration",
    "runs a graph that is hidden in its data": "DatasetFromGraph",
    "calls native code by its name": "XlaCustomCall",
    "ends the process": "Abort",
}
OUTSIDE = {name: action for action, names in _ACTIONS.items() for name in names.split()}
# Harmless unless an attribute holds a path; these values are none.
_BY_ATTRIBUTE = {
    "Print": ("output_stream", {"", "stdout", "stderr", "log(info)", "log(warning)", "log(error)"}),
    "DecodeProto": ("descriptor_source", {"", "local://"}),
    "EncodeProto": ("descriptor_source", {"", "local://"}),
    "FixedUnigramCandidateSampler": ("vocab_file", {""}),
}
# Make or take apart names, without opening them.
HARMLESS = frozenset({"ShardedFilename", "ShardedFilespec"})
# For operations that no version we know has: better one question too many.
_SUSPECT = re.compile(
    r"File|Url|Http|Grpc|Rpc[A-Z]|Socket|Sql|Kafka|Kinesis|Pub[Ss]ub|Big[Qq]uery|Big[Tt]able|Mongo"
    r"|Gcs|S3|Hdfs|Parquet|Avro|Py(?:Func|Call)|Python|Library|Subprocess|Shell|Reader|Checkpoint"
    r"|^(?:Collective|Nccl)"
)
_AFFIXES = re.compile(r"^_*(?:Experimental)?|(?<=[a-z])V\d+$")


def describe_operation(node: Message) -> str | None:
    """What a node does outside the graph, as a predicate; None if it stays inside."""
    name = _AFFIXES.sub("", node.op)
    if name in OUTSIDE:
        return OUTSIDE[name]
    if name in _BY_ATTRIBUTE:
        attribute, harmless = _BY_ATTRIBUTE[name]
        value = node.attr[attribute].s if attribute in node.attr else b""
        return None if value.decode("utf-8", "replace") in harmless else "reaches a file"
    if name in HARMLESS or not _SUSPECT.search(name):
        return None
    return "may reach files or other machines"
