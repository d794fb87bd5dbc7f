"""Opening a model file that was read and judged: build, repair names, load weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reportgen.errors import InputError, UnsafeInputError
from reportgen.files import Folder
from reportgen.subject.model_file.building.network import (
    build,
    drop_unknown,
    load_archive_weights,
    load_weights_file,
)
from reportgen.subject.model_file.building.weights import load_arrays
from reportgen.subject.model_file.content import Content, Format
from reportgen.subject.model_file.identification import (
    ModelFile,
    Stamp,
    stamp_of,
    stamp_of_folder,
)
from reportgen.subject.model_file.reading import archive, hdf5_file
from reportgen.subject.model_file.repairs.table import Repair
from reportgen.subject.model_file.saved_model import folder as saved_model

if TYPE_CHECKING:
    import keras

_REBUILT = "The layers were rebuilt from the folder's description of them; its graph was not run"


def open_model(
    file: ModelFile,
    *,
    custom: Mapping[str, Any] | None = None,
    architecture: Callable[[Content], keras.Model] | None = None,
    allow_unsafe: bool = False,
) -> keras.Model:
    """Like `open_repaired`, without what it took."""
    options = {"custom": custom, "architecture": architecture, "allow_unsafe": allow_unsafe}
    return open_repaired(file, **options)[0]  # type: ignore[arg-type]


def open_repaired(
    file: ModelFile,
    *,
    custom: Mapping[str, Any] | None = None,
    architecture: Callable[[Content], keras.Model] | None = None,
    allow_unsafe: bool = False,
) -> tuple[keras.Model, tuple[Repair, ...]]:
    """The model with its weights, not compiled; and every repair that this took.

    Args:
        custom: classes and functions by name that the user supplies.
        architecture: makes the network for a file of weights that has none.

    Raises:
        UnsafeInputError: building would allocate far more than the file stores.
        InputError: it cannot be built, or the weights do not fit; says why and the way out.
    """
    dropped: tuple[Repair, ...] = ()
    try:
        if file.config is not None:
            config, dropped = drop_unknown(file.config)
            network = build(config, file.content, custom=custom or {}, allow_unsafe=allow_unsafe)
        elif architecture is not None:
            network = architecture(file.content)
        elif file.hazards:
            raise UnsafeInputError(
                f"Its container was not read further: {file.hazards[0]}. --allow-unsafe lets code "
                "in a network pass, not this. Copy the model into a clean file."
            )
        else:
            raise InputError(
                "holds weights only: there is no network in it. Give the network with "
                "--architecture: a JSON file, module:function, or a name of keras.applications."
            )
        return network, (*file.repairs, *dropped, *_load(file, network, allow_unsafe))
    except (InputError, UnsafeInputError) as error:
        raise type(error)(f"{file.path} {_as_sentence(error, file)}") from None


def _as_sentence(error: Exception, file: ModelFile) -> str:
    said = str(error)
    if isinstance(error, UnsafeInputError):
        return f"was not opened. {said}"
    if "--architecture" in said or "Copy" in said:
        return said
    if file.keras_version == metadata.version("keras"):
        return (
            f"{said} This very Keras wrote it: see whether keras.saving.load_model opens it. If "
            "not, build the model by its own code and hand it to reportgen.audit in Python."
        )
    writer = f" {file.keras_version}" if file.keras_version else ""
    return (
        f"{said} Open it with the Keras{writer} that wrote it, save it as .keras, and audit that "
        "file."
    )


def _load(file: ModelFile, network: keras.Model, allow_unsafe: bool) -> tuple[Repair, ...]:
    content = file.content
    if content.format is Format.SAVED_MODEL:
        values = dict(saved_model.read_arrays(file.path, [array.key for array in content.arrays]))
        pairs = ((array, values[array.key]) for array in content.arrays)
        load_arrays(network, pairs, era=2)
        return (Repair("saved_model", _REBUILT),)
    return load_content(
        file.path, content, file.stamp, network, era=_era(file), allow_unsafe=allow_unsafe
    )


def load_content(
    path: Path,
    content: Content,
    stamp: Stamp,
    network: keras.Model,
    *,
    era: int = 2,
    allow_unsafe: bool = False,
) -> tuple[Repair, ...]:
    """Give ``network`` the weights of a file that was read; and the repairs that this took.

    Args:
        stamp: of the file when it was read. era: see `load_arrays`.

    Raises:
        InputError: the file has changed, is damaged, or its weights do not fit; a predicate.
        UnsafeInputError: it holds arrays that the network has no place for.
    """
    if path.is_dir():
        if stamp_of_folder(path) != stamp:
            raise InputError("changed while it was being read. Audit it again.")
        with Folder(path) as folder, archive.open_unpacked_weights(folder) as stream:
            said = load_weights_file(network, stream, allow_unsafe=allow_unsafe)
            return tuple(Repair("weight_groups", text) for text in said)
    with path.open("rb") as stream:
        if stamp_of(stream) != stamp:
            raise InputError("changed while it was being read. Audit it again.")
        if content.format is Format.KERAS:
            said = load_archive_weights(network, stream, allow_unsafe=allow_unsafe)
            return tuple(Repair("weight_groups", text) for text in said)
        if content.format is Format.WEIGHTS and not any(a.layer for a in content.arrays):
            said = load_weights_file(network, stream, allow_unsafe=allow_unsafe)
            return tuple(Repair("weight_groups", text) for text in said)
        stored = hdf5_file.read_arrays(stream, content.arrays)
        load_arrays(network, stored, era=era, backend=content.backend)
        return ()


def _era(file: ModelFile) -> int:
    return 1 if any(repair.rule == "keras_1" for repair in file.repairs) else 2
