"""Lambda: Python code in the file, wherever it can stand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import h5py

from .case import EITHER_UNSAFE, Case, Place
from .networks import (
    Change,
    Config,
    archive_with,
    find_layer,
    function,
    hdf5_with,
    nest,
    node,
    replace,
)
from .payloads import lambda_1, lambda_2, lambda_3

ROW, GUARD = "Lambda", "code"
Make = Callable[[Place], Config]


def _lambda(place: Place, **other: Any) -> Config:
    return node("Lambda", function=lambda_3(place.canary), arguments={}, **other)


def _old(place: Place) -> Config:
    pair = {"function": lambda_2(place.canary), "function_type": "lambda"}
    return {"class_name": "Lambda", "config": {"name": "sneaky", **pair, "arguments": {}}}


def _older(place: Place) -> Config:
    pair = {"function": lambda_1(place.canary), "function_type": "lambda"}
    return {"class_name": "Lambda", "config": {"name": "sneaky", **pair, "arguments": {}}}


def _put(make: Make) -> Change:
    return lambda config, place: replace(config, make(place))


def _nested(make: Make, depth: int) -> Make:
    return lambda place: nest(make(place), depth)


def _wrapped(class_name: str, key: str = "layer", **config: Any) -> Make:
    """The Lambda in a wrapper of an honest name."""

    def make(place: Place) -> Config:
        outside = node(class_name, **config, name="outside")
        outside["config"][key] = _lambda(place)
        return outside

    return make


def _in_layer(name: str, key: str) -> Change:
    """Code where a function or an object of a layer is expected."""
    return lambda config, place: find_layer(config, name)["config"].update(
        {key: lambda_3(place.canary)}
    )


def _shared(config: Config, place: Place) -> None:
    """The same Lambda called twice, one after the other."""
    replace(config, _lambda(place))
    shared = find_layer(config)
    again = json.loads(json.dumps(shared["inbound_nodes"][0]))
    again["args"][0]["config"]["keras_history"] = ["sneaky", 0, 0]
    shared["inbound_nodes"].append(again)
    flat = find_layer(config, "flat")
    flat["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["sneaky", 1, 0]


def _in_call(config: Config, place: Place) -> None:
    call = find_layer(config)["inbound_nodes"][0]
    call["kwargs"] = {"mask": [{"deep": lambda_3(place.canary)}]}


def _in_build(config: Config, place: Place) -> None:
    find_layer(config)["build_config"] = {"input_shape": lambda_3(place.canary)}


def _mask(place: Place) -> Config:
    safe = function("builtins", "relu")
    return node("Lambda", function=safe, mask=lambda_3(place.canary), arguments={})


def _output_shape(place: Place) -> Config:
    safe = function("builtins", "relu")
    return node("Lambda", function=safe, output_shape=lambda_3(place.canary), arguments={})


def _rnn(place: Place) -> Config:
    cells = [node("LSTMCell", units=2, name="cell"), _lambda(place)]
    return node("RNN", cell=node("StackedRNNCells", cells=cells, name="cells"), name="outside")


DISGUISES: dict[str, Config] = {
    "private-module": {"module": "keras.src.layers.core.lambda_layer"},
    "no-module": {"module": None, "registered_name": "Lambda"},
    "registered-as-dense": {"registered_name": "keras.layers>Dense"},
    "package-class": {"module": None, "class_name": "Custom>Lambda"},
    "private-class": {"module": None, "class_name": "keras.src.layers>Lambda"},
    "dotted-class": {"module": None, "class_name": "keras.layers.Lambda"},
    "root-module": {"module": "keras", "class_name": "layers.Lambda"},
    "old-module": {"module": "tensorflow.keras.layers"},
    "api-module": {"module": "keras.api.layers"},
    "empty-module": {"module": ""},
}


def _disguised(disguise: Config) -> Make:
    return lambda place: {**_lambda(place), **disguise}


def _referring(place: Place) -> Config:
    del place
    return node("Lambda", function=function("os", "system"), arguments={"x": "true"})


def _referring_2(place: Place) -> Config:
    del place
    pair = {"function": "system", "function_type": "function", "module": "os"}
    return {"class_name": "Lambda", "config": {"name": "sneaky", **pair, "arguments": {}}}


def _in_training(config: Config, place: Place) -> None:
    config["compile_config"]["loss"] = lambda_3(place.canary)


def _in_metrics(config: Config, place: Place) -> None:
    config["compile_config"]["metrics"] = [[lambda_3(place.canary)]]


def _write_training(place: Place) -> None:
    shutil.copyfile(place.templates / "compiled.h5", place.path)
    with h5py.File(place.path, "a") as file:
        training = json.loads(file.attrs["training_config"])
        training["loss"] = lambda_3(place.canary)
        file.attrs["training_config"] = json.dumps(training)


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _by_container()
    yield from _by_position()
    for name, disguise in DISGUISES.items():
        write = archive_with(_put(_disguised(disguise)))
        yield Case(f"lambda-{name}.keras", ROW, GUARD, write, words=("sneaky",))
    for name, change in {"loss": _in_training, "metric": _in_metrics}.items():
        write = archive_with(change, "compiled")
        yield Case(f"lambda-in-{name}.keras", ROW, GUARD, write, EITHER_UNSAFE)
    # Keras reads no function there, and reportgen nothing at all.
    write = archive_with(_in_build)
    yield Case("lambda-in-build-config.keras", ROW, GUARD, write, EITHER_UNSAFE)
    yield Case("lambda-in-loss.h5", ROW, GUARD, _write_training, EITHER_UNSAFE)


def _by_container() -> Iterator[Case]:
    for suffix in ("keras", "h5", "hdf5", "jpg"):
        wrap = archive_with if suffix == "keras" else hdf5_with
        yield Case(f"lambda.{suffix}", ROW, GUARD, wrap(_put(_lambda)), words=("sneaky",))
    misleading = archive_with(_put(_lambda))
    yield Case("lambda-archive.h5", ROW, GUARD, misleading, words=("sneaky",))
    write = archive_with(_put(_lambda), "functional")
    yield Case("lambda-functional.keras", ROW, GUARD, write, words=("sneaky",))
    for name, make in {"keras-2": _old, "keras-1": _older}.items():
        write = hdf5_with(_put(make))
        yield Case(f"lambda-{name}.h5", ROW, GUARD, write, words=("sneaky",))
        write = archive_with(_put(make))
        yield Case(f"lambda-{name}.keras", ROW, GUARD, write, words=("sneaky",))
    for depth in (1, 2, 3):
        write = archive_with(_put(_nested(_lambda, depth)))
        yield Case(f"lambda-nested-{depth}.keras", ROW, GUARD, write, words=("sneaky",))
    for suffix, make in {"h5": _lambda, "hdf5": _old}.items():
        write = hdf5_with(_put(_nested(make, 2)))
        yield Case(f"lambda-nested-2.{suffix}", ROW, GUARD, write, words=("sneaky",))


def _by_position() -> Iterator[Case]:
    changes: dict[str, Change] = {
        "in-time-distributed": _put(_wrapped("TimeDistributed")),
        "in-bidirectional": _put(_wrapped("Bidirectional", "backward_layer")),
        "in-spectral-norm": _put(_wrapped("SpectralNormalization")),
        "in-rnn-cell": _put(_rnn),
        "as-output-shape": _put(_output_shape),
        "as-mask": _put(_mask),
        "by-reference": _put(_referring),
    }
    for name, change in changes.items():
        yield Case(f"lambda-{name}.keras", ROW, GUARD, archive_with(change), words=("sneaky",))
    yield Case(
        "lambda-by-reference.h5", ROW, GUARD, hdf5_with(_put(_referring_2)), words=("sneaky",)
    )
    for layer, key in (
        ("sneaky", "activation"),
        ("head", "kernel_initializer"),
        ("conv", "kernel_regularizer"),
        ("conv", "bias_constraint"),
        ("head", "dtype"),
    ):
        write = archive_with(_in_layer(layer, key))
        yield Case(f"lambda-as-{key.split('_')[-1]}.keras", ROW, GUARD, write, words=(layer,))
    yield Case(
        "lambda-as-activation.h5",
        ROW,
        GUARD,
        hdf5_with(_in_layer("head", "activation")),
        words=("head",),
    )
    for name, change in {"shared": _shared, "in-call": _in_call}.items():
        write = archive_with(change, "functional")
        yield Case(f"lambda-{name}.keras", ROW, GUARD, write, words=("sneaky",))
