"""Reading and judging a model file. Nothing is built, nothing of it is executed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from reportgen.errors import ConfigurationError, InputError, UnsafeInputError
from reportgen.files import Folder, leads_out, open_regular, read_regular
from reportgen.subject.model_file.configuration import MAX_BYTES, is_object, parse, walk
from reportgen.subject.model_file.content import Content, Format, Hazard
from reportgen.subject.model_file.declared import Declared, declare
from reportgen.subject.model_file.folders import UNPACKED, is_unpacked, locate
from reportgen.subject.model_file.formats import WAY_OUT, format_name, recognise, suffix_note
from reportgen.subject.model_file.reading import archive, hdf5_file
from reportgen.subject.model_file.repairs.table import Repair, layers, repair
from reportgen.subject.model_file.safety.allowed import GONE
from reportgen.subject.model_file.safety.evidence import Evidence
from reportgen.subject.model_file.safety.guards import find_hazards, missing_code
from reportgen.subject.model_file.safety.references import Reference
from reportgen.subject.model_file.saved_model import folder as saved_model
from reportgen.subject.model_file.training import describe_training

_SHOWN = 5
MAX_LAYERS = 10_000
_MAX_FILE_BYTES = 64 * 2**30  # hashing it takes a minute
MAX_OBJECTS = 60_000
_READERS = {Format.KERAS: archive.read_archive, Format.HDF5: hdf5_file.read_hdf5}
Stamp = tuple[int, ...]


@dataclass(frozen=True)
class ModelFile:
    """A model file that was read and judged, and not yet opened.

    config: the network in the terms of Keras 3. repairs: what that took.
    hazards: the reasons why opening it is not safe. missing: code of its own that it needs.
    stamp: tells whether the file on the disk is still the one that was read.
    """

    path: Path
    content: Content
    config: Any
    declared: Declared
    sha256: str
    size_bytes: int
    stamp: Stamp
    repairs: tuple[Repair, ...] = ()
    hazards: tuple[Hazard, ...] = ()
    missing: tuple[Reference, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> Format:
        """The format, by the bytes."""
        return self.content.format

    @property
    def keras_version(self) -> str | None:
        """The Keras that wrote it, if it says so."""
        return self.content.writer

    @property
    def training(self) -> dict[str, str]:
        """What the file says of its training: optimizer, loss, metrics."""
        return describe_training(self.content.training)


def identify(
    path: Path,
    *,
    custom: Iterable[str] = (),
    architecture: Path | None = None,
    sha256: str | None = None,
    allow_unsafe: bool = False,
) -> ModelFile:
    """Read ``path`` and make sure that it may be opened.

    Args:
        custom: names of classes and functions that the user supplies.
        architecture: a JSON file with the network, for a file of weights.
        sha256: the hash that the file must have.
        allow_unsafe: let hazards pass; they stay in the result.

    Raises:
        UnsafeInputError: opening it would run or read what it must not; names each reason.
        InputError: not a model that can be opened; says what it is and the way out.
    """
    file = examine(path, custom=custom, architecture=architecture, sha256=sha256)
    if file.hazards and not allow_unsafe:
        raise UnsafeInputError(f"{path} was not opened. {_reasons(file.hazards)}")
    if file.missing:
        raise InputError(f"{path} {_needs(file.missing)}")
    if file.kind is Format.FUNCTION:
        raise InputError(
            f"{path} is a SavedModel without Keras layers: only the function that it computes was "
            f"saved, so there is nothing to look into. {WAY_OUT}"
        )
    return file


def examine(
    path: Path,
    *,
    custom: Iterable[str] = (),
    architecture: Path | None = None,
    sha256: str | None = None,
) -> ModelFile:
    """Like `identify`, but hazards and missing code are told, not raised.

    Raises:
        InputError: not a model file, or broken.
        UnsafeInputError: its hash is not ``sha256``; then nothing of it was parsed.
    """
    path, found = locate(path)
    if os.path.isdir(path):
        content, digest, size, stamp = _read_folder(path, sha256)
    else:
        content, digest, size, stamp = read_file(path, sha256)
    content = _with_architecture(path, content, architecture)
    content = _limit_layers(content)
    try:
        config, repairs = repair(content.config, content.writer, frozenset(custom))
    except (TypeError, ValueError, KeyError, AttributeError, IndexError):
        # Whatever a stranger wrote there, Keras did not.
        raise InputError(f"{path} holds a configuration that Keras did not write.") from None
    whole = content.format in (Format.KERAS, Format.HDF5) and not content.hazards
    if (whole or content.config is not None) and not is_object(config):
        raise InputError(f"{path} holds a configuration that is no network. Copy it again.")
    evidence = Evidence(
        content,
        config,
        declare(config),
        frozenset(custom),
        old_layout=content.backend == "theano" or any(r.rule == "keras_1" for r in repairs),
    )
    hazards = find_hazards(evidence)
    return ModelFile(
        path,
        content,
        config,
        evidence.declared,
        digest,
        size,
        stamp,
        repairs,
        hazards,
        () if hazards else missing_code(evidence),
        (
            *found,
            *(suffix_note(path, content.format) if os.path.isfile(path) else ()),
            *content.notes,
            *_unjudged_note(evidence.declared),
        ),
    )


def _unjudged_note(declared: Declared) -> tuple[str, ...]:
    """That guards had nothing to look at must be said: they would seem to have found nothing."""
    unjudged = [address[:80] for address in declared.unjudged]
    if not unjudged:
        return ()
    shown = ", ".join(unjudged[:_SHOWN])
    more = f" and {len(unjudged) - _SHOWN} more" if len(unjudged) > _SHOWN else ""
    layers = "1 layer" if len(unjudged) == 1 else f"{len(unjudged):,} layers"
    whose = f"{layers} ({shown}{more})" if declared.walked else shown
    return (
        f"The shapes of {whose} could not be told from the file alone, so it was not judged "
        "beforehand whether they fit what the file stores.",
    )


def _limit_layers(content: Content) -> Content:
    """Leave a configuration alone that is so large that repairing it would take minutes."""
    if not is_object(content.config):
        return content
    count = sum(1 for _ in layers(content.config))
    objects = sum(1 for _ in walk(content.config)) if count <= MAX_LAYERS else 0
    if count <= MAX_LAYERS and objects <= MAX_OBJECTS:
        return content
    said = f"it has {count:,} layers; the limit is {MAX_LAYERS:,}"
    if objects:
        said = f"it describes {objects:,} objects; the limit is {MAX_OBJECTS:,}"
    return replace(content, config=None, hazards=(*content.hazards, Hazard("layers", "", said)))


def _reasons(hazards: tuple[Hazard, ...]) -> str:
    shown = "; ".join(str(hazard) for hazard in hazards[:_SHOWN])
    more = f"; and {len(hazards) - _SHOWN} more" if len(hazards) > _SHOWN else ""
    return (
        f"It is not safe: {shown}{more}. Save the model without this. Only if you trust whoever "
        "made the file: --allow-unsafe."
    )


def _needs(missing: tuple[Reference, ...]) -> str:
    gone = [reference for reference in missing if reference.what.rpartition(".")[2] in GONE]
    if gone:
        name = gone[0].what.rpartition(".")[2]
        return (
            f"has a layer of the class {name!r} ({gone[0].where[:80]}), which Keras 3 no longer "
            "has. Supply one that computes the same with --custom-objects."
        )
    parts = [reference.what.replace(">", ".").rpartition(".") for reference in missing]
    names = ", ".join(repr(name) for _, _, name in parts[:_SHOWN])
    module = parts[0][0] if "." in missing[0].what and ">" not in missing[0].what else "module"
    where = f" (layer {missing[0].where[:80]})" if missing[0].where else ""
    return (
        f"needs the custom class {names}{where}, which is not part of Keras. Name the module that "
        f"defines it: --custom-objects {module}:{parts[0][2]}, or open the model there and call "
        "`reportgen.audit(model, x, y)`."
    )


def stamp_of(stream: IO[bytes]) -> Stamp:
    """What tells one state of a file on the disk from another."""
    status = os.fstat(stream.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def stamp_of_folder(path: Path) -> Stamp:
    """The same of the files of a folder that an unpacked archive consists of."""
    found = [(path / name).stat() for name in UNPACKED if (path / name).is_file()]
    return tuple(part for one in found for part in (one.st_ino, one.st_size, one.st_mtime_ns))


def read_file(path: Path, sha256: str | None = None) -> tuple[Content, str, int, Stamp]:
    """What a file holds, its hash, its size in bytes and its stamp. Its network is not judged.

    Raises:
        InputError: not a model file, or broken.
        UnsafeInputError: its hash is not ``sha256``; then nothing of it was parsed.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise InputError(f"{path} is not a regular file. Copy the model into one.")
    try:
        # One descriptor for the hash and for everything that is read.
        with open_regular(path, _MAX_FILE_BYTES) as stream:
            if sha256 is None:  # what is no model at all needs no hash
                kind = recognise(path, stream.read(4096))
                stream.seek(0)
            digest, stamp = hashlib.file_digest(stream, "sha256").hexdigest(), stamp_of(stream)
            _check_hash(path, digest, sha256)
            stream.seek(0)
            kind = recognise(path, stream.read(4096))
            stream.seek(0)
            return _read(path, kind, stream), digest, stamp[2], stamp
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Give the path of a model file.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None


def _read(path: Path, kind: Format, stream: IO[bytes]) -> Content:
    try:
        return _READERS[kind](stream)
    except UnsafeInputError as error:
        return Content(kind, hazards=(Hazard("limits", "", str(error).rstrip(".")),))
    except InputError as error:
        raise InputError(f"{path} {error}") from None


def _check_hash(path: Path, digest: str, wanted: str | None) -> None:
    if wanted is not None and digest != wanted.lower():
        raise UnsafeInputError(
            f"{path} is not the file that was pinned: its SHA-256 is {digest}, not "
            f"{wanted[:64].lower()}. Nothing of it was read. Find out who changed it."
        )


def _read_folder(path: Path, sha256: str | None) -> tuple[Content, str, int, Stamp]:
    unpacked = is_unpacked(path)
    files = [path / name for name in UNPACKED] if unpacked else _files_of_graph(path)
    try:
        digest, size = _hash_files(path, files)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    _check_hash(path, digest, sha256)
    try:
        if unpacked:
            with Folder(path) as folder:
                return archive.read_unpacked(folder), digest, size, stamp_of_folder(path)
        return saved_model.read_saved_model(path), digest, size, stamp_of_folder(path)
    except UnsafeInputError as error:
        hazard = Hazard("limits", "", str(error).rstrip("."))
        kind = Format.KERAS if unpacked else Format.SAVED_MODEL
        return Content(kind, hazards=(hazard,)), digest, size, stamp_of_folder(path)
    except InputError as error:
        raise InputError(f"{path} {error}") from None


def _files_of_graph(path: Path) -> list[Path]:
    return [path / "saved_model.pb", path / "keras_metadata.pb", *sorted(path.glob("variables/*"))]


def _hash_files(path: Path, files: list[Path]) -> tuple[str, int]:
    """SHA-256 over the names and hashes of the files that Keras wrote, and their size in bytes."""
    total, size = hashlib.sha256(), 0
    for file in files:
        if file.is_file() and not leads_out(file, path):  # such a link is refused below
            with open_regular(file, _MAX_FILE_BYTES) as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            total.update(f"{digest}  {os.fsencode(file.name)!r}\n".encode())
            size += file.stat().st_size
    return total.hexdigest(), size


def _with_architecture(path: Path, content: Content, architecture: Path | None) -> Content:
    if architecture is None or content.hazards:
        return content
    if content.format is not Format.WEIGHTS:
        raise ConfigurationError(
            f"architecture: {path} holds its own network ({format_name(content.format)}). "
            "Leave --architecture away."
        )
    try:
        config = parse(read_regular(architecture, MAX_BYTES), str(architecture))
    except OSError as error:
        raise InputError(f"{architecture} cannot be read: {error.strerror}.") from None
    return replace(content, config=config)
