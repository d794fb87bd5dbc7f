"""`visualize` reaches known optima, repeats itself, and treats every image as if it were alone."""

import keras
import numpy as np
import pytest
from keras import layers
from scipy import ndimage

from reportgen.errors import UsageError
from reportgen.optvis import (
    RECIPES,
    Optimizer,
    Stage,
    channel,
    diversity,
    find_recipe,
    logit,
    neuron,
    visualize,
)
from reportgen.optvis.images import as_pictures
from reportgen.optvis.parameterizations import Pixels
from reportgen.optvis.recipe import Flatness
from reportgen.optvis.recipes import default
from reportgen.optvis.transforms import Jitter, Noise, Rotate

from .conftest import convnet, dead_start, linear, plain

# Batches of other sizes let float32 sums run in another order; what is left of it after a few
# steps of an optimiser that divides by the gradient's size.
SAME = 1e-4
SAMPLES = np.random.default_rng(5).random((6, 32, 32, 3), np.float32)


def weights(pixels: int, units: int) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(pixels, units)).astype(np.float32)


def test_the_optimum_of_a_linear_model_is_reached():
    kernel, bias = weights(6 * 5 * 3, 4), np.array([0.5, -1, 0, 2])
    model = linear(kernel, (6, 5, 3), bias)
    result = visualize(model, channel("head", range(4)), recipe=plain(32))
    best = (kernel > 0).T.reshape(4, 6, 5, 3)
    # Adam goes about .1 a step and the valid range ends at the optimum: it is met exactly.
    np.testing.assert_allclose(result.images[:, 0], best, atol=1e-6)
    known = np.maximum(kernel, 0).sum(axis=0) + bias
    np.testing.assert_allclose(result.scores[:, 0], known, rtol=1e-5)


def test_the_optimum_of_a_convolution_as_large_as_the_image():
    kernel = weights(4 * 7, 2).reshape(4, 7, 1, 2)
    image = keras.Input((4, 7, 1))
    model = keras.Model(image, layers.Conv2D(2, (4, 7), use_bias=False, name="conv")(image))
    model.set_weights([kernel])
    result = visualize(model, neuron("conv", [0, 1]), recipe=plain(32))
    np.testing.assert_allclose(result.images[:, 0, ..., 0], kernel[:, :, 0].T.swapaxes(1, 2) > 0)


def test_the_difference_of_two_classes_has_its_own_optimum():
    kernel = weights(4 * 4 * 1, 3)
    head = layers.Dense(3, activation="softmax", name="head")
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), head])
    head.set_weights([kernel, np.zeros(3)])
    result = visualize(model, logit(0) - logit([1, 2]), recipe=plain(32))
    best = np.stack([kernel[:, 0] > kernel[:, other] for other in (1, 2)])
    np.testing.assert_array_equal(result.images.reshape(2, 16), best)


def test_the_smooth_parameterisation_reaches_it_too():
    smooth = ndimage.gaussian_filter(weights(8 * 8, 2).reshape(8, 8, 1, 2), (1.5, 1.5, 0, 0))
    kernel = np.repeat(smooth, 3, axis=2).reshape(-1, 2)
    model = linear(kernel, (8, 8, 3))
    recipe = default().but(transforms=(), stages=(Stage(256),), flatness=None)
    result = visualize(model, channel("head", [0, 1]), recipe=recipe)
    known = np.maximum(kernel, 0).sum(axis=0)
    lowest = np.minimum(kernel, 0).sum(axis=0)
    # A sigmoid never quite ends, and fine waves grow slowly: 90 % of the way up.
    assert ((result.scores[:, 0] - lowest) / (known - lowest) > 0.9).all()


def paint(recipe, units=range(4), size=(32, 32), **options):
    keras.utils.set_random_seed(7)
    model = convnet((*size, 3))
    if isinstance(recipe, str):
        recipe = _short(recipe)
    return visualize(model, channel("second", units), recipe=recipe, size=size, **options)


def _short(name: str, steps: int = 8):
    recipe = find_recipe(name, SAMPLES)
    return recipe.but(stages=tuple(Stage(min(steps, s.steps), s.scale) for s in recipe.stages))


@pytest.mark.parametrize("name", ["maco", "keras-vis"])
def test_a_seed_gives_the_same_image_and_another_seed_another(name):
    first, again, other = (paint(name, seed=seed, variants=2) for seed in (1, 1, 2))
    np.testing.assert_allclose(first.images, again.images, atol=SAME)
    assert np.abs(first.images - other.images).max() > 0.01
    assert np.abs(first.images[:, 0] - first.images[:, 1]).max(axis=(1, 2, 3)).min() > 0.01


SPLIT = {
    "plain": plain(8),
    "with transforms": plain(
        8, transforms=(Jitter(3, keep=True, mode="wrap"), Rotate(between=(-9, 9)), Noise(0.1))
    ),
    "stops when flat": plain(60, flatness=Flatness(window=4, gain=0.02)),
    "default": default().but(stages=(Stage(48, 0.5), Stage(40))),  # coarse, then fine
}


@pytest.mark.parametrize("name", SPLIT)
def test_batches_change_nothing(name):
    size = (64, 64) if name == "default" else (32, 32)
    together = paint(SPLIT[name], size=size, batch=8)
    for batch in (1, 3):
        apart = paint(SPLIT[name], size=size, batch=batch)
        np.testing.assert_array_equal(apart.steps, together.steps)
        np.testing.assert_allclose(apart.images, together.images, atol=SAME)
        np.testing.assert_allclose(apart.scores, together.scores, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(apart.history, together.history, rtol=1e-3, atol=1e-5)


def test_a_unit_alone_is_the_unit_among_others():
    among = paint("lucid", units=[3, 1, 0], variants=2)
    alone = paint("lucid", units=1, variants=2)
    np.testing.assert_allclose(alone.images[0], among.images[1], atol=SAME)


def branches() -> keras.Model:
    """Two channels through a ReLU that speaks, the first also through one that is silent."""
    image = keras.Input((8, 8, 3))
    silent = layers.Conv2D(1, 1, activation="relu", name="silent")(image)
    speaks = layers.Conv2D(1, 1, activation="relu", name="speaks")(image)
    both = layers.Concatenate(name="both")([speaks + silent, silent])
    model = keras.Model(image, both)
    model.get_layer("silent").set_weights([np.full((1, 1, 3, 1), 0.2), np.array([-0.45])])
    model.get_layer("speaks").set_weights([np.ones((1, 1, 3, 1)), np.array([0.2])])
    return model


def test_a_dead_neighbour_in_the_batch_changes_nothing():
    recipe = plain(6, optimizer=Optimizer("sgd", 2.0))  # too few steps to wake, or to end
    together = visualize(branches(), channel("both", [0, 1]), recipe=recipe, batch=2)
    assert together.woken.ravel().tolist() == [False, True]
    apart = visualize(branches(), channel("both", [0, 1]), recipe=recipe, batch=1)
    np.testing.assert_allclose(apart.images, together.images, atol=SAME)


def detectors() -> keras.Model:
    """A ReLU for edges and one for red against blue, the same everywhere in the image."""
    image = keras.Input((32, 32, 3))
    model = keras.Model(image, layers.Conv2D(2, 3, activation="relu", name="conv")(image))
    kernel = np.zeros((3, 3, 3, 2))
    kernel[..., 0] = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])[..., None]
    kernel[..., 1] = [1, 0, -1]
    model.set_weights([kernel, np.full(2, 0.1)])
    return model


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_climbs(name):
    # So much that penalties on the image do not decide.
    objective = 1e5 * channel("conv", [0, 1])
    result = visualize(detectors(), objective, recipe=_short(name, 24), size=(32, 32), variants=2)
    assert result.images.shape == (2, 2, 32, 32, 3)
    assert result.images.min() >= 0
    assert result.images.max() <= 1
    assert (result.scores > 1.1 * result.starts).all()
    assert result.recipe == name


def test_variants_that_look_at_each_other_differ_more():
    model = convnet((16, 16, 3))
    recipe = plain(40, optimizer=Optimizer("adam", 0.05))
    options = {"recipe": recipe, "variants": 3, "batch": 3}
    alike = visualize(model, channel("second", [0, 1]), **options)
    objective = channel("second", [0, 1]) + 2 * diversity("second")
    apart = visualize(model, objective, **options)
    assert (_spread(model, apart.images) < _spread(model, alike.images)).all()


def _spread(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Mean cosine of the variants' Gram matrices, by unit."""
    inside = keras.Model(model.inputs, model.get_layer("second").output)
    means = []
    for variants in images:
        maps = inside.predict(variants, verbose=0).reshape(3, -1, 5)
        grams = np.stack([np.ravel(m.T @ m) / np.linalg.norm(m.T @ m) for m in maps])
        means.append((grams @ grams.T)[np.triu_indices(3, 1)].mean())
    return np.array(means)


@pytest.mark.parametrize("declared", [(16, 16, 3), (None, None, 3)])
def test_paired_images_go_with_any_recipe(declared):
    objective = channel("second", [0, 1]) + diversity("second")
    result = visualize(convnet(declared), objective, recipe=_short("lucid", 2), variants=2)
    # Convolutions take the recipe's size, whatever the model was built for.
    assert result.images.shape == (2, 2, 128, 128, 3)


def test_an_objective_of_a_layer_and_a_class():
    result = visualize(convnet(), channel("first", [0, 1]) + 2 * logit(3), recipe=plain(8))
    assert (result.scores > result.starts).all()


def test_a_start_is_kept_where_there_is_nothing_to_climb():
    image = np.random.default_rng(0).random((8, 8, 3), np.float32)
    result = visualize(
        dead_start(-5.0), channel("dead", 0), recipe=plain(20, parameterization=Pixels(image=image))
    )
    assert result.first_gradients[0, 0] == 0
    assert result.scores[0, 0] == result.starts[0, 0] == 0


WRONG = {
    "recipe": ({"recipe": "none such"}, "no recipe 'none such'.*default, lucid"),
    "maco": ({"recipe": "maco"}, "samples="),
    "variants": ({"variants": 0}, "variants: 1 or more"),
    "precision": ({"precision": "half"}, "'half' is unknown. Use auto"),
    "input": ({"position": 1}, "1 inputs, there is no input 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said(name):
    options, message = WRONG[name]
    with pytest.raises(UsageError, match=message):
        visualize(convnet(), channel("first", 0), **{"recipe": plain(1), **options})


def test_no_unit_is_said():
    with pytest.raises(UsageError, match="unit"):
        visualize(convnet(), channel("first", [0])[:0], recipe=plain(1))


def test_results_show_themselves(tmp_path):
    from PIL import Image

    result = visualize(convnet(), channel("first", range(3)), recipe=plain(2), variants=2)
    assert "3 units x 2, 16 x 16 x 3" in repr(result)
    assert "2 steps" in repr(result)
    sheet = result.grid()
    np.testing.assert_array_equal(sheet[:16, :16], as_pictures(result.images[0, :1])[0])
    np.testing.assert_array_equal(sheet[:16, 20:36], as_pictures(result.images[0, 1:])[0])
    result.to_file(tmp_path / "units.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "units.png")), sheet)
    assert result._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(("channels", "seen"), [(1, "grey"), (2, "mean"), (3, "own"), (4, "three")])
def test_pictures_of_any_channels(channels, seen):
    images = np.random.default_rng(0).random((2, 3, 4, channels), np.float32)
    expected = images[..., :3] if channels > 2 else images.mean(-1, keepdims=True)
    # One rounding to bytes for the channels, one for their mean.
    difference = as_pictures(images).astype(float) - np.broadcast_to(expected * 255, (2, 3, 4, 3))
    assert np.abs(difference).max() <= 1.0, seen
