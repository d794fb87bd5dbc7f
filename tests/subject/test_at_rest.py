"""A model at rest keeps nothing from batch to batch, and is checked against the user's own ways."""

import importlib

import keras
import numpy as np
import pytest
from keras import layers, ops

from reportgen.config import AuditConfig
from reportgen.subject.at_rest import describe_rest, list_training_calls
from reportgen.subject.probe import Probe
from reportgen.subject.subject import LiveInput, open_subject

from ..landscape.conftest import open_bench

BATCH, COUNT = 4, 11  # the last batch has three samples


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(5)


def draw(*shape):
    return np.random.default_rng(6).normal(size=shape).astype(np.float32)


X = draw(COUNT, 6, 3)

# Networks that remember, for batches of BATCH.

MEMORIES = {
    "an LSTM": [lambda: layers.LSTM(5, stateful=True)],
    "both ways": [
        lambda: layers.Bidirectional(layers.GRU(4, stateful=True, return_sequences=True)),
        layers.GlobalAveragePooling1D,
    ],
    "two of them": [
        lambda: layers.GRU(4, stateful=True, return_sequences=True),
        lambda: layers.SimpleRNN(4, stateful=True),
    ],
}


def remembering(kind):
    made = [make() for make in MEMORIES[kind]]
    head = layers.Dense(3, activation="softmax", kernel_initializer="random_normal", name="head")
    return keras.Sequential([keras.Input(batch_shape=(BATCH, 6, 3)), *made, head])


def memories(model):
    return [one for one in model._flatten_layers() if getattr(one, "stateful", False)]


def states(model):
    kept = [one for one in memories(model) if isinstance(one, layers.RNN)]
    return [state.numpy() for one in kept for state in keras.tree.flatten(one.states)]


def by_keras(model):
    """Batch by batch from the cleared state; what fills the last batch up is no matter."""
    said = []
    for start in range(0, COUNT, BATCH):
        for one in memories(model):
            if isinstance(one, layers.RNN):
                one.reset_state()
        said.append(model.predict_on_batch(np.resize(X[start:], (BATCH, 6, 3))))
    return np.concatenate(said)[:COUNT]


def by_probe(model, probe=None):
    (said,) = (probe or Probe(model, (6, 3))).predict(lambda rows: X[rows], COUNT)
    return said


@pytest.mark.parametrize("kind", MEMORIES)
def test_every_pass_answers_as_keras_does_from_the_cleared_state(kind):
    model = remembering(kind)
    known = by_keras(model)
    left_over = model.predict_on_batch(X[:BATCH])
    assert np.abs(left_over - known[:BATCH]).max() > 1e-3  # what it remembers would show
    probe = Probe(model, (6, 3))
    first, second = by_probe(model, probe), by_probe(model, probe)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, known, atol=1e-6)


@pytest.mark.parametrize("kind", MEMORIES)
def test_what_the_user_left_in_a_model_is_there_afterwards(kind):
    model = remembering(kind)
    model.predict_on_batch(X[:BATCH])
    weights, before = model.get_weights(), states(model)
    assert all(state.any() for state in before)
    by_probe(model)
    subject = open_subject(AuditConfig(preprocessing="none"), LiveInput(model, X))
    (way,) = subject.other_ways
    assert (way.name, way.why) == ("by model.predict", "")
    assert way.apart < 1e-5
    for now, then in zip(states(model), before, strict=True):
        np.testing.assert_array_equal(now, then)
    for now, then in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, then)
    assert len(memories(model)) >= 1
    assert not any("stateful" in one.__dict__ and not one.stateful for one in memories(model))


@pytest.mark.parametrize("kind", MEMORIES)
def test_the_landscape_calls_the_model_as_the_probe_does(kind):
    model = remembering(kind)
    known = by_probe(model)[:BATCH]
    bench = open_bench(model, X, np.arange(COUNT) % 3, chunk=BATCH, fixed=True)
    values = [variable.value for variable in bench.parameters.variables]
    for _ in range(2):
        said, _ = bench.model.call(values, ops.convert_to_tensor(X[:BATCH]))
        np.testing.assert_allclose(said, known, atol=1e-6)


def test_what_is_said_of_the_way_that_a_model_is_called():
    remembers = remembering("an LSTM")
    (note,) = describe_rest(remembers)
    assert note.startswith(f"Stateful layers ({remembers.layers[0].name}): every batch begins")
    assert describe_rest(dense_of(norm())) == ()


# What a file calls with training=True.


def dense_of(*middle, **calls):
    """``middle`` between two dense layers; calls: layer name -> its ``training``."""
    start = keras.Input((4,))
    x = layers.Dense(6, name="first")(start)
    for layer in middle:
        x = layer(x, training=calls[layer.name]) if layer.name in calls else layer(x)
    return keras.Model(start, layers.Dense(3, activation="softmax", name="head")(x))


def norm(name="norm"):
    return layers.BatchNormalization(name=name)


def inner_of(*parts, name="inner", **calls):
    start = keras.Input((6,))
    x = start
    for layer in parts:
        x = layer(x, training=calls[layer.name]) if layer.name in calls else layer(x)
    return keras.Model(start, x, name=name)


ASKING = {
    "nothing": (lambda: dense_of(norm()), ()),
    "rest": (lambda: dense_of(norm(), norm=False), ()),
    "a normalisation": (lambda: dense_of(norm(), norm=True), ("norm",)),
    "dropout": (lambda: dense_of(layers.Dropout(0.5, name="drop"), drop=True), ("drop",)),
    "both": (lambda: dense_of(norm("a"), norm("b"), a=True, b=True), ("a", "b")),
    "one of two": (lambda: dense_of(norm("a"), norm("b"), b=True), ("b",)),
    "a nested model": (lambda: dense_of(inner_of(norm()), inner=True), ("inner",)),
    "in a nested model": (lambda: dense_of(inner_of(norm(), norm=True)), ("inner/norm",)),
    "two models deep": (
        lambda: dense_of(inner_of(inner_of(norm(), name="deep", norm=True))),
        ("inner/deep/norm",),
    ),
    "a sequential one": (
        lambda: dense_of(keras.Sequential([keras.Input((6,)), norm()], name="inner"), inner=True),
        ("inner",),
    ),
}


@pytest.mark.parametrize("kind", ASKING)
def test_what_a_network_calls_with_training(kind):
    make, known = ASKING[kind]
    assert list_training_calls(make()) == known


def test_a_layer_that_is_called_twice_is_named_once():
    shared = norm()
    start = keras.Input((4,))
    assert list_training_calls(
        keras.Model(start, shared(shared(start, training=True), training=True))
    ) == ("norm",)
    assert list_training_calls(keras.Model(start, shared(shared(start), training=True))) == (
        "norm",
    )


def test_calls_of_another_model_are_not_this_models():
    shared, start = norm(), keras.Input((4,))
    other = keras.Model(start, shared(start, training=True))
    assert list_training_calls(keras.Model(start, shared(start))) == ()
    assert list_training_calls(other) == ("norm",)


# The same samples through other ways, from files.

PREDICT, ONE, LOADER = "by model.predict", "one sample at a time", "by keras.saving.load_model"
HEEDED = "with training=True as the file has it"
SAMPLES = draw(50, 4)
ROWS = np.unique(np.linspace(0, 49, 32).round().astype(int))


@pytest.fixture
def ways_of(tmp_path):
    """``ways_of(model, suffix, x)``: what came of each way, by name."""

    def run(model, suffix="keras", x=SAMPLES, **settings):
        path = tmp_path / f"net.{suffix}"
        model.save(path)
        np.savez(tmp_path / "x.npz", x=x)
        config = AuditConfig(model=path, data=tmp_path / "x.npz", preprocessing="none", **settings)
        return {way.name: way for way in open_subject(config).other_ways}

    return run


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_all_ways_agree_on_an_ordinary_model(ways_of, suffix):
    ways = ways_of(dense_of(norm(), layers.Dropout(0.5)), suffix)
    assert {name: way.samples for name, way in ways.items()} == {PREDICT: 32, ONE: 2, LOADER: 32}
    for way in ways.values():
        assert 0 <= way.apart < 1e-5
        assert (way.differs, way.changed, way.why) == (False, 0, "")


def dense(x, layer):
    kernel, bias = layer.get_weights()
    return x.astype(np.float64) @ kernel + bias


def softmax(scores):
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def shake(model):
    """Statistics unlike those of any batch, and a head that tells the classes apart."""
    rng = np.random.default_rng(8)
    for weight in model.weights:
        values = rng.normal(0, 1, weight.shape)
        weight.assign(np.abs(values) + 0.2 if "variance" in weight.path else values)
    return model


@pytest.mark.parametrize("count", [12, 50])
def test_training_of_the_file_is_told_with_its_numbers(ways_of, count):
    model = shake(dense_of(norm(), norm=True))
    before = model.get_weights()
    x = SAMPLES[:count]
    way = ways_of(model, x=x)[HEEDED]
    seen = x if count == 12 else x[ROWS]
    gamma, beta, mean, variance = model.get_layer("norm").get_weights()
    h = dense(seen, model.get_layer("first"))

    def answer(mean, variance):
        moved = (h - mean) / np.sqrt(variance + model.get_layer("norm").epsilon) * gamma + beta
        return softmax(dense(moved, model.get_layer("head")))

    ours, theirs = answer(mean, variance), answer(h.mean(axis=0), h.var(axis=0))
    assert (way.samples, way.differs) == (len(seen), True)
    assert way.apart == pytest.approx(np.abs(ours - theirs).max(), rel=1e-3)
    assert way.changed == (ours.argmax(axis=1) != theirs.argmax(axis=1)).sum()
    assert way.changed > 0
    assert way.why.startswith("The file calls norm with training=True.")
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_nested_model_in_training_is_heeded_as_a_whole(ways_of):
    """Both its normalisations go by the batch, and what follows it does not."""
    model = shake(dense_of(inner_of(norm("a"), norm("b")), norm("c"), inner=True))
    way = ways_of(model, x=SAMPLES[:12])[HEEDED]
    h = dense(SAMPLES[:12], model.get_layer("first"))
    by_batch, at_rest = h, h
    for layer in (*model.get_layer("inner").layers[1:], model.get_layer("c")):
        gamma, beta, mean, variance = layer.get_weights()
        now = (mean, variance) if layer.name == "c" else (by_batch.mean(0), by_batch.var(0))
        by_batch = (by_batch - now[0]) / np.sqrt(now[1] + layer.epsilon) * gamma + beta
        at_rest = (at_rest - mean) / np.sqrt(variance + layer.epsilon) * gamma + beta
    theirs, ours = (softmax(dense(part, model.get_layer("head"))) for part in (by_batch, at_rest))
    assert way.apart == pytest.approx(np.abs(ours - theirs).max(), rel=1e-3)
    assert way.differs


def test_opening_leaves_the_statistics_of_training_calls_alone():
    model = shake(dense_of(norm(), norm=True))
    before = model.get_weights()
    subject = open_subject(AuditConfig(preprocessing="none"), LiveInput(model, SAMPLES))
    assert HEEDED in {way.name for way in subject.other_ways}
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_no_answer_may_depend_on_the_other_samples(ways_of):
    start = keras.Input((4,))
    x = layers.Dense(6, name="first")(start)
    x = x - ops.mean(x, axis=0, keepdims=True)
    model = shake(keras.Model(start, layers.Dense(3, activation="softmax", name="head")(x)))
    ways = ways_of(model, x=SAMPLES[:12])
    h = dense(SAMPLES[:12], model.get_layer("first"))
    head = model.get_layer("head")
    together, alone = softmax(dense(h - h.mean(axis=0), head)), softmax(dense(h[:2] * 0, head))
    assert (ways[ONE].samples, ways[ONE].differs) == (2, True)
    assert ways[ONE].apart == pytest.approx(np.abs(together[:2] - alone).max(), rel=1e-3)
    assert ways[ONE].changed == (together[:2].argmax(axis=1) != alone.argmax(axis=1)).sum()
    assert ways[ONE].why.startswith("An answer depends on the other samples of its batch.")
    assert not ways[PREDICT].differs


def test_a_loader_that_fails_is_told_and_is_no_difference(ways_of, monkeypatch):
    def fail(*args, **kwargs):
        raise ValueError("no such layer\nand a page of configuration")

    monkeypatch.setattr(keras.saving, "load_model", fail)
    way = ways_of(dense_of())[LOADER]
    assert way.why == "It failed (ValueError: no such layer)."
    assert (way.samples, way.apart, way.differs) == (0, None, False)


def test_a_loader_that_makes_another_network_differs(ways_of, monkeypatch):
    model = shake(dense_of())
    other = keras.models.clone_model(model)
    other.set_weights([-weight for weight in model.get_weights()])
    monkeypatch.setattr(keras.saving, "load_model", lambda *args, **kwargs: other)
    way = ways_of(model)[LOADER]
    apart = np.abs(
        other.predict(SAMPLES[ROWS], verbose=0) - model.predict(SAMPLES[ROWS], verbose=0)
    )
    assert way.differs
    assert way.apart == pytest.approx(apart.max(), rel=1e-3)
    assert way.why == "The audit goes on with the network as it was built here."


def test_what_is_not_a_number_on_one_side_only_is_infinitely_apart(ways_of, monkeypatch):
    model = dense_of()
    other = keras.models.clone_model(model)
    other.set_weights([weight * np.nan for weight in model.get_weights()])
    monkeypatch.setattr(keras.saving, "load_model", lambda *args, **kwargs: other)
    way = ways_of(model)[LOADER]
    assert (way.apart, way.differs) == (float("inf"), True)


def test_without_samples_nothing_is_compared(tmp_path):
    path = tmp_path / "net.keras"
    dense_of().save(path)
    assert open_subject(AuditConfig(model=path)).other_ways == ()


@pytest.mark.parametrize("form", ["keras", "h5"])
def test_augmentation_that_nobody_called_with_training_is_no_alarm(form, tmp_path):
    augment = keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.2)], name="augment")
    start = keras.Input((8, 8, 3))
    head = layers.Dense(2)(layers.Flatten()(augment(start)))
    keras.Model(start, head).save(tmp_path / f"net.{form}")
    model = keras.saving.load_model(tmp_path / f"net.{form}", compile=False)
    assert list_training_calls(model) == ()


@pytest.mark.parametrize(
    ("shape", "made"),
    [
        ((1, 1, 5), (5,)),
        ((1, 5), (5,)),
        ((5, 1, 1), (5,)),
        ((5, 1), (5, 1)),
        ((2, 1, 5), (2, 1, 5)),
    ],
)
def test_maps_of_one_position(shape, made):
    start = keras.Input((5,))
    model = keras.Model(start, layers.Reshape(shape)(layers.Dense(int(np.prod(shape)))(start)))
    assert Probe(model, (5,)).output_shapes == ((None, *made),)


def test_the_loader_is_given_what_the_user_supplies(tmp_path, monkeypatch):
    (tmp_path / "ours.py").write_text(
        "import keras\n\n\nclass Twice(keras.layers.Layer):\n"
        "    def call(self, x):\n        return 2 * x\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    ours = importlib.import_module("ours")
    start = keras.Input((3,))
    head = layers.Dense(2, activation="softmax")(ours.Twice()(start))
    keras.Model(start, head).save(tmp_path / "net.keras")
    np.savez(tmp_path / "data.npz", x=draw(20, 3), y=np.arange(20) % 2)
    config = AuditConfig(
        model=tmp_path / "net.keras",
        data=tmp_path / "data.npz",
        custom_objects=("ours:Twice",),
        preprocessing="none",
    )
    (way,) = (way for way in open_subject(config).other_ways if way.name == LOADER)
    assert (way.why, way.apart) == ("", pytest.approx(0, abs=1e-6))
