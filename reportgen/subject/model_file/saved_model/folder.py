"""Reading a SavedModel folder without TensorFlow: nothing is loaded, nothing runs."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reportgen.errors import InputError, UnsafeInputError
from reportgen.files import read_regular
from reportgen.subject.model_file.configuration import layers_of, parse
from reportgen.subject.model_file.content import Array, Content, Format, Hazard
from reportgen.subject.model_file.safety.graph_operations import (
    INIT_SIGNATURE,
    find_file_operations,
)
from reportgen.subject.model_file.saved_model.checkpoint import (
    Checkpoint,
    dtype_name,
    is_number,
    read_arrays,
    shape_of,
)
from reportgen.subject.model_file.saved_model.objects import KerasObject, Objects, list_arrays
from reportgen.subject.model_file.saved_model.protocol import Message, parse_message

__all__ = ["Endpoint", "Signature", "read_arrays", "read_saved_model", "read_signatures"]

MAX_GRAPH_BYTES = 512 * 2**20
MAX_METADATA_BYTES = 128 * 2**20
_MAX_FILES = 10_000
_MAX_GRAPHS = 1000  # a SavedModel has one, or a few
_SHOWN = 80
_NO_VARIABLES = "is a SavedModel without its variables. Copy the whole folder again."
# Operations that hold a variable, in graphs of TensorFlow 1 and 2.
_VARIABLES = {"VarHandleOp", "VariableV2", "Variable"}


@dataclass(frozen=True)
class Endpoint:
    """One input or output of a signature; a side is None where it is open, shape where unknown."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class Signature:
    """One function that a SavedModel offers by name."""

    name: str
    inputs: tuple[Endpoint, ...]
    outputs: tuple[Endpoint, ...]


def read_saved_model(folder: Path) -> Content:
    """What a SavedModel folder holds.

    Raises:
        InputError: it is incomplete or damaged, or its model is a class of its own; the text is
            a predicate ("is a SavedModel without ...").
        UnsafeInputError: it is beyond all limits.
    """
    hazards, assets = _survey(folder)
    graphs = _read_graphs(folder)
    graph = _choose(graphs)
    hazards += [hazard for each in graphs for hazard in _judge_assets(each)]
    hazards += find_file_operations(graphs)
    notes = [f"Files beside the graph: {', '.join(assets)}."] if assets else []
    objects = Objects(graph.object_graph_def)
    keras = _read_keras(folder, graph)
    checkpoint = _open_checkpoint(folder, graph, objects)
    writer = _shorten(graph.meta_info_def.tensorflow_version) or None
    if 0 not in keras:
        notes += ["The folder holds a graph without the configuration of Keras layers."]
        stored = _list_rest(checkpoint, ())
        arrays = tuple(array for array in stored if is_number(array.dtype))
        rest = tuple(array for array in stored if not is_number(array.dtype))
        return Content(
            Format.FUNCTION, writer, None, None, arrays, tuple(hazards), tuple(notes), rest
        )
    root = _plain(parse(keras[0].metadata, "The metadata of the model"))
    if checkpoint is None or not isinstance(root, dict):
        raise InputError(_NO_VARIABLES if checkpoint is None else _DAMAGED_METADATA)
    config = _network(root)
    arrays = list_arrays(objects, keras, layers_of(config), checkpoint)
    return Content(
        Format.SAVED_MODEL,
        _shorten(root.get("keras_version")) or writer,
        config,
        root.get("training_config"),
        arrays,
        tuple(hazards),
        tuple(notes),
        _list_rest(checkpoint, arrays),
        "tensorflow",
    )


def read_signatures(folder: Path) -> tuple[Signature, ...]:
    """What the graph of a SavedModel can be called with.

    Raises:
        InputError: the folder holds no graph, or a damaged one.
        UnsafeInputError: it is beyond all limits.
    """
    signatures = _choose(_read_graphs(folder)).signature_def
    return tuple(
        Signature(
            _shorten(name),
            tuple(_endpoints(signatures[name].inputs)),
            tuple(_endpoints(signatures[name].outputs)),
        )
        for name in sorted(signatures)
        if name != INIT_SIGNATURE
    )


def _endpoints(infos: Mapping[str, Message]) -> Iterator[Endpoint]:
    for name in sorted(infos):
        shape = infos[name].tensor_shape
        sides = tuple(None if side < 0 else side for side in shape_of(shape))
        dtype = dtype_name(infos[name].dtype)
        yield Endpoint(_shorten(name), dtype, None if shape.unknown_rank else sides)


def _read_graphs(folder: Path) -> list[Message]:
    data = _read_file(folder / "saved_model.pb")
    if data is None:
        raise InputError("has no saved_model.pb. Give the folder that holds this file.")
    if _count_fields(data, _MAX_GRAPHS) >= _MAX_GRAPHS:
        raise UnsafeInputError(f"holds a saved_model.pb of more than {_MAX_GRAPHS} parts.")
    graphs = list(parse_message("SavedModel", data, "saved_model.pb").meta_graphs)
    if not graphs:
        raise InputError("holds an empty saved_model.pb. Copy the folder again.")
    return graphs


def _count_fields(data: bytes, most: int) -> int:
    """Fields of a message, counted without reading them; at most ``most``.

    Each graph becomes an object of some hundred bytes, and may be stored in two.
    """
    place = count = 0
    try:
        while place < len(data) and count < most:
            tag, place = _varint(data, place)
            size, place = _varint(data, place)
            place += size if tag & 7 == 2 else 0
            count += 1
    except IndexError:  # cut off: the parser says so
        pass
    return count


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place, value, shift = place + 1, value | (byte & 0x7F) << shift, shift + 7
        if byte < 0x80 or shift > 63:
            return value, place


def _choose(graphs: list[Message]) -> Message:
    serving = (graph for graph in graphs if "serve" in graph.meta_info_def.tags)
    return next(serving, graphs[0])


def _read_file(path: Path) -> bytes | None:
    """The bytes of a regular file; None where there is none."""
    try:
        return read_regular(path, MAX_GRAPH_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.EFBIG:
            limit = MAX_GRAPH_BYTES >> 20
            raise UnsafeInputError(f"holds a {path.name} of more than {limit} MB.") from None
        if error.errno == errno.EINVAL:
            raise InputError(f"holds a {path.name} that is no regular file.") from None
        raise InputError(f"cannot be read ({path.name}: {error.strerror}).") from None


def _survey(folder: Path) -> tuple[list[Hazard], list[str]]:
    """Links that leave the folder, and the files that the graph brings along."""
    home = Path(os.path.realpath(folder))
    hazards, assets, stack, seen = [], [], [home], 0
    while stack:
        for entry in _scan(stack.pop()):
            seen += 1
            if seen > _MAX_FILES:
                raise UnsafeInputError(f"holds more than {_MAX_FILES} files.")
            place = os.path.relpath(entry.path, home)
            if entry.is_symlink():
                if not Path(os.path.realpath(entry.path)).is_relative_to(home):
                    what = "a link to a place outside the folder, which opening would read"
                    hazards.append(Hazard("folder_links", _shorten(place), what))
            elif entry.is_dir(follow_symlinks=False):
                stack.append(Path(entry.path))
            elif place.startswith("assets"):
                assets.append(_shorten(place))
    return hazards, sorted(assets)[:20]


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}.") from None


def _judge_assets(graph: Message) -> Iterator[Hazard]:
    for asset in graph.asset_file_def:
        name = asset.filename.replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/") or name[1:2] == ":" or "\0" in name:
            what = "an asset outside the folder, which opening would read"
            yield Hazard("folder_links", _shorten(asset.filename), what)


def _open_checkpoint(folder: Path, graph: Message, objects: Objects) -> Checkpoint | None:
    """None for graphs that keep their numbers as constants."""
    if (folder / "variables" / "variables.index").exists():
        return Checkpoint(folder)
    if objects.has_variables() or any(node.op in _VARIABLES for node in graph.graph_def.node):
        raise InputError(_NO_VARIABLES)
    return None


def _read_keras(folder: Path, graph: Message) -> dict[int, KerasObject]:
    """What Keras wrote, by node: in a file of its own since 2.5, in the object graph before."""
    data = _read_file(folder / "keras_metadata.pb")
    if data is not None:
        nodes = parse_message("KerasMetadata", data, "keras_metadata.pb").nodes
        found = {node.node_id: KerasObject(node.identifier, node.metadata) for node in nodes}
    else:
        users = ((i, node.user_object) for i, node in enumerate(graph.object_graph_def.nodes))
        found = {i: KerasObject(user.identifier, user.metadata) for i, user in users}
    found = {i: each for i, each in found.items() if _is_written_by_keras(i, each)}
    if sum(len(each.metadata) for each in found.values()) > MAX_METADATA_BYTES:
        limit = MAX_METADATA_BYTES >> 20
        raise UnsafeInputError(f"holds more than {limit} MB of Keras metadata.")
    return found


def _is_written_by_keras(node: int, written: KerasObject) -> bool:
    # The outermost object must be a model: a module that merely holds one is only a graph.
    kinds = ("_tf_keras_sequential", "_tf_keras_network", "_tf_keras_model")
    kind = written.identifier
    return bool(written.metadata) and kind.startswith("_tf_keras_" if node else kinds)


_DAMAGED_METADATA = "holds a broken or truncated keras_metadata.pb. Copy the folder again."


def _network(root: dict[str, Any]) -> dict[str, Any]:
    config = {"class_name": root.get("class_name"), "config": root.get("config")}
    if not isinstance(config["class_name"], str):
        raise InputError(_DAMAGED_METADATA)
    if not layers_of(config):
        raise InputError(
            f"holds a model of the class {config['class_name'][:_SHOWN]!r}, whose layers are "
            "Python code that is not in the folder. Open it where the class is defined and call "
            "`reportgen.audit(model, x, y)`."
        )
    return config


def _plain(value: Any) -> Any:
    """JSON without the wrappers that Keras 2 put around tuples, shapes and objects."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if not isinstance(value, dict):
        return value
    wrapper = value.get("class_name")
    if wrapper in ("__tuple__", "TensorShape") and "items" in value:
        return _plain(value["items"])
    if wrapper == "__bytes__" and "value" in value:
        return value["value"]
    return {key: _plain(part) for key, part in value.items() if key != "__passive_serialization__"}


def _list_rest(checkpoint: Checkpoint | None, known: tuple[Array, ...]) -> tuple[Array, ...]:
    keys = {array.key for array in known}
    if checkpoint is None:
        return ()
    rest = (key for key in checkpoint.stored_keys() if key not in keys)
    return tuple(Array("", key, key, *checkpoint.describe(key)) for key in rest)


def _shorten(text: Any) -> str:
    return text[:_SHOWN] if isinstance(text, str) else ""
