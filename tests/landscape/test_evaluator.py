"""The loss at points of a plane, against setting the weights and calling plain `evaluate`."""

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.landscape.directions import draw_plane
from reportgen.landscape.parameters import shifted

from .conftest import convnet, data, dense_net, fill, hash_weights, open_bench, precision

POINTS = np.array([(0.0, 0.0), (0.4, -0.3), (-0.7, 0.2), (0.1, 0.9)])
KERAS = keras.losses


def images() -> tuple:
    return convnet(), *data((6, 6, 2))


def softmax() -> tuple:
    return dense_net(), *data((4,))


def one_sigmoid() -> tuple:
    model = keras.Sequential(
        [keras.Input((5,)), layers.Dense(6, "relu"), layers.Dense(1, "sigmoid")]
    )
    fill(model)
    return model, *data((5,), 2)


def several_sigmoids() -> tuple:
    model = keras.Sequential([keras.Input((5,)), layers.Dense(4, "sigmoid")])
    fill(model)
    return model, *data((5,), 4)


def logits() -> tuple:
    model = keras.Sequential([keras.Input((5,)), layers.Dense(6, "gelu"), layers.Dense(4)])
    fill(model)
    return model, *data((5,), 4)


def one_logit() -> tuple:
    model = keras.Sequential([keras.Input((5,)), layers.Dense(1)])
    fill(model)
    return model, *data((5,), 2)


def numbers() -> tuple:
    model = keras.Sequential([keras.Input((5,)), layers.Dense(6, "tanh"), layers.Dense(3)])
    fill(model)
    x, _ = data((5,))
    return model, x, np.random.default_rng(1).normal(size=(len(x), 3))


def one_hot(y: np.ndarray) -> np.ndarray:
    return np.eye(int(y.max()) + 1)[y]


def column(y: np.ndarray) -> np.ndarray:
    return y[:, None].astype(float)


def plain_evaluate(model: keras.Model, x: np.ndarray, y: np.ndarray, *, whole: bool) -> dict:
    """`evaluate` on one batch, or (faster) what it does inside."""
    if whole:
        return model.evaluate(x, y, batch_size=len(x), verbose=0, return_dict=True)
    model.reset_metrics()
    return model.test_on_batch(x, y, return_dict=True)


SPARSE, CATEGORICAL = KERAS.SparseCategoricalCrossentropy, KERAS.CategoricalCrossentropy
# model, what it is compiled with, how its labels go to plain Keras, metric.
CASES = {
    "sparse": (images, "sparse_categorical_crossentropy", np.asarray, "accuracy"),
    "categorical": (softmax, "categorical_crossentropy", one_hot, "accuracy"),
    "label smoothing": (softmax, CATEGORICAL(label_smoothing=0.2), one_hot, "accuracy"),
    "focal": (softmax, KERAS.CategoricalFocalCrossentropy(gamma=3.0), one_hot, "accuracy"),
    "binary on softmax": (softmax, "binary_crossentropy", one_hot, "categorical_accuracy"),
    "mse on softmax": (softmax, "mse", one_hot, "categorical_accuracy"),
    "squared hinge": (softmax, "squared_hinge", one_hot, "categorical_accuracy"),
    "one sigmoid": (one_sigmoid, "binary_crossentropy", column, "binary_accuracy"),
    "one sigmoid, smoothed": (
        one_sigmoid,
        KERAS.BinaryCrossentropy(label_smoothing=0.1),
        column,
        "binary_accuracy",
    ),
    "hinge": (one_sigmoid, "hinge", column, "binary_accuracy"),
    "several sigmoids": (
        several_sigmoids,
        "binary_crossentropy",
        one_hot,
        "categorical_accuracy",
    ),
    "categorical on sigmoids": (
        several_sigmoids,
        "categorical_crossentropy",
        one_hot,
        "categorical_accuracy",
    ),
    "logits": (logits, SPARSE(from_logits=True), np.asarray, "accuracy"),
    "one-hot logits": (logits, CATEGORICAL(from_logits=True), one_hot, "accuracy"),
    "one logit": (
        one_logit,
        KERAS.BinaryCrossentropy(from_logits=True),
        column,
        keras.metrics.BinaryAccuracy(threshold=0.0),
    ),
    "mse": (numbers, "mse", np.asarray, None),
    "mae": (numbers, "mae", np.asarray, None),
    "huber": (numbers, KERAS.Huber(delta=0.4), np.asarray, None),
    "log cosh": (numbers, "log_cosh", np.asarray, None),
    "cosine": (numbers, KERAS.CosineSimilarity(), np.asarray, None),
}


@pytest.mark.parametrize("name", CASES)
def test_plain_evaluate_gives_the_same_loss_and_accuracy(name, rng):
    build, compiled, encode, metric = CASES[name]
    model, x, y = build()
    bench = open_bench(model, x, y, compiled=compiled, chunk=20)
    assert "compiled with" in bench.model.loss.reason
    plane = draw_plane(bench.parameters, bench.point, rng, vectors="keep")
    before = hash_weights(model)
    groups = list(bench.evaluator().points(bench.point, plane, POINTS))
    assert hash_weights(model) == before
    losses = np.concatenate([group.losses for group in groups])
    right = np.concatenate([group.right for group in groups])
    model.compile(loss=compiled, metrics=[metric] if metric else None, run_eagerly=True)
    for row, step in enumerate(POINTS):
        weights = model.get_weights()
        moved = shifted(bench.point, plane, step)
        for position, array in zip(bench.parameters.positions, moved, strict=True):
            weights[position] = array
        model.set_weights(weights)
        known = plain_evaluate(model, x, encode(y), whole=row == 1)
        model.set_weights(
            [np.frombuffer(b, "f4").reshape(w.shape) for b, w in zip(before, weights, strict=True)]
        )
        assert losses[row].mean() == pytest.approx(known["loss"], rel=1e-5)
        if metric:
            (accuracy,) = (known[key] for key in known if key != "loss")
            assert right[row].mean() == pytest.approx(accuracy, abs=1e-6)
    assert np.ptp(losses.mean(axis=1)) > 1e-3


def test_axes_swapped_on_a_plane(rng):
    """Steps go along the first direction, then the second."""
    x, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    with precision("float64"):
        model = keras.Sequential([keras.Input((3,)), layers.Dense(1, use_bias=False)])
        bench = open_bench(model, x, y)
    w, a, b = bench.point[0], rng.normal(size=(3, 1)), rng.normal(size=(3, 1))
    steps = np.array([(1.0, 0.0), (0.0, 1.0), (2.0, -0.5)])
    known = [np.mean((x @ (w + s * a + t * b) - y[:, None]) ** 2) for s, t in steps]
    np.testing.assert_allclose(bench.losses([(a,), (b,)], steps), known, rtol=1e-12)
    np.testing.assert_allclose(bench.losses([(a,)], steps[:, :1])[0], known[0], rtol=1e-12)


@pytest.mark.parametrize("chunk", [7, 1024])
def test_chunks_change_nothing(chunk, rng):
    x, y = data((4,))
    bench = open_bench(dense_net(), x, y, chunk=chunk)
    plane = draw_plane(bench.parameters, bench.point, rng)
    group = next(bench.evaluator().points(bench.point, plane, POINTS))
    whole = next(open_bench(bench.network, x, y).evaluator().points(bench.point, plane, POINTS))
    np.testing.assert_allclose(group.losses, whole.losses, rtol=1e-5)
    np.testing.assert_array_equal(group.right, whole.right)


def test_groups_cover_every_point_once(rng):
    x, y = data((4,))
    bench = open_bench(dense_net(), x, y)
    plane = draw_plane(bench.parameters, bench.point, rng)
    steps = rng.uniform(-1, 1, (300, 2))
    evaluator = bench.evaluator()
    groups = list(evaluator.points(bench.point, plane, steps))
    assert [g.start for g in groups] == list(np.cumsum([0, *(len(g.whole) for g in groups)]))[:-1]
    losses = np.concatenate([g.losses.mean(axis=1) for g in groups])
    assert len(losses) == 300
    for row in (0, 17, 299):
        there = evaluator.at(shifted(bench.point, plane, steps[row])).losses.mean()
        assert losses[row] == pytest.approx(there, rel=1e-5)


def test_xla_gives_the_same(rng):
    x, y = data((4,))
    bench = open_bench(dense_net(), x, y)
    plane = draw_plane(bench.parameters, bench.point, rng)
    steps = rng.uniform(-1, 1, (70, 2))  # no multiple of what is compiled for
    compiled = bench.losses(plane, steps, compiled=True)
    np.testing.assert_allclose(compiled, bench.losses(plane, steps), rtol=1e-5)


def test_part_of_the_samples(rng):
    x, y = data((4,))
    bench = open_bench(dense_net(), x, y)
    rows = np.array([3, 3, 20, 1])
    part = bench.samples.part(rows)
    assert (part.count, part.chunk) == (4, bench.samples.chunk)
    whole = bench.evaluator().at(bench.point).losses[0]
    bench.samples = part
    np.testing.assert_allclose(bench.evaluator().at(bench.point).losses[0], whole[rows], rtol=1e-6)


def test_training_mode_left_on(rng):
    """Dropout, flips and statistics of the batch are at rest, or no two measurements agree."""
    image = keras.Input((6, 6, 2))
    moved = layers.RandomRotation(0.5)(layers.RandomFlip()(image))
    maps = layers.Dropout(0.5)(layers.BatchNormalization()(layers.Conv2D(3, 3)(moved)))
    noisy = layers.GaussianNoise(1.0)(layers.GlobalAveragePooling2D()(maps))
    model = keras.Model(image, layers.Dense(3, activation="softmax")(noisy))
    fill(model)
    x, y = data((6, 6, 2))
    bench = open_bench(model, x, y, chunk=8)
    twice = [bench.evaluator().at(bench.point).losses for _ in range(2)]
    assert twice[0].tobytes() == twice[1].tobytes()
    evaluator = bench.evaluator()
    again = [evaluator.at(bench.point).losses.tobytes() for _ in range(2)]
    assert again == [twice[0].tobytes()] * 2
    probabilities = model.predict(x, verbose=0)
    known = -np.log(probabilities[np.arange(len(x)), y])
    np.testing.assert_allclose(twice[0][0], known, rtol=1e-5)
    plane = draw_plane(bench.parameters, bench.point, rng)
    before = hash_weights(model)
    bench.losses(plane, POINTS)
    assert hash_weights(model) == before  # moving statistics too
