"""Folders that stand for a model: what MLflow logs, an unpacked archive, a level too high."""

import zipfile

import numpy as np
import pytest

from reportgen.errors import InputError, UnsafeInputError
from reportgen.subject.model_file import identify
from reportgen.subject.model_file.content import Format
from reportgen.subject.model_file.folders import is_unpacked, locate
from reportgen.subject.model_file.opening import open_model

X = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model file, and what its model answers."""
    import keras

    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, activation="softmax")])
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    model.save(path)
    return path, np.asarray(model(X, training=False))


@pytest.fixture
def put(saved, tmp_path):
    """``put("a/b.keras")``: a copy of the model at that place below the folder of the test."""

    def copy(name):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(saved[0].read_bytes())
        return target

    return copy


@pytest.fixture
def unpack(saved, tmp_path):
    def unpack(name):
        with zipfile.ZipFile(saved[0]) as archive:
            archive.extractall(tmp_path / name)
        return tmp_path / name

    return unpack


def write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def log(put, folder, *names):
    """As MLflow logs a model."""
    for name in names or ("model.keras",):
        target = put(f"{folder}/data/{name}")
    write(target.parent / "keras_module.txt", "keras")
    write(target.parent.parent / "MLmodel", "flavors:\n  keras:\n    data: data\n")
    write(target.parent.parent / "requirements.txt", "keras\n")
    return target.parent.parent


def refused(path):
    with pytest.raises(InputError) as caught:
        identify(path)
    return str(caught.value)


def check_answers(path, saved):
    file = identify(path)
    found = np.asarray(open_model(file)(X, training=False))
    np.testing.assert_array_equal(found, saved[1])
    return file


# What MLflow logs.


@pytest.mark.parametrize(("given", "inside"), [(".", "data/model.keras"), ("data", "model.keras")])
def test_the_model_that_mlflow_logged_is_opened(given, inside, put, saved, tmp_path):
    root = log(put, "logged")
    file = check_answers(root / given, saved)
    assert file.path == root / "data/model.keras"
    assert file.notes == (f"The model was found in the folder that MLflow logged: {inside}.",)
    assert file.sha256 == identify(root / "data/model.keras").sha256


def test_the_file_itself_needs_no_note(put):
    root = log(put, "logged")
    assert identify(root / "data/model.keras").notes == ()


def test_two_models_of_mlflow_are_both_named(put):
    root = log(put, "logged", "best.keras", "last.h5")
    assert refused(root) == (
        f"{root} is a folder. Give one of the models in it: {root}/data/best.keras, "
        f"{root}/data/last.h5."
    )
    assert refused(root / "data") == (
        f"{root}/data is a folder. Give one of the models in it: {root}/data/best.keras, "
        f"{root}/data/last.h5."
    )


def test_mlflow_may_log_a_folder(unpack, saved, tmp_path):
    unpack("logged/data/model")
    write(tmp_path / "logged/MLmodel")
    file = check_answers(tmp_path / "logged", saved)
    assert file.path == tmp_path / "logged/data/model"


# An unpacked archive.


def test_an_unpacked_archive_is_opened(unpack, saved):
    file = check_answers(unpack("net"), saved)
    assert file.notes == ("The folder is an unpacked .keras archive.",)
    assert (file.kind, file.keras_version) == (Format.KERAS, identify(saved[0]).keras_version)
    assert file.size_bytes == sum(part.stat().st_size for part in file.path.iterdir())


def test_an_unpacked_archive_that_changes_before_it_is_opened_is_refused(unpack):
    file = identify(unpack("unpacked"))
    weights = file.path / "model.weights.h5"
    weights.write_bytes(weights.read_bytes() + b"\0")
    with pytest.raises(InputError, match="changed while it was being read"):
        open_model(file)


def test_an_unpacked_archive_may_be_pinned(unpack):
    folder = unpack("net")
    digest = identify(folder).sha256
    assert identify(folder, sha256=digest).sha256 == digest
    weights = folder / "model.weights.h5"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(UnsafeInputError, match="is not the file that was pinned"):
        identify(folder, sha256=digest)


@pytest.mark.parametrize("missing", ["config.json", "model.weights.h5"])
def test_half_an_archive_is_none(missing, unpack):
    folder = unpack("net")
    assert is_unpacked(folder)
    (folder / missing).unlink()
    assert not is_unpacked(folder)
    assert refused(folder).startswith(f"{folder} is a folder")


@pytest.mark.parametrize("name", ["config.json", "metadata.json", "model.weights.h5"])
def test_a_part_that_is_a_link_is_not_followed(name, unpack, tmp_path):
    folder = unpack("net")
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    said = f"cannot be read: '{name}' in it is a link, which is not followed."
    assert refused(folder) == f"{folder} {said}"


def test_weights_that_become_a_link_are_not_followed(unpack, tmp_path):
    folder = unpack("net")
    file = identify(folder)
    (folder / "model.weights.h5").rename(tmp_path / "elsewhere.h5")
    (folder / "model.weights.h5").symlink_to(tmp_path / "elsewhere.h5")
    with pytest.raises(
        InputError, match=r"weights that cannot be read: 'model.weights.h5' in it is a link"
    ):
        open_model(file)


# A level too high, and what is no model.


def test_a_level_too_high_names_what_to_give(put, tmp_path):
    put("run/model.keras")
    write(tmp_path / "run/notes.txt")
    folder = tmp_path / "run"
    assert refused(folder) == f"{folder} is a folder. Give the model in it: {folder}/model.keras."


def test_an_unpacked_archive_is_named_as_a_whole(unpack, tmp_path):
    unpack("run/net")
    folder = tmp_path / "run"
    assert refused(folder) == f"{folder} is a folder. Give the model in it: {folder}/net."


def test_a_folder_of_a_graph_is_itself_or_is_named(tmp_path):
    write(tmp_path / "run/export/saved_model.pb")
    assert locate(tmp_path / "run/export") == (tmp_path / "run/export", ())
    with pytest.raises(InputError, match=rf"Give the model in it: {tmp_path}/run/export\."):
        locate(tmp_path / "run")


def test_three_of_many_are_named(put, tmp_path):
    for number in range(5):
        put(f"run/epoch_{number}.keras")
    said = refused(tmp_path / "run")
    assert said.endswith(
        "epoch_0.keras, " + f"{tmp_path}/run/epoch_1.keras, "
        f"{tmp_path}/run/epoch_2.keras and 2 more."
    )


NO_MODEL = "is a folder without an audit.toml, a saved_model.pb or a model file. Give a model file."


def test_an_empty_folder(tmp_path):
    assert refused(tmp_path) == f"{tmp_path} {NO_MODEL}"


def test_a_model_far_below_is_not_looked_for(put, tmp_path):
    put("run/a/b/near.keras")
    assert refused(tmp_path / "run").endswith("a/b/near.keras.")
    (tmp_path / "run/a/b/near.keras").unlink()
    put("run/a/b/c/far.keras")
    assert refused(tmp_path / "run") == f"{tmp_path}/run {NO_MODEL}"


# Links.


@pytest.mark.parametrize("logged", [True, False])
def test_a_link_to_a_model_is_not_followed(logged, put, tmp_path):
    model = put("elsewhere/model.keras")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "model.keras").symlink_to(model)
    if logged:
        write(folder / "MLmodel")
    assert refused(folder) == f"{folder} {NO_MODEL}"


def test_a_link_to_a_folder_is_not_followed(put, unpack, tmp_path):
    put("elsewhere/model.keras")
    unpack("unpacked")
    write(tmp_path / "run/MLmodel")
    (tmp_path / "run/data").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "run/more").symlink_to(tmp_path / "unpacked")
    assert refused(tmp_path / "run") == f"{tmp_path}/run {NO_MODEL}"


def test_a_link_that_the_user_names_is_followed(put, unpack, saved, tmp_path):
    root = log(put, "logged")
    (tmp_path / "here").symlink_to(root)
    check_answers(tmp_path / "here", saved)
    (tmp_path / "there").symlink_to(unpack("net"))
    check_answers(tmp_path / "there", saved)
