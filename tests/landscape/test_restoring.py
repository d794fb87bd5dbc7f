"""Weights are afterwards what they were before, whatever happened."""

import keras
import numpy as np
import pytest

from reportgen.errors import ReportgenError
from reportgen.landscape.directions import draw_plane
from reportgen.landscape.restoring import hash_arrays, restoring
from reportgen.landscape.sharpness import average_rise, worst_rise
from reportgen.landscape.spectrum import estimate_density, estimate_trace, find_extremes

from .conftest import convnet, data, dense_net, hash_weights, open_bench, precision


def spoil(model: keras.Model) -> None:
    for variable in model.weights:
        variable.assign(variable.numpy() * 3 + 1)


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_whatever_is_raised(error):
    model = convnet()
    before = hash_weights(model)

    def work():
        with restoring(model.weights):
            spoil(model)
            assert hash_weights(model) != before
            if error:
                raise error

    if error:
        with pytest.raises(error):
            work()
    else:
        work()
    assert hash_weights(model) == before


def test_a_generator_that_is_not_finished():
    model = dense_net()
    before = hash_weights(model)

    def steps():
        with restoring(model.weights):
            for _ in range(3):
                spoil(model)
                yield

    running = steps()
    next(running)
    assert hash_weights(model) != before
    running.close()
    assert hash_weights(model) == before


@pytest.mark.parametrize("policy", ["float64", "mixed_float16", "bfloat16"])
def test_other_precisions(policy):
    with precision(policy):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    before = hash_weights(model)
    with restoring(model.weights):
        spoil(model)
    assert hash_weights(model) == before


def test_weights_that_are_not_numbers_come_back():
    model = dense_net()
    model.weights[0].assign(np.full((4, 5), np.nan))
    before = hash_weights(model)
    with restoring(model.weights):
        spoil(model)
    assert hash_weights(model) == before


class Stubborn:
    """A variable that does not take what it is given."""

    def __init__(self):
        self.values = np.zeros(2, np.float32)

    def numpy(self):
        return self.values.copy()

    def assign(self, values):
        self.values = np.asarray(values) + 1


def test_weights_that_cannot_be_restored_are_an_error():
    stubborn = Stubborn()
    with pytest.raises(ReportgenError, match="differ after"), restoring([stubborn]):
        pass


def test_hashes_see_values_shapes_and_types():
    base = np.arange(6, dtype=np.float32)
    others = [base.reshape(2, 3), base.astype(np.float64), base[::-1], base + 1e-6, -base]
    hashes = {hash_arrays([array]) for array in (base, *others)}
    assert len(hashes) == 6
    assert hash_arrays([base]) == hash_arrays([base.copy()])
    assert hash_arrays([base[::2]]) == hash_arrays([base[::2].copy()])  # not contiguous
    assert hash_arrays([base, base]) != hash_arrays([base])
    assert hash_arrays([np.zeros(2)]) != hash_arrays([np.array([0.0, -0.0])])


def test_no_part_of_the_engine_touches_the_weights(rng):
    x, y = data((6, 6, 2))
    model = convnet()
    before = hash_weights(model)
    bench = open_bench(model, x, y, chunk=20)
    plane = draw_plane(bench.parameters, bench.point, rng)
    assert hash_weights(model) == before
    evaluator = bench.evaluator()
    list(evaluator.points(bench.point, plane, rng.normal(size=(5, 2))))
    assert hash_weights(model) == before
    hessian = bench.hessian()
    for call in (
        lambda: find_extremes(hessian, rng, count=1, tolerance=0.1),
        lambda: estimate_trace(hessian, rng, 3),
        lambda: estimate_density(hessian, rng, starts=2, steps=3),
        lambda: worst_rise(hessian, evaluator, [np.ones(hessian.size)], 0.1, steps=4),
        lambda: average_rise(hessian, evaluator, 0.1, rng, draws=3),
    ):
        call()
        assert hash_weights(model) == before


def test_a_group_of_points_that_is_interrupted(rng):
    x, y = data((4,))
    model = dense_net()
    before = hash_weights(model)
    bench = open_bench(model, x, y)
    plane = draw_plane(bench.parameters, bench.point, rng)
    running = bench.evaluator().points(bench.point, plane, rng.normal(size=(50, 2)))
    next(running)
    running.close()
    assert hash_weights(model) == before
    again = bench.evaluator().at(bench.point).losses.mean()
    said = model.predict(x, verbose=0)
    assert again == pytest.approx(-np.log(said[np.arange(len(x)), y]).mean(), rel=1e-5)
