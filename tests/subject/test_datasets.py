"""Samples out of datasets: the same ones each time, balanced, bounded, whatever the batch."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from reportgen.errors import InputError
from reportgen.subject.datasets import draw_samples, is_dataset

X = np.random.default_rng(0).random((400, 6, 5, 1), np.float32)
Y = np.repeat(np.arange(3), [200, 150, 50])  # sorted by class, as folders are read
ONE_HOT = np.eye(3, dtype=np.float32)[Y]


@pytest.fixture(scope="module")
def model():
    return keras.Sequential(
        [
            keras.Input((6, 5, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


class Batches(keras.utils.PyDataset):
    """Four samples a batch; writes down which were asked for."""

    def __init__(self, count: int | None = 100) -> None:
        super().__init__()
        self.count, self.asked = count, []

    def __getitem__(self, index):
        self.asked.append(index)
        rows = np.arange(4 * index, 4 * index + 4) % len(X)
        return X[rows], ONE_HOT[rows], np.ones(4)

    @property
    def num_batches(self):
        return self.count


def sliced(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0])


def draw(dataset, model, limit=60, seed=0):
    drawn = draw_samples(dataset, model, limit=limit, seed=seed)
    flat = X.reshape(len(X), -1)
    np.testing.assert_array_equal(drawn.x.reshape(len(drawn.x), -1), flat[drawn.rows % len(X)])
    assert (np.diff(drawn.rows) > 0).all()
    return drawn


def test_what_is_a_dataset():
    assert is_dataset(sliced(X).map(lambda x: x))
    assert is_dataset(Batches())
    assert not any(map(is_dataset, (X, [X], (X, Y), None, iter([]))))


@pytest.mark.parametrize("batch", [None, 1, 7, 400, 1000])
def test_the_draw_does_not_depend_on_the_batch_and_is_balanced(model, batch):
    dataset = sliced(X, Y)
    drawn = draw(dataset.batch(batch) if batch else dataset, model)
    assert drawn.rows[:5].tolist() == [1, 7, 15, 16, 17]
    assert np.bincount(drawn.y).tolist() == [20, 20, 20]
    np.testing.assert_array_equal(drawn.y, Y[drawn.rows])
    assert (drawn.found, drawn.notes) == (400, ())


def test_the_seed_chooses(model):
    first, second = (draw(sliced(X, Y), model, seed=seed).rows for seed in (0, 1))
    assert first.tolist() != second.tolist()


def test_fewer_than_the_limit_are_all_taken(model):
    drawn = draw(sliced(X, Y).batch(32), model, limit=1000)
    np.testing.assert_array_equal(drawn.rows, np.arange(400))
    assert drawn.notes == ()


def test_within_a_class_every_sample_is_as_likely(model):
    """Of one class the draw is Vitter's reservoir: 200 draws of 4 from 16 hit each 50 times."""
    dataset = sliced(X[:16], Y[:16]).batch(16)
    hits = np.zeros(16)
    for seed in range(200):
        hits[draw(dataset, model, limit=4, seed=seed).rows] += 1
    # Binomial: mean 50, deviation 6.1; five deviations to either side.
    assert hits.sum() == 800
    assert (abs(hits - 50) < 31).all()


def test_one_hot_labels_and_labels_as_text_are_classes_too(model):
    assert np.bincount(draw(sliced(X, ONE_HOT), model).y.argmax(axis=1)).tolist() == [20, 20, 20]
    names = np.array(["ant", "bee", "über"])[Y]
    found = draw(sliced(X, names).batch(9), model).y
    assert {name: (found == name).sum() for name in set(found)} == {
        "ant": 20,
        "bee": 20,
        "über": 20,
    }


def test_without_labels_and_without_a_channel_axis(model):
    drawn = draw(sliced(X[..., 0]).batch(3), model)
    assert drawn.y is None
    assert drawn.x.shape == (60, 6, 5)


def test_weights_are_ignored_and_that_is_said(model):
    drawn = draw(sliced(X, Y, np.ones(400)).batch(8), model)
    assert drawn.notes == ("Sample weights of the dataset were ignored: each sample counts once.",)


@pytest.mark.parametrize("batch", [None, 7])
def test_an_endless_dataset_ends_and_repeats_nothing(model, batch):
    dataset = sliced(X, Y)
    drawn = draw((dataset.batch(batch) if batch else dataset).repeat(), model)
    assert np.bincount(drawn.y).tolist() == [20, 20, 20]
    assert drawn.found == 400
    assert drawn.notes == (
        "The dataset does not end. Its first 960 samples were looked at.",
        "560 of them were copies of others and were passed over.",
    )


def test_of_a_long_dataset_only_the_beginning_is_read(model):
    read = []

    def generate():
        for row in range(10_000):
            read.append(row)
            yield X[row % 400], Y[row % 400]

    shapes = (tf.TensorSpec((6, 5, 1)), tf.TensorSpec((), tf.int64))
    options = tf.data.Options()  # TensorFlow adds a prefetch of its own, as long as time allows
    options.experimental_optimization.inject_prefetch = False
    dataset = tf.data.Dataset.from_generator(generate, output_signature=shapes)
    drawn = draw(dataset.with_options(options), model, limit=5)
    assert drawn.found == 80
    assert read == list(range(80))
    assert drawn.notes == (
        "Only the first 80 samples of the dataset were looked at. Shuffle it, or raise "
        "max_samples.",
    )
    known = draw(sliced(X, Y).batch(4), model, limit=5)
    assert "It has 100 batches." in known.notes[0]


def test_of_a_long_pydataset_evenly_spaced_batches_are_read(model):
    dataset = Batches()
    drawn = draw(dataset, model, limit=5)
    assert len(dataset.asked) == 20
    assert (dataset.asked[0], dataset.asked[-1]) == (0, 99)
    assert set(drawn.y.argmax(axis=1)) == {0, 1, 2}
    assert drawn.notes[0] == (
        "20 of the 100 batches of the dataset were looked at, evenly spaced: 80 samples. Raise "
        "max_samples for more."
    )
    assert draw(Batches(), model, limit=400).notes[0].startswith("Sample weights")


def test_an_endless_pydataset_ends(model):
    dataset = Batches(None)
    drawn = draw(dataset, model, limit=30)
    assert len(dataset.asked) == 120
    assert drawn.found == 400


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: sliced(X, Y).take(0), "it gives no samples"),
        (lambda: sliced(np.zeros((8, 9, 9, 1)), Y[:8]), r"shape \(9, 9, 1\), the model takes"),
        (lambda: tf.data.Dataset.from_tensor_slices({"image": X, "label": Y}), "image, label"),
        (lambda: tf.data.Dataset.from_tensors(((X, X), Y)), "x of an element holds 2 parts"),
        (lambda: sliced(X, Y, Y, Y), "4 parts"),
        (lambda: sliced(Y.astype(str), Y), r"x holds .*; numbers are needed"),
        (
            lambda: tf.data.Dataset.from_tensors((X[:4], Y[:3])),
            "a batch has 4 samples and 3 labels",
        ),
        (lambda: Batches(0), "it gives no samples"),
    ],
)
def test_what_cannot_be_read_is_said(model, make, said):
    with pytest.raises(InputError, match=said):
        draw_samples(make(), model, limit=10, seed=0)


def test_samples_of_several_sizes_are_named():
    free = keras.Sequential([keras.Input((None, None, 1)), keras.layers.GlobalMaxPool2D()])
    spec = tf.TensorSpec((None, None, 1))
    sizes = tf.data.Dataset.from_generator(
        lambda: (np.zeros((4 + i, 4, 1)) for i in range(3)), output_signature=spec
    )
    with pytest.raises(InputError, match=r"sample #1 has the shape \(5, 4, 1\), the first one"):
        draw_samples(sizes, free, limit=10, seed=0)
