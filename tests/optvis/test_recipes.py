"""The named recipes have the numbers of the tools and articles that they are named for."""

import keras
import numpy as np
import pytest

from reportgen.errors import UsageError
from reportgen.optvis import RECIPES, Optimizer, Stage, channel, find_recipe
from reportgen.optvis.canvas import Canvas
from reportgen.optvis.colour import Colour
from reportgen.optvis.fourier import Fourier
from reportgen.optvis.gradients import DividedByDeviation, L2Normalized, Raw
from reportgen.optvis.maco import Maco
from reportgen.optvis.parameterizations import Pixels
from reportgen.optvis.pipeline import Pipeline
from reportgen.optvis.recipe import Recipe
from reportgen.optvis.regularizers import Lp, TotalVariation
from reportgen.optvis.transforms import (
    Blur,
    Crop,
    Jitter,
    Noise,
    Pad,
    RandomBoxes,
    Rotate,
    Scale,
)

SAMPLES = np.random.default_rng(0).random((5, 16, 16, 3), np.float32)


def recipe(name: str) -> Recipe:
    return find_recipe(name, SAMPLES)


@pytest.mark.parametrize("name", RECIPES)
def test_all_have_a_source_and_can_be_built(name):
    found = recipe(name)
    assert found.name == name
    assert found.source
    optimizer = found.optimizer.build()
    assert isinstance(optimizer, keras.optimizers.Optimizer)
    assert float(optimizer.learning_rate) == pytest.approx(found.optimizer.learning_rate)
    assert hash(found.parameterization) == hash(find_recipe(found).parameterization)


def test_distill():
    found = recipe("distill")
    assert found.steps == 2560
    assert found.optimizer == Optimizer("adam", 0.05)
    assert found.transforms == (
        Pad(16, mode="constant", value=0.5),
        Jitter(16),
        Scale(choices=(1, 0.975, 1.025, 0.95, 1.05)),
        Rotate(choices=(-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5)),
        Jitter(8),
        Crop(4),
    )
    # The padding is gone at the end.
    assert Pipeline(found.transforms).output_canvas(Canvas(128, 128, 3)).size == (128, 128)
    assert isinstance(found.parameterization, Fourier)
    assert found.regularizers == ()
    assert isinstance(found.gradients, Raw)


def test_lucid():
    found = recipe("lucid")
    assert found.size == (128, 128)
    assert found.steps == 512
    assert found.optimizer == Optimizer("adam", 0.05)
    pad, first, scale, rotate, last = found.transforms
    assert pad == Pad(12, mode="constant", value=0.5)
    assert (first, last) == (Jitter(8), Jitter(4))
    scales = [0.9, 0.92, 0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06, 1.08, 1.1]
    np.testing.assert_allclose(scale.choices, scales, atol=1e-12)
    # lucid: list(range(-10, 11)) + 5 * [0]
    assert sorted(rotate.choices) == sorted([*range(-10, 11), 0, 0, 0, 0, 0])
    painted = found.parameterization
    assert (painted.deviation, painted.decay, painted.squash) == (0.01, 1.0, "sigmoid")
    assert painted.colour == "imagenet"
    assert found.regularizers == ()
    assert found.flatness is None


def test_tf_keras_vis():
    found = recipe("tf-keras-vis")
    assert found.steps == 200
    assert found.parameterization == Pixels(origin="uniform")  # 0 to 255 there, 0 to 1 here
    assert found.optimizer.name == "rmsprop"
    assert found.optimizer.learning_rate == 1 / 255
    # The gradient is 255 times as large here; Keras adds epsilon to its square.
    assert found.optimizer.options == {"rho": 0.999, "epsilon": pytest.approx(1e-7 * 255**2)}
    assert found.transforms == (Jitter(4, keep=True, mode="wrap"), Rotate(between=(-1, 1)))
    assert found.regularizers == (
        TotalVariation(weight=1.0, span=255),
        Lp(weight=0.3, p=1, span=255),
    )


def test_tf_keras_vis_for_classes():
    found = recipe("tf-keras-vis-classes")
    assert found.transforms == (
        Jitter(8, keep=True, mode="wrap"),
        Rotate(between=(-3, 3)),
        Scale(between=(0.9, 1.1)),
    )
    variation, norm = found.regularizers
    assert (variation.weight, norm.weight) == (10.0, 10.0)
    assert found.steps == 200


def test_keras_vis():
    found = recipe("keras-vis")
    assert found.steps == 200
    norm, variation = found.regularizers
    assert (norm.weight, norm.p, norm.per, norm.span) == (10.0, 6, "value", 255)
    assert (variation.weight, variation.beta, variation.span) == (10.0, 2, 255)
    assert isinstance(found.gradients, L2Normalized)
    assert found.optimizer.name == "rmsprop"
    assert found.optimizer.learning_rate == 1 / 255
    assert found.optimizer.options == {"rho": 0.95}
    # random_array: around the middle with a deviation of .05 of the range.
    rngs = [np.random.default_rng(seed) for seed in range(4)]
    (first,) = found.parameterization.start(rngs, Canvas(64, 64, 3))
    assert first.mean() == pytest.approx(0.5, abs=0.001)
    assert first.std() == pytest.approx(0.05, abs=0.001)
    assert recipe("keras-vis-filters").transforms == (Jitter(16, keep=True, mode="wrap"),)


def test_maco():
    found = recipe("maco")
    assert found.steps == 256
    assert found.optimizer == Optimizer("nadam", 1.0)
    assert isinstance(found.parameterization, Maco)
    boxes, noise = found.transforms
    assert isinstance(boxes, RandomBoxes)
    assert (boxes.start, boxes.end) == (0.5, 0.05)
    assert isinstance(noise, Noise)


def test_the_articles():
    ascent, octaves = recipe("ascent"), recipe("octaves")
    assert ascent.gradients == L2Normalized(to="length")
    assert ascent.parameterization.centre == 0.5  # mid-grey
    assert isinstance(octaves.gradients, DividedByDeviation)
    *_, blur = octaves.transforms
    assert blur == Blur(25.0)
    drawn = blur.draw(np.random.default_rng(0), 4, Canvas(8, 8, 3))[:, 0]
    np.testing.assert_allclose(drawn, [25, 25 / 2, 25 / 3, 25 / 4])
    assert any(isinstance(t, Pad) and t.mode == "reflect" for t in octaves.transforms)
    assert any(isinstance(t, Jitter) for t in octaves.transforms)
    scales = [stage.scale for stage in octaves.stages]
    assert scales[-1] == 1
    np.testing.assert_allclose(np.divide(scales[1:], scales[:-1]), 1.15)


def first_step(name: str, gradient: np.ndarray) -> np.ndarray:
    """How far the first step goes, in pixels' values from 0 to 255."""
    found = recipe(name)
    variable = keras.Variable(np.full(gradient.shape, 0.5, np.float32))
    optimizer = found.optimizer.build()
    optimizer.apply(found.gradients([keras.ops.convert_to_tensor(gradient)]), [variable])
    return (0.5 - variable.numpy()) * 255


def test_the_first_step_of_tf_keras_vis_is_that_of_its_optimiser():
    gradient = np.random.default_rng(0).normal(size=(1, 4, 4, 3)).astype(np.float32) * 100
    theirs = keras.Variable(np.zeros(gradient.shape, np.float32))
    # ActivationMaximization: RMSprop(1.0, 0.999) on values from 0 to 255, whose gradient is
    # 255 times as small as that of values from 0 to 1.
    keras.optimizers.RMSprop(1.0, 0.999).apply([gradient / 255], [theirs])
    np.testing.assert_allclose(first_step("tf-keras-vis", gradient), -theirs.numpy(), rtol=1e-3)


def test_the_first_step_of_keras_vis_is_its_formula():
    gradient = np.random.default_rng(0).normal(size=(1, 4, 4, 3)).astype(np.float32)
    normal = gradient / np.sqrt(np.mean(gradient**2))
    cache = 0.05 * normal**2  # Optimizer._rmsprop: decay .95 from 0, then g / sqrt(cache)
    np.testing.assert_allclose(
        first_step("keras-vis", gradient), normal / np.sqrt(cache), rtol=1e-3
    )


def test_the_first_step_of_ascent_has_the_length_of_its_rate():
    gradient = np.random.default_rng(0).normal(size=(1, 4, 4, 3)).astype(np.float32)
    moved = first_step("ascent", gradient) / 127.5  # in the article values run from -1 to 1
    assert np.linalg.norm(moved) == pytest.approx(10.0, rel=1e-4)


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("name", ["default", "lucid", "distill", "maco"])
def test_colour_is_imagenets_or_measured(name, channels):
    samples = np.random.default_rng(0).random((4, 16, 16, channels), np.float32)
    colour = find_recipe(name, samples).parameterization.colour
    if channels == 3 and name != "maco":
        assert colour == "imagenet"
    else:
        assert isinstance(colour, Colour)


def test_steps_are_those_of_the_last_stage():
    found = recipe("octaves").but(steps=7, flatness=None)
    assert [stage.steps for stage in found.stages] == [32, 32, 32, 7]
    assert found.steps == 103
    assert recipe("octaves").steps == 128
    assert found.but(stages=(Stage(3),)).steps == 3
    assert found.but(stages=(Stage(3),), steps=4).stages == (Stage(4),)


def test_no_step_is_refused():
    with pytest.raises(UsageError, match="1 step or more"):
        recipe("lucid").but(steps=0)
    with pytest.raises(UsageError, match="1 step or more"):
        recipe("lucid").but(stages=())


def test_recipes_are_found_by_name():
    found = recipe("lucid")
    assert find_recipe(found) is found
    with pytest.raises(UsageError, match=r"no recipe 'lucide'.*lucid"):
        find_recipe("lucide")
    with pytest.raises(UsageError, match="samples"):
        find_recipe("maco")


def test_schedules_of_keras_are_learning_rates():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    built = Optimizer("adam", schedule).build()
    built.build([keras.Variable(np.zeros(2, np.float32))])
    assert float(built.learning_rate) == pytest.approx(0.1)


def test_what_a_recipe_does_not_have_is_said():
    with pytest.raises(UsageError, match=r"A recipe has no typo\. It has: steps, name"):
        find_recipe("default").but(typo=1)
    with pytest.raises(UsageError, match="The optimiser 'adem' of Keras"):
        find_recipe("default").but(optimizer=Optimizer("adem", 0.1)).optimizer.build()
    with pytest.raises(UsageError, match="whole numbers"):
        channel("conv", 1.5)
