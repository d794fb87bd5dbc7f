"""Surveys of real networks: points given up, losses that overflow, and the article's grid."""

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.landscape.directions import draw_plane
from reportgen.landscape.grid import CENSORED, MEASURED, NOT_FINITE, axis
from reportgen.landscape.measuring import Effort, Surveyor
from reportgen.landscape.parameters import shifted
from reportgen.landscape.uncertainty import PairedBootstrap

from .conftest import data, dense_net, fill, open_bench


def survey(bench, plane, effort: Effort, x, y, **options):
    evaluator = bench.evaluator(**options)
    counted = []
    measure = evaluator._runner._call

    def count(compiled, steps, ways, inputs, *given):
        counted.append(len(steps) * len(inputs))
        return measure(compiled, steps, ways, inputs, *given)

    evaluator._runner._call = count
    centre = evaluator.at(bench.point).losses[0]
    counted.clear()
    bootstrap = PairedBootstrap(centre, np.random.default_rng(0))
    grid = Surveyor(evaluator, bench.point, plane, bootstrap, effort).survey(x, y)
    return grid, sum(counted)


@pytest.fixture
def wide(rng):
    """A plane whose border is far above its middle, and many small chunks."""
    x, y = data((4,), count=400)
    model = dense_net()
    y = model.predict(x, verbose=0).argmax(axis=1)
    bench = open_bench(model, x, y, chunk=40)
    return bench, draw_plane(bench.parameters, bench.point, rng)


def test_cells_that_are_given_up_lie_above_the_ceiling(wide):
    bench, plane = wide
    across = axis(8.0, 9)
    effort = Effort(every=1, ceiling=2.0)
    grid, samples = survey(bench, plane, effort, across, across)
    whole, all_samples = survey(bench, plane, Effort(every=1), across, across)
    assert all_samples == 81 * 400
    censored = grid.state == CENSORED
    assert censored.sum() == grid.count(CENSORED) > 10
    assert (whole.loss[censored] > effort.ceiling).all()
    assert samples < 0.8 * all_samples
    measured = grid.state == MEASURED
    assert (measured | censored).all()
    assert measured[grid.centre]
    np.testing.assert_allclose(grid.loss[measured], whole.loss[measured], rtol=1e-5)
    # A part of the samples tells about how high they are, and nothing of the error.
    np.testing.assert_allclose(grid.loss[censored], whole.loss[censored], rtol=0.5)
    assert np.isnan(grid.error[censored]).all()
    assert np.isfinite(grid.error[measured]).all()


def test_nothing_is_given_up_below_the_ceiling(wide):
    bench, plane = wide
    grid, _ = survey(bench, plane, Effort(every=1, ceiling=1e6), axis(2.0, 5), axis(2.0, 5))
    assert grid.count(MEASURED) == 25


def test_few_samples_give_nothing_up(wide, rng):
    """Three errors of a handful of samples prove nothing."""
    bench, plane = wide
    bench.samples = bench.samples.part(np.arange(31))
    grid, _ = survey(bench, plane, Effort(every=1, ceiling=0.1), axis(8.0, 5), axis(8.0, 5))
    assert grid.count(MEASURED) == 25


@pytest.mark.filterwarnings("error")
def test_a_loss_that_overflows_in_part_of_the_plane(rng):
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, "exponential"),
            layers.Dense(2, "exponential"),
            layers.Dense(1),
        ]
    )
    fill(model)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    bench = open_bench(model, x, y)
    plane = draw_plane(bench.parameters, bench.point, rng)
    across, up = axis(6.0, 7), axis(3.0, 5)
    grid, _ = survey(bench, plane, Effort(every=1), across, up)
    evaluator = bench.evaluator()
    for row in range(5):
        for column in range(7):
            point = shifted(bench.point, plane, (across[column], up[row]))
            loss = evaluator.at(point).losses.mean()
            assert (grid.state[row, column] == NOT_FINITE) == (not np.isfinite(loss))
            if np.isfinite(loss):
                assert grid.loss[row, column] == pytest.approx(loss, rel=1e-4)
    assert 0 < grid.count(NOT_FINITE) < 35
    assert grid.count(NOT_FINITE) + grid.count(MEASURED) == 35
    assert np.isnan(grid.loss[grid.state == NOT_FINITE]).all()
    assert grid.lowest is not None


def test_weights_that_are_not_numbers_have_no_landscape(rng):
    model = dense_net()
    model.get_layer("head").kernel.assign(np.full((5, 3), np.nan))
    x, y = data((4,))
    bench = open_bench(model, x, y)
    plane = draw_plane(bench.parameters, bench.point, rng)
    grid, _ = survey(bench, plane, Effort(), axis(1.0, 13), axis(1.0, 13))
    assert grid.count(NOT_FINITE) == 169
    assert grid.lowest is None


def test_the_articles_grid_on_the_articles_network(rng):
    """1-64-64-64-1 on a noisy parabola, cubic spacing with an even count."""
    tanh = [layers.Dense(64, "tanh") for _ in range(3)]
    model = keras.Sequential([keras.Input((1,)), *tanh, layers.Dense(1)])
    x = np.linspace(-1, 1, 50)[:, None]
    y = x[:, 0] ** 2 + 0.05 * rng.normal(size=50)
    bench = open_bench(model, x, y)
    plane = draw_plane(bench.parameters, bench.point, rng, normalisation="tensor")
    across = axis(1.0, 6, "cubic")
    grid, _ = survey(bench, plane, Effort(every=1), across, across)
    assert grid.loss.shape == (7, 7)
    assert (grid.x[3], grid.y[3], grid.centre) == (0.0, 0.0, (3, 3))
    said = model.predict(x, verbose=0)[:, 0]
    assert grid.loss[3, 3] == pytest.approx(((said - y) ** 2).mean(), rel=1e-5)
    assert grid.error[3, 3] == pytest.approx(0, abs=1e-9)
