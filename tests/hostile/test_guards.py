"""Each guard is there for something: without it, a file that was refused is read."""

from __future__ import annotations

import contextlib
import importlib
import json
import zipfile

import pytest

from reportgen.errors import InputError, UnsafeInputError
from reportgen.subject.model_file import identify, open_model
from reportgen.subject.model_file.safety import guards

from .generate import collect

PACKAGE = "reportgen.subject.model_file."
CASES = {case.name: case for case in collect()}


def nothing(*_: object, **__: object) -> tuple[()]:
    return ()


def none(*_: object) -> None:
    return None


# (module, name in it, what replaces it, a file that only this stops)
REMOVALS = [
    ("reading.hdf5_survey", "_refuse_link", none, "external-link.h5"),
    ("reading.hdf5_survey", "_refuse_link", none, "dangling-link.h5"),
    ("reading.hdf5_survey", "_refuse_link", none, "external-link.keras"),
    ("reading.hdf5_survey", "_refuse_dataset", none, "virtual.h5"),
    ("reading.hdf5_survey", "_refuse_dataset", none, "external-storage.h5"),
    ("reading.hdf5_survey", "_refuse_dataset", none, "compound.h5"),
    ("reading.hdf5_file", "_is_inside", lambda _: True, "weight-name-absolute.h5"),
    ("reading.hdf5_survey", "_MAX_LEVELS", 10**9, "deep-groups.h5"),
    ("reading.hdf5_survey", "_most_objects", lambda _: 10**9, "many-groups.h5"),
    ("reading.archive", "_refuse_member", none, "zip-parent.keras"),
    ("reading.archive", "_refuse_member", none, "zip-link.keras"),
    ("reading.archive", "_find_twins", lambda _: [], "zip-first-config.keras"),
    ("reading.archive", "_MAX_RATIO", 10**9, "zip-bomb-unrelated.keras"),
    ("reading.archive", "_MAX_MEMBERS", 10**9, "zip-many-members.keras"),
    ("identification", "_check_hash", none, "hash-wrong.keras"),
    ("saved_model.folder", "find_file_operations", nothing, "graph-beside-layers"),
]
# A guard of the configuration, and a file that only it stops.
GUARDED = [
    ("guard_code", "lambda-nested-3.keras"),
    ("guard_references", "function-os.system.keras"),
    ("guard_paths", "vocabulary-http.keras"),
    ("guard_integers", "size-batch.keras"),
    ("guard_parameters", "size-kernel.keras"),
    ("guard_arrays", "extra-rank.h5"),
]


def is_refused(collection, name: str) -> bool:
    case = CASES[name]
    try:
        identify(case.place(collection).path, sha256=case.pin or None)
    except UnsafeInputError:
        return True
    except InputError:
        pass
    return False


@pytest.mark.parametrize(("module", "name", "instead", "case"), REMOVALS)
def test_without_it_a_hostile_file_is_read(collection, monkeypatch, module, name, instead, case):
    assert is_refused(collection, case)
    monkeypatch.setattr(importlib.import_module(PACKAGE + module), name, instead)
    assert not is_refused(collection, case)


@pytest.mark.parametrize(("guard", "case"), GUARDED)
def test_without_a_guard_a_hostile_file_is_read(collection, monkeypatch, guard, case):
    assert is_refused(collection, case)
    left = tuple(each for each in guards.GUARDS if each.__name__ != guard)
    assert len(left) == len(guards.GUARDS) - 1
    monkeypatch.setattr(guards, "GUARDS", left)
    assert not is_refused(collection, case)


def test_every_guard_of_the_configuration_is_tried():
    tried = {guard for guard, _ in GUARDED}
    # What the readers found is tried above; the activations and the layers below.
    rest = {"guard_reading", "guard_activations", "guard_calls"}
    assert tried | rest == {guard.__name__ for guard in guards.GUARDS}


def test_without_the_readers_hazards_a_link_is_followed(collection, monkeypatch):
    left = tuple(guard for guard in guards.GUARDS if guard is not guards.guard_reading)
    assert is_refused(collection, "zip-case-config.keras")
    monkeypatch.setattr(guards, "GUARDS", left)
    with contextlib.suppress(InputError):  # nothing was read of it, so there is no network
        identify(CASES["zip-case-config.keras"].place(collection).path)


def saved(path, *middle):
    """A model that averages over places, so that its weights do not depend on their number."""
    import keras

    ends = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    keras.Sequential([keras.Input((8, 8, 3)), *middle, *ends]).save(path)
    return path


def edit(path, change):
    """Rewrite the configuration in an archive."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config["config"]["layers"])
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_the_guard_of_activations(tmp_path, monkeypatch):
    import keras

    path = saved(tmp_path / "flow.keras", keras.layers.UpSampling2D(2))
    edit(path, lambda layers: layers[1]["config"].update(size=[40_000, 40_000]))
    with pytest.raises(UnsafeInputError, match="numbers at once"):
        identify(path)
    left = tuple(guard for guard in guards.GUARDS if guard is not guards.guard_activations)
    monkeypatch.setattr(guards, "GUARDS", left)
    assert identify(path).hazards == ()


def test_the_limit_of_layers(tmp_path, monkeypatch):
    import keras

    from reportgen.subject.model_file import identification

    path = saved(tmp_path / "many.keras", keras.layers.ReLU())
    edit(path, lambda layers: layers.__setitem__(slice(1, 2), many(layers[1], 11_000)))
    with pytest.raises(UnsafeInputError, match="it has 11,004 layers"):
        identify(path)
    monkeypatch.setattr(identification, "MAX_LAYERS", 10**9)
    assert identify(path).hazards == ()


def test_the_limit_of_depth(tmp_path, monkeypatch):
    import keras

    from reportgen.subject.model_file import configuration

    deep = []
    for _ in range(300):
        deep = [deep]
    path = saved(tmp_path / "deep.keras", keras.layers.ReLU())
    edit(path, lambda layers: layers[1]["config"].update(extra=deep))
    with pytest.raises(UnsafeInputError, match="deeper than 200 levels"):
        identify(path)
    monkeypatch.setattr(configuration, "MAX_DEPTH", 10**5)
    assert identify(path).hazards == ()


def many(layer, count):
    return [{**layer, "config": {**layer["config"], "name": f"again_{i}"}} for i in range(count)]


def test_the_budget_of_parameters(tmp_path, monkeypatch):
    """The shapes of this wrapper are not derived, so only building can tell them."""
    import keras

    from reportgen.subject.model_file.building import network

    wrapped = keras.layers.SpectralNormalization(keras.layers.Conv2D(4, 1, use_bias=False))
    path = saved(tmp_path / "budget.keras", wrapped)
    edit(path, lambda layers: layers[1]["config"]["layer"]["config"].update(filters=1_000_000))
    with pytest.raises(UnsafeInputError, match="would allocate"):
        open_model(identify(path))
    monkeypatch.setattr(network, "_budget", lambda _: contextlib.nullcontext())
    with pytest.raises(InputError):  # allocated by now; the weights do not fit
        open_model(identify(path))
