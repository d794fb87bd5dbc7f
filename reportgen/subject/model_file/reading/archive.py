"""Reading a .keras archive: its index first, then two members of it."""

from __future__ import annotations

import io
import lzma
import stat
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from reportgen.errors import InputError
from reportgen.files import Folder
from reportgen.subject.model_file.configuration import MAX_BYTES, parse
from reportgen.subject.model_file.content import Content, Format, Hazard
from reportgen.subject.model_file.reading import hdf5_file

_MAX_MEMBERS = 10_000
_MAX_RATIO = 100
_UNPACKED_BYTES = 64 * 2**20  # below this, no ratio is dangerous
_WEIGHTS = "model.weights.h5"
MAX_WEIGHTS_BYTES = 64 * 2**30
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,
    OverflowError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


def read_archive(stream: IO[bytes]) -> Content:
    """What a .keras archive holds.

    Raises:
        InputError: it is broken, or no model; the message is a predicate.
        UnsafeInputError: its configuration is beyond all limits.
    """
    with _open(stream) as archive:
        hazards = _survey(archive, stream)
        if hazards:
            return Content(Format.KERAS, hazards=hazards)
        if "config.json" not in archive.namelist():
            raise InputError("is a zip archive without config.json, so it is no Keras model.")
        text = _read_text(archive, "config.json")
        parse(text, "config.json")  # before the weights are unpacked
        metadata = _read_json(archive, "metadata.json") if _has(archive, "metadata.json") else {}
        weights = _survey_weights(archive, hdf5_file.count_described(text))
    return _describe(text, metadata, weights)


def read_unpacked(folder: Folder) -> Content:
    """What the folder of an unpacked .keras archive holds; no link in it is followed.

    Raises:
        InputError: it is broken; the message is a predicate.
        UnsafeInputError: its configuration is beyond all limits.
    """
    try:
        text = folder.read("config.json", MAX_BYTES)
        metadata = _read_metadata(folder)
        with folder.open(_WEIGHTS, MAX_WEIGHTS_BYTES) as stream:
            weights = hdf5_file.read_weights(stream, hdf5_file.count_described(text))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}.") from None
    return _describe(text, metadata, weights)


def open_unpacked_weights(folder: Folder) -> IO[bytes]:
    """The HDF5 file of weights in the folder of an unpacked archive.

    Raises:
        InputError: it is gone, or a link.
    """
    try:
        return folder.open(_WEIGHTS, MAX_WEIGHTS_BYTES)
    except OSError as error:
        raise InputError(f"has weights that cannot be read: {error.strerror}.") from None


def _read_metadata(folder: Folder) -> Any:
    try:
        return parse(folder.read("metadata.json", MAX_BYTES), "metadata.json")
    except FileNotFoundError:
        return {}


def _describe(text: bytes, metadata: Any, weights: Content) -> Content:
    config = parse(text, "config.json")
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    return Content(
        Format.KERAS,
        str(version)[:40] if version else None,
        config,
        config.get("compile_config") if isinstance(config, dict) else None,
        weights.arrays,
        weights.hazards,
    )


@contextmanager
def open_weights(stream: IO[bytes]) -> Iterator[IO[bytes] | None]:
    """The HDF5 file of weights in the archive, unpacked into a temporary file; None if absent.

    Raises:
        InputError: it is damaged.
    """
    with _open(stream) as archive:
        if not _has(archive, _WEIGHTS):
            yield None
            return
        with tempfile.TemporaryFile() as unpacked:
            _unpack(archive, _WEIGHTS, unpacked)
            yield unpacked


@contextmanager
def _open(stream: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(stream) as archive:
            yield archive
    except _DAMAGE as error:
        raise InputError(
            f"is a broken or truncated .keras archive ({error}). Copy it again."
        ) from None


def _has(archive: zipfile.ZipFile, name: str) -> bool:
    return name in archive.namelist()


def _survey(archive: zipfile.ZipFile, stream: IO[bytes]) -> tuple[Hazard, ...]:
    """Every reason not to unpack the archive, from its index alone."""
    members = archive.infolist()
    found = [_refuse_member(member) for member in members]
    hazards = [
        Hazard("archive", _show(m), said) for m, said in zip(members, found, strict=True) if said
    ]
    hazards += _find_twins(members)
    if len(members) > _MAX_MEMBERS:
        hazards.append(Hazard("archive", "", f"it has more than {_MAX_MEMBERS} members"))
    packed = stream.seek(0, 2)
    unpacked = sum(member.file_size for member in members)
    if unpacked > _UNPACKED_BYTES and unpacked > _MAX_RATIO * packed:
        said = f"{packed} bytes unpack to {unpacked >> 20} MB: a zip bomb"
        hazards.append(Hazard("archive_size", "", said))
    return tuple(hazards[:20])


def _find_twins(members: list[zipfile.ZipInfo]) -> list[Hazard]:
    folded = Counter(member.filename.casefold() for member in members)
    said = "is in the archive twice: two readers could see two models"
    return [Hazard("archive", name[:80], said) for name, count in folded.items() if count > 1]


def _refuse_member(member: zipfile.ZipInfo) -> str | None:
    name = member.orig_filename.replace("\\", "/")
    if name.startswith("/") or name[1:2] == ":":
        return "an absolute path, outside the archive"
    if ".." in name.split("/"):
        return "a path that leaves the archive"
    if "\0" in name:
        return "a name with a null byte"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "a symbolic link, which could point anywhere"
    if member.compress_size > member.file_size * 1.1 + 2**16:
        return "claims to unpack to less than it takes, so it lies about its size"
    if name.endswith(".json") and member.file_size > MAX_BYTES:
        return f"claims more than {MAX_BYTES >> 20} MB"
    return None


def _show(member: zipfile.ZipInfo) -> str:
    return member.filename[:80]


def _read_json(archive: zipfile.ZipFile, name: str) -> Any:
    return parse(_read_text(archive, name), name)


def _read_text(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).is_dir():
        raise InputError(f"has a folder where {name} should be. Copy the model again.")
    buffer = io.BytesIO()
    _unpack(archive, name, buffer)
    return buffer.getvalue()


def _survey_weights(archive: zipfile.ZipFile, described: int) -> Content:
    if not _has(archive, _WEIGHTS):
        return Content(Format.WEIGHTS)
    with tempfile.TemporaryFile() as unpacked:
        _unpack(archive, _WEIGHTS, unpacked)
        return hdf5_file.read_weights(unpacked, described)


def _unpack(archive: zipfile.ZipFile, name: str, target: IO[bytes]) -> None:
    """Copy a member, and never more of it than it claims."""
    left = archive.getinfo(name).file_size
    with archive.open(name) as source:
        while block := source.read(min(2**20, left + 1)):
            left -= len(block)
            if left < 0:
                raise ValueError(f"{name} is larger than it claims")
            target.write(block)
    target.seek(0)
