"""One small honest network in every container, and the means to change one thing in it.

Its layers are image, conv, sneaky, flat, head. ``sneaky`` is a ReLU; a case puts something else
in its place, which keeps the file loadable but for that.
"""

from __future__ import annotations

import copy
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py

from .case import Place

Config = dict[str, Any]
Change = Callable[[Config, Place], None]
SIDE, CLASSES = 8, 2


def write_templates(folder: Path) -> None:
    """The network as Keras writes it: Sequential and functional, compiled and not."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    folder.mkdir(parents=True)
    stack = [
        layers.Conv2D(2, 3, name="conv"),
        layers.Activation("relu", name="sneaky"),
        layers.Flatten(name="flat"),
        layers.Dense(CLASSES, activation="softmax", name="head"),
    ]
    image = output = keras.Input((SIDE, SIDE, 3), name="image")
    sequential = keras.Sequential([image, *stack], name="net")
    for layer in stack:
        output = layer(output)
    functional = keras.Model(image, output, name="net")
    compiled = keras.models.clone_model(sequential)
    compiled.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    models = {"sequential": sequential, "functional": functional, "compiled": compiled}
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
        model.save(folder / f"{name}.h5")
        with zipfile.ZipFile(folder / f"{name}.keras") as archive:
            (folder / f"{name}.json").write_bytes(archive.read("config.json"))
            (folder / f"{name}.weights").write_bytes(archive.read("model.weights.h5"))
    sequential.save_weights(folder / "only.weights.h5")


def read_config(place: Place, template: str = "sequential") -> Config:
    """The configuration of the honest network."""
    config: Config = json.loads((place.templates / f"{template}.json").read_text())
    return config


def find_layer(config: Config, name: str = "sneaky") -> Config:
    """The node of a layer of the outermost model."""
    layers = config["config"]["layers"]
    found: Config = next(node for node in layers if node["config"]["name"] == name)
    return found


def node(class_name: str, module: str | None = "keras.layers", **config: Any) -> Config:
    """A layer as Keras 3 writes it; it is called ``sneaky`` unless told otherwise."""
    return {
        "module": module,
        "class_name": class_name,
        "config": {"name": "sneaky", "trainable": True, "dtype": "float32", **config},
        "registered_name": None,
    }


def function(module: str | None, name: str, registered_name: str | None = None) -> Config:
    """A reference to a function as Keras 3 writes it."""
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": registered_name or name,
    }


def replace(config: Config, new: Config, name: str = "sneaky") -> None:
    """Put another layer where ``name`` stands, wired as it was."""
    old = find_layer(config, name)
    wires = {key: old[key] for key in ("name", "inbound_nodes") if key in old}
    old.clear()
    old.update(copy.deepcopy(new), **wires)


def nest(inner: Config, depth: int, sides: tuple[int, ...] = (SIDE - 2, SIDE - 2, 2)) -> Config:
    """``inner`` inside so many Sequential models."""
    shape = [None, *sides]
    for level in range(depth, 0, -1):
        name = "sneaky" if level == 1 else f"level_{level}"
        entry = node("InputLayer", batch_shape=shape, name=f"entry_{level}")
        del entry["config"]["trainable"]
        outer = node("Sequential", "keras", name=name, layers=[entry, inner])
        inner = outer | {"build_config": {"input_shape": shape}}
    return inner


def write_archive(
    place: Place,
    config: Config | bytes,
    *,
    template: str = "sequential",
    weights: bytes | None = None,
    extra: dict[str, bytes] | None = None,
) -> None:
    """A .keras archive. What is not given is as in the honest one."""
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    if weights is None:
        weights = (place.templates / f"{template}.weights").read_bytes()
    members = {
        "metadata.json": b'{"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}',
        "config.json": text,
        "model.weights.h5": weights,
        **(extra or {}),
    }
    with zipfile.ZipFile(place.path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def archive_with(change: Change, template: str = "sequential") -> Callable[[Place], None]:
    """The honest .keras archive with one change of its configuration."""

    def write(place: Place) -> None:
        config = read_config(place, template)
        change(config, place)
        write_archive(place, config, template=template)

    return write


def hdf5_with(change: Change, template: str = "sequential") -> Callable[[Place], None]:
    """The honest .h5 file with one change of its configuration."""

    def write(place: Place) -> None:
        config = read_config(place, template)
        change(config, place)
        set_hdf5_config(place, json.dumps(config), template)

    return write


def set_hdf5_config(place: Place, text: str, template: str = "sequential") -> None:
    """The honest .h5 file with another configuration, as text."""
    shutil.copyfile(place.templates / f"{template}.h5", place.path)
    with h5py.File(place.path, "a") as file:
        del file.attrs["model_config"]
        file.attrs.create("model_config", text.encode(), dtype=h5py.string_dtype())


def edit_hdf5(edit: Callable[[h5py.File, Place], None]) -> Callable[[Place], None]:
    """The honest .h5 file after ``edit``."""

    def write(place: Place) -> None:
        shutil.copyfile(place.templates / "sequential.h5", place.path)
        with h5py.File(place.path, "a", libver="latest") as file:
            edit(file, place)

    return write


def edit_weights(edit: Callable[[h5py.File, Place], None]) -> Callable[[Place], None]:
    """The honest .keras archive after ``edit`` of the HDF5 file in it."""

    def write(place: Place) -> None:
        buffer = io.BytesIO((place.templates / "sequential.weights").read_bytes())
        with h5py.File(buffer, "a", libver="latest") as file:
            edit(file, place)
        write_archive(place, read_config(place), weights=buffer.getvalue())

    return write
