"""Building the network and giving it its weights. The only place here that imports Keras."""

from __future__ import annotations

import contextlib
import copy
import math
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import h5py

from reportgen.errors import InputError, UnsafeInputError
from reportgen.memory import memory_within
from reportgen.subject.model_file.building.groups import (
    close_gaps,
    find_strangers,
    follow_names,
    rename,
    wanted_groups,
)
from reportgen.subject.model_file.building.naming import stranger
from reportgen.subject.model_file.configuration import walk
from reportgen.subject.model_file.content import Content
from reportgen.subject.model_file.reading import archive, hdf5_file, hdf5_survey
from reportgen.subject.model_file.repairs.installed_keras import accepted_arguments
from reportgen.subject.model_file.repairs.table import Repair, layers
from reportgen.subject.model_file.safety.guards import MAX_ACTIVATION, MAX_PARAMETERS

if TYPE_CHECKING:
    import keras

_SLACK = 1_000_000
# Keras' own needs, and a weight with its initial value beside it.
_BUILDING_BYTES, _BYTES_A_PARAMETER = 2 * 2**30, 16
_SMALL = 1024
_LOOKUPS = ("IntegerLookup", "StringLookup", "TextVectorization")


def build(
    config: Any, content: Content, *, custom: Mapping[str, Any], allow_unsafe: bool = False
) -> keras.Model:
    """The network that ``config`` describes, with its initial weights.

    Raises:
        UnsafeInputError: it would allocate more than the file stores.
        InputError: Keras cannot build it; the message is a predicate with Keras' cause.
    """
    import keras

    from reportgen.subject.model_file.building.operations import OBJECTS

    _refuse_assets(config)
    stored = sum(array.elements for array in content.arrays)
    budget = min(stored + _SLACK, MAX_PARAMETERS)
    limits = contextlib.ExitStack()
    if not allow_unsafe:
        limits.enter_context(_budget(budget))
        limits.enter_context(memory_within(_BUILDING_BYTES + _BYTES_A_PARAMETER * budget))
    try:
        with limits:
            model = keras.saving.deserialize_keras_object(
                copy.deepcopy(config),  # Keras takes it apart
                custom_objects={**OBJECTS, **_by_registered_name(config, custom)},
                safe_mode=not allow_unsafe,
            )
    except (InputError, UnsafeInputError):
        raise
    except MemoryError:
        raise UnsafeInputError("building it takes far more memory than its weights.") from None
    except Exception as error:
        raise InputError(_explain(error)) from None
    if not isinstance(model, keras.Model):
        raise InputError(f"holds a {type(model).__name__}, not a model.")
    if not allow_unsafe:
        _refuse_large_outputs(model)
    return model


def _refuse_assets(config: Any) -> None:
    """Vocabularies that stand in the archive beside the weights: without them it cannot predict."""
    for where, node in walk(config):
        settings = node.get("config")
        if node["class_name"] not in _LOOKUPS or not isinstance(settings, dict):
            continue
        if settings.get("vocabulary") is None:
            raise InputError(
                f"keeps the vocabulary of layer {where} beside its weights, which is not read. "
                "Give the layer its vocabulary as a list and save the model again."
            )


def _refuse_large_outputs(model: keras.Model) -> None:
    """What the declaration could not tell: the outputs of every operation."""
    for operation in [*getattr(model, "operations", ()), *model._flatten_layers()]:
        for node in operation._inbound_nodes:
            for tensor in node.output_tensors:
                # The first axis too: an operation may make it as long as it likes.
                size = math.prod(side for side in tensor.shape if side)
                if size > MAX_ACTIVATION:
                    raise UnsafeInputError(
                        f"layer {operation.name[:80]}: gives {size:,} numbers at once."
                    )


def drop_unknown(config: Any) -> tuple[Any, tuple[Repair, ...]]:
    """Leave out arguments that this Keras does not know, where they are off.

    Other versions wrote them, also ones that are not out yet: the layers themselves are asked
    what they know. Returns a new configuration, and what was done.
    """
    config = copy.deepcopy(config)
    dropped: dict[str, None] = {}
    where: list[str] = []
    for address, node in layers(config):
        settings = node.get("config")
        if node.get("module") != "keras.layers" or not isinstance(settings, dict):
            continue
        known = accepted_arguments(node["class_name"])
        for key in [key for key in settings if known and key not in known]:
            if settings[key] is None or settings[key] is False:
                del settings[key]
                dropped[str(key)[:40]] = None
                where.append(address)
    if not dropped:
        return config, ()
    said = "Arguments that this Keras does not know were dropped; they were off"
    places = tuple(dict.fromkeys(where))
    return config, (Repair("unknown_arguments", said, places, tuple(dropped)),)


def _by_registered_name(config: Any, custom: Mapping[str, Any]) -> dict[str, Any]:
    """The user's objects also under the names that the file registered them with."""
    objects = dict(custom)
    for _, node in walk(config):
        registered = node.get("registered_name")
        if isinstance(registered, str) and registered.rpartition(">")[2] in custom:
            objects.setdefault(registered, custom[registered.rpartition(">")[2]])
    return objects


@contextmanager
def _budget(limit: float) -> Iterator[None]:
    """Count the parameters while they are asked for, before each is allocated."""
    import keras

    original, spent = keras.layers.Layer.add_weight, 0

    def add_weight(self: Any, shape: Any = None, *args: Any, **kwargs: Any) -> Any:
        nonlocal spent
        sides = [shape] if isinstance(shape, int) else list(shape or ())
        spent += math.prod(int(side) for side in sides if side is not None)
        if spent > limit:
            raise UnsafeInputError(
                f"layer {self.name[:80]}: it would allocate {spent:,} parameters, far more than "
                "the file stores."
            )
        return original(self, shape, *args, **kwargs)

    keras.layers.Layer.add_weight = add_weight
    try:
        yield
    finally:
        keras.layers.Layer.add_weight = original


def load_archive_weights(
    model: keras.Model, stream: IO[bytes], *, allow_unsafe: bool = False
) -> tuple[str, ...]:
    """Weights of a .keras archive, through a clean copy that holds nothing but arrays.

    Returns the repairs that the names needed.

    Raises:
        InputError: they do not fit the network.
    """
    with archive.open_weights(stream) as source:
        if source is None:
            raise InputError("has no weights in it (model.weights.h5 is missing).")
        return load_weights_file(model, source, allow_unsafe=allow_unsafe)


def load_weights_file(
    model: keras.Model, source: IO[bytes], *, allow_unsafe: bool = False
) -> tuple[str, ...]:
    """Like `load_archive_weights`, for an HDF5 file that Keras wrote with ``save_weights``."""
    with tempfile.TemporaryDirectory() as folder:
        clean = Path(folder) / "clean.weights.h5"
        shapes = {tuple(variable.shape) for variable in model.variables}
        repairs = _copy_weights(source, clean, shapes, model, allow_unsafe)
        try:
            model.load_weights(clean)
        except Exception as error:
            raise InputError(_explain(error)) from None
    return repairs


def _copy_weights(
    source: IO[bytes],
    target: Path,
    shapes: set[tuple[int, ...]],
    model: keras.Model,
    allow_unsafe: bool,
) -> tuple[str, ...]:
    """Copy groups and arrays; arrays that no variable has the shape of are refused or left out."""
    repairs: list[str] = []
    try:
        with h5py.File(source, "r") as old, h5py.File(target, "w") as new:
            hazards, _ = hdf5_survey.survey(old)
            if hazards:
                raise ValueError(str(hazards[0]))
            names = {name: name.replace("\\", "/") for name in _names_in(old)}
            if any(name != path for name, path in names.items()):
                repairs.append("The groups of weights were named with backslashes, as Windows does")
            if counted := close_gaps(names.values(), len(model.layers), wanted_groups(model)):
                repairs.append("The groups of weights were numbered with gaps, as Keras 2.13 did")
                names = {name: rename(path, counted) for name, path in names.items()}
            elif moved := _follow_names(old, names, model):
                repairs.append("Weights were given to the layers whose names the file has")
                names = {name: rename(path, moved) for name, path in names.items()}
            _refuse_strangers(old, names, model)
            for name, path in names.items():
                if isinstance(old[name], h5py.Group):  # empty ones too: Keras looks for them
                    _copy_group(old[name], new.require_group(path))
                elif old[name].shape in shapes or old[name].size <= _SMALL:
                    new.create_dataset(path, data=old[name][()])
                    if "dtype" in old[name].attrs:  # how Keras writes bfloat16
                        new[path].attrs["dtype"] = str(old[name].attrs["dtype"])
                elif not allow_unsafe and "optimizer" not in path and "metrics" not in path:
                    raise UnsafeInputError(
                        f"{name[:80]}: a dataset of {old[name].shape} that the network has no "
                        "place for."
                    )
    except hdf5_file.DAMAGE as error:
        raise InputError(f"holds damaged weights ({error}). Copy it again.") from None
    return tuple(repairs)


def _refuse_strangers(file: h5py.File, names: Mapping[str, str], model: keras.Model) -> None:
    """Refuse weights of layers that the network does not have: another network wrote them."""
    arrays = (path for name, path in names.items() if isinstance(file[name], h5py.Dataset))
    if strangers := find_strangers(arrays, wanted_groups(model)):
        raise stranger(strangers[0])


def _follow_names(file: h5py.File, names: Mapping[str, str], model: keras.Model) -> dict[str, str]:
    """See `follow_names`; nothing where the groups do not say the names of their layers."""
    said: dict[str, str] = {}
    shapes: dict[str, list[tuple[int, ...]]] = {}
    for name, path in names.items():
        if isinstance(file[name], h5py.Dataset):
            for above in _above(path):
                shapes.setdefault(above, []).append(tuple(file[name].shape))
        elif path.endswith("/vars") and isinstance(file[name].attrs.get("name"), str):
            said[path.removesuffix("/vars")] = file[name].attrs["name"]
    found = {path: tuple(sorted(shapes.get(path, ()))) for path in said}
    return follow_names(model, said, found)


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _names_in(file: h5py.File) -> list[str]:
    """Every group and array, without the state of the optimizer."""
    names: list[str] = []
    file.visit(names.append)
    return [name for name in names if name.partition("/")[0] != "optimizer"]


def _copy_group(old: h5py.Group, new: h5py.Group) -> None:
    """The layer's name beside its weights, which Keras 3 compares."""
    if isinstance(old.attrs.get("name"), str):
        new.attrs["name"] = old.attrs["name"]


def _explain(error: Exception) -> str:
    """Keras' cause in one line: the innermost one, without the configuration it prints."""
    text = str(error)
    unknown = re.search(r"Could not locate (?:class|function) '([^']{1,80})'", text) or re.search(
        r"Unknown (?:layer|object|activation function)[^:]{0,20}: '?([^'\s]{1,80})", text
    )
    if unknown:
        return f"needs {unknown[1]!r}, which Keras does not have."
    several = re.search(r"Example error message for object [^\n]*:\s+(\S[^\n]*)", text)
    if several:
        return f"cannot be filled with its weights by this Keras: {several[1][:300]}"
    if "Exception encountered: " in text:
        text = text.rpartition("Exception encountered: ")[2]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"cannot be built by this Keras: {(lines or [type(error).__name__])[0][:300]}"
