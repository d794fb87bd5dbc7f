"""The plane of training: closed forms for lines, circles, random walks and gradient descent."""

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.landscape.directions import cosine
from reportgen.landscape.parameters import Parameters, difference, dot, norm
from reportgen.landscape.path import (
    find_path_plane,
    gram_matrix,
    project,
    random_walk_shares,
)

from .conftest import flat

SHAPES = ((3, 4), (4,), (2, 5))
SIZE = 26


class Kept:
    """Records of weights, read as a history is: by position in ``model.weights``."""

    def __init__(self, path: np.ndarray) -> None:
        self.parameters = Parameters(
            tuple(keras.Variable(np.zeros(shape), name=f"w{i}") for i, shape in enumerate(SHAPES)),
            # A weight that does not move stands between them.
            positions=(0, 2, 3),
            axes=((1,), None, (1,)),
        )
        self.path = path
        self.reads: list[tuple[int, int]] = []

    def read(self, record: int, positions) -> list[np.ndarray]:
        self.reads += [(record, position) for position in positions]
        known = dict(zip((0, 2, 3), self.parameters.unpack(self.path[record]), strict=True))
        return [known[position] for position in positions]

    @property
    def final(self):
        return self.parameters.unpack(self.path[-1])

    def plane(self):
        return find_path_plane(self.parameters, self.read, len(self.path), self.final)


def turned(rng, columns: int, size: int = SIZE) -> np.ndarray:
    """Orthonormal directions ``(columns, size)``."""
    return np.linalg.qr(rng.normal(size=(size, columns)))[0].T


def test_a_straight_line(rng):
    way, start = turned(rng, 1), rng.normal(size=SIZE)
    plane = Kept(start + np.linspace(0, 3, 9)[:, None] * way).plane()
    np.testing.assert_allclose(plane.shares[:2], [1, 0], atol=1e-12)
    assert abs(float(flat(plane.directions[0]) @ way[0])) == pytest.approx(1)
    np.testing.assert_allclose(np.abs(plane.coordinates[:, 0]), np.linspace(3, 0, 9), atol=1e-7)
    np.testing.assert_allclose(plane.coordinates[:, 1], 0, atol=1e-6)
    assert plane.held == pytest.approx(1)


def test_a_uniform_circle(rng):
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    circle = np.column_stack([np.cos(angles), np.sin(angles)]) @ turned(rng, 2)
    plane = Kept(circle + rng.normal(size=SIZE)).plane()
    # Seen from one of its points: across the circle a half of the squares, along it a half and one.
    np.testing.assert_allclose(plane.shares[:3], [0.75, 0.25, 0], atol=1e-12)
    assert plane.held == pytest.approx(1)
    np.testing.assert_allclose(plane.distances, 0, atol=1e-6)


def test_many_records_of_a_random_walk():
    # Brownian motion seen from its end: eigenvalues 1 / ((k - 1/2) pi)^2, which sum to 1/2.
    known = 2 / (np.pi * (np.arange(1, 6) - 0.5)) ** 2
    np.testing.assert_allclose(random_walk_shares(5000)[:5], known, rtol=1e-3)
    assert known[:2].round(3).tolist() == [0.811, 0.09]
    for records in (2, 3, 17):
        assert random_walk_shares(records).sum() == pytest.approx(1)
        assert len(random_walk_shares(records)) == records - 1
    assert len(random_walk_shares(1)) == 0


@pytest.mark.parametrize("records", [2, 3, 6, 13])
def test_few_records_of_a_random_walk(records, rng):
    steps = rng.normal(size=(records - 1, 100_000))
    walk = np.concatenate([np.zeros((1, steps.shape[1])), np.cumsum(steps, axis=0)])
    values = np.linalg.svd(walk - walk[-1], compute_uv=False)[: records - 1] ** 2
    # Inner products of steps are known to 1 / sqrt(100 000), .3 %.
    np.testing.assert_allclose(values / values.sum(), random_walk_shares(records), atol=0.01)
    if records == 13:  # measured by a stranger: 90.3 to 90.6 %
        assert random_walk_shares(13)[:2].sum() == pytest.approx(0.905, abs=0.0015)


@pytest.fixture
def descended(double, rng):
    """Full-batch gradient descent by Keras on a quadratic, recorded."""
    x, y = rng.normal(size=(30, 6)) * [2.0, 1.5, 1.0, 0.7, 0.4, 0.2], rng.normal(size=30)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(1, use_bias=False)])
    model.set_weights([rng.normal(size=(6, 1))])
    model.compile(keras.optimizers.SGD(0.1), "mean_squared_error")
    records = [model.get_weights()]
    for _ in range(12):
        model.train_on_batch(x, y[:, None])
        records.append(model.get_weights())
    best = np.linalg.lstsq(x, y, rcond=None)[0]
    matrix = np.eye(6) - 0.1 * 2 / 30 * x.T @ x
    start = records[0][0].ravel() - best
    known = np.stack([np.linalg.matrix_power(matrix, t) @ start for t in range(13)])
    parameters = Parameters(tuple(model.weights), (0,), ((1,),))
    return parameters, records, known - known[-1]


def test_gradient_descent_on_a_quadratic(descended):
    parameters, records, known = descended
    plane = find_path_plane(
        parameters,
        lambda record, rows: [records[record][i] for i in rows],
        13,
        tuple(records[-1]),
    )
    left, sizes, right = np.linalg.svd(known, full_matrices=False)
    for k in range(2):
        sign = np.sign(flat(plane.directions[k]) @ right[k])
        np.testing.assert_allclose(flat(plane.directions[k]), sign * right[k], atol=1e-6)
        np.testing.assert_allclose(plane.coordinates[:, k], sign * left[:, k] * sizes[k], atol=1e-8)
    np.testing.assert_allclose(plane.lengths, np.linalg.norm(known, axis=1), rtol=1e-9, atol=1e-12)
    outside = known - known @ right[:2].T @ right[:2]
    # From inner products: half of the digits are left where a distance is small.
    np.testing.assert_allclose(plane.distances, np.linalg.norm(outside, axis=1), atol=1e-6)
    assert plane.held == pytest.approx((sizes[:2] ** 2).sum() / (sizes**2).sum(), rel=1e-9)
    assert plane.held < 0.9999  # or there would be nothing outside to measure
    np.testing.assert_allclose(plane.shares[:6], sizes[:6] ** 2 / (sizes**2).sum(), atol=1e-10)


def test_a_path_centred_on_the_mean_while_the_grid_is_centred_on_the_final_weights(rng):
    path = np.cumsum(rng.normal(size=(15, SIZE)), axis=0)
    plane = Kept(path).plane()
    assert plane.coordinates[-1].tolist() == [0.0, 0.0]
    assert plane.distances[-1] == 0
    assert plane.lengths[-1] == 0
    assert np.abs(plane.coordinates.mean(axis=0)).max() > 0.5  # the mean is elsewhere
    placed = sum(np.outer(plane.coordinates[:, k], flat(plane.directions[k])) for k in range(2)) - (
        path - path[-1]
    )
    np.testing.assert_allclose(np.linalg.norm(placed, axis=1), plane.distances, atol=1e-6)


def test_the_articles_pca_with_rows_and_columns_swapped(rng):
    """Its first direction was the time mean of the weights; the drift is what moved."""
    drift, mean = turned(rng, 2)
    times = np.linspace(0, 1, 20)[:, None]
    path = 30 * mean + 2 * times * drift + 0.02 * rng.normal(size=(20, SIZE))
    plane = Kept(path).plane()
    first = flat(plane.directions[0])
    assert abs(first @ drift) > 0.99
    assert abs(first @ path.mean(axis=0)) / np.linalg.norm(path.mean(axis=0)) < 0.2
    assert plane.shares[0] > 0.97


def test_whitened_scores_taken_as_directions(rng):
    path = np.cumsum(rng.normal(size=(10, SIZE)) * np.linspace(5, 0.1, SIZE), axis=0)
    first, second = Kept(path).plane().directions
    assert (norm(first), norm(second)) == pytest.approx((1, 1), rel=1e-9)
    assert cosine(first, second) == pytest.approx(0, abs=1e-9)
    right = np.linalg.svd(path - path[-1])[2]
    assert abs(flat(first) @ right[0]) == pytest.approx(1, abs=1e-9)
    assert abs(flat(second) @ right[1]) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("most_bytes", [1, 8 * 12 * 5, 10**9])
def test_little_memory_gives_the_same_inner_products(most_bytes, rng):
    kept = Kept(rng.normal(size=(11, SIZE)))
    gram = gram_matrix(kept.parameters, kept.read, 11, kept.final, most_bytes)
    differences = kept.path - kept.path[-1]
    np.testing.assert_allclose(gram, differences @ differences.T, atol=1e-12)
    if most_bytes == 10**9:  # each record's tensor is read once
        assert sorted(kept.reads) == [(i, p) for i in range(11) for p in (0, 2, 3)]


@pytest.mark.parametrize("records", [1, 2])
def test_few_records(records, rng):
    plane = Kept(rng.normal(size=(records, SIZE))).plane()
    assert plane.coordinates.shape == (records, 2)
    assert plane.coordinates[-1].tolist() == [0, 0]
    assert len(plane.directions) == 2
    assert plane.held == (pytest.approx(1) if records == 2 else 0)


def test_a_path_that_does_not_move(rng):
    plane = Kept(np.repeat(rng.normal(size=(1, SIZE)), 5, axis=0)).plane()
    assert plane.held == 0
    np.testing.assert_array_equal(plane.coordinates, 0)
    assert not any(np.any(a) for way in plane.directions for a in way)


def test_projection_on_directions_that_are_not_orthogonal(rng):
    kept = Kept(rng.normal(size=(6, SIZE)))
    ways = [kept.parameters.unpack(v) for v in rng.normal(size=(2, SIZE)) + 1]
    ways[1] = tuple(3 * a for a in ways[1])
    rows = [difference(kept.parameters.unpack(row), kept.final) for row in kept.path]
    matrix = np.stack([flat(way) for way in ways], axis=1)
    known = np.linalg.lstsq(matrix, np.stack([flat(row) for row in rows]).T, rcond=None)[0].T
    np.testing.assert_allclose(project(ways, rows), known, atol=1e-12)
    assert abs(dot(*ways)) > 1  # or the plain inner products would do
