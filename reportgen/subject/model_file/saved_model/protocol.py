"""The messages of a SavedModel, as far as we read them, without importing TensorFlow.

Field numbers are those of TensorFlow's ``.proto`` files. They live in a pool of their own, so
that TensorFlow can register its messages later. What is not named here is skipped.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from reportgen.errors import InputError

Message = Any

# One message a paragraph; one field a line: number, name, type. A leading "*" is a list, a
# leading "@" a map from text. Enumerations are read as int.
_SCHEMA = """
SavedModel
2 meta_graphs *MetaGraph

MetaGraph
1 meta_info_def MetaInfo
2 graph_def Graph
3 saver_def Saver
4 collection_def @Collection
5 signature_def @Signature
6 asset_file_def *AssetFile
7 object_graph_def SavedObjectGraph

MetaInfo
4 tags *string
5 tensorflow_version string

Graph
1 node *Node
2 library Library

Node
1 name string
2 op string
3 input *string
5 attr @Attribute

Attribute
1 list AttributeList
2 s bytes
6 type int
8 tensor Tensor
10 func Function

AttributeList
2 s *bytes
9 func *Function

Function
1 name string
2 attr @Attribute

Library
1 function *FunctionDef
2 gradient *Gradient
3 registered_gradients *RegisteredGradient

FunctionDef
1 signature OpDef
3 node_def *Node
5 attr @Attribute

OpDef
1 name string
2 input_arg *Argument

Argument
1 name string

Gradient
1 function_name string
2 gradient_func string

RegisteredGradient
1 gradient_func string
2 registered_op_type string

Saver
2 save_tensor_name string
3 restore_op_name string

Collection
1 node_list Texts

Texts
1 value *string

Signature
1 inputs @TensorInfo
2 outputs @TensorInfo

TensorInfo
1 name string
2 dtype int
3 tensor_shape Shape
4 coo_sparse Sparse
5 composite_tensor Composite

Sparse
1 values_tensor_name string
2 indices_tensor_name string
3 dense_shape_tensor_name string

Composite
2 components *TensorInfo

Tensor
1 dtype int
8 string_val *bytes

Shape
2 dim *Dimension
3 unknown_rank bool

Dimension
1 size int

AssetFile
1 tensor_info TensorInfo
2 filename string

SavedObjectGraph
1 nodes *SavedObject
2 concrete_functions @ConcreteFunction

ConcreteFunction
2 bound_inputs *int

SavedObject
1 children *Reference
4 user_object UserObject
5 asset Asset
6 function SavedFunction
7 variable Variable
8 bare_concrete_function BareFunction
11 saveable_objects @Saveable

Reference
1 node_id int
2 local_name string

UserObject
1 identifier string
3 metadata string

Asset
1 asset_file_def_index int

SavedFunction
1 concrete_functions *string

BareFunction
1 concrete_function_name string

Variable
3 trainable bool
6 name string

Saveable
2 save_function int
3 restore_function int

KerasMetadata
1 nodes *KerasObject

KerasObject
2 node_id int
4 identifier string
5 metadata string

CheckpointGraph
1 nodes *CheckpointObject

CheckpointObject
1 children *Reference
2 attributes *StoredTensor

StoredTensor
1 name string
3 checkpoint_key string

BundleHeader
1 num_shards int
2 endianness int

BundleEntry
1 dtype int
2 shape Shape
3 shard_id int
4 offset int
5 size int
6 crc32c fixed32
7 slices *Shape
"""
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
    "bool": _Field.TYPE_BOOL,
    "int": _Field.TYPE_INT64,  # int32 and enumerations look the same on the wire
    "fixed32": _Field.TYPE_FIXED32,
}


def _declare(field: Any, parent: Any, number: str, name: str, kind: str) -> None:
    field.name, field.number = name, int(number)
    plain = kind.lstrip("*@")
    field.label = _Field.LABEL_OPTIONAL if plain == kind else _Field.LABEL_REPEATED
    if kind.startswith("@"):
        camel = "".join(part.capitalize() for part in name.split("_"))
        entry = parent.nested_type.add(name=f"{camel}Entry")
        entry.options.map_entry = True
        _declare(entry.field.add(), entry, "1", "key", "string")
        _declare(entry.field.add(), entry, "2", "value", plain)
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".own.{parent.name}.{entry.name}"
    elif plain in _SCALARS:
        field.type = _SCALARS[plain]
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".own.{plain}"


def _build_pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(name="own.proto", package="own", syntax="proto3")
    for paragraph in _SCHEMA.strip().split("\n\n"):
        name, *fields = paragraph.split("\n")
        kind = file.message_type.add(name=name)
        for line in fields:
            _declare(kind.field.add(), kind, *line.split())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


_POOL = _build_pool()


def parse_message(kind: str, data: bytes, what: str) -> Message:
    """The message ``kind`` of the schema in ``data``; ``what`` names it in messages.

    Raises:
        InputError: the bytes are no such message; the text is a predicate.
    """
    parsed = message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"own.{kind}"))()
    try:
        parsed.ParseFromString(data)
    except (message.DecodeError, RuntimeError, RecursionError):
        raise InputError(f"holds a broken or truncated {what}. Copy the folder again.") from None
    return parsed
