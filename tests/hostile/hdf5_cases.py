"""HDF5: links out of the file, shapes that nobody declared, and datasets larger than the world."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import h5py
import numpy as np

from .case import ANY, EITHER_REFUSAL, Case, Place
from .networks import edit_hdf5, edit_weights, set_hdf5_config

ROW, LINKS, SHAPES, COUNT = "HDF5", "links", "shapes", "counts"
Edit = Callable[[h5py.File, Place], None]
KERNELS = ("model_weights/head/net/head/kernel", "layers/dense/vars/0")
PIECE = 16 * 2**20


def _kernel(file: h5py.File) -> str:
    """Where the kernel of ``head`` stands, in either container."""
    return next(name for name in KERNELS if name in file)


def _outside(place: Place) -> str:
    """Another HDF5 file of the host, as a stranger would hope to find it."""
    path = place.path.parent / "private.h5"
    if not path.exists():
        with h5py.File(path, "w") as other:
            other["secret"] = np.full((72, 2), 7, np.float32)
    return str(path)


def _external_link(file: h5py.File, place: Place) -> None:
    name = _kernel(file)
    del file[name]
    file[name] = h5py.ExternalLink(_outside(place), "/secret")


def _external_group(file: h5py.File, place: Place) -> None:
    name = _kernel(file).rpartition("/")[0]
    del file[name]
    file[name] = h5py.ExternalLink(_outside(place), "/")


def _unused_external_link(file: h5py.File, place: Place) -> None:
    file[_kernel(file).split("/")[0]]["more"] = h5py.ExternalLink("/etc/hostname", "/x")


def _soft_link(file: h5py.File, place: Place) -> None:
    name = _kernel(file)
    file.move(name, "elsewhere")
    file[name] = h5py.SoftLink("/elsewhere")


def _dangling_link(file: h5py.File, place: Place) -> None:
    name = _kernel(file)
    del file[name]
    file[name] = h5py.SoftLink("/nowhere")


def _soft_loop(file: h5py.File, place: Place) -> None:
    top = file[_kernel(file).split("/")[0]]
    top["a"], top["b"] = h5py.SoftLink("b"), h5py.SoftLink("a")


def _hard_cycle(file: h5py.File, place: Place) -> None:
    group = file[_kernel(file)].parent
    group["again"] = group


def _hard_cycle_up(file: h5py.File, place: Place) -> None:
    file[_kernel(file)].parent["root"] = file["/"]


def _virtual(file: h5py.File, place: Place) -> None:
    layout = h5py.VirtualLayout((72, 2), np.float32)
    layout[...] = h5py.VirtualSource(_outside(place), "secret", (72, 2))
    name = _kernel(file)
    del file[name]
    file.create_virtual_dataset(name, layout)


def _external_storage(file: h5py.File, place: Place) -> None:
    name = _kernel(file)
    del file[name]
    where = [("/etc/passwd", 0, 576)]
    file.create_dataset(name, (72, 2), np.float32, external=where)


def _committed_type(file: h5py.File, place: Place) -> None:
    name = _kernel(file)
    del file[name]
    file[name] = np.dtype("f4")


def _object_reference(file: h5py.File, place: Place) -> None:
    name = _kernel(file)
    target = file["/"].ref
    del file[name]
    file.create_dataset(name, (72, 2), h5py.ref_dtype).write_direct(
        np.full((72, 2), target, dtype=h5py.ref_dtype)
    )


def _region_reference(file: h5py.File, place: Place) -> None:
    name = _kernel(file)
    region = file[name].regionref[:2]
    del file[name]
    data = file.create_dataset(name, (1,), h5py.regionref_dtype)
    data[0] = region


def _texts(file: h5py.File, place: Place) -> None:
    name = _kernel(file)
    del file[name]
    file.create_dataset(name, (72, 2), h5py.string_dtype())


def _compound(file: h5py.File, place: Place) -> None:
    name = _kernel(file)
    del file[name]
    file.create_dataset(name, (72, 2), np.dtype([("a", "f4", (1000,)), ("b", "f8")]))


def _reshaped(*shape: int, dtype: Any = np.float32) -> Edit:
    """The kernel with another shape; chunks that were never written take no room."""

    def edit(file: h5py.File, place: Place) -> None:
        name = _kernel(file)
        del file[name]
        chunks = tuple(min(side, 64) for side in shape)
        file.create_dataset(name, shape, dtype, chunks=chunks, fillvalue=1)

    return edit


def _extra_dataset(file: h5py.File, place: Place) -> None:
    file[_kernel(file)].parent.create_dataset("9", (20_000, 20_000), "f4", chunks=(64, 64))


def _compressed_bomb(file: h5py.File, place: Place) -> None:
    """Four gigabytes of zeros: one compressed piece, stored 256 times."""
    name = _kernel(file)
    del file[name]
    data = file.create_dataset(
        name, (256, PIECE // 4), "f4", chunks=(1, PIECE // 4), compression="gzip"
    )
    piece = zlib.compress(bytes(PIECE), 9)
    for row in range(256):
        data.id.write_direct_chunk((row, 0), piece)


def _many_links(file: h5py.File, place: Place) -> None:
    """100,000 names of one dataset."""
    data = file[_kernel(file)].id
    group = file[_kernel(file)].parent.create_group("many").id
    for i in range(100_000):
        h5py.h5o.link(data, group, b"%d" % i)


def _many_groups(file: h5py.File, place: Place) -> None:
    top = file[_kernel(file)].parent.create_group("many").id
    for i in range(50_000):
        h5py.h5g.create(top, b"%d" % i)


def _many_datasets(file: h5py.File, place: Place) -> None:
    top = file[_kernel(file)].parent.create_group("many").id
    space = h5py.h5s.create_simple((1,))
    for i in range(20_000):
        h5py.h5d.create(top, b"%d" % i, h5py.h5t.NATIVE_FLOAT, space)


def _many_attributes(file: h5py.File, place: Place) -> None:
    group = file[_kernel(file)].parent.create_group("many").id
    space = h5py.h5s.create(h5py.h5s.SCALAR)
    for i in range(20_000):
        h5py.h5a.create(group, b"%d" % i, h5py.h5t.NATIVE_INT8, space)


def _deep_groups(file: h5py.File, place: Place) -> None:
    group = file[_kernel(file)].parent
    for _ in range(300):
        group = group.create_group("g")


def _huge_attribute(file: h5py.File, place: Place) -> None:
    group = file[_kernel(file)].parent.create_group("more")
    group.attrs.create("large", np.zeros(2**21))


def _names(key: str, name: str) -> Edit:
    """A list of names in the file that points somewhere else."""

    def edit(file: h5py.File, place: Place) -> None:
        group = file["model_weights"] if key == "layer_names" else file["model_weights/head"]
        names = [str(old) for old in group.attrs[key]]
        group.attrs[key] = [name, *names[1:]]

    return edit


SHARED: dict[str, tuple[Edit, str]] = {
    "external-link": (_external_link, LINKS),
    "external-group": (_external_group, LINKS),
    "unused-external-link": (_unused_external_link, LINKS),
    "soft-link": (_soft_link, LINKS),
    "hard-cycle": (_hard_cycle, LINKS),
    "virtual": (_virtual, LINKS),
    "external-storage": (_external_storage, LINKS),
    "object-reference": (_object_reference, "types"),
    "larger": (_reshaped(20_000, 20_000), SHAPES),
    "extra-rank": (_reshaped(72, 2, 1), SHAPES),
    "extra-dataset": (_extra_dataset, SHAPES),
    "unwritten-bomb": (_reshaped(2**20, 2**20), SHAPES),
    "compressed-bomb": (_compressed_bomb, SHAPES),
    "many-links": (_many_links, COUNT),
}
ONLY_HDF5: dict[str, tuple[Edit, str]] = {
    "dangling-link": (_dangling_link, LINKS),
    "soft-loop": (_soft_loop, LINKS),
    "hard-cycle-up": (_hard_cycle_up, LINKS),
    "region-reference": (_region_reference, "types"),
    "texts": (_texts, "types"),
    "compound": (_compound, "types"),
    "deep-groups": (_deep_groups, COUNT),
    "layer-name-up": (_names("layer_names", "../optimizer_weights"), "names"),
    "layer-name-absolute": (_names("layer_names", "/optimizer_weights"), "names"),
    "weight-name-up": (_names("weight_names", "../../../conv/net/conv/kernel"), "names"),
    "weight-name-absolute": (_names("weight_names", "/model_weights/conv/net/conv/bias"), "names"),
}
ONLY_WEIGHTS: dict[str, tuple[Edit, str]] = {
    "many-datasets": (_many_datasets, COUNT),
    "committed-type": (_committed_type, "types"),
}
OPEN_WHETHER: dict[str, Edit] = {
    "many-groups": _many_groups,
    "many-attributes": _many_attributes,
    "huge-attribute": _huge_attribute,
}


def cases() -> Iterator[Case]:
    """All of them."""
    for name, (edit, guard) in (SHARED | ONLY_HDF5).items():
        yield Case(f"{name}.h5", ROW, guard, edit_hdf5(edit), _codes(guard))
    for name, (edit, guard) in (SHARED | ONLY_WEIGHTS).items():
        yield Case(f"{name}.keras", ROW, guard, edit_weights(edit), _codes(guard))
    for name, edit in OPEN_WHETHER.items():
        yield Case(f"{name}.h5", ROW, COUNT, edit_hdf5(edit), ANY)
    yield Case("large-config.h5", ROW, COUNT, _write_large_config, EITHER_REFUSAL)


def _codes(guard: str) -> tuple[int, ...]:
    """A type that holds no numbers or a name that leads astray is not always a danger."""
    return EITHER_REFUSAL if guard in {"types", "names"} else (3,)


def _write_large_config(place: Place) -> None:
    set_hdf5_config(place, json.dumps({"class_name": "Sequential", "pad": "0" * 70 * 2**20}))
