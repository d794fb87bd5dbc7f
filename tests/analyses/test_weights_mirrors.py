"""A filter and its negative: two detectors behind a ReLU, one where everything is odd."""

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.analyses.weights.mirrors import list_mirrored
from reportgen.analyses.weights.ranks import rank_filters
from reportgen.subject.probe import Probe


def build(activation, norm=False, merged=False):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 8))
    x = layers.Conv2D(8, 3, padding="same", name="conv")(inputs)
    if norm:
        x = layers.BatchNormalization()(x)
    x = layers.Activation(activation)(x) if activation else x
    x = layers.Add()([x, inputs]) if merged else x
    return keras.Model(inputs, layers.Conv2D(4, 3, name="next")(x))


@pytest.mark.parametrize(
    ("activation", "norm", "merged", "same"),
    [
        (None, False, False, True),
        ("tanh", True, False, True),
        ("relu", True, False, False),
        ("gelu", False, False, False),
        (None, True, True, False),  # the sum with another branch makes two of them
    ],
)
def test_where_the_negative_is_a_copy(activation, norm, merged, same):
    probe = Probe(build(activation, norm, merged), (6, 6, 8))
    assert ("conv" in list_mirrored(probe.calls, probe.output_calls)) is same


@pytest.mark.parametrize(("activation", "found"), [("relu", 0), (None, 1)])
def test_an_opposite_filter_is_flagged_only_where_it_is_a_copy(
    activation, found, subject_of, analyse
):
    model = build(activation)
    kernel, bias = model.get_layer("conv").get_weights()
    kernel[..., 5] = -2 * kernel[..., 2]
    model.get_layer("conv").set_weights([kernel, bias])
    x = np.random.default_rng(0).normal(size=(30, 6, 6, 8)).astype(np.float32)
    duplicates = analyse("weights", subject_of(model, x)).result.duplicates
    assert len(duplicates) == found
    assert all(flag.filters == (2, 5) for flag in duplicates)


def test_flagged_filters_are_drawn_first_then_those_that_vary_most(subject_of):
    model = build("relu")
    kernel, bias = model.get_layer("conv").get_weights()
    kernel[..., 6] *= 100
    kernel[..., 1] = 0
    model.get_layer("conv").set_weights([kernel, bias])
    x = np.random.default_rng(0).normal(size=(30, 6, 6, 8)).astype(np.float32)
    census = subject_of(model, x).census
    from reportgen.analyses.weights.flags import Flag

    rank = rank_filters(census, [Flag("conv", (1,))])["conv"]
    assert rank[:2].tolist() == [1, 6]
    assert sorted(rank) == list(range(8))
    assert rank_filters(census, [])["conv"][-1] == 1
