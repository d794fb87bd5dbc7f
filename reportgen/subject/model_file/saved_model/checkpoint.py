"""Reading a TensorFlow checkpoint (``variables.index`` and its data files) with NumPy alone.

The index is a sorted string table: blocks of key and value, each with a CRC-32C. A value says
in which data file a tensor stands, at which offset, and the CRC-32C of its bytes, so that
damage is told instead of audited.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reportgen.errors import InputError, UnsafeInputError
from reportgen.subject.model_file.saved_model.checksum import crc32c, mask
from reportgen.subject.model_file.saved_model.protocol import Message, parse_message

MAX_INDEX_BYTES = 64 * 2**20
_MAX_SHARDS = 10_000
_MAX_BLOCKS = 10_000  # TensorFlow fills one with 256 KB
_MAX_TENSORS = 200_000
_MAX_KEY_BYTES = 4096
_MAX_OBJECTS_BYTES = 256 * 2**20
_MAX_RANK = 32
_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_FOOTER_BYTES, _TRAILER_BYTES = 48, 5
_DTYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    7: "string",
    8: "complex64",
    9: "int64",
    10: "bool",
    14: "bfloat16",
    17: "uint16",
    18: "complex128",
    19: "float16",
    20: "resource",
    21: "variant",
    22: "uint32",
    23: "uint64",
}
_UNREADABLE = {"string", "resource", "variant"}
_DAMAGED = "holds a broken or truncated checkpoint ({}). Copy the folder again."
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
Bytes = npt.NDArray[np.uint8]


def dtype_name(number: int) -> str:
    """TensorFlow's number of a data type as a name; what we do not know is "type N"."""
    return _DTYPES.get(number, f"type {number}")


def is_number(dtype: str) -> bool:
    """Whether a tensor of this type is an array of numbers."""
    return dtype in _DTYPES.values() and dtype not in _UNREADABLE


def shape_of(shape: Message) -> tuple[int, ...]:
    """The sides of a shape message; -1 where a side is open."""
    return tuple(dimension.size for dimension in shape.dim)


class Checkpoint:
    """The tensors of ``<folder>/variables``, by key.

    Raises:
        InputError: files are missing, truncated or damaged; the text is a predicate.
        UnsafeInputError: the index is larger than any network needs.
    """

    def __init__(self, folder: Path) -> None:
        self._prefix = folder / "variables"
        index = _read_index(self._prefix / "variables.index")
        table = dict(islice(_read_table(index), _MAX_TENSORS + 1))
        if len(table) > _MAX_TENSORS:
            raise UnsafeInputError(f"lists more than {_MAX_TENSORS} tensors.")
        header = parse_message("BundleHeader", table.pop(b"", b""), "checkpoint")
        if header.endianness != 0:
            raise InputError("holds a checkpoint in big-endian order. Save it on a usual machine.")
        self._sizes = self._measure(header.num_shards)
        self._entries = {
            key.decode("utf-8", "backslashreplace"): parse_message(
                "BundleEntry", value, "checkpoint"
            )
            for key, value in table.items()
        }
        for key, entry in self._entries.items():
            self._check(key, entry)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def stored_keys(self) -> tuple[str, ...]:
        """Of all tensors, sorted; not of the list of objects."""
        return tuple(sorted(key for key in self._entries if key != _OBJECT_GRAPH))

    def describe(self, key: str) -> tuple[tuple[int, ...], str, int]:
        """Shape, data type and stored bytes of one tensor."""
        entry = self._entries[key]
        return shape_of(entry.shape), dtype_name(entry.dtype), entry.size

    def read(self, key: str) -> npt.NDArray[Any]:
        """One tensor; bfloat16 as float32, since NumPy has no such type.

        Raises:
            InputError: it is not in the checkpoint, is stored in pieces, holds no numbers, or
                its bytes are not those that were written.
        """
        entry = self._entries.get(key)
        if entry is None:
            raise InputError(_DAMAGED.format(f"{key[:80]!r} is missing"))
        name = dtype_name(entry.dtype)
        if entry.slices:
            raise InputError(f"holds {key[:80]!r} in pieces. Save the model on one machine.")
        if not is_number(name):
            raise InputError(f"holds {key[:80]!r} as {name}, which is no array of numbers.")
        raw = self._raw(entry, key)
        if name == "bfloat16":  # the upper half of a float32
            raw = (raw.view("<u2").astype(np.uint32) << 16).view(np.uint8)
            name = "float32"
        try:
            return raw.view(np.dtype(name).newbyteorder("<")).reshape(shape_of(entry.shape))
        except (ValueError, OverflowError):  # no elements, and sides beyond all limits
            raise InputError(_DAMAGED.format(f"the shape of {key[:80]!r}")) from None

    def object_graph(self) -> Message | None:
        """Which object owns which key; None in checkpoints of TensorFlow 1."""
        entry = self._entries.get(_OBJECT_GRAPH)
        if entry is None:
            return None
        if entry.size > _MAX_OBJECTS_BYTES:
            raise UnsafeInputError("holds a list of objects beyond all limits.")
        data = _raw_bytes(self._stream_of(entry), entry)
        length, start = _varint(data, 0)
        # Between the length and the text stands the checksum of the length.
        text = data[start + 4 :]
        if length != len(text):
            raise InputError(_DAMAGED.format("its list of objects"))
        return parse_message("CheckpointGraph", text, "checkpoint")

    def _raw(self, entry: Message, key: str) -> Bytes:
        raw = np.frombuffer(_raw_bytes(self._stream_of(entry), entry), np.uint8)
        if mask(crc32c(raw)) != entry.crc32c:
            raise InputError(_DAMAGED.format(f"the bytes of {key[:80]!r} have changed"))
        return raw

    def _measure(self, shards: int) -> list[int]:
        if not 1 <= shards <= _MAX_SHARDS:
            raise InputError(_DAMAGED.format(f"{shards} data files"))
        sizes = []
        for path in (self._shard(number, shards) for number in range(shards)):
            if not path.is_file():
                raise InputError(
                    f"is a SavedModel without its file {path.name}. Copy the whole folder again."
                )
            sizes.append(path.stat().st_size)
        return sizes

    def _shard(self, number: int, shards: int) -> Path:
        return self._prefix / f"variables.data-{number:05}-of-{shards:05}"

    def _stream_of(self, entry: Message) -> Path:
        return self._shard(entry.shard_id, len(self._sizes))

    def _check(self, key: str, entry: Message) -> None:
        sides = shape_of(entry.shape)
        name = dtype_name(entry.dtype)
        if entry.slices:  # the bytes stand under other keys
            return
        if not 0 <= entry.shard_id < len(self._sizes):
            raise InputError(_DAMAGED.format(f"{key[:80]!r} has no data file"))
        end = entry.offset + entry.size
        if entry.offset < 0 or entry.size < 0 or end > self._sizes[entry.shard_id]:
            raise InputError(_DAMAGED.format(f"{key[:80]!r} stands outside its data file"))
        if len(sides) > _MAX_RANK or min(sides, default=0) < 0:
            raise InputError(_DAMAGED.format(f"the shape of {key[:80]!r}"))
        if not is_number(name):
            return
        needed = 2 if name == "bfloat16" else np.dtype(name).itemsize
        for side in sides:
            needed *= side
        if needed != entry.size:
            raise InputError(_DAMAGED.format(f"the size of {key[:80]!r}"))


def read_arrays(folder: Path, keys: Iterable[str]) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """The arrays that stand under ``keys``, one at a time.

    Raises:
        InputError: one of them is missing or damaged.
    """
    checkpoint = Checkpoint(folder)
    for key in keys:
        yield key, checkpoint.read(key)


def _raw_bytes(path: Path, entry: Message) -> bytes:
    try:
        with path.open("rb") as stream:
            stream.seek(entry.offset)
            data = stream.read(entry.size)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}.") from None
    if len(data) != entry.size:
        raise InputError(_DAMAGED.format(f"{path.name} ends early"))
    return data


def _read_index(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise InputError("is a SavedModel without its variables. Copy the whole folder again.")
        if path.stat().st_size > MAX_INDEX_BYTES:
            raise UnsafeInputError(f"has an index of more than {MAX_INDEX_BYTES >> 20} MB.")
        with path.open("rb") as stream:
            return stream.read(MAX_INDEX_BYTES)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}.") from None


def _read_table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(data) < _FOOTER_BYTES or not data.endswith(_MAGIC):
        raise InputError(_DAMAGED.format("variables.index"))
    footer = data[-_FOOTER_BYTES:]
    _, place = _handle(footer, 0)  # the first handle is that of the filters
    handle, _ = _handle(footer, place)
    seen = 0
    for number, (_, value) in enumerate(_read_block(data, handle)):
        block, _ = _handle(value, 0)
        seen += block[1]
        # Blocks do not overlap: nothing is read twice.
        if seen > len(data) or number > _MAX_BLOCKS:
            raise InputError(_DAMAGED.format("variables.index"))
        yield from _read_block(data, block)


def _read_block(data: bytes, handle: tuple[int, int]) -> Iterator[tuple[bytes, bytes]]:
    start, size = handle
    whole = data[start : start + size + _TRAILER_BYTES]
    if len(whole) != size + _TRAILER_BYTES or size < 4:
        raise InputError(_DAMAGED.format("variables.index"))
    expected = int.from_bytes(whole[-4:], "little")
    if whole[size] != 0 or mask(crc32c(np.frombuffer(whole[:-4], np.uint8))) != expected:
        raise InputError(_DAMAGED.format("variables.index"))  # TensorFlow never compresses it
    (restarts,) = struct.unpack_from("<I", whole, size - 4)
    end, place, key = size - 4 - 4 * restarts, 0, b""
    while place < end:
        shared, place = _varint(whole, place)
        fresh, place = _varint(whole, place)
        length, place = _varint(whole, place)
        whole_key = shared + fresh
        if shared > len(key) or place + fresh + length > end or whole_key > _MAX_KEY_BYTES:
            raise InputError(_DAMAGED.format("variables.index"))
        key = key[:shared] + whole[place : place + fresh]
        place += fresh + length
        yield key, whole[place - length : place]


def _handle(data: bytes, place: int) -> tuple[tuple[int, int], int]:
    offset, place = _varint(data, place)
    size, place = _varint(data, place)
    return (offset, size), place


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for index in range(10):
        if place + index >= len(data):
            break
        byte = data[place + index]
        value |= (byte & 127) << (7 * index)
        if byte < 128:
            return value, place + index + 1
    raise InputError(_DAMAGED.format("variables.index"))
