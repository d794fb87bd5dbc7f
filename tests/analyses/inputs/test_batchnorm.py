"""Stale moving statistics are found, with the first layer; those of sound twins are not."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.analyses.inputs.batchnorm import FAR

from .conftest import CLASSES, squares

ID = "weights.batchnorm_stale"


def plain(norm):
    x = inputs = keras.Input((10, 10, 3))
    for name in ("one", "two"):
        x = layers.Conv2D(16, 3, use_bias=False)(x)
        x = layers.ReLU()(norm(name)(x))
    return inputs, layers.GlobalMaxPooling2D()(x)


def residual(norm):
    x = inputs = keras.Input((10, 10, 3))
    wide = keras.initializers.VarianceScaling(30)  # far from where BatchNormalization begins
    x = layers.Conv2D(16, 3, padding="same", kernel_initializer=wide)(x)
    for name in ("one", "two"):
        y = layers.Conv2D(16, 3, padding="same", use_bias=False)(x)
        x = layers.Add()([x, layers.ReLU()(norm(name)(y))])
    return inputs, layers.GlobalMaxPooling2D()(x)


def separable(norm):
    x = inputs = keras.Input((10, 10, 3))
    x = layers.ReLU()(norm("one")(layers.SeparableConv2D(24, 3, use_bias=False)(x)))
    x = layers.ReLU()(norm("two")(layers.SeparableConv2D(24, 3, use_bias=False)(x)))
    return inputs, layers.GlobalMaxPooling2D()(x)


def nested(norm):
    inside = keras.Input((10, 10, 3))
    x = layers.ReLU()(norm("one")(layers.Conv2D(16, 3, use_bias=False)(inside)))
    body = keras.Model(inside, x, name="body")
    inputs = keras.Input((10, 10, 3))
    x = layers.ReLU()(norm("two")(layers.Conv2D(16, 3, use_bias=False)(body(inputs))))
    return inputs, layers.GlobalMaxPooling2D()(x)


def dense(norm):
    """BatchNormalization of numbers without positions, behind a convolution."""
    x = inputs = keras.Input((10, 10, 3))
    x = layers.GlobalMaxPooling2D()(layers.Conv2D(32, 3, activation="relu")(x))
    x = layers.ReLU()(norm("one")(layers.Dense(32, use_bias=False)(x)))
    return inputs, layers.ReLU()(norm("two")(layers.Dense(32, use_bias=False)(x)))


BUILDS = {f.__name__: f for f in (plain, residual, separable, nested, dense)}


def train(build, momentum, epochs=5, rate=0.01, batch=64, *, settled=False):
    """Of 24 steps an epoch, or 30 with a batch of 50.

    settled: with small steps at the end. While weights take large ones, what is stored lags by its
    momentum, and a network may truly be stale.
    """
    keras.utils.set_random_seed(5)

    def norm(name):
        return layers.BatchNormalization(momentum=momentum, name=name)

    inputs, x = BUILDS[build](norm)
    model = keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    x, y = squares(1500, 1)
    model.fit(x / 255, y, epochs=epochs, batch_size=batch, verbose=0)
    if settled:
        model.optimizer.learning_rate = rate / 20
        model.fit(x / 255, y, epochs=2, batch_size=batch, verbose=0)
    return model


@pytest.fixture(scope="module", params=BUILDS)
def sound(request):
    return train(request.param, 0.8, settled=True)


def copy(model):
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    return twin


def test_a_sound_network_is_silent(sound, seen, subject_of, analyse):
    found = analyse("inputs", subject_of(sound, *seen, preprocessing="unit"))
    assert found.levels[ID] == "pass"
    assert found.levels["inputs.scaling"] == "pass"
    assert found.result.statistics.first is None
    assert max(layer.distance for layer in found.result.statistics.layers) < FAR / 2


@pytest.mark.parametrize("build", BUILDS)
def test_too_few_steps_for_its_momentum(build, seen, subject_of, analyse):
    """After 30 steps .99 ** 30, three quarters, of what is stored is still its start."""
    model = train(build, 0.99, epochs=1, rate=0.02, batch=50)
    found = analyse("inputs", subject_of(model, *seen, preprocessing="unit"))
    assert found.levels[ID] == "warn", found.findings[ID].message
    first = found.result.statistics.first
    assert first.address.split("/")[-1] == "one"
    assert f"The first that has stored something else is {first.address}" in (
        found.findings[ID].message
    )


def test_fine_tuned_in_training_mode(sound, seen, subject_of, analyse):
    """On negatives, by the statistics of each batch: the weights have followed, the stored lag."""
    twin = copy(sound)
    for layer in twin._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.99
    twin.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    x, y = squares(1500, 1)
    twin.fit((255 - x) / 255, y, epochs=3, batch_size=50, verbose=0)
    negatives = (255 - seen[0]).astype(np.uint8)
    found = analyse("inputs", subject_of(twin, negatives, seen[1], preprocessing="unit"))
    assert found.levels[ID] == "warn", found.findings[ID].message
    named = found.result.statistics.first or found.result.statistics.farthest
    assert named.address in found.findings[ID].message


def test_statistics_of_other_data(sound, seen, subject_of, analyse):
    """As after fine-tuning on other data with frozen statistics: what is stored is of before."""
    twin = copy(sound)
    for layer in twin._flatten_layers():
        if layer.name == "two" and isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(layer.moving_mean + 12 * np.sqrt(layer.moving_variance))
    found = analyse("inputs", subject_of(twin, *seen, preprocessing="unit"))
    assert found.levels[ID] == "warn", found.findings[ID].message
    assert found.result.statistics.first.address.split("/")[-1] == "two"


def test_the_model_is_left_as_it_was(sound, seen, subject_of, analyse):
    subject = subject_of(sound, *seen, preprocessing="unit")
    before, answers = subject.weights_hash(), sound.predict(seen[0][:20] / 255, verbose=0)
    analyse("inputs", subject)
    assert subject.weights_hash() == before
    np.testing.assert_array_equal(sound.predict(seen[0][:20] / 255, verbose=0), answers)


def test_answers_by_own_statistics_are_those_of_training_mode(seen, subject_of, analyse):
    """Without dropout, Keras' training mode on the same batch says the same."""
    model = train("residual", 0.8, epochs=2)
    x, y = seen
    x, y = x[:100], y[:100]  # one batch: its order does not matter then
    found = analyse("inputs", subject_of(model, x, y, preprocessing="unit"))
    twin = copy(model)
    right = np.asarray(twin((x / 255).astype(np.float32), training=True)).argmax(axis=1) == y
    assert found.result.statistics.at_once == 100
    assert found.result.statistics.paired.after == right.sum()


def test_what_cannot_be_asked_is_said(colourful, seen, subject_of, analyse):
    x, y = seen
    found = analyse("inputs", subject_of(colourful, x, y, preprocessing="unit"))
    assert "no BatchNormalization" in found.findings[ID].message
    model = train("plain", 0.8, epochs=1)
    few = analyse("inputs", subject_of(model, x[:9], y[:9], preprocessing="unit"))
    assert "9 samples are too few" in few.findings[ID].message
    unlabelled = analyse("inputs", subject_of(model, x, preprocessing="unit"))
    assert unlabelled.levels[ID] == "not_applicable"
    assert "no labels" in unlabelled.findings[ID].message


class Block(layers.Layer):
    """What nobody can look into."""

    def __init__(self, **options):
        super().__init__(**options)
        self.norm = layers.BatchNormalization()

    def call(self, x, training=False):
        return self.norm(x, training=training)


def test_statistics_inside_a_layer_of_a_class_of_its_own_are_not_called_absent(
    seen, subject_of, analyse
):
    image = keras.Input((10, 10, 3))
    x = layers.GlobalMaxPooling2D()(Block()(image))
    model = keras.Model(image, layers.Dense(CLASSES, activation="softmax")(x))
    found = analyse("inputs", subject_of(model, *seen, preprocessing="unit"))
    assert found.levels[ID] == "not_applicable"
    assert "inside layers of a class of its own" in found.findings[ID].message
