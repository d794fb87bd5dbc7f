"""Without labels: the scaling by what BatchNormalization has stored."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.config import USUAL_PREPROCESSING
from reportgen.subject.preprocessing import find_preprocessing

from .conftest import CLASSES, squares

ID = "inputs.scaling"
TRAININGS = ("unit", "imagenet-torch")


@pytest.fixture(scope="module", params=TRAININGS)
def network(request):
    """Two convolutions with BatchNormalization; how its inputs were scaled."""
    keras.utils.set_random_seed(5)
    x = inputs = keras.Input((10, 10, 3))
    for _ in range(2):
        x = layers.Conv2D(16, 3, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.8)(x))
    x = layers.Dense(CLASSES, activation="softmax")(layers.GlobalMaxPooling2D()(x))
    model = keras.Model(inputs, x)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    x, y = squares(1500, 1)
    scaled = find_preprocessing(request.param)[1](x.astype(np.float32))
    model.fit(scaled, y, epochs=4, batch_size=64, verbose=0)
    return model, request.param


def test_the_right_scaling_is_silent_and_fits_best(network, seen, subject_of, analyse):
    model, right = network
    found = analyse("inputs", subject_of(model, seen[0], preprocessing=right))
    assert found.levels[ID] == "pass"
    assert found.result.scalings.own < found.result.scalings.fits[0].distance
    assert right not in [fit.name for fit in found.result.scalings.fits]  # it is the declared one
    assert "The order of the colours cannot be told so." in found.findings[ID].message


@pytest.mark.parametrize("wrong", [*USUAL_PREPROCESSING, "unit-twice"])
def test_a_wrong_one_is_found_with_the_right_one(network, seen, subject_of, analyse, wrong):
    model, right = network
    if wrong == right:
        return
    found = analyse("inputs", subject_of(model, seen[0], preprocessing=wrong))
    assert found.levels[ID] == "warn", found.findings[ID].message
    assert f"--preprocessing {right}," in found.findings[ID].message


def test_stored_statistics_of_other_data_accuse_no_scaling(network, seen, subject_of, analyse):
    """Nothing fits then: what is wrong is not the scaling."""
    model, right = network
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    for layer in twin.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(layer.moving_mean + 9 * np.sqrt(layer.moving_variance))
    found = analyse("inputs", subject_of(twin, seen[0], preprocessing=right))
    assert found.result.scalings.own > 1
    assert found.levels[ID] == "note"
    assert "stored of other data, or too early" in found.findings[ID].message


def test_without_batch_normalization_nothing_is_said(colourful, seen, subject_of, analyse):
    found = analyse("inputs", subject_of(colourful, seen[0], preprocessing="unit"))
    assert found.levels[ID] == "not_applicable"
    assert "only a model with BatchNormalization" in found.findings[ID].message


def test_a_network_that_is_broken_accuses_no_scaling(network, seen, subject_of, analyse):
    model, right = network
    twin = keras.models.clone_model(model)
    twin.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    found = analyse("inputs", subject_of(twin, seen[0], preprocessing=right))
    assert found.levels[ID] == "not_applicable"
    assert "NaN or infinite" in found.findings[ID].message


def test_what_is_stored_too_early_accuses_no_scaling(network, seen, subject_of, analyse):
    """Mean 0 and variance 1 look like standardised pictures."""
    model, right = network
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    for layer in twin.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(np.zeros(layer.moving_mean.shape))
            layer.moving_variance.assign(np.ones(layer.moving_variance.shape))
    found = analyse("inputs", subject_of(twin, seen[0], preprocessing=right))
    assert found.levels[ID] == "not_applicable"
    assert "close to where it begins" in found.findings[ID].message


def test_three_samples_tell_no_scaling(network, seen, subject_of, analyse):
    model, right = network
    found = analyse("inputs", subject_of(model, seen[0][:3], preprocessing=right))
    assert found.levels[ID] == "not_applicable"
    assert "too few" in found.findings[ID].message
