"""Honest files, each near to a hostile one. Imported without Keras."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any

import h5py
import numpy as np

from . import twin_networks as networks
from .case import Case, Place
from .zips import Member, deflated, write_zip

ROW, GUARD = "benign", ""
Build = Callable[[], Any]
Finish = Callable[[Place], None]

NETWORKS: dict[str, tuple[Build, tuple[str, ...]]] = {
    "sequential": (networks.sequential, (".keras", ".h5", ".hdf5")),
    "functional": (networks.functional, (".keras", ".h5")),
    "nested-two": (lambda: networks.nested(2), (".keras", ".h5")),
    "nested-eight": (lambda: networks.nested(8), (".keras",)),
    "shared": (networks.shared, (".keras", ".h5")),
    "several-inputs": (networks.several_inputs, (".keras",)),
    "any-size": (networks.any_size, (".keras",)),
    "recurrent": (networks.recurrent, (".keras", ".h5")),
    "attention": (networks.attention, (".keras",)),
    "augmented": (networks.augmented, (".keras",)),
    "wrapped": (networks.wrapped, (".keras",)),
    "rescaled": (networks.rescaled, (".keras", ".h5")),
    "objects": (networks.with_objects, (".keras", ".h5")),
    "activation-layers": (networks.activation_layers, (".keras",)),
    "mixed": (networks.mixed, (".keras",)),
    "operations": (networks.operations, (".keras",)),
    "zeros": (networks.zeros, (".keras",)),
    "odd-names": (networks.odd_names, (".keras", ".h5")),
    "named-lambda": (networks.named_lambda, (".keras", ".h5")),
    "many-layers": (networks.many_layers, (".keras",)),
    "trained": (networks.trained, (".keras", ".h5")),
    "own-loss": (networks.own_loss, (".keras",)),
    "listed-vocabulary": (networks.listed_vocabulary, (".keras",)),
    "larger-maps": (networks.larger_maps, (".keras",)),
    "separable": (networks.separable, (".keras", ".h5")),
    "not-a-number": (networks.not_a_number, (".keras",)),
    "quantized": (networks.quantized, (".keras",)),
}


def save(model: Any, place: Place, suffix: str) -> None:
    """Save the model under the name of the case, and beside it what it answers."""
    own = place.path.with_name(f"own{suffix}")
    model.save(own)
    own.rename(place.path)
    inputs = [_noise(tensor.shape, i) for i, tensor in enumerate(model.inputs)]
    answers = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    if not isinstance(answers, list):
        answers = [answers]
    keep(place, inputs, answers)


def keep(place: Place, inputs: list[Any], answers: list[Any]) -> None:
    """Write down what the honest model answers."""
    named = {f"x{i}": x for i, x in enumerate(inputs)} | {f"y{i}": y for i, y in enumerate(answers)}
    np.savez(place.path.with_name("expected.npz"), **named)


def _noise(shape: tuple[int | None, ...], seed: int) -> Any:
    sides = [side or 8 for side in shape[1:]]
    return np.random.default_rng(seed).uniform(0, 1, (3, *sides)).astype(np.float32)


def cases() -> Iterator[Case]:
    """All that Keras 3 writes."""
    for name, (build, suffixes) in NETWORKS.items():
        for suffix in suffixes:
            yield _case(f"{name}{suffix}", build, suffix)
    for name, suffix in {
        "hdf5.keras": ".h5",
        "archive.h5": ".keras",
        "archive.zip": ".keras",
        "hdf5.jpg": ".h5",
    }.items():
        yield _case(f"suffix-{name}", networks.sequential, suffix)
    for suffix in (".keras", ".h5"):
        yield _case(f"right-hash{suffix}", networks.sequential, suffix, pin="right")
    for name, finish in FINISHES.items():
        suffix = PurePath(name).suffix
        yield _case(name, networks.sequential, suffix, finish)


def _case(
    name: str, build: Build, suffix: str, finish: Finish | None = None, pin: str = ""
) -> Case:
    def write(place: Place) -> None:
        save(build(), place, suffix)
        if finish:
            finish(place)

    return Case(f"benign-{name}", ROW, GUARD, write, (0,), pin=pin, benign=True)


# The same network again, in a container that another program wrote.


def _members(place: Place) -> dict[str, bytes]:
    with zipfile.ZipFile(place.path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _pack_tightly(place: Place) -> None:
    write_zip(place.path, [deflated(name, data) for name, data in _members(place).items()])


def _pack_loosely(place: Place) -> None:
    members = [Member(name, data) for name, data in _members(place).items()]
    write_zip(place.path, [Member("assets/"), *members], comment=b"by hand")


def _add_notes(place: Place) -> None:
    with zipfile.ZipFile(place.path, "a") as archive:
        archive.writestr("assets/notes.txt", "Trained on a Tuesday.")


def _indent(place: Place) -> None:
    members = _members(place)
    members["config.json"] = json.dumps(json.loads(members["config.json"]), indent=8).encode()
    _rewrite(place, members)


def _drop_build(place: Place) -> None:
    """What Keras does without: shapes at building, ids of shared objects."""
    members = _members(place)
    config = json.loads(members["config.json"])
    for layer in config["config"]["layers"]:
        layer.pop("build_config", None)
    members["config.json"] = json.dumps(config).encode()
    _rewrite(place, members)


def _rewrite(place: Place, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(place.path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def _compress(place: Place) -> None:
    """Datasets in compressed chunks, as h5repack leaves them."""
    with h5py.File(place.path, "a") as file:
        kernels: list[str] = []
        file.visititems(
            lambda name, item: kernels.append(name) if isinstance(item, h5py.Dataset) else None
        )
        for name in kernels:
            values = file[name][()]
            del file[name]
            file.create_dataset(name, data=values, chunks=values.shape, compression="gzip")


def _annotate(place: Place) -> None:
    with h5py.File(place.path, "a") as file:
        file.attrs["author"] = "somebody"
        file["class_names"] = np.array([b"cat", b"dog"])


def _latest(place: Place) -> None:
    """The same objects in the newest version of the format."""
    old = place.path.with_name("old.h5")
    place.path.rename(old)
    with h5py.File(old) as source, h5py.File(place.path, "w", libver="latest") as copy:
        for name in source:
            source.copy(name, copy)
        for name, value in source.attrs.items():
            copy.attrs[name] = value
    old.unlink()


FINISHES: dict[str, Finish] = {
    "packed-tightly.keras": _pack_tightly,
    "packed-loosely.keras": _pack_loosely,
    "with-notes.keras": _add_notes,
    "indented.keras": _indent,
    "without-build.keras": _drop_build,
    "compressed.h5": _compress,
    "annotated.h5": _annotate,
    "latest.h5": _latest,
}
