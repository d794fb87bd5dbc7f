"""References to what is no part of a network, and layers that read files of the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .case import EITHER_REFUSAL, UNREADABLE, Case, Place
from .networks import (
    SIDE,
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
from .payloads import MODULE, pickled_text, write_module
from .saved_models import write_writing_folder

FUNCTIONS, FILES, CUSTOM = "references", "layers with files", "custom classes"
GUARD = "allow-list"

# Callable by name in some Keras, or in any program that resolves names itself.
OUTSIDE = (
    ("os", "system"),
    ("posix", "system"),
    ("subprocess", "Popen"),
    ("keras.utils", "get_file"),
    ("keras.datasets.mnist", "load_data"),
    ("keras.utils", "plot_model"),
    ("keras.saving", "load_model"),
    ("keras.config", "enable_unsafe_deserialization"),
    ("keras.config", "set_backend"),
    ("keras.src.utils.file_utils", "get_file"),
    ("keras.src.saving.saving_lib", "load_model"),
    ("keras.src.utils.python_utils", "func_load"),
    ("tensorflow.io", "write_file"),
    ("numpy", "load"),
)
CLASSES = (
    ("subprocess", "Popen"),
    ("keras.callbacks", "BackupAndRestore"),
    ("keras.utils", "CustomObjectScope"),
    ("keras.src.saving.saving_lib", "H5IOStore"),
    ("keras.export", "ExportArchive"),
    ("keras.layers.experimental.os", "system"),
)


def _as_function(layer: str, key: str, reference: Config) -> Change:
    return lambda config, place: find_layer(config, layer)["config"].update({key: reference})


def _as_layer(new: Config) -> Change:
    return lambda config, place: replace(config, new)


def _in_call(reference: Config) -> Change:
    def change(config: Config, place: Place) -> None:
        find_layer(config)["inbound_nodes"][0]["kwargs"] = {"training": [[reference]]}

    return change


def _beside_module(change: Change) -> Change:
    """With a module of the attacker's in the folder where the audit is started."""

    def wrapped(config: Config, place: Place) -> None:
        write_module(place.path.parent, place.canary)
        change(config, place)

    return wrapped


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _functions()
    yield from _positions()
    yield from _games()
    yield from _file_layers()
    yield from _vocabularies()
    yield from _custom()


def _functions() -> Iterator[Case]:
    for module, name in OUTSIDE:
        change = _as_function("sneaky", "activation", function(module, name))
        label = f"function-{module}.{name}.keras"
        yield Case(label, FUNCTIONS, GUARD, archive_with(change), words=(name,))
    for name in ("eval", "exec", "open", "__import__"):
        # Keras writes a custom function as a builtin, too: it may be taken for one.
        change = _as_function("sneaky", "activation", function("builtins", name))
        label = f"function-builtins.{name}.keras"
        yield Case(label, FUNCTIONS, GUARD, archive_with(change), EITHER_REFUSAL, words=(name,))
    for module, name in CLASSES:
        write = archive_with(_as_layer(node(name, module)))
        yield Case(f"class-{module}.{name}.keras", FUNCTIONS, GUARD, write, words=(name,))


def _positions() -> Iterator[Case]:
    reference = function("keras.utils", "get_file")
    scope = node("CustomObjectScope", "keras.utils")
    spec = {
        "class_name": "__typespec__",
        "spec_name": "Popen",
        "module": "subprocess",
        "config": ["true"],
        "registered_name": None,
    }
    places: dict[str, Change] = {
        "initializer": _as_function("head", "kernel_initializer", reference),
        "regularizer": _as_function("head", "kernel_regularizer", reference),
        "constraint": _as_function("conv", "kernel_constraint", reference),
        "policy": _as_function("head", "dtype", scope),
        "list": _as_function("head", "activity_regularizer", {"deep": [[{"er": [reference]}]]}),
        "layer-as-initializer": _as_function("head", "kernel_initializer", scope),
        "nested": _as_layer(nest(node("Activation", activation=reference), 3)),
        "wrapper": _as_layer(node("TimeDistributed", layer=scope)),
    }
    for name, change in places.items():
        write = archive_with(change)
        yield Case(f"reference-as-{name}.keras", FUNCTIONS, GUARD, write)
    for name, new in {"call": reference, "typespec": spec}.items():
        write = archive_with(_in_call(new), "functional")
        yield Case(f"reference-in-{name}.keras", FUNCTIONS, GUARD, write)
    write = hdf5_with(_as_function("head", "kernel_initializer", reference))
    yield Case("reference-as-initializer.h5", FUNCTIONS, GUARD, write, words=("get_file",))


def _games() -> Iterator[Case]:
    """Names that are read one way by a guard and another way by a loader."""
    games: dict[str, Config] = {
        "upper-case": function("OS", "system"),
        "trailing-dot": function("os.", "system"),
        "leading-dot": function(".os", "system"),
        "space": function(" os", "system"),
        "dotted-name": function("keras", "utils.get_file"),
        "through-keras": function("keras.layers", "os.system"),
        "registered": function("os", "system", "keras.activations>relu"),
        "honest-registered": function("keras.utils", "get_file", "relu"),
        "private-function": function("keras.src.utils.file_utils", "extract_archive"),
    }
    for name, reference in games.items():
        change = _as_function("sneaky", "activation", reference)
        yield Case(f"name-{name}.keras", FUNCTIONS, GUARD, archive_with(change), EITHER_REFUSAL)
    strange: dict[str, Config] = {
        "number-module": node("Dense") | {"module": 5},
        "list-module": node("Dense") | {"module": ["os"]},
        "object-class": node("Dense") | {"class_name": {"class_name": "Dense", "config": {}}},
        "null-class": node("Dense") | {"class_name": None},
        "text-config": node("Activation") | {"config": "relu"},
    }
    for name, new in strange.items():
        write = archive_with(_broken_node(new))
        yield Case(f"name-{name}.keras", FUNCTIONS, GUARD, write, EITHER_REFUSAL)


def _broken_node(new: Config) -> Change:
    def change(config: Config, place: Place) -> None:
        layers = config["config"]["layers"]
        layers[2] = new

    return change


def _tfsm(config: Config, place: Place, depth: int = 0) -> None:
    """The image goes straight into a SavedModel that lies beside the file."""
    folder = place.path.parent / "inner"
    write_writing_folder(folder, place.canary)
    layer = node("TFSMLayer", filepath=str(folder), call_endpoint="serving_default")
    config["config"]["layers"][1:] = [nest(layer, depth, (SIDE, SIDE, 3))]


def _tfsm_deep(config: Config, place: Place) -> None:
    _tfsm(config, place, 2)


def _torch(config: Config, place: Place) -> None:
    module = {"class_name": "__bytes__", "config": {"value": pickled_text(place.canary)}}
    replace(config, _module_layer("TorchModuleWrapper", module))


def _torch_plain(config: Config, place: Place) -> None:
    replace(config, _module_layer("TorchModuleWrapper", pickled_text(place.canary)))


def _module_layer(class_name: str, module: Any) -> Config:
    """A layer with an argument that is called as a field of every node is."""
    layer = node(class_name)
    layer["config"]["module"] = module
    return layer


def _file_layers() -> Iterator[Case]:
    changes: dict[str, tuple[Change, str]] = {
        "tfsm": (_tfsm, "TFSMLayer"),
        "tfsm-nested": (_tfsm_deep, "TFSMLayer"),
        "torch-bytes": (_torch, "TorchModuleWrapper"),
        "torch": (_torch_plain, "TorchModuleWrapper"),
        "jax": (_as_layer(node("JaxLayer", call_fn=function("os", "system"))), "JaxLayer"),
        "flax": (_as_layer(_module_layer("FlaxLayer", function("os", "system"))), "FlaxLayer"),
    }
    for name, (change, word) in changes.items():
        yield Case(f"{name}.keras", FILES, GUARD, archive_with(change), words=(word,))
    for name in ("tfsm", "torch"):
        change, word = changes[name]
        yield Case(f"{name}.h5", FILES, GUARD, hdf5_with(change), words=(word,))


def _vocabularies() -> Iterator[Case]:
    paths: dict[str, Config] = {
        "file": node("StringLookup", vocabulary="/etc/passwd"),
        "http": node("StringLookup", vocabulary="http://127.0.0.1:9/words.txt"),
        "bucket": node("TextVectorization", vocabulary="gs://nowhere/words.txt"),
        "relative": node("IntegerLookup", vocabulary="../../secrets.txt", vocabulary_dtype="int64"),
        "home": node("StringLookup", vocabulary="~/.ssh/id_rsa"),
        "bare-name": node("StringLookup", vocabulary="words"),
        "weights": node(
            "StringLookup", vocabulary=["a"], idf_weights="/etc/passwd", output_mode="tf_idf"
        ),
        "keras-2": {"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
    }
    for name, new in paths.items():
        new["config"]["name"] = "sneaky"
        write = archive_with(_as_layer(new))
        yield Case(f"vocabulary-{name}.keras", FILES, "vocabulary", write, words=("sneaky",))
    for suffix, wrap in (("keras", archive_with), ("h5", hdf5_with)):
        write = wrap(_as_layer(nest(paths["file"], 2)))
        label = f"vocabulary-nested.{suffix}"
        yield Case(label, FILES, "vocabulary", write, words=("vocabulary",))


def _custom() -> Iterator[Case]:
    """Not known to be hostile: the class is not here. The module beside the file never runs."""
    own: dict[str, tuple[Config, str]] = {
        "module": (node("Layer", MODULE), "Layer"),
        "no-module": (node("Attention2000", None), "Attention2000"),
        "main": (node("Attention2000", "__main__"), "Attention2000"),
        "package": (
            node("Attention2000", None) | {"registered_name": "lab>Attention2000"},
            "Attention2000",
        ),
        "nested": (nest(node("Attention2000", "lab.layers"), 3), "Attention2000"),
    }
    wraps: tuple[tuple[str, Callable[[Change], Callable[[Place], None]]], ...] = (
        ("keras", archive_with),
        ("h5", hdf5_with),
    )
    for name, (new, word) in own.items():
        for suffix, wrap in wraps if name in {"module", "no-module"} else wraps[:1]:
            write = wrap(_beside_module(_as_layer(new)))
            label = f"custom-{name}.{suffix}"
            yield Case(label, CUSTOM, "custom", write, (UNREADABLE,), ("--custom-objects", word))
    functions = {
        "keras-3": function("builtins", "my_activation", "function"),
        "module": function(MODULE, "my_activation"),
        "registered": function("builtins", "lab>my_activation"),
    }
    for name, reference in functions.items():
        write = archive_with(_beside_module(_as_function("sneaky", "activation", reference)))
        label = f"custom-function-{name}.keras"
        yield Case(label, CUSTOM, "custom", write, (UNREADABLE,), ("my_activation",))
    write = hdf5_with(lambda config, place: replace(config, _named_activation()))
    yield Case("custom-function-name.h5", CUSTOM, "custom", write, (UNREADABLE,), ("my_act",))


def _named_activation() -> Config:
    return {"class_name": "Activation", "config": {"name": "sneaky", "activation": "my_act"}}
