"""Reading HDF5 without following it anywhere: links, filters and sizes are looked at first."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Iterator
from typing import IO, Any

import h5py
import numpy as np

from reportgen.errors import InputError
from reportgen.subject.model_file.configuration import MAX_BYTES, parse
from reportgen.subject.model_file.content import Array, Content, Format, Hazard
from reportgen.subject.model_file.reading.hdf5_survey import BFLOAT16, shorten, survey, type_name

_MAX_NAMES_BYTES = 16 * 2**20
# What h5py raises on bytes that are not what they claim to be.
DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,
    OverflowError,
    AttributeError,
    IndexError,
    NotImplementedError,
)
_MORE_NAMES = 100
_EMPTY = "is an empty HDF5 file. Copy the model file again."


def read_hdf5(stream: IO[bytes]) -> Content:
    """What a whole-model or weights-only HDF5 file holds.

    Raises:
        InputError: it is broken or empty; the message is a predicate ("is a broken ...").
        UnsafeInputError: its configuration is beyond all limits.
    """
    try:
        with h5py.File(stream, "r") as file:
            return _read(file)
    except DAMAGE as error:
        raise InputError(f"is a broken or truncated HDF5 file ({error}). Copy it again.") from None


def read_weights(stream: IO[bytes], described: int) -> Content:
    """What the file of weights inside an archive holds, by its groups.

    Args:
        described: how many objects its configuration describes, at most.

    Raises:
        InputError: it is broken; the message is a predicate.
    """
    try:
        with h5py.File(stream, "r") as file:
            hazards, datasets = survey(file, described)
    except DAMAGE as error:
        raise InputError(f"holds broken weights ({error}). Copy it again.") from None
    return Content(Format.WEIGHTS, arrays=tuple(datasets), hazards=hazards)


def _read(file: h5py.File) -> Content:
    if not len(file) and not len(file.attrs):
        raise InputError(_EMPTY)
    text = _read_text(file, "model_config")
    hazards, datasets = survey(file, count_described(text) if text else None)
    if hazards:  # nothing more is read from a file that points elsewhere
        return Content(Format.HDF5, hazards=hazards)
    root = file.get("model_weights", file)
    writer = _read_text(file, "keras_version") or _read_text(root, "keras_version")
    hazards, arrays = (
        _list_arrays(root, len(datasets)) if "layer_names" in names(root) else ((), ())
    )
    known = {array.key for array in arrays}
    rest = [array for array in datasets if array.key not in known]
    if text is None:
        if not arrays and not datasets:
            raise InputError(_EMPTY)
        return Content(Format.WEIGHTS, writer, arrays=arrays or tuple(rest), hazards=hazards)
    training = _read_text(file, "training_config")
    return Content(
        Format.HDF5,
        writer,
        parse(text, "The configuration (model_config)"),
        _parse_training(training),
        arrays,
        hazards,
        rest=tuple(rest),
        backend=_read_text(file, "backend") or _read_text(root, "backend"),
    )


def count_described(text: str | bytes) -> int:
    """How many objects a configuration describes, at most: each has a class."""
    key = "class_name"
    return text.count(key.encode()) if isinstance(text, bytes) else text.count(key)


def _parse_training(text: str | None) -> Any:
    try:
        return parse(text, "The training configuration") if text else None
    except InputError:  # only told in the report, never run
        return None


def _list_arrays(root: h5py.Group, most: int) -> tuple[tuple[Hazard, ...], tuple[Array, ...]]:
    """The weights in their writer's order, by the two lists of names that Keras writes.

    Args:
        most: how many arrays the file stores.
    """
    arrays: list[Array] = []
    layers = _read_names(root, "layer_names")
    if "top_level_model_weights" in root and "top_level_model_weights" not in layers:
        layers.append("top_level_model_weights")
    # A name takes a few bytes, and costs a look into its group: a short list could take hours.
    if len(layers) > 2 * len(root) + _MORE_NAMES:
        said = f"it lists {len(layers):,} layers, and has {len(root):,} groups"
        return (Hazard("hdf5", "layer_names", said),), ()
    for layer in layers:
        if not _is_inside(layer):
            return (Hazard("hdf5", shorten(layer), "a layer name that leaves its group"),), ()
        group = root[layer]
        weights = _read_names(group, "weight_names")
        if len(arrays) + len(weights) > most:
            said = f"it lists more weights than the {most:,} arrays that it stores"
            return (Hazard("hdf5", shorten(layer), said),), ()
        for name in weights:
            if not _is_inside(name):
                return (Hazard("hdf5", shorten(name), "a weight name that leaves its group"),), ()
            item = group[name]
            number = isinstance(item, h5py.Dataset) and (
                item.dtype.kind in "biuf" or type_name(item.dtype) == BFLOAT16
            )
            if not number:
                raise ValueError(f"{shorten(name)} is no array of numbers")
            arrays.append(
                Array(
                    layer,
                    name,
                    posixpath.join(group.name, name),
                    tuple(map(int, item.shape)),
                    type_name(item.dtype),
                    int(item.id.get_storage_size()),
                )
            )
    return (), tuple(arrays)


def _is_inside(name: str) -> bool:
    return bool(name) and not name.startswith("/") and ".." not in name.split("/")


def names(group: h5py.Group) -> set[str]:
    """The names of a group's attributes; a long list of names is cut into numbered ones."""
    return {name.rstrip("0123456789") if name[-1:].isdigit() else name for name in group.attrs}


def _read_names(group: h5py.Group, attribute: str) -> list[str]:
    if attribute in group.attrs:
        parts = [attribute]
    else:
        numbered = (f"{attribute}{i}" for i in range(len(group.attrs)))
        parts = [name for name in numbered if name in group.attrs]
    found: list[str] = []
    for part in parts:
        kind = group.attrs.get_id(part)
        if len(kind.shape) > 1 or kind.dtype.itemsize * math.prod(kind.shape) > _MAX_NAMES_BYTES:
            raise ValueError(f"{part} is not a list of names")
        found += [_decode(value) for value in np.atleast_1d(group.attrs[part])]
    return found


def _read_text(group: h5py.Group, attribute: str) -> str | None:
    if attribute not in group.attrs:
        return None
    kind = group.attrs.get_id(attribute)
    if kind.shape not in ((), (1,)) or kind.dtype.itemsize > MAX_BYTES:
        raise ValueError(f"{attribute} is not a text")
    value = group.attrs[attribute]
    return _decode(value.item() if isinstance(value, np.ndarray) else value)


def _decode(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def read_values(item: h5py.Dataset) -> Any:
    """The numbers of a dataset."""
    if type_name(item.dtype) != BFLOAT16:
        return item[()]
    import ml_dtypes

    return item[()].view(ml_dtypes.bfloat16)


def read_arrays(stream: IO[bytes], arrays: tuple[Array, ...]) -> Iterator[tuple[Array, Any]]:
    """The values of ``arrays``, one after the other, as they were surveyed.

    Raises:
        InputError: the bytes are damaged.
    """
    try:
        with h5py.File(stream, "r") as file:
            for array in arrays:
                item = file[array.key]
                if tuple(item.shape) != array.shape:
                    raise ValueError(f"{shorten(array.name)} changed its shape")
                yield array, read_values(item)
    except DAMAGE as error:
        raise InputError(f"is a broken or truncated HDF5 file ({error}). Copy it again.") from None
