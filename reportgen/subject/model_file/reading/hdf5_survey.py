"""Looking over an HDF5 file before anything in it is followed or read.

Through the low-level interface of h5py: a hostile file may hold tens of thousands of objects.
"""

from __future__ import annotations

import os
from typing import Any

import h5py
import numpy as np

from reportgen.subject.model_file.content import Array, Hazard

MAX_OBJECTS = 40_000
BFLOAT16 = "bfloat16"
_MAX_LEVELS = 64
# Filters that h5py brings along; any other would be a library loaded from the disk.
_OWN_FILTERS = {1, 2, 3, 4, 6, 32000}  # gzip, shuffle, fletcher32, szip, scale-offset, lzf
_ALLOCATION_BYTES = 64 * 2**20
_RATIO = 200


def survey(root: h5py.Group) -> tuple[tuple[Hazard, ...], list[Array]]:
    """Every dataset below ``root``, and every reason not to follow what is there."""
    hazards: list[Hazard] = []
    datasets: list[Array] = []
    seen, stack, count = {_token(root.id)}, [(root.id, "", 0)], 0
    while stack and not hazards:
        group, above, level = stack.pop()
        count += group.get_num_objs()
        for name in group:
            path = f"{above}/{os.fsdecode(name)}"
            reason = _refuse_link(group, name)
            if count > MAX_OBJECTS:
                reason = f"the file holds more than {MAX_OBJECTS} objects"
            elif level > _MAX_LEVELS:
                reason = "groups are nested deeper than any network needs"
            if reason is None:
                item = h5py.h5o.open(group, name)
                reason = _refuse_again(item, seen)
                if isinstance(item, h5py.h5g.GroupID):
                    stack.append((item, path, level + 1))
                elif not isinstance(item, h5py.h5d.DatasetID):
                    reason = "an object that is neither a group nor a dataset"
                elif reason is None:
                    datasets.append(_describe(item, path))
                    reason = _refuse_dataset(item, datasets[-1])
            if reason:
                hazards.append(Hazard("hdf5", shorten(path), reason))
                break
    return tuple(hazards or _weigh(datasets)), datasets


def shorten(text: str) -> str:
    """A name from a file, at most 80 characters."""
    return text if len(text) <= 80 else text[:79] + "…"


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


def _refuse_link(group: Any, name: bytes) -> str | None:
    kind = group.links.get_info(name).type
    if kind == h5py.h5l.TYPE_HARD:
        return None
    if kind == h5py.h5l.TYPE_EXTERNAL:
        file = os.fsdecode(group.links.get_val(name)[0])
        return f"a link to another file ({shorten(file)}), which opening would read"
    return "a soft link, which no Keras file holds"


def _describe(item: Any, path: str) -> Array:
    shape = tuple(map(int, item.shape or ()))
    stored = int(item.get_storage_size())
    return Array("", path.lstrip("/"), path, shape, type_name(item.dtype), stored)


def _refuse_dataset(item: Any, array: Array) -> str | None:
    creation = item.get_create_plist()
    if creation.get_layout() == h5py.h5d.VIRTUAL:
        return "a virtual dataset, which reads other files"
    if creation.get_external_count():
        return "a dataset whose values lie in another file"
    filters = {creation.get_filter(i)[0] for i in range(creation.get_nfilters())}
    if filters - _OWN_FILTERS:
        return "a dataset with a filter that would load a library from the disk"
    # People add fixed texts, such as the names of classes.
    if item.dtype.kind not in "biufS" and array.dtype != BFLOAT16:
        return "a dataset of something else than numbers, which are no weights"
    size = array.claimed_bytes
    if size > _ALLOCATION_BYTES and size > _RATIO * max(array.stored_bytes, 1):
        return f"a dataset of {size >> 20} MB that takes {array.stored_bytes} bytes: a bomb"
    return None


def _weigh(datasets: list[Array]) -> list[Hazard]:
    """Many datasets that are each small enough, and together claim far more than they take."""
    claimed = sum(array.claimed_bytes for array in datasets)
    stored = sum(array.stored_bytes for array in datasets)
    if claimed <= _ALLOCATION_BYTES or claimed <= _RATIO * stored:
        return []
    said = f"its datasets claim {claimed >> 20} MB and take {stored} bytes: a bomb"
    return [Hazard("hdf5_size", "", said)]
