"""XLA is tried where much is ahead, kept where it is faster, and never the reason for a failure."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen.landscape import running
from reportgen.landscape.directions import draw_plane
from reportgen.landscape.running import Runner

from .conftest import data, dense_net, fill, open_bench

STEPS = np.linspace(-1, 1, 600).reshape(300, 2)


def double(steps):
    return (steps[:, 0] * 2,)


def walk(runner, seconds, count=1000):
    """Run all points, saying that a plain one takes ``seconds[False]`` and a compiled one
    ``seconds[True]``; the calls as (compiled, points)."""
    calls, done = [], 0
    steps = np.arange(2.0 * count).reshape(count, 2)
    while done < count:
        group = steps[done : done + runner.group_size]
        compiled = runner.compiles(len(group))
        (made,) = runner(group, compiled=compiled)
        np.testing.assert_allclose(made, group[:, 0] * 2, rtol=1e-6)
        done += len(group)
        runner.note(len(group), seconds[compiled] * len(group), count - done)
        calls.append((compiled, len(group)))
    return calls


def test_a_faster_xla_is_kept():
    calls = walk(Runner(double, "float32", None), {False: 1.0, True: 0.5})
    assert calls[:2] == [(False, 1), (False, 1)]  # traced, then timed
    assert all(compiled for compiled, _ in calls[2:-1])
    assert {points for _, points in calls[2:-1]} == {5}  # five seconds of plain work


def test_a_slower_xla_is_given_up():
    calls = walk(Runner(double, "float32", None), {False: 1.0, True: 0.9})
    assert [compiled for compiled, _ in calls[:5]] == [False, False, True, True, False]
    assert not any(compiled for compiled, _ in calls[4:])


def test_xla_is_not_tried_for_little_work():
    calls = walk(Runner(double, "float32", None), {False: 0.1, True: 0.01})
    assert not any(compiled for compiled, _ in calls)


@pytest.mark.parametrize("wanted", [True, False])
def test_what_is_asked_for_is_done(wanted):
    calls = walk(Runner(double, "float32", wanted), {False: 1.0, True: 1.0})
    assert {compiled for compiled, _ in calls} == {wanted}


def test_a_small_group_is_not_filled_up():
    runner = Runner(double, "float32", None)
    walk(runner, {False: 1.0, True: 0.1}, 700)
    assert runner.compiled
    assert not runner.compiles(runner.group_size - 1)


def unfriendly():
    """A network with an operation that XLA cannot compile."""

    class Slow(layers.Layer):
        def call(self, inputs):
            made = tf.numpy_function(np.tanh, [inputs], tf.float32)
            return tf.ensure_shape(made, inputs.shape)

    model = keras.Sequential([keras.Input((4,)), layers.Dense(5), Slow(), layers.Dense(3)])
    fill(model)
    return model


def test_what_cannot_be_compiled_stays_plain(monkeypatch, rng):
    monkeypatch.setattr(running, "_WORTH_TRYING", 0.0)
    x, y = data((4,))
    bench = open_bench(unfriendly(), x, y, chunk=30)
    plane = draw_plane(bench.parameters, bench.point, rng)
    tried = bench.evaluator(compiled=None)
    made = np.concatenate([g.losses.mean(axis=1) for g in tried.points(bench.point, plane, STEPS)])
    assert tried._runner._trial == "over"
    assert not tried._runner.compiled
    np.testing.assert_allclose(made, bench.losses(plane, STEPS, compiled=False), rtol=1e-5)
    with pytest.raises((tf.errors.OpError, NotImplementedError, ValueError)):
        bench.losses(plane, STEPS, compiled=True)


def test_both_ways_give_the_same_losses(monkeypatch, rng):
    monkeypatch.setattr(running, "_WORTH_TRYING", 0.0)
    monkeypatch.setattr(running, "_FASTER", np.inf)
    x, y = data((4,))
    bench = open_bench(dense_net(), x, y, chunk=30)
    plane = draw_plane(bench.parameters, bench.point, rng)
    tried = bench.evaluator(compiled=None)
    made = np.concatenate([g.losses.mean(axis=1) for g in tried.points(bench.point, plane, STEPS)])
    assert tried._runner.compiled
    # Sums of 32 bits in another order.
    np.testing.assert_allclose(made, bench.losses(plane, STEPS, compiled=False), rtol=1e-4)
