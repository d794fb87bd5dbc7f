"""Looking over an HDF5 file before anything in it is followed or read.

Through the low-level interface of h5py: a hostile file may hold tens of thousands of objects.
"""

from __future__ import annotations

import math
import os
from functools import cache
from typing import Any

import h5py
import numpy as np

from reportgen.subject.model_file.content import Array, Hazard

MAX_OBJECTS = 20_000
# Layers, initializers and the rest that a configuration describes bring along so many groups and
# datasets each, at most; and a few more.
_OBJECTS_EACH, _MORE_OBJECTS = 40, 2000
BFLOAT16 = "bfloat16"
_MAX_LEVELS = 64
# Filters that h5py brings along; any other would be a library loaded from the disk.
_OWN_FILTERS = {1, 2, 3, 4, 6, 32000}  # gzip, shuffle, fletcher32, szip, scale-offset, lzf
_ALLOCATION_BYTES = 64 * 2**20
_RATIO = 200
_SLACK_BYTES = 1024


def survey(
    root: h5py.Group, described: int | None = None
) -> tuple[tuple[Hazard, ...], list[Array]]:
    """Every dataset below ``root``, and every reason not to follow what is there.

    Args:
        described: how many objects the configuration describes, at most; None: not known.
    """
    most = _most_objects(described)
    file_bytes = root.file.id.get_filesize()
    hazards: list[Hazard] = []
    datasets: list[Array] = []
    made: list[int] = []  # bytes that reading each makes
    seen, stack, count = {_token(root.id)}, [(root.id, "", 0)], 0
    while stack and not hazards:
        group, above, level = stack.pop()
        count += group.get_num_objs()  # what a group says of itself; nothing in it is opened yet
        if count > most or level > _MAX_LEVELS:
            deep = "groups are nested deeper than any network needs"
            said = deep if level > _MAX_LEVELS else f"the file holds more than {most:,} objects"
            hazards.append(Hazard("hdf5", shorten(above), said))
            break
        for name, kind in _list_links(group):
            path = f"{above}/{os.fsdecode(name)}"
            reason = _refuse_link(group, name, kind)
            if reason is None:
                item = h5py.h5o.open(group, name)
                reason = _refuse_again(item, seen)
                if isinstance(item, h5py.h5g.GroupID):
                    stack.append((item, path, level + 1))
                elif not isinstance(item, h5py.h5d.DatasetID):
                    reason = "an object that is neither a group nor a dataset"
                elif reason is None:
                    datasets.append(_describe(item, path, file_bytes))
                    reason = _refuse_dataset(item, datasets[-1], made)
            if reason:
                hazards.append(Hazard("hdf5", shorten(path), reason))
                break
    return tuple(hazards or _weigh(made, datasets, file_bytes)), datasets


def _most_objects(described: int | None) -> int:
    if described is None:
        return MAX_OBJECTS
    return min(MAX_OBJECTS, _OBJECTS_EACH * described + _MORE_OBJECTS)


def shorten(text: str) -> str:
    """A name from a file, at most 80 characters."""
    return text if len(text) <= 80 else text[:79] + "…"


@cache
def type_name(dtype: np.dtype[Any]) -> str:
    """A type by name; HDF5 has no bfloat16, so Keras writes two bytes of no type."""
    return BFLOAT16 if dtype == np.dtype("V2") else str(dtype)


def _token(item: Any) -> Any:
    return h5py.h5o.get_info(item).addr


def _refuse_again(item: Any, seen: set[Any]) -> str | None:
    token = _token(item)
    if token in seen:
        return "the same object is linked twice, which no Keras file does"
    seen.add(token)
    return None


def _list_links(group: Any) -> list[tuple[bytes, int]]:
    """Names in a group, and which kind of link each is."""
    found: list[tuple[bytes, int]] = []
    group.links.iterate(lambda name, info: found.append((name, info.type)), info=True)
    return found


def _refuse_link(group: Any, name: bytes, kind: int) -> str | None:
    if kind == h5py.h5l.TYPE_HARD:
        return None
    if kind == h5py.h5l.TYPE_EXTERNAL:
        file = os.fsdecode(group.links.get_val(name)[0])
        return f"a link to another file ({shorten(file)}), which opening would read"
    return "a soft link, which no Keras file holds"


def _describe(item: Any, path: str, file_bytes: int) -> Array:
    shape = tuple(map(int, item.shape or ()))
    # An index of chunks may claim any size for each; none is larger than the file.
    stored = min(int(item.get_storage_size()), file_bytes)
    return Array("", path.lstrip("/"), path, shape, type_name(item.dtype), stored)


def _refuse_dataset(item: Any, array: Array, made: list[int]) -> str | None:
    """Why not to read it, or None; then ``made`` gets the bytes that reading it makes."""
    creation = item.get_create_plist()
    layout = creation.get_layout()
    if layout == h5py.h5d.VIRTUAL:
        return "a virtual dataset, which reads other files"
    if creation.get_external_count():
        return "a dataset whose values lie in another file"
    filters = [creation.get_filter(i)[0] for i in range(creation.get_nfilters())]
    if set(filters) - _OWN_FILTERS:
        return "a dataset with a filter that would load a library from the disk"
    if len(set(filters)) < len(filters):
        return "a dataset that is packed by the same filter twice, as bombs are"
    # People add fixed texts, such as the names of classes.
    if item.dtype.kind not in "biufS" and array.dtype != BFLOAT16:
        return "a dataset of something else than numbers, which are no weights"
    size = array.claimed_bytes
    if layout == h5py.h5d.CHUNKED:
        size = max(size, _chunk_bytes(array, creation.get_chunk()))
        if array.stored_bytes > 1.02 * size + _SLACK_BYTES:  # all of it would be unpacked
            return "a dataset whose chunks take more than they unpack to, as bombs do"
    if size > _ALLOCATION_BYTES and size > _RATIO * max(array.stored_bytes, 1):
        return f"a dataset of {size >> 20} MB that takes {array.stored_bytes} bytes: a bomb"
    made.append(size)
    return None


def _chunk_bytes(array: Array, chunk: tuple[int, ...]) -> int:
    """What reading it unpacks: whole chunks, however little of them it needs."""
    count = math.prod(-(-side // step) for side, step in zip(array.shape, chunk, strict=True))
    return count * math.prod(chunk) * (array.claimed_bytes // max(array.elements, 1) or 1)


def _weigh(made: list[int], datasets: list[Array], file_bytes: int) -> list[Hazard]:
    """Many datasets that are each small enough, and together make far more than they take."""
    total = sum(made)
    stored = min(sum(array.stored_bytes for array in datasets), file_bytes)
    if total <= _ALLOCATION_BYTES or total <= _RATIO * stored:
        return []
    said = f"its datasets unpack to {total >> 20} MB and take {stored} bytes: a bomb"
    return [Hazard("hdf5_size", "", said)]
