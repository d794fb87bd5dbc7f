"""Archives of arrays (``.npz``) that somebody else made: headers first, then what they claim."""

from __future__ import annotations

import io
import lzma
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Collection
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

# What zipfile and NumPy raise on bytes that are not what they claim to be. RuntimeError: encrypted;
# SyntaxError and TokenError: a header that is no Python literal.
DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    TypeError,
    IndexError,
    RuntimeError,
    MemoryError,
    OverflowError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
_MAX_HEADER_BYTES = 2**16
_MAX_MEMBERS = 10_000
_MAX_AXES = 32
# Version 3 is for names of fields beyond Latin-1: no plain numbers.
_HEADERS: dict[tuple[int, int], Callable[..., Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type that an ``.npy`` claims. At most 64 KiB of it are read.

    Raises:
        ValueError, or another of `DAMAGE`: it is none of plain values.
    """
    shape, dtype = _parse_header(stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not read; save numbers or text")
    if dtype.kind not in "biufcSU" or not dtype.itemsize:
        raise ValueError(f"it holds {dtype}, which is neither numbers nor text")
    return shape, dtype


def _parse_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type that an ``.npy`` claims, whatever it holds; none of that is read."""
    # NumPy reads a header of any length before it looks at that length.
    head = io.BytesIO(stream.read(_MAX_HEADER_BYTES))
    version = np.lib.format.read_magic(head)
    if version not in _HEADERS:
        raise ValueError(f"version {version} of .npy, which holds no plain numbers")
    shape, _, dtype = _HEADERS[version](head)
    if len(shape) > _MAX_AXES or any(type(side) is not int or side < 0 for side in shape):
        raise ValueError("its shape is none of an array")
    return tuple(shape), dtype


def list_names(archive: zipfile.ZipFile) -> tuple[str, ...]:
    """Names of the arrays, in the order of the file; none of them is opened.

    Raises:
        ValueError: there are too many.
    """
    members = archive.infolist()
    if len(members) > _MAX_MEMBERS:
        raise ValueError(f"it holds more than {_MAX_MEMBERS} arrays")
    return tuple(dict.fromkeys(member.filename.removesuffix(".npy") for member in members))


def read_shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...] | None:
    """Shape that the array ``name`` claims, also one that is not read; None if it is damaged."""
    for member in archive.infolist():
        if member.filename.removesuffix(".npy") == name:
            try:
                with archive.open(member) as stream:
                    return _parse_header(stream)[0]
            except DAMAGE:
                return None
    return None


def survey_npz(archive: zipfile.ZipFile, names: Collection[str] | None = None) -> dict[str, int]:
    """Bytes that each array claims, by name. Nothing but headers is read.

    Args:
        names: of the arrays to look at; the others are not opened. None: all.

    Raises:
        ValueError, or another of `DAMAGE`: names twice, claims beyond what is stored, no arrays.
    """
    wanted = set(list_names(archive) if names is None else names)
    claimed: dict[str, int] = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if name not in wanted:
            continue
        if name in claimed:
            raise ValueError(f"{name[:80]!r} stands in it twice")
        try:
            with archive.open(member) as stream:
                shape, dtype = read_header(stream)
        except DAMAGE as error:
            raise ValueError(f"{name[:80]!r}: {error or type(error).__name__}") from None
        claimed[name] = math.prod(shape) * dtype.itemsize
        if claimed[name] > member.file_size:
            raise ValueError(f"{name[:80]!r} claims shape {shape}, and has not so many values")
    return claimed


def read_npz(stream: IO[bytes], max_bytes: int) -> dict[str, NDArray[Any]]:
    """All arrays, by name; together they take at most ``max_bytes``.

    Raises:
        ValueError, or another of `DAMAGE`: damaged, too large, or not of plain values.
    """
    with zipfile.ZipFile(stream) as archive:
        total = sum(survey_npz(archive).values())
        if total > max_bytes:
            raise ValueError(f"its arrays take {total >> 20} MiB; at most {max_bytes >> 20}")
    stream.seek(0)
    with np.load(stream, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
