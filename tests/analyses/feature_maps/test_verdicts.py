"""What is said where one defect would be told twice, or where nothing can be judged."""

import keras
import numpy as np
import pytest
from keras import layers


def build(activation):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,))
    x = layers.Dense(8, activation=activation, name="h")(inputs)
    x = layers.Dense(8, activation="tanh", name="late")(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(x))


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 6)).astype(np.float32), rng.integers(0, 3, 60)


def scale(layer, factor, shift=0.0):
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel * factor, bias + shift])


def test_a_saturated_layer_is_not_also_dead(data, subject_of, analyse):
    model = build("tanh")
    scale(model.get_layer("h"), 1e6, 1e9)
    found = analyse("feature_maps", subject_of(model, *data))
    assert found.levels["features.saturated"] == "warn"
    assert [p.address for p in found.result.problems.saturated] == ["h"]
    # What a layer of constants makes is constant; that is its consequence.
    assert found.levels["features.dead_channels"] == "pass"


def test_one_stuck_unit_of_a_sound_layer_is_dead(data, subject_of, analyse):
    model = build("tanh")
    kernel, bias = model.get_layer("h").get_weights()
    bias[3] = 60
    model.get_layer("h").set_weights([kernel, bias])
    found = analyse("feature_maps", subject_of(model, *data))
    assert found.levels["features.saturated"] == "pass"
    assert found.result.problems.dead[0].channels == (3,)
    message = found.findings["features.dead_channels"].message
    assert message.startswith("1 of 16 channels (6.2%) has the same value")
    assert "h [3]" in message
    assert "answers change" in message  # zeroed, and the same samples asked again


def test_behind_nan_nothing_is_claimed(data, subject_of, analyse):
    model = build("relu")
    kernel, bias = model.get_layer("h").get_weights()
    kernel[:] = np.nan
    model.get_layer("h").set_weights([kernel, bias])
    found = analyse("feature_maps", subject_of(model, *data))
    assert found.levels == {
        "features.non_finite": "fail",
        "features.dead_channels": "not_applicable",
        "features.saturated": "not_applicable",
    }
    for id_ in ("features.dead_channels", "features.saturated"):
        assert "behind h are not judged" in found.findings[id_].message
