"""Values against NumPy and closed forms; the contract of `compute`."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.battery import find_analysis
from reportgen.errors import ConfigurationError
from reportgen.progress import listening

# float32 sums over positions, in another order and another batch
CLOSE = {"rtol": 1e-4, "atol": 1e-6}


def read(found, address, inputs):
    """Means over the map, by Keras alone."""
    part = keras.Model(found.subject.model.inputs[0], found.subject.model.get_layer(address).output)
    values = np.asarray(part(inputs, training=False))
    return values.reshape(len(values), -1, values.shape[-1]).mean(axis=1)


def test_scores_are_what_the_finished_pictures_reach(sound):
    for raw, layer in zip(sound.layers, sound.result.layers, strict=True):
        units, variants = raw.images.shape[:2]
        means = read(sound, raw.excited.address, raw.images.reshape(-1, *raw.images.shape[2:]))
        means = means.reshape(units, variants, -1)
        for i, (channel, judged) in enumerate(zip(raw.channels, layer.judged, strict=True)):
            np.testing.assert_allclose(judged.scores, means[i, :, channel], **CLOSE)
            np.testing.assert_allclose(judged.scores, raw.optimised.scores[i], **CLOSE)
            assert judged.best == pytest.approx(means[i, :, channel].max(), rel=1e-4)


def test_the_strongest_sample_is_that_of_numpy(sound):
    for layer in sound.result.layers:
        means = read(sound, layer.raw.excited.address, sound.subject.inputs())
        for channel, judged in zip(layer.raw.channels, layer.judged, strict=True):
            assert judged.natural == pytest.approx(means[:, channel].max(), rel=1e-4)
            assert judged.ratio == pytest.approx(judged.best / judged.natural, rel=1e-6)
            assert judged.noise < judged.best
    assert sound.result.samples == 40


def test_the_best_of_random_pictures_is_that_of_numpy(sound, monkeypatch):
    judging = import_module("reportgen.analyses.optvis.judging")
    given = []

    def listen(studio, images, *rest, **named):
        given.append(images)
        return read_images(studio, images, *rest, **named)

    read_images = judging.read_images
    monkeypatch.setattr(judging, "read_images", listen)
    options = sound.result.options.model_copy(
        update={"classes": 0, "dreams": 0, "negative": False, "noise": 5, "seconds": 0.01}
    )
    result = find_analysis("optvis").compute(sound.subject, options, np.random.default_rng(0))
    drawn = given[-1]
    assert drawn.shape == (5, 10, 10, 3)
    assert 0 <= drawn.min() < drawn.max() <= 1
    # even noise has no likeness of neighbours, photographs have
    alike = [np.corrcoef(x[:, 1:].ravel(), x[:, :-1].ravel())[0, 1] for x in drawn]
    assert max(np.abs(alike[:2])) < 0.25 < min(alike[2:])
    for layer in result.layers:
        means = read(sound, layer.raw.excited.address, drawn)
        for channel, judged in zip(layer.raw.channels, layer.judged, strict=True):
            assert judged.noise == pytest.approx(means[:, channel].max(), rel=1e-4, abs=1e-6)


def test_what_a_unit_wants_least_is_the_opposite(sound):
    for raw in sound.layers:
        means = read(sound, raw.excited.address, raw.negative[:, 0])
        for i, channel in enumerate(raw.channels):
            assert means[i, channel] < raw.optimised.scores[i].min()


@pytest.fixture(scope="module")
def linear(paint, stack, head, noisy):
    """One linear convolution over the whole picture; its optimum under [0, 1] is known."""
    conv = layers.Conv2D(4, 6, name="linear")
    return paint(stack(conv, *head(), shape=(6, 6, 3)), noisy((6, 6, 3)), units=3)


def test_a_linear_unit_comes_near_its_optimum_and_never_above(linear):
    kernel, bias = linear.subject.model.get_layer("linear").get_weights()
    best = np.maximum(kernel, 0).sum(axis=(0, 1, 2)) + bias
    worst = np.minimum(kernel, 0).sum(axis=(0, 1, 2)) + bias
    (layer,) = linear.result.layers
    for channel, judged in zip(layer.raw.channels, layer.judged, strict=True):
        reached = (judged.scores - worst[channel]) / (best[channel] - worst[channel])
        assert (reached <= 1 + 1e-5).all()
        # Robust to shifts and turns, so not the last pixel; far above any sample all the same.
        assert (reached > 0.75).all()
        assert judged.best > judged.natural
        assert not judged.is_weak(1.0)
    assert linear.levels["optvis.below_natural"] == "pass"


def test_the_same_seed_gives_the_same_pictures_and_another_seed_others(linear, paint, noisy):
    model, x = linear.subject.model, noisy((6, 6, 3))
    again, other = (paint(model, x, units=3, seed=seed) for seed in (0, 1))
    # The sums are the same in the same order; threads may reorder some: a level of 255 at most.
    np.testing.assert_allclose(again.layers[0].images, linear.layers[0].images, atol=1 / 255)
    assert again.layers[0].channels == other.layers[0].channels
    apart = np.abs(other.layers[0].images - linear.layers[0].images).max(axis=(2, 3, 4))
    assert (apart > 4 / 255).all()  # of a linear unit there is one optimum: not far apart


def test_the_weights_are_left_alone_also_when_painting_breaks(linear, monkeypatch):
    analysis, subject = find_analysis("optvis"), linear.subject
    before = subject.weights_hash()
    policies = [layer.dtype_policy.name for layer in subject.model.layers]
    step = import_module("reportgen.optvis.step")
    climbed = []

    def break_down(self, *args):
        climbed.append(self)
        raise RuntimeError("by design")

    monkeypatch.setattr(step.Step, "climb", break_down)
    with pytest.raises(RuntimeError, match="by design"):
        analysis.compute(subject, linear.result.options, np.random.default_rng(0))
    assert climbed
    assert subject.weights_hash() == before
    assert [layer.dtype_policy.name for layer in subject.model.layers] == policies
    assert not any("call" in vars(layer) for layer in subject.model.layers)


def test_it_is_said_how_far_the_painting_is(linear):
    heard = []
    options = linear.result.options.model_copy(update={"classes": 2, "layers": 1})
    with listening(lambda *said: heard.append(said)):
        find_analysis("optvis").compute(linear.subject, options, np.random.default_rng(0))
    labels = {label for _, _, label in heard}
    assert "painting linear" in labels
    assert any(label.startswith("painting") and "class" in label for label in labels)
    assert all(0 <= done <= total for done, total, _ in heard)


def test_unknown_recipes_are_refused_before_anything_runs():
    analysis = find_analysis("optvis")
    with pytest.raises(ConfigurationError, match=r"optvis\.recipe.*lucid"):
        analysis.choose_options("quick", {"recipe": "lucyd"})


@pytest.mark.parametrize("recipe", ["lucid", "maco", "octaves"])
def test_other_recipes_paint_too(linear, recipe):
    options = linear.result.options.model_copy(
        update={"recipe": recipe, "seconds": 0.01, "units": 1}
    )
    result = find_analysis("optvis").compute(linear.subject, options, np.random.default_rng(0))
    (layer,) = result.layers
    assert layer.raw.painting.recipe == recipe
    assert np.isfinite(layer.judged[0].scores).all()
    method = " ".join(find_analysis("optvis").present(result).method)
    assert f"Recipe {recipe} ({result.source})" in method


def test_options_have_a_range():
    analysis = find_analysis("optvis")
    for name, value in {"seconds": 0, "variants": 0, "side": 8, "precision": "half"}.items():
        with pytest.raises(ConfigurationError, match=f"optvis.{name}"):
            analysis.choose_options("standard", {name: value})


def test_presets_ask_for_more_and_more():
    chosen = [find_analysis("optvis").choose_options(p, {}) for p in ("quick", "standard", "full")]
    for name in ("layers", "units", "variants", "classes", "dreams", "samples", "seconds"):
        values = [getattr(options, name) for options in chosen]
        assert values == sorted(values), name


def test_results_without_pictures_are_small(sound):
    for layer in sound.result.layers:
        assert layer.raw.images.size == 0
        assert layer.raw.optimised.images.size == 0
        assert layer.raw.negative is None


def test_the_better_of_the_pictures_counts(sound):
    judged = sound.result.layers[0].judged[0]
    few = replace(judged, scores=np.array([1.0, np.nan, 3.0], np.float32), natural=2.0)
    assert (few.best, few.ratio) == (3.0, 1.5)
    none = replace(judged, scores=np.array([np.nan], np.float32))
    assert np.isnan(none.best)
    negative = replace(few, scores=np.array([-1.0], np.float32), natural=-2.0)
    assert np.isnan(negative.ratio)  # a factor of -0.5 would say that it is weaker
    assert not negative.is_weak(1.0)
    assert few.is_weak(1.6)
    assert not few.is_weak(1.5)


def test_of_values_that_go_below_zero_there_is_no_factor(sound):
    """Their zero means nothing: with a strongest sample of .04 any picture would be many times."""
    judged = sound.result.layers[0].judged[0]
    signed = replace(judged, scores=np.array([0.6], np.float32), natural=0.04, least=-0.5)
    assert np.isnan(signed.ratio)
    assert np.isfinite(replace(signed, least=0.0).ratio)
    assert signed.best == pytest.approx(0.6)
    for unit in sound.result.classes.judged:  # scores before the softmax
        assert np.isnan(unit.ratio)
