"""Small files that ask for more memory than there is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import h5py

from .case import EITHER_REFUSAL, EITHER_UNSAFE, UNREADABLE, Case, Place
from .networks import (
    Change,
    Config,
    archive_with,
    find_layer,
    hdf5_with,
    nest,
    node,
    read_config,
    replace,
    set_hdf5_config,
    write_archive,
)

ROW, GUARD = "sizes", "caps"


def _set(layer: str, **values: Any) -> Change:
    return lambda config, place: find_layer(config, layer)["config"].update(values)


def _put(new: Config) -> Change:
    return lambda config, place: replace(config, new)


def _before_flat(*layers: Config) -> Change:
    def change(config: Config, place: Place) -> None:
        config["config"]["layers"][3:3] = layers

    return change


def _input_shape(*shape: int | None) -> Change:
    def change(config: Config, place: Place) -> None:
        layers = config["config"]["layers"]
        layers[0]["config"]["batch_shape"] = list(shape)
        config["config"]["build_input_shape"] = list(shape)
        config["build_config"] = {"input_shape": list(shape)}
        for layer in layers:
            layer.pop("build_config", None)

    return change


def _sum(count: int, units: int) -> list[Config]:
    """Layers that each look moderate."""
    return [node("Dense", name=f"part_{i}", units=units, use_bias=False) for i in range(count)]


def _attention(config: Config, place: Place) -> None:
    replace(config, node("MultiHeadAttention", num_heads=2**16, key_dim=2**16))
    call = find_layer(config)["inbound_nodes"][0]
    call["args"] *= 2


def _constant(config: Config, place: Place) -> None:
    initializer = node("Constant", "keras.initializers", value=[[0.0] * 2000] * 2000)
    initializer["config"] = {"value": initializer["config"]["value"]}
    find_layer(config, "head")["config"]["kernel_initializer"] = initializer


def _numbers(class_name: str) -> Change:
    """A constant that the configuration brings along, as an argument of a call."""

    def change(config: Config, place: Place) -> None:
        value = [[0] * 2000] * 2000
        constant = {"class_name": class_name, "config": {"value": value, "dtype": "float32"}}
        find_layer(config)["inbound_nodes"][0]["kwargs"] = {"mask": constant}

    return change


WEIGHTS: dict[str, Change] = {
    "dense": _set("head", units=2**33),
    "filters": _set("conv", filters=2**40),
    "kernel": _set("conv", kernel_size=[2**20, 2**20]),
    "embedding": _before_flat(node("Embedding", input_dim=2**40, output_dim=64)),
    "lstm": _before_flat(
        node("Reshape", name="rows", target_shape=[36, 2]), node("LSTM", units=2**20)
    ),
    "sum": _before_flat(*_sum(200, 6000)),
    "depthwise": _put(
        node("DepthwiseConv2D", kernel_size=[3, 3], depth_multiplier=2**34, padding="same")
    ),
    "nested": _put(nest(node("Dense", units=2**33), 2)),
    "wrapped": _put(node("TimeDistributed", layer=node("Dense", units=2**33, name="inside"))),
    "huge-integer": _set("head", units=10**300),
    "position": _put(
        node("Discretization", bin_boundaries=[0.0], output_mode="one_hot", num_bins=2**34)
    ),
}
# No weight is large here: what flows between the layers is.
FLOWS: dict[str, Change] = {
    "upsampling": _put(node("UpSampling2D", size=[2**16, 2**16])),
    "padding": _put(node("ZeroPadding2D", padding=[[2**20, 2**20], [2**20, 2**20]])),
    "repeat": _before_flat(
        node("Flatten", name="rows"), node("RepeatVector", n=2**34, name="repeated")
    ),
    "transposed": _put(
        node(
            "Conv2DTranspose", filters=1, kernel_size=[1, 1], strides=[2**16, 2**16], use_bias=False
        )
    ),
    "resizing": _put(node("Resizing", height=2**18, width=2**18)),
    "pooled-later": _before_flat(
        node("UpSampling2D", size=[2**15, 2**15], name="larger"),
        node("GlobalAveragePooling2D", name="smaller"),
    ),
}
BROKEN: dict[str, Change] = {
    "negative-units": _set("head", units=-2),
    "fraction-units": _set("head", units=2.5),
    "text-units": _set("head", units="many"),
    "zero-units": _set("head", units=0),
    "null-units": _set("head", units=None),
    "list-units": _set("head", units=[2]),
    "negative-kernel": _set("conv", kernel_size=[-3, 3]),
    "unknown-padding": _set("conv", padding="sideways"),
}


def cases() -> Iterator[Case]:
    """All of them."""
    for name, change in WEIGHTS.items():
        yield Case(f"size-{name}.keras", ROW, GUARD, archive_with(change))
    for name in ("dense", "filters", "nested"):
        yield Case(f"size-{name}.h5", ROW, GUARD, hdf5_with(WEIGHTS[name]))
    yield Case("size-input.keras", ROW, GUARD, archive_with(_input_shape(None, 2**20, 2**20, 3)))
    yield Case("size-batch.keras", ROW, GUARD, archive_with(_input_shape(2**40, 8, 8, 3)))
    write = archive_with(_attention, "functional")
    yield Case("size-attention.keras", ROW, GUARD, write)
    yield Case("size-agreeing.h5", ROW, GUARD, _write_agreeing)
    yield Case("size-repeated-layers.keras", ROW, GUARD, _write_many_layers)
    for name, change in FLOWS.items():
        yield Case(f"flow-{name}.keras", ROW, "flows", archive_with(change))
    for name, change in BROKEN.items():
        write = archive_with(change)
        yield Case(f"broken-{name}.keras", "unreadable", "build", write, (UNREADABLE,))
    yield from _constants()


def _constants() -> Iterator[Case]:
    yield Case("constant.keras", ROW, GUARD, archive_with(_constant), EITHER_UNSAFE)
    for name in ("__tensor__", "__numpy__"):
        write = archive_with(_numbers(name), "functional")
        yield Case(f"constant-{name}.keras", ROW, GUARD, write, EITHER_REFUSAL)


def _write_agreeing(place: Place) -> None:
    """Configuration and dataset agree; nothing of the dataset was ever written."""
    units = 2**28
    config = read_config(place)
    find_layer(config, "head")["config"]["units"] = units
    set_hdf5_config(place, json.dumps(config))
    shapes = {"kernel": (72, units), "bias": (units,)}
    with h5py.File(place.path, "a") as file:
        group = file["model_weights/head/net/head"]
        for name, shape in shapes.items():
            del group[name]
            chunks = tuple(min(side, 1024) for side in shape)
            group.create_dataset(name, shape, "f4", chunks=chunks)


def _write_many_layers(place: Place) -> None:
    config = read_config(place)
    layers: list[Config] = config["config"]["layers"]
    layers[3:3] = [node("Activation", name=f"a{i}", activation="relu") for i in range(100_000)]
    write_archive(place, config)
