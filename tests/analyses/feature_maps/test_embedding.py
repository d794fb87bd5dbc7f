"""The embedding: far clusters stay apart, neighbours stay neighbours, mistakes are ringed."""

from types import SimpleNamespace

import numpy as np
import pytest

from reportgen.analyses.feature_maps.embedding import Embedding, embed
from reportgen.analyses.feature_maps.embedding_blocks import draw_embedding

CLASSES = ("cat", "dog", "eel")


def subject_with(values, probabilities=None, classes=CLASSES):
    """All of a subject that an embedding asks for."""
    labels = SimpleNamespace(values=values, classes=classes)
    if probabilities is None and values is not None:
        probabilities = np.eye(3)[values]
    return SimpleNamespace(labels=labels, probabilities=probabilities)


@pytest.fixture(scope="module")
def clusters():
    """Ninety samples in three clusters of width 1, a hundred apart, in twelve dimensions."""
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(3), 30)
    middles = 100 * np.eye(12)[:3]
    return middles[classes] + rng.normal(size=(90, 12)), classes


@pytest.fixture(scope="module")
def found(clusters):
    values, classes = clusters
    said = classes.copy()
    said[[4, 50]] = 2
    subject = subject_with(classes, np.eye(3)[said])
    return embed(subject, {"first": values[:, ::-1], "last": values}, np.arange(90), 7)


def test_far_clusters_stay_apart(found, clusters):
    apart = np.linalg.norm(found.points[:, None] - found.points, axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (clusters[1][apart.argmin(axis=1)] == clusters[1]).all()
    # Within a cluster points are near, by the diameter; to others they are far.
    same = clusters[1][:, None] == clusters[1]
    np.fill_diagonal(same, False)
    assert apart[same].max() < apart[~same & np.isfinite(apart)].min()


def test_neighbours_stay_neighbours(found):
    # Within a cluster twelve dimensions do not fit into two; between clusters nothing is torn.
    assert 0.9 < found.trust <= 1


def test_the_last_layer_its_features_and_the_mistakes(found, clusters):
    assert (found.address, found.features) == ("last", 12)
    assert found.classes.tolist() == clusters[1].tolist()
    assert np.flatnonzero(found.wrong).tolist() == [4, 50]


def test_the_same_seed_gives_the_same_picture(found, clusters):
    again = embed(subject_with(clusters[1]), {"last": clusters[0]}, np.arange(90), 7)
    np.testing.assert_array_equal(again.points, found.points)


def test_rows_pick_their_labels(clusters):
    values, classes = clusters
    rows = np.arange(89, 19, -2)
    found = embed(subject_with(classes), {"last": values[rows]}, rows, 0)
    assert found.classes.tolist() == classes[rows].tolist()
    assert not found.wrong.any()


def test_features_that_never_change_are_left_out(clusters):
    values = np.concatenate([clusters[0], np.full((90, 5), 3.0)], axis=1)
    found = embed(subject_with(clusters[1]), {"last": values}, np.arange(90), 7)
    assert found.features == 12


@pytest.mark.parametrize(
    ("rows", "features"),
    [(19, 12), (30, 2), (0, 0)],
    ids=["few samples", "few features", "no layer"],
)
def test_too_little_gives_nothing(rows, features):
    values = {"last": np.random.default_rng(0).normal(size=(rows, features))} if rows else {}
    assert embed(subject_with(None), values, np.arange(rows), 0) is None


@pytest.mark.parametrize("values", [np.zeros((40, 6)), np.repeat(np.eye(4), 10, axis=0)])
def test_features_of_few_kinds_are_no_error(values):
    """All alike: nothing. Four points of ten samples each: four heaps, finite."""
    found = embed(subject_with(np.repeat(np.arange(4) % 3, 10)), {"last": values}, np.arange(40), 0)
    assert found is None if not values.any() else np.isfinite(found.points).all()


def test_labels_that_are_no_classes_are_not_compared(clusters):
    numbers = subject_with(np.linspace(0, 1, 90), np.zeros((90, 1)), classes=())
    found = embed(numbers, {"last": clusters[0]}, np.arange(90), 0)
    assert (set(found.classes), found.wrong.any()) == ({-1}, False)


def test_the_block_has_a_series_a_class_and_rings(found):
    (block,) = draw_embedding(found, CLASSES)
    assert [(s.name, s.style, len(s.x)) for s in block.series] == [
        ("cat", "points", 30),
        ("dog", "points", 30),
        ("eel", "points", 30),
        ("mistakes", "rings", 2),
    ]
    assert block.series[3].x == (found.points[4, 0], found.points[50, 0])
    assert "Mistakes are ringed (2)" in block.caption
    assert "90 samples, by the 12 features of last" in block.caption


def points_of(classes, wrong=()):
    count = len(classes)
    flags = np.isin(np.arange(count), wrong)
    points = np.random.default_rng(0).normal(size=(count, 2))
    return Embedding("last", points, np.asarray(classes), flags, 0.9, 8, np.arange(len(points)), 0)


def test_without_labels_nothing_is_said_of_mistakes():
    (block,) = draw_embedding(points_of([-1] * 25), CLASSES)
    assert [series.name for series in block.series] == ["samples"]
    assert "mistake" not in block.caption


def test_samples_without_a_label_are_no_other_class():
    (block,) = draw_embedding(points_of([0] * 20 + [-1] * 5), CLASSES)
    assert [series.name for series in block.series] == ["cat", "not labelled"]
    assert "None of them is a mistake." in block.caption


def test_many_classes_name_the_largest():
    labels = np.concatenate([np.repeat(np.arange(3, 15), 3), [0, 1, 2]])
    (block,) = draw_embedding(points_of(labels), tuple(f"c{i}" for i in range(15)))
    names = [series.name for series in block.series]
    assert names == [f"c{i}" for i in range(3, 15)] + ["other classes"]
    assert len(block.series[-1].x) == 3


def test_no_embedding_no_block():
    assert draw_embedding(None, CLASSES) == []
