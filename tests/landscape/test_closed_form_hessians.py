"""Hessians that are known: linear, logistic and softmax regression, a product of two weights."""

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.landscape.directions import draw_plane
from reportgen.landscape.grid import axis
from reportgen.landscape.spectrum import find_extremes

from .conftest import data, dense_net, fill, finite_product, flat, open_bench, precision

pytestmark = pytest.mark.usefixtures("double")


def linear(inputs: int, units: int = 1, activation: str | None = None) -> keras.Model:
    model = keras.Sequential([keras.Input((inputs,)), layers.Dense(units, activation)])
    fill(model)
    return model


def whole(hessian) -> np.ndarray:
    """The matrix, column by column."""
    return np.stack([hessian.product(column) for column in np.eye(hessian.size)], axis=1)


def with_ones(x: np.ndarray) -> np.ndarray:
    """The bias is the weight of an input that is always one."""
    return np.column_stack([x, np.ones(len(x))])


@pytest.mark.parametrize("units", [1, 3])
def test_linear_regression(units, rng):
    x, y = rng.normal(size=(30, 4)), rng.normal(size=(30, units))
    bench = open_bench(linear(4, units), x, y, chunk=8)
    full = with_ones(x)
    # MSE is the mean over the units, too; each unit has weights of its own.
    known = np.kron(2 / 30 / units * full.T @ full, np.eye(units))
    np.testing.assert_allclose(whole(bench.hessian()), known, atol=1e-8)
    errors = full @ np.vstack([bench.point[0], bench.point[1]]) - y
    gradient = 2 / 30 / units * full.T @ errors
    np.testing.assert_allclose(bench.hessian().gradient(), gradient.ravel(), atol=1e-12)


def test_any_plane_of_linear_regression_is_exactly_quadratic(rng):
    x, y = rng.normal(size=(30, 4)), rng.normal(size=30)
    bench = open_bench(linear(4), x, y)
    directions = draw_plane(bench.parameters, bench.point, rng, vectors="keep")
    a, b = (part.ravel() for part in np.meshgrid(axis(3.0, 7), axis(2.0, 5)))
    losses = bench.losses(directions, np.column_stack([a, b]))
    design = np.column_stack([np.ones_like(a), a, b, a * a, a * b, b * b])
    found = np.linalg.lstsq(design, losses, rcond=None)[0]
    assert np.abs(design @ found - losses).max() < 1e-10 * np.abs(losses).max()
    full = with_ones(x)
    matrix = 2 / 30 * full.T @ full
    first, second = (flat(d) for d in directions)
    expected = [first @ matrix @ first / 2, first @ matrix @ second, second @ matrix @ second / 2]
    np.testing.assert_allclose(found[3:], expected, rtol=1e-9)


def test_logistic_regression(rng):
    x, y = data((3,), 2)
    bench = open_bench(linear(3, 1, "sigmoid"), x, y, chunk=16)
    full = with_ones(x)
    p = 1 / (1 + np.exp(-full @ flat(bench.point)))
    known = full.T @ (full * (p * (1 - p))[:, None]) / len(x)
    np.testing.assert_allclose(whole(bench.hessian()), known, atol=1e-8)
    losses = bench.evaluator().at(bench.point).losses[0]
    np.testing.assert_allclose(losses, -np.log(np.where(y, p, 1 - p)), rtol=1e-10)


@pytest.mark.parametrize("activation", ["softmax", None, "log_softmax"])
def test_softmax_regression(activation):
    x, y = data((3,), 4)
    bench = open_bench(linear(3, 4, activation), x, y, chunk=16)
    full = with_ones(x)
    scores = full @ np.vstack([bench.point[0], bench.point[1]])
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    spread = np.einsum("nc,cd->ncd", p, np.eye(4)) - np.einsum("nc,nd->ncd", p, p)
    known = np.einsum("nf,ng,ncd->fcgd", full, full, spread).reshape(16, 16) / len(x)
    np.testing.assert_allclose(whole(bench.hessian()), known, atol=1e-8)


def test_the_gradient_does_not_vanish_where_a_probability_does():
    """From probabilities clipped at 1e-7 a wrong answer beyond them would have no gradient."""
    model = keras.Sequential([keras.Input((1,)), layers.Dense(2, "softmax", use_bias=False)])
    model.set_weights([np.array([[40.0, -40.0]])])
    bench = open_bench(model, np.ones((1, 1)), np.array([1]))
    assert bench.evaluator().at(bench.point).losses[0, 0] == pytest.approx(80)
    np.testing.assert_allclose(bench.hessian().gradient(), [1, -1], rtol=1e-12)


@pytest.mark.parametrize("first", [2.0, 0.5, -1.25])
def test_a_product_of_two_weights_at_its_minimum(first):
    stack = [layers.Dense(1, use_bias=False), layers.Dense(1, use_bias=False)]
    model = keras.Sequential([keras.Input((1,)), *stack])
    model.set_weights([np.array([[first]]), np.array([[1 / first]])])
    bench = open_bench(model, np.ones((1, 1)), np.ones(1))
    found = find_extremes(bench.hessian(), np.random.default_rng(0), count=1)
    # (w2 w1 - 1)^2 is twice the textbook's (w2 w1 - 1)^2 / 2.
    assert found.top[0].value / 2 == pytest.approx(first**2 + first**-2, rel=1e-12)
    assert found.bottom[0].value == pytest.approx(0, abs=1e-12)
    assert found.complete


@pytest.fixture(scope="module")
def curved():
    """A small net that is not convex, its samples, and its Hessian by finite differences."""
    with precision("float64"):
        x, y = data((4,))
        bench = open_bench(dense_net(), x, y, chunk=16)
        loss = keras.losses.sparse_categorical_crossentropy
        columns = [finite_product(bench, e, x, y, loss) for e in np.eye(bench.parameters.size)]
    return bench, np.array(columns)


def test_products_are_those_of_the_matrix_of_finite_differences(curved, rng):
    bench, matrix = curved
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-8)  # the oracle itself
    np.testing.assert_allclose(whole(bench.hessian()), matrix, atol=1e-8)


def test_both_ends_of_the_spectrum(curved, rng):
    bench, matrix = curved
    known = np.linalg.eigvalsh(matrix)
    assert known[0] < -0.01  # not convex: the lower end is no zero
    found = find_extremes(bench.hessian(), rng, count=3, tolerance=1e-9)
    assert found.complete
    np.testing.assert_allclose([p.value for p in found.top], known[::-1][:3], atol=1e-7)
    np.testing.assert_allclose([p.value for p in found.bottom], known[:3], atol=1e-7)
    for pair in (*found.top, *found.bottom):
        assert np.linalg.norm(pair.vector) == pytest.approx(1)
        left = matrix @ pair.vector - pair.value * pair.vector
        assert np.linalg.norm(left) == pytest.approx(pair.residual, abs=1e-7)


def test_an_eigenvalue_lies_within_the_residual(curved, rng):
    bench, matrix = curved
    known = np.linalg.eigvalsh(matrix)
    found = find_extremes(bench.hessian(), rng, count=2, tolerance=0.2)
    for pair in (*found.top, *found.bottom):
        assert np.abs(known - pair.value).min() <= pair.residual + 1e-8


def test_curvature_along_a_grid_axis_is_the_second_difference_of_the_line(curved, rng):
    bench, matrix = curved
    direction, other = draw_plane(bench.parameters, bench.point, rng)
    step = 1e-3
    line = bench.losses([direction, other], [(-step, 0), (0, 0), (step, 0)])
    curvature = (line[0] - 2 * line[1] + line[2]) / step**2
    vector = flat(direction)
    product = bench.hessian().product(vector)
    assert curvature == pytest.approx(float(vector @ product), rel=1e-5)  # h^2 of a fourth order
    assert float(vector @ product) == pytest.approx(float(vector @ matrix @ vector), rel=1e-8)
