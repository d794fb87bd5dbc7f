"""Small files that claim, or turn into, far more than they hold; beside an honest one."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

GIB = 2**30


def chunks(file: h5py.File, *, count: int, chunk: int, filters: tuple[int, ...]) -> None:
    """Datasets of ten numbers, whose one chunk is ``chunk`` bytes of zeros, packed."""
    import zlib

    packed = zlib.compress(bytes(min(chunk, 64 * 2**20)), 9)  # the rest is never unpacked
    for _ in filters[1:]:
        packed = zlib.compress(packed, 9)
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((chunk,))
    for _ in filters:
        plist.set_filter(h5py.h5z.FILTER_DEFLATE, h5py.h5z.FLAG_OPTIONAL, (9,))
    space = h5py.h5s.create_simple((10,), (h5py.h5s.UNLIMITED,))
    group = file.require_group("extra").id
    for i in range(count):
        made = h5py.h5d.create(group, b"c%d" % i, h5py.h5t.NATIVE_UINT8, space, plist)
        made.write_direct_chunk((0,), packed)


def lying_index(file: h5py.File) -> None:
    """Chunks of a gigabyte; their index says that they take two gigabytes in the file."""
    chunks(file, count=1, chunk=GIB, filters=(1,))
    stored = file["extra/c0"].id.get_storage_size()
    file.lying = struct.pack("<II", stored, 0)  # type: ignore[attr-defined]


def datasets(file: h5py.File, count: int, groups: int = 1) -> None:
    """Numbers, each a dataset of its own."""
    space = h5py.h5s.create(h5py.h5s.SCALAR)
    for g in range(groups):
        group = file.create_group(f"extra{g}").id
        for i in range(count // groups):
            h5py.h5d.create(group, b"d%d" % i, h5py.h5t.NATIVE_FLOAT, space)


def empty_groups(file: h5py.File, count: int) -> None:
    """Groups in groups of a hundred."""
    for g in range(count // 100):
        group = file.create_group(f"extra/{g}").id
        for i in range(100):
            h5py.h5g.create(group, b"%d" % i)


def attributes(file: h5py.File, count: int) -> None:
    """Attributes of the root, beside the configuration."""
    space = h5py.h5s.create(h5py.h5s.SCALAR)
    for i in range(count):
        h5py.h5a.create(file.id, b"a%d" % i, h5py.h5t.NATIVE_INT8, space)


def repeated_names(file: h5py.File, count: int) -> None:
    """One layer, named over and over: each time its weights would be listed."""
    root = file["model_weights"]
    first = root.attrs["layer_names"][0]
    name = first if isinstance(first, bytes) else first.encode()
    del root.attrs["layer_names"]
    part = 60_000 // max(len(name), 1)
    for i in range(count // part):
        root.attrs[f"layer_names{i}"] = np.array([name] * part, dtype=f"S{len(name)}")


def never_written(file: h5py.File) -> None:
    """A hundred datasets of 60 MB, of which nothing is stored."""
    for i in range(100):
        file.create_dataset(f"extra/d{i}", (15 * 2**20,), np.float32, chunks=(2**20,))


HDF5: dict[str, Callable[[h5py.File], None]] = {
    "chunks of 1 GiB deflated twice": lambda f: chunks(f, count=40, chunk=GIB, filters=(1, 1)),
    "chunks of 1 GiB": lambda f: chunks(f, count=40, chunk=GIB, filters=(1,)),
    "a chunk of 3 GiB": lambda f: chunks(f, count=1, chunk=3 * GIB, filters=(1,)),
    "many chunks of 60 MB": lambda f: chunks(f, count=40, chunk=60 * 10**6, filters=(1,)),
    "39,000 datasets": lambda f: datasets(f, 39_000),
    "39,000 datasets in 300 groups": lambda f: datasets(f, 39_000, 300),
    "30,000 empty groups": lambda f: empty_groups(f, 30_000),
    "6,000 attributes": lambda f: attributes(f, 6_000),
    "a layer named 500,000 times": lambda f: repeated_names(f, 500_000),
    "datasets never written": never_written,
    "an index of chunks that lies": lying_index,
}


def write(name: str, honest: Path, target: Path) -> Path:
    """The attack ``name`` in a copy of an honest ``.h5``."""
    target.write_bytes(honest.read_bytes())
    with h5py.File(target, "a") as file:
        HDF5[name](file)
        lie = getattr(file, "lying", None)
    if lie:
        content = target.read_bytes()
        place = content.rindex(lie)
        said = struct.pack("<II", 2**31 - 1, 0)
        target.write_bytes(content[:place] + said + content[place + len(lie) :])
    return target


def pack(name: str, honest: Path, target: Path) -> Path | None:
    """The same in the weights of an archive; None where it is about the other form alone."""
    if name in ("a layer named 500,000 times",):
        return None
    with zipfile.ZipFile(honest) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    buffer = io.BytesIO(members["model.weights.h5"])
    inner = target.with_suffix(".inner.h5")
    inner.write_bytes(buffer.getvalue())
    members["model.weights.h5"] = write(name, inner, inner.with_suffix(".out.h5")).read_bytes()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, content in members.items():
            archive.writestr(one, content)
    return target
