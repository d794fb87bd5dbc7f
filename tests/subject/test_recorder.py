"""The callback under real trainings: what is recorded is what the network was."""

import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from reportgen.errors import UsageError
from reportgen.subject.history import read_history, weight_names

keras = pytest.importorskip("keras")

from reportgen.subject.recorder import WeightRecorder  # noqa: E402

X = np.linspace(-1, 1, 60, dtype=np.float32).reshape(20, 3)
Y = X[:, :1] ** 2


def build():
    """Weights that training moves, and weights that it does not."""
    pixels = keras.Input((3,))
    x = keras.layers.BatchNormalization()(keras.layers.Dense(4)(pixels))
    return keras.Model(pixels, keras.layers.Dense(1)(x))


def build_twins():
    """Two weights of one path."""

    def tower(name):
        pixels = keras.Input((3,))
        return keras.Model(pixels, keras.layers.Dense(1, name="dense")(pixels), name=name)

    pixels = keras.Input((3,))
    return keras.Model(pixels, keras.layers.Add()([tower("a")(pixels), tower("b")(pixels)]))


def compiled(optimizer="sgd", *, make=build, **options):
    keras.utils.set_random_seed(3)
    model = make()
    # XLA is fast to run and slow to compile.
    model.compile(**{"optimizer": optimizer, "loss": "mse", "jit_compile": False} | options)
    return model


class Witness(keras.callbacks.Callback):
    """Keeps the weights after every execution, by the optimizer's own count of steps."""

    def on_train_begin(self, logs=None):
        self.seen = {0: self.model.get_weights()}

    def on_train_batch_end(self, batch, logs=None):
        self.seen[int(self.model.optimizer.iterations)] = self.model.get_weights()


def fit(model, *callbacks, epochs=3, batch_size=5, **options):
    options = {"verbose": 0, "shuffle": False} | options
    return model.fit(
        X, Y, epochs=epochs, batch_size=batch_size, callbacks=list(callbacks), **options
    )


def same(recorded, expected):
    for array, weight in zip(recorded, expected, strict=True):
        np.testing.assert_array_equal(array, weight)


def check(folder, model, witness=None):
    """The records rise, the last is the model, and each is what the witness saw."""
    history = read_history(folder)
    same(history.arrays(-1), model.get_weights())
    assert history.shapes == tuple(tuple(weight.shape) for weight in model.weights)
    for before, after in pairwise(history.steps):
        assert after.follows(before)
    for index, step in enumerate(history.steps if witness else ()):
        same(history.arrays(index), witness.seen[step.step])
    return history


def places(history):
    return [(step.epoch, step.step) for step in history.steps]


def test_the_first_weights_and_every_epoch(tmp_path):
    model, witness = compiled(make=build_twins), Witness()
    recorder = WeightRecorder(tmp_path / "h")
    fitted = fit(model, witness, recorder, epochs=2)
    history = check(tmp_path / "h", model, witness)
    assert places(history) == [(0, 0), (1, 4), (2, 8)]
    assert [step.metrics["loss"] for step in history.steps[1:]] == fitted.history["loss"]
    assert history.from_start
    names = weight_names(weight.path for weight in model.weights)
    assert "dense/kernel#2" in names
    assert tuple(history.weights(0)) == names


def test_a_second_training_is_refused_and_told_how_to_go_on(tmp_path):
    model, recorder = compiled(), WeightRecorder(tmp_path / "h")
    fit(model, recorder, epochs=1)
    with pytest.raises(UsageError, match=r"new recorder.*resume=True"):
        fit(model, recorder, epochs=1)
    assert len(read_history(tmp_path / "h").steps) == 2


def test_every_few_steps(tmp_path):
    model, witness = compiled("adam"), Witness()
    fit(model, witness, WeightRecorder(tmp_path / "h", every=3))
    history = check(tmp_path / "h", model, witness)
    assert places(history) == [(0, 0), (0.75, 3), (1.5, 6), (2.25, 9), (3, 12)]
    assert all("loss" in step.metrics for step in history.steps[1:])


def test_the_last_weights_are_recorded_where_no_step_was_due(tmp_path):
    model, witness = compiled(), Witness()
    fit(model, witness, WeightRecorder(tmp_path / "h", every=5), validation_data=(X, Y))
    history = check(tmp_path / "h", model, witness)
    assert places(history) == [(0, 0), (1.25, 5), (2.5, 10), (3, 12)]
    assert "val_loss" in history.steps[-1].metrics


def test_a_record_at_the_end_of_an_epoch_has_its_validation(tmp_path):
    model = compiled()
    fitted = fit(model, WeightRecorder(tmp_path / "h", every=2), validation_data=(X, Y))
    history = check(tmp_path / "h", model)
    assert places(history)[2::2] == [(1, 4), (2, 8), (3, 12)]
    assert [step.metrics["val_loss"] for step in history.steps[2::2]] == fitted.history["val_loss"]
    assert all("val_loss" not in step.metrics for step in history.steps[1::2])


def test_steps_in_executions_are_counted_as_the_optimizer_counts(tmp_path):
    """Ten steps an epoch, four at a time: Keras itself counts to twelve."""
    model, witness = compiled(steps_per_execution=4), Witness()
    fit(model, witness, WeightRecorder(tmp_path / "h", every=3), batch_size=2, epochs=2)
    history = check(tmp_path / "h", model, witness)
    assert places(history) == [(0, 0), (0.4, 4), (0.8, 8), (1, 10), (1.4, 14), (1.8, 18), (2, 20)]


def test_data_of_unknown_length(tmp_path):
    def batches():
        for start in range(0, 20, 5):
            yield X[start : start + 5], Y[start : start + 5]

    import tensorflow as tf

    spec = (tf.TensorSpec((5, 3)), tf.TensorSpec((5, 1)))
    data = tf.data.Dataset.from_generator(batches, output_signature=spec)
    model = compiled()
    with pytest.warns(UserWarning, match="ran out of data"):
        model.fit(
            data,
            epochs=3,
            verbose=0,
            shuffle=False,
            callbacks=[WeightRecorder(tmp_path / "h", every=2)],
        )
    # No witness: Keras lets the optimizer count one step too many where the data end.
    history = check(tmp_path / "h", model)
    # The length of an epoch is known once one is over.
    assert places(history) == [(0, 0), (0, 2), (1, 4), (1.5, 6), (2, 8), (2.5, 10), (3, 12)]


def test_the_number_of_records_is_bounded(tmp_path):
    model, witness = compiled(), Witness()
    fit(model, witness, WeightRecorder(tmp_path / "h", every=1, keep=6), epochs=7)
    history = check(tmp_path / "h", model, witness)
    assert [step.step for step in history.steps] == [0, 8, 16, 24, 28]
    assert len(list((tmp_path / "h").iterdir())) == 6


def test_weights_that_were_put_back_are_the_last_record(tmp_path):
    model = compiled(keras.optimizers.SGD(1.0))
    stop = keras.callbacks.EarlyStopping("loss", patience=2, restore_best_weights=True, mode="max")
    fit(model, stop, WeightRecorder(tmp_path / "h"), epochs=9)
    history = check(tmp_path / "h", model)
    *_, before, last = history.steps
    assert (last.epoch, last.step) == (before.epoch, before.step)
    assert "loss" in before.metrics
    assert last.metrics == {}  # they are of an earlier epoch
    assert any((a != b).any() for a, b in zip(history.arrays(-1), history.arrays(-2), strict=True))


@pytest.mark.parametrize("every", ["epoch", 3])
def test_a_killed_training_goes_on(tmp_path, every):
    """Killed in the fourth epoch, taken up from a checkpoint after the second."""
    model = compiled()
    save = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True)

    class Kill(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations) == 15:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(model, save, WeightRecorder(tmp_path / "h", every=every), Kill(), epochs=9)
    assert read_history(tmp_path / "h").steps[-1].epoch > 2
    model = compiled()
    model.load_weights(tmp_path / "2.weights.h5")
    recorder = WeightRecorder(tmp_path / "h", every=every, resume=True)
    fit(model, recorder, initial_epoch=2, epochs=4)
    history = check(tmp_path / "h", model)
    # One that was never killed left the same.
    whole = compiled()
    fit(whole, WeightRecorder(tmp_path / "w", every=every), epochs=4)
    expected = check(tmp_path / "w", whole)
    assert places(history) == places(expected)
    for index in range(len(history.steps)):
        for array, other in zip(history.arrays(index), expected.arrays(index), strict=True):
            np.testing.assert_allclose(array, other, rtol=1e-6, atol=1e-7)
    # The same recorder goes on once more.
    fit(model, recorder, initial_epoch=4, epochs=5)
    assert places(check(tmp_path / "h", model))[-1] == (5, 20)


def test_keras_own_backup_is_followed(tmp_path):
    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "b", delete_checkpoint=False)

    for epochs in (2, 5):  # the second fit restores after its callbacks have begun
        model = compiled()
        fit(model, WeightRecorder(tmp_path / "h", resume=True), backup(), epochs=epochs)
    assert places(check(tmp_path / "h", model)) == [(e, 4 * e) for e in range(6)]


def test_going_on_from_other_weights_without_an_epoch_is_refused(tmp_path):
    fit(compiled(), WeightRecorder(tmp_path / "h"))
    keras.utils.set_random_seed(9)
    model = build()
    model.compile("sgd", "mse", jit_compile=False)
    with pytest.raises(UsageError, match=r"other weights.*initial_epoch"):
        fit(model, WeightRecorder(tmp_path / "h", resume=True))
    assert len(read_history(tmp_path / "h").steps) == 4


def test_a_training_that_was_killed_in_its_first_epoch_begins_anew(tmp_path):
    recorder = WeightRecorder(tmp_path / "h", every=1)
    recorder.set_model(compiled())
    recorder.on_train_begin()
    recorder.on_epoch_begin(0)
    recorder.on_train_batch_end(0, {"loss": 1.0})
    keras.utils.set_random_seed(9)
    model, witness = build(), Witness()
    model.compile("sgd", "mse", jit_compile=False)
    fit(model, witness, WeightRecorder(tmp_path / "h", every=1, resume=True), epochs=1)
    assert len(check(tmp_path / "h", model, witness).steps) == 5


def test_going_on_with_another_network_is_refused(tmp_path):
    fit(compiled(), WeightRecorder(tmp_path / "h"))
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    with pytest.raises(UsageError, match="not those of this network"):
        fit(model, WeightRecorder(tmp_path / "h", resume=True), initial_epoch=3, epochs=4)


def test_a_first_epoch_that_is_not_zero(tmp_path):
    model = compiled()
    fit(model, WeightRecorder(tmp_path / "h"), initial_epoch=5, epochs=7)
    assert places(check(tmp_path / "h", model)) == [(5, 0), (6, 4), (7, 8)]


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adamw"},
        {"optimizer": "rmsprop", "jit_compile": True},
        {"optimizer": "lion", "run_eagerly": True},
        {"optimizer": keras.optimizers.SGD(gradient_accumulation_steps=2)},
        {"optimizer": keras.optimizers.Adam(use_ema=True, ema_overwrite_frequency=None)},
    ],
    ids=["adamw", "xla", "eager", "accumulating", "averaging"],
)
def test_any_optimizer(tmp_path, options):
    model = compiled(**options)
    fit(model, WeightRecorder(tmp_path / "h", every=3))
    history = check(tmp_path / "h", model)
    # What is averaged at the end is one more record.
    assert [step.step for step in history.steps][:5] == [0, 3, 6, 9, 12]


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "bfloat16"])
def test_mixed_precision(tmp_path, policy):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4, dtype=policy), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse", jit_compile=False)
    fit(model, WeightRecorder(tmp_path / "h"))
    history = read_history(tmp_path / "h")
    assert len(history.steps) == 4
    for array, weight in zip(history.arrays(-1), model.get_weights(), strict=True):
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, np.asarray(weight, np.float32))


def test_differences_of_a_real_training(tmp_path):
    model = compiled("adam")
    fit(model, WeightRecorder(tmp_path / "h", float16="differences"))
    history = read_history(tmp_path / "h")
    for first, read, weight in zip(
        history.arrays(0), history.arrays(-1), model.get_weights(), strict=True
    ):
        moved = np.abs(weight - first).max()
        np.testing.assert_allclose(read, weight, rtol=2**-23, atol=2**-11 * moved)


class Late(keras.Model):
    """A network that makes its weights when it is called."""

    def __init__(self):
        super().__init__()
        self.first, self.second = keras.layers.Dense(4), keras.layers.Dense(1)

    def call(self, x):
        return self.second(self.first(x))


@pytest.mark.parametrize("every", ["epoch", 3])
@pytest.mark.parametrize("make", [Late, lambda: keras.Sequential([keras.layers.Dense(1)])])
def test_weights_that_the_first_step_makes_are_recorded_after_it(tmp_path, make, every):
    model, witness = make(), Witness()
    model.compile("sgd", "mse", jit_compile=False)
    with pytest.warns(UserWarning, match=r"no weights before its first step.*keras\.Input"):
        fit(model, witness, WeightRecorder(tmp_path / "h", every=every))
    history = check(tmp_path / "h", model, witness)
    expected = {"epoch": [1, 4, 8, 12], 3: [1, 3, 6, 9, 12]}
    assert [step.step for step in history.steps] == expected[every]
    assert not history.from_start


def test_a_network_that_was_called_is_recorded_from_the_start(tmp_path):
    model = Late()
    model(X)
    model.compile("sgd", "mse", jit_compile=False)
    fit(model, WeightRecorder(tmp_path / "h"))
    history = check(tmp_path / "h", model)
    assert len(history.steps) == 4
    assert history.from_start


def test_weights_that_join_start_the_history_over_and_it_is_said(tmp_path):
    model = keras.Sequential([keras.layers.Dense(2)])
    model(X)
    recorder = WeightRecorder(tmp_path / "h")
    recorder.set_model(model)
    recorder.on_epoch_begin(0)
    model.add(keras.layers.Dense(1))
    model(X)
    with pytest.warns(UserWarning, match="other weights"):
        recorder.on_epoch_end(0, {})
    assert places(check(tmp_path / "h", model)) == [(1, 0)]
    assert len(list((tmp_path / "h").glob("*.npz"))) == 1


def test_logs_that_are_not_numbers_are_left_out(tmp_path):
    recorder = WeightRecorder(tmp_path / "h")
    recorder.set_model(build())
    recorder.on_epoch_end(0, {"loss": np.float32(0.5), "confusion": np.eye(2), "note": "text"})
    assert dict(read_history(tmp_path / "h").steps[0].metrics) == {"loss": 0.5}


def test_only_the_chief_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(WeightRecorder, "_is_chief", lambda _: False)
    fit(compiled(), WeightRecorder(tmp_path / "h", every=1))
    assert not (tmp_path / "h").exists()


def test_two_replicas(tmp_path):
    """MirroredStrategy over two logical devices: each variable is a pair."""
    code = """
        import sys
        import numpy as np
        import tensorflow as tf
        cpu = tf.config.list_physical_devices("CPU")[0]
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
        import keras
        from reportgen import WeightRecorder
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        assert strategy.num_replicas_in_sync == 2
        with strategy.scope():
            model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4),
                                      keras.layers.BatchNormalization(), keras.layers.Dense(1)])
            model.compile("adam", "mse", jit_compile=False)
        assert model.distribute_strategy is strategy
        x = np.linspace(-1, 1, 60, dtype=np.float32).reshape(20, 3)
        recorder = WeightRecorder(sys.argv[1], every=3, float16="differences")
        model.fit(x, x[:, :1], batch_size=4, epochs=4, verbose=0, callbacks=[recorder])
        np.savez(sys.argv[2], *model.get_weights())
    """
    root = Path(__file__).resolve().parents[2]
    call = [sys.executable, "-c", textwrap.dedent(code), tmp_path / "h", tmp_path / "w.npz"]
    subprocess.run(call, check=True, cwd=root)
    history = read_history(tmp_path / "h")
    assert [step.step for step in history.steps] == [0, 3, 6, 9, 12, 15, 18, 20]
    with np.load(tmp_path / "w.npz") as final:
        for name, first, last in zip(
            final.files, history.arrays(0), history.arrays(-1), strict=True
        ):
            moved = np.abs(final[name] - first).max()
            np.testing.assert_allclose(last, final[name], rtol=2**-23, atol=2**-11 * moved)
