"""Rises near a minimum, where the loss is a quadratic that is known."""

import time

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.landscape.sharpness import average_rise, worst_rise
from reportgen.landscape.spectrum import Eigenpair

from .conftest import open_bench

pytestmark = pytest.mark.usefixtures("double")
RADIUS = 0.3


@pytest.fixture
def minimum(rng):
    """Linear regression at its minimum, and its Hessian."""
    x = rng.normal(size=(40, 5)) * [3, 2, 1, 0.5, 0.2]
    y = x @ rng.normal(size=5) + rng.normal(size=40)
    weights = np.linalg.lstsq(x, y, rcond=None)[0]
    model = keras.Sequential([keras.Input((5,)), layers.Dense(1, use_bias=False)])
    model.set_weights([weights[:, None]])
    return open_bench(model, x, y), 2 / 40 * x.T @ x


def test_the_worst_rise_of_a_quadratic(minimum):
    bench, matrix = minimum
    values, vectors = np.linalg.eigh(matrix)
    rise = worst_rise(bench.hessian(), bench.evaluator(), [vectors[:, -1]], RADIUS)
    assert rise.value == pytest.approx(RADIUS**2 * values[-1] / 2, rel=1e-9)
    assert (rise.radius, np.isnan(rise.error)) == (RADIUS, True)


def test_ascent_finds_the_worst_from_another_start(minimum):
    bench, matrix = minimum
    start = np.ones(5)  # the gradient of a quadratic is H d: power iteration
    rise = worst_rise(bench.hessian(), bench.evaluator(), [start], RADIUS, steps=60, least=0)
    top = np.linalg.eigvalsh(matrix)[-1]
    assert rise.value == pytest.approx(RADIUS**2 * top / 2, rel=1e-6)
    assert rise.value <= RADIUS**2 * top / 2 * (1 + 1e-12)


def test_an_ascent_that_pauses_goes_on(minimum):
    """Close to the second eigenvector the first steps bring less than the hundredth part."""
    bench, matrix = minimum
    values, vectors = np.linalg.eigh(matrix)
    start = vectors[:, -2] + 1e-2 * vectors[:, -1]
    rise = worst_rise(bench.hessian(), bench.evaluator(), [start], RADIUS, steps=40)
    assert rise.value == pytest.approx(RADIUS**2 * values[-1] / 2, rel=0.02)


def test_the_best_of_several_starts_counts(minimum):
    bench, matrix = minimum
    values, vectors = np.linalg.eigh(matrix)
    starts = [vectors[:, 0], np.zeros(5), vectors[:, -1]]  # a gradient may be zero
    rise = worst_rise(bench.hessian(), bench.evaluator(), starts, RADIUS, steps=1)
    assert rise.value == pytest.approx(RADIUS**2 * values[-1] / 2, rel=1e-9)
    assert rise.tried == 2


def test_the_adaptive_ball_is_measured_in_units_of_the_weights(minimum):
    bench, matrix = minimum
    sizes = np.abs(bench.point[0].ravel())
    scaled = sizes[:, None] * matrix * sizes
    rise = worst_rise(
        bench.hessian(), bench.evaluator(), [np.ones(5)], RADIUS, steps=80, least=0, adaptive=True
    )
    assert rise.value == pytest.approx(RADIUS**2 * np.linalg.eigvalsh(scaled)[-1] / 2, rel=1e-6)


def test_adaptive_sharpness_does_not_change_when_weights_are_rescaled(rng):
    """A ReLU network with one layer times ten and the next by a tenth is the same function."""
    x, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    first, second = rng.normal(size=(3, 4)), rng.normal(size=(4, 1))
    found = {}
    for scale in (1.0, 10.0):
        stack = [layers.Dense(4, "relu", use_bias=False), layers.Dense(1, use_bias=False)]
        model = keras.Sequential([keras.Input((3,)), *stack])
        model.set_weights([first * scale, second / scale])
        bench = open_bench(model, x, y)
        hessian, evaluator = bench.hessian(), bench.evaluator()
        found[scale] = [
            worst_rise(hessian, evaluator, [np.ones(16)], 0.1, adaptive=kind).value
            for kind in (True, False)
        ]
    assert found[1.0][0] == pytest.approx(found[10.0][0], rel=1e-9)
    assert found[1.0][1] != pytest.approx(found[10.0][1], rel=0.5)


def test_the_mean_rise_of_a_quadratic_is_its_trace(minimum, rng):
    bench, matrix = minimum
    rise = average_rise(bench.hessian(), bench.evaluator(), RADIUS, rng, draws=200)
    known = RADIUS**2 * np.trace(matrix) / (2 * 5)
    assert rise.value == pytest.approx(known, abs=4 * rise.error)
    # Var of u^T H u on the sphere: 2 (tr H^2 - (tr H)^2 / D) / (D (D + 2)).
    variance = 2 * (np.trace(matrix @ matrix) - np.trace(matrix) ** 2 / 5) / (5 * 7)
    expected = RADIUS**2 / 2 * np.sqrt(variance / 200)
    assert rise.error == pytest.approx(expected, rel=0.25)
    assert rise.error < known / 10  # or four errors would prove nothing


@pytest.mark.parametrize("adaptive", [False, True])
def test_known_eigenpairs_leave_the_mean_rise_and_take_its_error(minimum, adaptive):
    """With all pairs one place says as much as all; a wrong pair still gives the mean."""
    bench, matrix = minimum
    hessian, evaluator = bench.hessian(), bench.evaluator()
    sizes = np.abs(hessian.point[0]).ravel() if adaptive else np.ones(5)
    mean = RADIUS**2 / 2 * float((sizes**2 * np.diag(matrix)).mean())
    values, vectors = np.linalg.eigh(matrix)
    pairs = [Eigenpair(float(v), vectors[:, i], 0.0) for i, v in enumerate(values)]

    def rise(known, draws):
        rng = np.random.default_rng(1)
        return average_rise(
            hessian, evaluator, RADIUS, rng, draws=draws, adaptive=adaptive, known=known
        )

    assert rise(pairs, 3).value == pytest.approx(mean, rel=1e-5)  # float32 losses
    assert rise(pairs[-1:], 50).error < rise((), 50).error
    wrong = rise([Eigenpair(7.0, np.eye(5)[2], 0.0)], 400)
    assert wrong.value == pytest.approx(mean, abs=4 * wrong.error)


def test_mean_curvature_over_random_directions_is_the_mean_eigenvalue(minimum, rng):
    bench, matrix = minimum
    hessian = bench.hessian()
    drawn = rng.normal(size=(300, 5))
    units = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    curvatures = np.array([unit @ hessian.product(unit) for unit in units])
    error = curvatures.std(ddof=1) / np.sqrt(len(curvatures))
    assert curvatures.mean() == pytest.approx(np.trace(matrix) / 5, abs=4 * error)
    assert error < np.trace(matrix) / 50


def test_the_mean_rise_draws_from_its_generator(minimum):
    bench, _ = minimum
    hessian, evaluator = bench.hessian(), bench.evaluator()
    values = [
        average_rise(hessian, evaluator, RADIUS, np.random.default_rng(seed), draws=4).value
        for seed in (1, 1, 2)
    ]
    assert values[0] == values[1] != values[2]


def test_a_deadline_ends_the_ascent_and_the_draws(minimum, rng):
    """What was found before it is still a rise within the ball."""
    bench, matrix = minimum
    start = np.linalg.eigh(matrix)[1][:, 0]  # from the flattest direction there is a way to go
    late = time.monotonic() - 1
    hessian, evaluator = bench.hessian(), bench.evaluator()
    rise = worst_rise(hessian, evaluator, [start], RADIUS, deadline=late)
    assert rise.tried == 0
    assert rise.value == pytest.approx(RADIUS**2 * np.linalg.eigvalsh(matrix)[0] / 2, rel=1e-6)
    assert worst_rise(hessian, evaluator, [start], RADIUS).tried > 0
    rise = average_rise(hessian, evaluator, RADIUS, rng, deadline=late)
    assert np.isnan(rise.value)
    assert rise.tried == 0
    assert average_rise(hessian, evaluator, RADIUS, rng, draws=5).tried == 5
