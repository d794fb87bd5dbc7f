"""The engine: batches that halve, time that is shared, steps that stop, traces that are kept."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen.errors import UsageError
from reportgen.optvis import Stage, channel, diversity, visualize
from reportgen.optvis.cut import Cut
from reportgen.optvis.engine import size_batch
from reportgen.optvis.painting import open_engine, paint
from reportgen.optvis.recipe import Flatness, Optimizer
from reportgen.optvis.run import are_flat
from reportgen.optvis.step import Step
from reportgen.progress import listening

from .conftest import convnet, hash_weights, linear, plain


def spy(monkeypatch, owner, name: str) -> list:
    """Arguments of every call of a method, which still does its work."""
    calls, original = [], getattr(owner, name)

    def wrapper(self, *args, **kwargs):
        calls.append((self, *args))
        return original(self, *args, **kwargs)

    monkeypatch.setattr(owner, name, wrapper)
    return calls


def test_a_layer_is_traced_once_for_all_its_batches(monkeypatch):
    model, counts = convnet(), []
    for units in (range(2), range(5)):
        with monkeypatch.context() as patch:
            reads = spy(patch, Cut, "read")
            visualize(model, channel("second", units), recipe=plain(3), batch=2)
            counts.append(len(reads))
    # One batch or three: a step is traced, and a look at images as they are.
    assert counts == [2, 2]


def test_coarse_to_fine_traces_each_size_once(monkeypatch):
    model = convnet((160, 160, 3))
    reads = spy(monkeypatch, Cut, "read")
    recipe = plain(3).but(stages=(Stage(3, 0.5), Stage(2), Stage(2)))
    result = visualize(model, channel("second", range(4)), recipe=recipe, batch=2)
    assert result.steps.tolist() == [[7]] * 4
    sides = [inputs.shape[1] for _, inputs, *_ in reads]
    assert sorted(sides) == [80, 160, 160]  # a step of each, and a look at the whole canvas


def test_a_stage_that_the_layer_cannot_take_gives_its_steps_to_the_next():
    kernel = np.random.default_rng(0).normal(size=(64 * 64, 1)).astype(np.float32)
    recipe = plain(2).but(stages=(Stage(3, 0.5), Stage(2)))
    result = visualize(linear(kernel, (64, 64, 1)), channel("head", 0), recipe=recipe)
    assert result.steps.tolist() == [[5]]
    small = visualize(convnet((40, 40, 3)), channel("first", 0), recipe=recipe)
    assert small.steps.tolist() == [[5]]  # 20 pixels are too few to see anything


def test_an_engine_takes_up_other_units_without_tracing_again(monkeypatch):
    model = convnet()
    engine = open_engine(model, channel("second", [0, 1]), recipe=plain(3))
    paint(engine)
    reads = spy(monkeypatch, Cut, "read")
    engine.take_up(channel("second", [4, 2, 3]), variants=2)
    again = paint(engine)
    assert reads == []
    fresh = visualize(model, channel("second", [4, 2, 3]), recipe=plain(3), variants=2)
    np.testing.assert_allclose(again.images, fresh.images, atol=1e-4)  # other batches
    assert again.labels == fresh.labels


def test_an_engine_refuses_what_it_was_not_traced_for():
    engine = open_engine(convnet(), channel("second", 0) + diversity("second"), variants=2)
    with pytest.raises(UsageError, match="units of one kind"):
        engine.take_up(channel("first", 0), variants=2)
    with pytest.raises(UsageError, match="no unit 5"):
        engine.take_up(channel("second", 5) + diversity("second"), variants=2)
    with pytest.raises(UsageError, match="units of one kind"):
        engine.take_up(channel("second", 1) + diversity("second"), variants=4)


@pytest.mark.parametrize("side", [40, 64])
def test_a_recipe_may_end_on_a_coarse_canvas(side):
    recipe = plain(2).but(stages=(Stage(3, 0.75), Stage(3, 0.5)))
    result = visualize(convnet((side, side, 3)), channel("second", 0), recipe=recipe)
    assert result.images.shape == (1, 1, side, side, 3)
    assert result.steps.tolist() == [[6]]


@pytest.mark.parametrize("most", [1, 2])
def test_out_of_memory_halves_the_batch_and_gives_the_same_images(monkeypatch, most):
    model = convnet()
    options = {"recipe": plain(4), "batch": 7}
    expected = visualize(model, channel("second", [0, 1, 2, 3, 4, 0, 1]), **options)
    climb = Step.climb

    def climb_little(self, *given):
        if self.scene.batch > most:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return climb(self, *given)

    monkeypatch.setattr(Step, "climb", climb_little)
    result = visualize(model, channel("second", [0, 1, 2, 3, 4, 0, 1]), **options)
    assert result.batch <= most
    # Other batches add in another order: float32 rounding, grown over four steps.
    np.testing.assert_allclose(result.images, expected.images, atol=1e-4)
    np.testing.assert_allclose(result.scores, expected.scores, rtol=1e-4)


def test_halving_keeps_variants_that_are_compared_together(monkeypatch):
    sizes = []

    def climb_little(self, *given):
        sizes.append(self.scene.batch)
        if self.scene.batch > 3:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return climb(self, *given)

    climb = Step.climb
    monkeypatch.setattr(Step, "climb", climb_little)
    objective = channel("second", range(4)) + diversity("second")
    result = visualize(convnet(), objective, recipe=plain(2), variants=3, batch=12)
    assert result.images.shape[:2] == (4, 3)
    assert set(sizes) == {12, 6, 3}


def test_memory_that_does_not_suffice_for_one_is_an_error(monkeypatch):
    def climb(self, *given):
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")

    model = convnet()
    before = hash_weights(model)
    monkeypatch.setattr(Step, "climb", climb)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        visualize(model, channel("second", [0, 1, 2]), recipe=plain(2))
    assert hash_weights(model) == before


def test_little_time_still_leaves_every_unit_a_picture():
    model = convnet()
    result = visualize(model, channel("second", range(5)), recipe=plain(400), seconds=0.0, batch=2)
    assert result.hurried
    assert (result.steps == 16).all()
    assert (result.scores > result.starts).all()
    unhurried = visualize(model, channel("second", 0), recipe=plain(20), seconds=600.0)
    assert not unhurried.hurried
    assert (unhurried.steps == 20).all()


def test_time_is_shared_between_batches(monkeypatch):
    clock = [0.0]
    climb = Step.climb

    def climb_slowly(self, *given):
        clock[0] += 1.0
        return climb(self, *given)

    monkeypatch.setattr(Step, "climb", climb_slowly)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    result = visualize(
        convnet(),
        channel("second", range(4)),
        recipe=plain(100),
        seconds=120.0,
        batch=2,
        precision="float32",
    )
    # A step takes a second and there are two batches: sixty steps for each, give or take one.
    assert result.hurried
    np.testing.assert_allclose(result.steps.ravel(), 60, atol=1)


def test_flat_objectives_stop_and_say_after_how_many_steps():
    kernel = np.random.default_rng(0).normal(size=(16, 2)).astype(np.float32)
    flatness = Flatness(window=8, gain=0.01)
    result = visualize(
        linear(kernel, (4, 4, 1)), channel("head", [0, 1]), recipe=plain(200, flatness=flatness)
    )
    # At .1 a step every pixel is at its end after ten steps; two windows more see no gain.
    assert result.settled.all()
    assert (result.steps >= 16).all()
    assert (result.steps <= 10 + 2 * 8 + 2).all()
    known = np.maximum(kernel, 0).sum(axis=0)
    np.testing.assert_allclose(result.scores[:, 0], known, rtol=1e-5)
    unset = visualize(linear(kernel, (4, 4, 1)), channel("head", 0), recipe=plain(60))
    assert unset.steps.tolist() == [[60]]
    assert unset.settled.all()


def test_an_objective_that_still_rises_is_not_settled():
    kernel = np.ones((16, 1), np.float32)
    recipe = plain(20, optimizer=Optimizer("sgd", 0.01))
    result = visualize(linear(kernel, (4, 4, 1)), channel("head", 0), recipe=recipe)
    assert not result.settled.any()


def test_flatness_by_hand():
    flatness = Flatness(window=2, gain=0.1)
    seen = np.array([[1, 1, -4, 0, 5], [1, 1, -4, 0, 4], [1, 2, -2, 0, 3], [1.1, 2, -2, 0, 2]])
    expected = [True, False, False, True, True]
    assert are_flat(seen, flatness).tolist() == expected
    assert are_flat(np.concatenate([seen[:1] * 9, seen]), flatness).tolist() == expected
    assert not are_flat(seen[:3], flatness).any()


def test_progress_is_told():
    told = []
    with listening(lambda *args: told.append(args)):
        visualize(convnet(), channel("second", range(5)), recipe=plain(1), batch=2, variants=1)
    assert [(done, total) for done, total, _ in told] == [(0, 5), (2, 5), (4, 5), (5, 5)]
    assert {label for *_, label in told} == {"painting second"}


def test_history_begins_at_the_start_and_lengths_are_those_of_the_first_gradient():
    kernel = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)
    result = visualize(linear(kernel, (4, 4, 1)), channel("head", range(3)), recipe=plain(5))
    np.testing.assert_allclose(result.history[..., 0], result.starts, rtol=1e-5)
    np.testing.assert_allclose(
        result.first_gradients[:, 0], np.linalg.norm(kernel, axis=0), rtol=1e-5
    )
    assert result.history.shape == (3, 1, 5)
    assert not result.woken.any()


def test_batches_fill_the_memory_but_no_more():
    assert size_batch(1) == 32
    assert size_batch(2**40) == 1
    assert size_batch(3 * 2**29 // 5) == 5


def test_batches_are_even():
    model = convnet()
    result = visualize(model, channel("second", [0, 1, 2, 3, 4] * 2), recipe=plain(1), batch=8)
    assert result.batch == 5  # not 8 and 2
    paired = channel("second", range(5)) + diversity("second")
    assert visualize(model, paired, recipe=plain(1), variants=2, batch=5).batch == 4
    with pytest.raises(UsageError, match=r"3 variants .* batch of 2"):
        visualize(model, paired, recipe=plain(1), variants=3, batch=2)


def test_weights_are_as_they_were():
    image = keras.Input((12, 12, 3))
    maps = layers.BatchNormalization()(layers.Conv2D(3, 3, name="conv")(image))
    model = keras.Model(image, layers.Dropout(0.5, name="drop")(maps))
    before = hash_weights(model)
    visualize(model, channel("drop", range(3)), recipe=plain(3))
    assert hash_weights(model) == before


def test_bfloat16_is_near_and_reported():
    model = convnet()
    exact = visualize(model, channel("second", [0, 1]), recipe=plain(6), precision="float32")
    near = visualize(model, channel("second", [0, 1]), recipe=plain(6), precision="bfloat16")
    assert (exact.precision, near.precision) == ("float32", "bfloat16")
    assert near.precision_reason == exact.precision_reason == "as asked"
    # The first images are the same; what is seen of them keeps 8 bits a product.
    np.testing.assert_allclose(near.history[..., 0], exact.history[..., 0], rtol=0.02)
    np.testing.assert_allclose(near.starts, exact.starts, rtol=1e-6)  # read in float32
    assert (near.scores > near.starts).all()
    chosen = visualize(model, channel("second", 0), recipe=plain(1))
    assert chosen.precision == "float32"
    assert "too few steps" in chosen.precision_reason or "processor" in chosen.precision_reason
