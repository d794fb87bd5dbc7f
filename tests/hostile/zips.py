"""A zip written by hand: every field may lie."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_MINUTE = 2**20


def zeros(megabytes: int) -> bytes:
    """A raw deflate stream of so many megabytes of zeros, put together from one of them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(bytes(_MINUTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    return piece * megabytes + b"\x03\x00"


@dataclass(frozen=True)
class Member:
    """One entry. What is None is told truly.

    data: as stored, after compression. method: 0 stored, 8 deflate. size: unpacked, as the
    central directory says; local_size: as the local header says. attributes: of the host
    system, Unix mode in the high half. borrow: the local header of that entry is used.
    """

    name: str
    data: bytes = b""
    method: int = 0
    flags: int = 0
    size: int | None = None
    local_size: int | None = None
    stored: int | None = None
    checksum: int | None = None
    attributes: int = 0
    borrow: int | None = None


def deflated(name: str, data: bytes, **other: int) -> Member:
    """An honestly compressed entry."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    true = {"size": len(data), "checksum": zlib.crc32(data)}
    return Member(name, packed, method=8, **{**true, **other})


def write_zip(path: Path, members: list[Member], *, comment: bytes = b"") -> None:
    """Write the entries in their order, then the directory."""
    body, directory, offsets = bytearray(), bytearray(), []
    for member in members:
        if member.borrow is None:
            offsets.append(len(body))
            body += _LOCAL + _fields(member, local=True) + member.name.encode() + member.data
        else:
            offsets.append(offsets[member.borrow])
        name = member.name.encode()
        directory += _CENTRAL + struct.pack("<H", 3 << 8 | 20) + _fields(member, local=False)
        directory += struct.pack("<HHHII", 0, 0, 0, member.attributes, offsets[-1]) + name
    count = len(members) & 0xFFFF
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), len(comment))
    path.write_bytes(bytes(body) + bytes(directory) + _END + end + comment)


def _fields(member: Member, *, local: bool) -> bytes:
    """From the version needed to the length of the extra field."""
    size = len(member.data) if member.size is None else member.size
    if local and member.local_size is not None:
        size = member.local_size
    stored = len(member.data) if member.stored is None else member.stored
    checksum = zlib.crc32(member.data) if member.checksum is None else member.checksum
    name = len(member.name.encode())
    head = (20, member.flags, member.method, 0, 0x21, checksum, stored & 0xFFFFFFFF)
    return struct.pack("<HHHHHIIIHH", *head, size & 0xFFFFFFFF, name, 0)
