"""Lanczos, traces and densities against matrices that are known."""

import time

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.landscape.limits import OutOfTimeError
from reportgen.landscape.spectrum import (
    estimate_density,
    estimate_trace,
    find_extremes,
    lanczos,
)

from .conftest import MatrixHessian, data, dense_net, open_bench


def symmetric(size: int, rng: np.random.Generator) -> np.ndarray:
    half = rng.normal(size=(size, size))
    return (half + half.T) / 2


def tridiagonal(diagonal: np.ndarray, beside: np.ndarray) -> np.ndarray:
    return np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)


@pytest.fixture
def one_two_three(double):
    """Linear regression on orthogonal inputs: H = (2/N) X^T X = diag(1, 2, 3)."""
    x = np.diag(np.sqrt(1.5 * np.array([1.0, 2.0, 3.0])))
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, use_bias=False)])
    return open_bench(model, x, np.array([1.0, -1.0, 0.5]), chunk=2)


def test_lanczos_of_full_order_has_all_eigenvalues(one_two_three, rng):
    diagonal, beside = lanczos(one_two_three.hessian(), rng.normal(size=3), 3)
    found = np.linalg.eigvalsh(tridiagonal(diagonal, beside))
    np.testing.assert_allclose(found, [1, 2, 3], atol=1e-7)


def test_lanczos_keeps_its_basis_orthogonal(rng):
    """Without reorthogonalisation there would be copies of the outer eigenvalues."""
    known = np.sort(np.concatenate([rng.normal(size=57), [50.0, 80.0, -70.0]]))
    turned = np.linalg.qr(rng.normal(size=(60, 60)))[0]
    hessian = MatrixHessian(turned @ np.diag(known) @ turned.T)
    found = np.linalg.eigvalsh(tridiagonal(*lanczos(hessian, rng.normal(size=60), 60)))
    np.testing.assert_allclose(found, known, atol=1e-7)


def test_lanczos_ends_where_the_space_is_exhausted(rng):
    hessian = MatrixHessian(np.diag([1.0, 1.0, 1.0, 4.0]))
    diagonal, beside = lanczos(hessian, np.ones(4), 4)
    assert (len(diagonal), len(beside)) == (2, 1)
    np.testing.assert_allclose(np.linalg.eigvalsh(tridiagonal(diagonal, beside)), [1, 4])


@pytest.mark.parametrize("low", [-30.0, -5.0])
def test_power_iteration_finds_the_largest_absolute_value_and_we_both_ends(low, rng):
    known = np.sort(np.concatenate([[low, 10.0, 8.0], rng.uniform(-1, 1, 37)]))
    turned = np.linalg.qr(rng.normal(size=(40, 40)))[0]
    hessian = MatrixHessian(turned @ np.diag(known) @ turned.T)
    found = find_extremes(hessian, rng, count=2, tolerance=1e-6)
    assert found.complete
    assert found.products == hessian.products > 0
    np.testing.assert_allclose([p.value for p in found.top], [10, 8], rtol=1e-5)
    np.testing.assert_allclose([p.value for p in found.bottom], known[:2], atol=1e-4)


@pytest.mark.parametrize("size", [1, 2, 4, 5])
def test_matrices_that_are_too_small_for_lanczos(size, rng):
    matrix = symmetric(size, rng)
    found = find_extremes(MatrixHessian(matrix), rng, count=2)
    known = np.linalg.eigvalsh(matrix)
    np.testing.assert_allclose([p.value for p in found.top], known[::-1][:2], atol=1e-12)
    np.testing.assert_allclose([p.value for p in found.bottom], known[:2], atol=1e-12)


def test_all_eigenvalues_negative(rng):
    known = -np.arange(1.0, 31.0)
    turned = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    found = find_extremes(MatrixHessian(turned @ np.diag(known) @ turned.T), rng, tolerance=1e-8)
    np.testing.assert_allclose([p.value for p in found.top], [-1, -2], atol=1e-5)
    np.testing.assert_allclose([p.value for p in found.bottom], [-30, -29], atol=1e-5)


def test_a_flat_loss_has_eigenvalues_of_zero(rng):
    found = find_extremes(MatrixHessian(np.zeros((30, 30))), rng)
    np.testing.assert_allclose([p.value for p in (*found.top, *found.bottom)], 0, atol=1e-12)
    assert found.complete
    assert len(found.top) == len(found.bottom) == 2


@pytest.mark.parametrize("size", [3, 30])
def test_all_eigenvalues_equal(size, rng):
    """top - H is zero, which ARPACK refuses."""
    found = find_extremes(MatrixHessian(2.5 * np.eye(size)), rng, count=1)
    assert found.complete
    assert [found.top[0].value, found.bottom[0].value] == pytest.approx([2.5, 2.5])


@pytest.mark.parametrize("size", [3, 30])
def test_what_is_not_finite_has_no_eigenvalues(size, rng):
    found = find_extremes(MatrixHessian(np.full((size, size), np.nan)), rng)
    assert (found.top, found.bottom, found.complete) == ((), (), False)


def test_few_products_are_not_complete(rng):
    hessian = MatrixHessian(symmetric(300, rng))
    found = find_extremes(hessian, rng, count=4, tolerance=1e-12, most_products=20)
    assert not found.complete
    known = np.linalg.eigvalsh(hessian.matrix)
    for pair in (*found.top, *found.bottom):
        assert np.abs(known - pair.value).min() <= pair.residual + 1e-9


@pytest.mark.parametrize("inputs", [1, 4])
def test_a_deadline_that_has_passed(inputs):
    """inputs 1: so few weights that the whole matrix would be taken."""
    x, y = data((inputs,), 2)
    model = (
        dense_net(inputs)
        if inputs > 1
        else keras.Sequential([keras.Input((1,)), layers.Dense(1, activation="sigmoid")])
    )
    hessian = open_bench(model, x, y).hessian(deadline=time.monotonic() - 1)
    found = find_extremes(hessian, np.random.default_rng(0))
    assert (found.top, found.bottom, found.complete) == ((), (), False)
    assert estimate_trace(hessian, np.random.default_rng(0), 5) is None
    assert estimate_density(hessian, np.random.default_rng(0), starts=2, steps=3) is None
    with pytest.raises(OutOfTimeError):
        hessian.product(np.ones(hessian.size))


class Expiring(MatrixHessian):
    """Time is up after so many products."""

    def __init__(self, matrix: np.ndarray, most: int) -> None:
        super().__init__(matrix)
        self.most = most

    def product(self, vector: np.ndarray) -> np.ndarray:
        if self.products >= self.most:
            raise OutOfTimeError
        return super().product(vector)


def test_draws_that_were_made_in_time_count(rng):
    matrix = symmetric(20, rng)
    trace = estimate_trace(Expiring(matrix, 7), rng, 50)
    assert trace.draws == 7
    density = estimate_density(Expiring(matrix, 17), rng, starts=9, steps=5)
    assert density.nodes.shape == (3, 5)
    found = find_extremes(Expiring(matrix, 3), rng)
    assert not found.complete


def test_hutchinson_has_no_error_for_a_diagonal_hessian(one_two_three, rng):
    trace = estimate_trace(one_two_three.hessian(), rng, 5)
    assert trace.value == pytest.approx(6, rel=1e-12)
    assert trace.error == pytest.approx(0, abs=1e-12)


def test_known_directions_leave_the_sum_right_and_its_error_small(rng):
    """As of networks: a few large eigenvalues above many small ones. From any directions."""
    rotation = np.linalg.qr(rng.normal(size=(60, 60)))[0]
    values = np.concatenate([[66, 51, -3], np.linspace(0, 0.5, 57)])
    matrix = rotation * values @ rotation.T
    plain = estimate_trace(MatrixHessian(matrix), np.random.default_rng(0), 200)
    tops = [rotation[:, k] + 0.05 * rng.normal(size=60) / 8 for k in range(3)]
    known = estimate_trace(MatrixHessian(matrix), np.random.default_rng(0), 200, tops)
    assert known.value == pytest.approx(values.sum(), abs=4 * known.error)
    # What is left is 0.5 % of the two tops, tilted by .05, and the small ones.
    assert known.error < plain.error / 10
    off = [rng.normal(size=60) for _ in range(3)]
    beside = estimate_trace(MatrixHessian(matrix), np.random.default_rng(0), 200, off)
    assert beside.value == pytest.approx(values.sum(), abs=4 * beside.error)


@pytest.mark.parametrize("draws", [4, 10, 30])
def test_the_interval_of_the_sum_covers_it(rng, draws):
    rotation = np.linalg.qr(rng.normal(size=(60, 60)))[0]
    values = np.concatenate([[66, 51], np.linspace(0, 3, 58)])
    matrix = rotation * values @ rotation.T
    tops = [rotation[:, 0], rotation[:, 1]]
    held = sum(
        trace.low <= values.sum() <= trace.high
        for seed in range(200)
        for trace in [
            estimate_trace(MatrixHessian(matrix), np.random.default_rng(seed), draws, tops)
        ]
    )
    # 190 of 200 expected; below 180 has a probability of .001.
    assert held >= 180


def test_the_variance_of_hutchinson(rng):
    """With signs it is 2 (|H|_F^2 - sum H_ii^2); with Gaussians it would be 2 |H|_F^2."""
    matrix = symmetric(12, rng) + 3 * np.eye(12)
    draws = 20_000
    trace = estimate_trace(MatrixHessian(matrix), rng, draws)
    variance = 2 * ((matrix**2).sum() - (np.diag(matrix) ** 2).sum())
    # The variance of 20 000 draws with a kurtosis near 4 is known to 1.2 %; four of those.
    assert trace.error**2 * draws == pytest.approx(variance, rel=0.05)
    assert trace.value == pytest.approx(np.trace(matrix), abs=4 * np.sqrt(variance / draws))


def test_the_trace_of_the_density_is_hutchinsons_for_the_same_signs(double):
    x, y = data((4,))
    hessian = open_bench(dense_net(), x, y).hessian()
    density = estimate_density(hessian, np.random.default_rng(4), starts=3, steps=6)
    trace = estimate_trace(hessian, np.random.default_rng(4), 3)
    # Exact at any number of steps: e1^T T e1 is the Rayleigh quotient of the start.
    assert density.trace.value == pytest.approx(trace.value, rel=1e-10)
    assert density.trace.error == pytest.approx(trace.error, rel=1e-8)
    other = estimate_trace(hessian, np.random.default_rng(5), 200)
    spread = np.hypot(density.trace.error, other.error)
    assert abs(density.trace.value - other.value) < 4 * spread


def test_the_density_of_full_order_has_the_moments_of_the_matrix(rng):
    matrix = symmetric(8, rng)
    density = estimate_density(MatrixHessian(matrix), rng, starts=500, steps=8)
    np.testing.assert_allclose(density.weights.sum(axis=1), 1, rtol=1e-10)
    known = np.linalg.eigvalsh(matrix)
    np.testing.assert_allclose(np.sort(density.nodes[0]), known, atol=1e-8)
    # Each eigenvalue has the weight 1/8 on average (a start has (z.v)^2 / 8, spread about .17).
    order = np.argsort(density.nodes, axis=1)
    weights = np.take_along_axis(density.weights, order, axis=1).mean(axis=0)
    np.testing.assert_allclose(weights, 1 / 8, atol=5 * 0.18 / np.sqrt(500))
    places = np.linspace(known[0] - 3, known[-1] + 3, 2001)
    smooth = density.smooth(places, 0.3)
    assert np.sum(smooth) * (places[1] - places[0]) == pytest.approx(1, rel=1e-6)


def test_the_same_seed_gives_the_same_numbers(rng):
    hessian = MatrixHessian(symmetric(40, rng))
    twice = [find_extremes(hessian, np.random.default_rng(1)).top[0] for _ in range(2)]
    assert twice[0].value == twice[1].value
    np.testing.assert_array_equal(twice[0].vector, twice[1].vector)
    traces = [estimate_trace(hessian, np.random.default_rng(s), 9).value for s in (1, 1, 2)]
    assert traces[0] == traces[1] != traces[2]
