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

MAX_OBJECTS = 40_000
_MAX_LEVELS = 64
_BFLOAT16 = "bfloat16"
_MAX_NAMES_BYTES = 16 * 2**20
# Filters that h5py brings along; any other would be a library loaded from the disk.
_OWN_FILTERS = {1, 2, 3, 4, 6, 32000}  # gzip, shuffle, fletcher32, szip, scale-offset, lzf
_ALLOCATION_BYTES = 64 * 2**20
_RATIO = 200
# What h5py raises on bytes that are not what they claim to be.
DAMAGE = (
    OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, OverflowError,
    AttributeError, IndexError, NotImplementedError,
)  # fmt: skip
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


def read_weights(stream: IO[bytes]) -> Content:
    """What the file of weights inside an archive holds, by its groups.

    Raises:
        InputError: it is broken; the message is a predicate.
    """
    try:
        with h5py.File(stream, "r") as file:
            hazards, datasets = survey(file)
    except DAMAGE as error:
        raise InputError(f"holds broken weights ({error}). Copy it again.") from None
    return Content(Format.WEIGHTS, arrays=tuple(datasets), hazards=hazards)


def _read(file: h5py.File) -> Content:
    if not len(file) and not len(file.attrs):
        raise InputError(_EMPTY)
    hazards, datasets = survey(file)
    if hazards:  # nothing more is read from a file that points elsewhere
        return Content(Format.HDF5, hazards=hazards)
    text = _read_text(file, "model_config")
    root = file.get("model_weights", file)
    writer = _read_text(file, "keras_version") or _read_text(root, "keras_version")
    hazards, arrays = _list_arrays(root) if "layer_names" in names(root) else ((), ())
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


def _parse_training(text: str | None) -> Any:
    try:
        return parse(text, "The training configuration") if text else None
    except InputError:  # only told in the report, never run
        return None


def survey(root: h5py.Group) -> tuple[tuple[Hazard, ...], list[Array]]:
    """Every dataset below ``root``, and every reason not to follow what is there."""
    hazards: list[Hazard] = []
    datasets: list[Array] = []
    seen, stack, count = {_token(root)}, [(root, 0)], 0
    while stack and not hazards:
        group, level = stack.pop()
        count += len(group)
        for name in group:
            path = posixpath.join(group.name, name)
            reason = _refuse_link(group, name)
            if count > MAX_OBJECTS:
                reason = f"the file holds more than {MAX_OBJECTS} objects"
            elif level > _MAX_LEVELS:
                reason = "groups are nested deeper than any network needs"
            if reason is None:
                reason = _visit(group[name], path, level, seen, stack, datasets)
            if reason:
                hazards.append(Hazard("hdf5", _short(path), reason))
                break
    if not hazards:
        hazards += _weigh(datasets)
    return tuple(hazards), datasets


def _weigh(datasets: list[Array]) -> list[Hazard]:
    """Many datasets that are each small enough, and together claim far more than they take."""
    claimed = sum(array.claimed_bytes for array in datasets)
    stored = sum(array.stored_bytes for array in datasets)
    if claimed <= _ALLOCATION_BYTES or claimed <= _RATIO * stored:
        return []
    said = f"its datasets claim {claimed >> 20} MB and take {stored} bytes: a bomb"
    return [Hazard("hdf5_size", "", said)]


def _visit(
    item: Any,
    path: str,
    level: int,
    seen: set[Any],
    stack: list[tuple[h5py.Group, int]],
    datasets: list[Array],
) -> str | None:
    token = _token(item)
    if token in seen:
        return "the same object is linked twice, which no Keras file does"
    seen.add(token)
    if isinstance(item, h5py.Group):
        stack.append((item, level + 1))
        return None
    if not isinstance(item, h5py.Dataset):
        return "an object that is neither a group nor a dataset"
    stored = int(item.id.get_storage_size())
    array = Array(
        "", path.lstrip("/"), path, tuple(map(int, item.shape or ())), _dtype(item), stored
    )
    datasets.append(array)
    return _refuse_dataset(item, array)


def _token(item: Any) -> Any:
    return h5py.h5o.get_info(item.id).addr


def _refuse_link(group: h5py.Group, name: str) -> str | None:
    link = group.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        return f"a link to another file ({_short(str(link.filename))}), which opening would read"
    if isinstance(link, h5py.SoftLink):
        return "a soft link, which no Keras file holds"
    return None


def _dtype(item: h5py.Dataset) -> str:
    """Its type by name; HDF5 has no bfloat16, so Keras writes two bytes of no type."""
    return _BFLOAT16 if item.dtype == np.dtype("V2") else str(item.dtype)


def _refuse_dataset(item: h5py.Dataset, array: Array) -> str | None:
    if item.is_virtual:
        return "a virtual dataset, which reads other files"
    if item.external:
        return "a dataset whose values lie in another file"
    creation = item.id.get_create_plist()
    filters = {creation.get_filter(i)[0] for i in range(creation.get_nfilters())}
    if filters - _OWN_FILTERS:
        return "a dataset with a filter that would load a library from the disk"
    if (
        item.dtype.kind not in "biufS" and array.dtype != _BFLOAT16
    ):  # people add fixed texts, such as names of classes
        return "a dataset of something else than numbers, which are no weights"
    size = array.claimed_bytes
    if size > _ALLOCATION_BYTES and size > _RATIO * max(array.stored_bytes, 1):
        return f"a dataset of {size >> 20} MB that takes {array.stored_bytes} bytes: a bomb"
    return None


def _list_arrays(root: h5py.Group) -> tuple[tuple[Hazard, ...], tuple[Array, ...]]:
    """The weights in their writer's order, by the two lists of names that Keras writes."""
    arrays: list[Array] = []
    layers = _read_names(root, "layer_names")
    if "top_level_model_weights" in root and "top_level_model_weights" not in layers:
        layers.append("top_level_model_weights")
    for layer in layers:
        if not _is_inside(layer):
            return (Hazard("hdf5", _short(layer), "a layer name that leaves its group"),), ()
        group = root[layer]
        for name in _read_names(group, "weight_names"):
            if not _is_inside(name):
                return (Hazard("hdf5", _short(name), "a weight name that leaves its group"),), ()
            item = group[name]
            number = isinstance(item, h5py.Dataset) and (
                item.dtype.kind in "biuf" or _dtype(item) == _BFLOAT16
            )
            if not number:
                raise ValueError(f"{_short(name)} is no array of numbers")
            arrays.append(
                Array(
                    layer,
                    name,
                    posixpath.join(group.name, name),
                    tuple(map(int, item.shape)),
                    _dtype(item),
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


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"


def read_values(item: h5py.Dataset) -> Any:
    """The numbers of a dataset."""
    if _dtype(item) != _BFLOAT16:
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
                    raise ValueError(f"{_short(array.name)} changed its shape")
                yield array, read_values(item)
    except DAMAGE as error:
        raise InputError(f"is a broken or truncated HDF5 file ({error}). Copy it again.") from None
