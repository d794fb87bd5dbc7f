"""A folder of ordinary checkpoints is a history; a hostile or foreign file in it is refused."""

import os
import shutil
import zipfile

import h5py
import numpy as np
import pytest

from reportgen.config import AuditConfig
from reportgen.errors import InputError, OutputError, UnsafeInputError, UsageError
from reportgen.subject.history import read_history

keras = pytest.importorskip("keras")

X = np.linspace(-1, 1, 60, dtype=np.float32).reshape(20, 3)


def build(units=4, name="net"):
    pixels = keras.Input((3,))
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)], name="inner")
    x = keras.layers.BatchNormalization()(inner(pixels))
    return keras.Model(pixels, keras.layers.Dense(1)(x), name=name)


class Keep(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(self.model.get_weights())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Checkpoints of eleven epochs in every format, by Keras' own callback; and what they hold."""
    folder = tmp_path_factory.mktemp("checkpoints")
    keras.utils.set_random_seed(1)
    model, keep = build(), Keep()
    model.compile("adam", "mse", jit_compile=False)
    checkpoint = keras.callbacks.ModelCheckpoint
    callbacks = [
        keep,
        checkpoint(folder / "keras" / "ckpt-{epoch}-{loss:.2f}.keras"),
        checkpoint(folder / "weights" / "model.{epoch}.weights.h5", save_weights_only=True),
    ]
    for kind in ("keras", "weights", "h5"):
        (folder / kind).mkdir()
    model.fit(X, X[:, :1], epochs=11, verbose=0, batch_size=5, callbacks=callbacks)
    for epoch in (1, 2, 10):
        model.set_weights(keep.seen[epoch - 1])
        model.save(folder / "h5" / f"{epoch}.h5")
    model.set_weights(keep.seen[-1])
    return folder, model, keep.seen


@pytest.fixture
def folder(trained, tmp_path):
    """Three checkpoints to spoil, and the network."""
    for epoch in (1, 2, 3):
        name = f"model.{epoch}.weights.h5"
        shutil.copy(trained[0] / "weights" / name, tmp_path / name)
    return tmp_path, trained[1]


@pytest.mark.parametrize(
    ("kind", "epochs"), [("keras", range(1, 12)), ("weights", range(1, 12)), ("h5", (1, 2, 10))]
)
def test_what_keras_saves_is_a_history(trained, kind, epochs):
    folder, model, seen = trained
    before = model.get_weights()
    history = read_history(folder / kind, model)
    assert [step.epoch for step in history.steps] == list(epochs)
    assert {step.step for step in history.steps} == {None}
    assert not history.from_start
    assert history.notes == ()
    assert history.shapes == tuple(w.shape for w in before)
    for index, epoch in enumerate(epochs):
        for array, weight in zip(history.arrays(index), seen[epoch - 1], strict=True):
            np.testing.assert_array_equal(array, weight)
    assert list(history.weights(0)) == [weight.path for weight in model.weights]
    np.testing.assert_array_equal(history.arrays(-1, [2])[0], seen[epochs[-1] - 1][2])
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_each_file_is_loaded_once_and_nothing_stays_behind(folder, monkeypatch, tmp_path_factory):
    """Also while it is open there is nothing with a name that a killed worker could leave."""
    scratch = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    from reportgen.subject.history import checkpoints

    loaded = []
    load = checkpoints.load_content

    def watch(path, *rest):
        loaded.append(path.name)
        return load(path, *rest)

    monkeypatch.setattr(checkpoints, "load_content", watch)
    history = read_history(*folder)
    assert loaded == []
    for position in range(len(history.shapes)):
        for index in range(3):
            history.arrays(index, [position])
    assert loaded == [f"model.{n}.weights.h5" for n in (1, 2, 3)]
    assert list(scratch.iterdir()) == []
    file = history.loader._shelf._file
    del history
    assert file.closed


def test_a_place_that_is_not_there_is_named(folder):
    history = read_history(*folder)
    for position in (8, -1):
        with pytest.raises(InputError, match=f"holds 8 arrays, none at position {position}"):
            history.arrays(0, [position])
    with pytest.raises(IndexError):
        history.arrays(3)


def test_half_precision_comes_back_as_float32(tmp_path):
    layers = [keras.layers.Dense(2, dtype="bfloat16"), keras.layers.Dense(2, dtype="float16")]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.save_weights(tmp_path / "1.weights.h5")
    for array, weight in zip(
        read_history(tmp_path, model).arrays(0), model.get_weights(), strict=True
    ):
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, np.asarray(weight, np.float32))


def test_a_network_that_was_saved_and_opened_takes_them(trained, tmp_path):
    """The audited network is another object, read from a file, its layers perhaps renamed."""
    from reportgen.subject.model_file import identify, open_model

    folder, model, seen = trained
    model.save(tmp_path / "model.keras")
    opened = open_model(identify(tmp_path / "model.keras"))
    history = read_history(folder / "weights", opened)
    np.testing.assert_array_equal(history.arrays(4, [0])[0], seen[4][0])


def test_a_compiled_network_with_code_of_its_own_is_copied_without_it(folder):
    def strange(y, p):
        return keras.ops.mean(y - p)

    path, _ = folder
    model = build()
    model.compile("adam", strange)
    assert len(read_history(path, model).arrays(0)) == 8


def test_the_subject_has_them_and_says_what_was_left_out(folder):
    from reportgen.subject.subject import LiveInput, open_subject

    path, model = folder
    shutil.copy(path / "model.2.weights.h5", path / "best.weights.h5")
    config = AuditConfig(history=path, preprocessing="none")
    subject = open_subject(config, LiveInput(model, X))
    assert [step.epoch for step in subject.history.steps] == [1, 2, 3]
    assert subject.card.history_steps == 3
    assert any("best.weights.h5 was left out" in note for note in subject.notes)


def test_a_recorded_history_wins(folder):
    from reportgen.subject.history import HistoryWriter

    path, model = folder
    HistoryWriter(path).append(0, {"w": np.zeros(2, np.float32)}, {})
    assert read_history(path, model).shapes == ((2,),)


def test_without_a_network_it_is_said_what_is_missing(folder):
    with pytest.raises(UsageError, match="give read_history the model"):
        read_history(folder[0])


def test_another_network_is_named(folder):
    with pytest.raises(InputError, match=r"model\.1\.weights\.h5: holds the weights of another"):
        read_history(folder[0], build(units=5))


def test_the_same_shapes_in_another_place_are_refused_when_loaded(folder):
    path, _ = folder
    pixels = keras.Input((3,))
    x = keras.layers.Dense(4)(pixels)
    x = keras.layers.Dense(1)(keras.layers.BatchNormalization()(x))
    history = read_history(path, keras.Model(pixels, x))
    with pytest.raises(InputError, match=r"model\.1\.weights\.h5: .*leave the history out"):
        history.arrays(0)


def test_a_network_that_cannot_be_copied(folder):
    class Odd(keras.Model):
        def __init__(self, secret):
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, x):
            return self.dense(x)

    path, _ = folder
    model = Odd(object())
    model(X)
    for name in os.listdir(path):
        (path / name).unlink()
    model.save_weights(path / "1.weights.h5")
    with pytest.raises(InputError, match="Keras cannot copy this one"):
        read_history(path, model)


def truncate(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (truncate, "broken or truncated"),
        (lambda file: file.write_bytes(b""), "empty"),
        (lambda file: file.write_text("<html>"), "web page"),
        (lambda file: (file.unlink(), file.mkdir()), "not a regular file"),
        (lambda file: (file.unlink(), os.mkfifo(file)), "not a regular file"),
    ],
)
def test_a_broken_checkpoint_is_named_with_the_way_out(folder, spoil, said):
    path, model = folder
    spoil(path / "model.2.weights.h5")
    with pytest.raises(InputError, match=rf"model\.2\.weights\.h5.*{said}.*Take it out"):
        read_history(path, model)


def external(file):
    with h5py.File(file, "a") as weights:
        weights["more"] = h5py.ExternalLink("/etc/passwd", "/")


def soft(file):
    with h5py.File(file, "a") as weights:
        weights["more"] = h5py.SoftLink("/layers")


def bomb(file):
    with h5py.File(file, "a") as weights:
        weights.create_dataset("more", (20_000, 20_000), "f4", chunks=True, compression="gzip")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (external, "a link to another file"),
        (soft, "soft link"),
        (bomb, "a bomb"),
    ],
)
def test_a_hostile_checkpoint_is_refused(folder, spoil, said):
    path, model = folder
    spoil(path / "model.2.weights.h5")
    with pytest.raises(UnsafeInputError, match=rf"model\.2\.weights\.h5.*{said}"):
        read_history(path, model)


def test_a_link_is_followed_below_the_folder_and_no_further(folder, tmp_path):
    path, model = folder
    second = path / "model.2.weights.h5"
    second.rename(path / "second")
    second.symlink_to("second")
    assert len(read_history(path, model).steps) == 3
    (path / "second").rename(path.parent / "outside")
    second.unlink()
    second.symlink_to("../outside")
    history = read_history(path, model)
    assert [step.file for step in history.steps] == ["model.1.weights.h5", "model.3.weights.h5"]
    assert history.notes == (
        "Of the checkpoints, model.2.weights.h5 was left out: it is a link out of the folder.",
    )
    for name in ("model.1.weights.h5", "model.3.weights.h5"):
        (path / name).unlink()
    with pytest.raises(InputError, match="1 are links out of it"):
        read_history(path, model)


def test_a_hostile_archive_is_refused(trained, tmp_path):
    folder, model, _ = trained
    source = next((folder / "keras").glob("ckpt-1-*.keras"))
    with zipfile.ZipFile(shutil.copy(source, tmp_path / "1.keras"), "a") as archive:
        archive.writestr("../escape", b"")
    with pytest.raises(UnsafeInputError, match=r"1\.keras.*leaves the archive"):
        read_history(tmp_path, model)


def test_an_array_without_a_place_is_refused_when_loaded(folder):
    path, model = folder
    with h5py.File(path / "model.2.weights.h5", "a") as weights:
        weights["more"] = np.zeros((50, 50), np.float32)
    history = read_history(path, model)
    history.arrays(0)
    with pytest.raises(UnsafeInputError, match=r"model\.2\.weights\.h5: .*no place"):
        history.arrays(1)


def test_a_file_that_changed_since_it_was_surveyed_is_not_loaded(folder):
    path, model = folder
    history = read_history(path, model)
    shutil.copy(path / "model.3.weights.h5", path / "model.1.weights.h5")
    with pytest.raises(InputError, match=r"model\.1\.weights\.h5: changed while"):
        history.arrays(0)
    (path / "model.2.weights.h5").unlink()
    with pytest.raises(InputError, match=r"model\.2\.weights\.h5: cannot be read: No such file"):
        history.arrays(1)


def test_code_in_a_checkpoint_never_runs(trained, tmp_path):
    """The configuration in the file is not looked at: only arrays go into the network."""
    folder, model, seen = trained
    source = next((folder / "keras").glob("ckpt-1-*.keras"))
    with (
        zipfile.ZipFile(source) as old,
        zipfile.ZipFile(tmp_path / "1.keras", "w") as new,
    ):
        for member in old.namelist():
            text = old.read(member)
            new.writestr(member, text.replace(b'"Dense"', b'"Lambda"'))
    history = read_history(tmp_path, model)
    np.testing.assert_array_equal(history.arrays(0, [0])[0], seen[0][0])


def test_a_full_disk_is_an_output_error(folder, monkeypatch):
    from reportgen.subject.history import checkpoints

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    history = read_history(*folder)
    monkeypatch.setattr(checkpoints.Shelf, "lay", full)
    with pytest.raises(OutputError, match=r"No space left.*TMPDIR"):
        history.arrays(0)
