"""Responses against NumPy and the census; the path against a graph drawn by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.analyses.optvis.natural import (
    Responses,
    choose_path,
    list_extremes,
    read_natural,
)
from reportgen.errors import UsageError

from .conftest import read_pictures


@pytest.fixture(scope="module")
def subject(subject_of):
    """Two branches that meet: 'right' does not lead to 'end', and 'thin' has 4 channels."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((8, 8, 3))
    first = layers.Conv2D(8, 3, padding="same", name="first", use_bias=False)(inputs)
    first = layers.ReLU(name="first_relu")(layers.BatchNormalization(name="bn")(first))
    left = layers.Conv2D(16, 3, padding="same", activation="relu", name="left")(first)
    right = layers.Conv2D(16, 3, padding="same", activation="relu", name="right")(first)
    thin = layers.Conv2D(4, 1, activation="relu", name="thin")(left)
    end = layers.Conv2D(12, 3, activation="relu", name="end")(thin)
    both = layers.Concatenate(name="both")(
        [layers.GlobalMaxPooling2D(name="p")(end), layers.GlobalMaxPooling2D(name="q")(right)]
    )
    model = keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(both))
    x = np.random.default_rng(0).integers(0, 255, (40, 8, 8, 3)).astype(np.uint8)
    return subject_of(model, x, np.arange(40) % 3, preprocessing="unit")


def test_the_path_leads_to_the_unit_and_has_one_layer_a_block(subject):
    assert choose_path(subject, "end") == ("first_relu", "left")
    assert choose_path(subject, "right") == ("first_relu",)
    assert choose_path(subject, "first_relu") == ()
    assert choose_path(subject, "out") == ("first_relu", "left", "right", "end")
    assert choose_path(subject, "out", most=2) == ("first_relu", "end")


def test_an_address_that_is_not_there_is_named(subject):
    with pytest.raises(UsageError, match="nowhere"):
        choose_path(subject, "nowhere")


def test_means_and_peaks_are_those_of_numpy(subject):
    found = read_natural(
        subject, ["left", "out"], most=100, rng=np.random.default_rng(0), peaks=["left"]
    )
    part = keras.Model(subject.model.inputs[0], subject.model.get_layer("left").output)
    maps = np.asarray(part(subject.inputs(), training=False))
    assert found.rows.tolist() == list(range(40))
    # float32 sums over 64 positions, in another order
    np.testing.assert_allclose(found.means["left"], maps.mean(axis=(1, 2)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.peaks["left"], maps.max(axis=(1, 2)), rtol=1e-6, atol=1e-6)
    assert found.means["out"].shape == (40, 3)
    mean, peak = found.largest("left", 2)
    assert (mean, peak) == (found.means["left"][:, 2].max(), found.peaks["left"][:, 2].max())
    assert found.means["left"].dtype == np.float32


def test_samples_that_excite_chosen_units_are_always_there(subject):
    census = subject.census.by_address["left"].units
    always = list_extremes(subject.census, {"left": [1, 5], "out": [0]})
    expected = np.unique([census.most[[1, 5]], census.least[[1, 5]]])
    assert always.tolist() == expected.tolist()
    found = read_natural(subject, ["left"], most=4, rng=np.random.default_rng(1), always=always)
    assert set(always) <= set(found.rows)
    assert found.drawn.sum() == 4
    assert (np.diff(found.rows) > 0).all()


def test_the_draw_is_that_of_the_seed(subject):
    rows = [
        read_natural(subject, ["left"], most=6, rng=np.random.default_rng(s)).rows
        for s in (1, 1, 2)
    ]
    assert rows[0].tolist() == rows[1].tolist() != rows[2].tolist()


def test_pictures_read_as_samples_do_and_trace_nothing_anew(subject):
    asked = {"addresses": ["left", "end"], "peaks": ["end"]}
    natural = read_natural(subject, most=40, rng=np.random.default_rng(0), **asked)
    traces = subject.probe.traces
    pictures = read_pictures(subject, subject.inputs(np.arange(3, 9)), **asked)
    assert subject.probe.traces == traces
    # the same pass with another number of samples at once
    np.testing.assert_allclose(pictures.means["end"], natural.means["end"][3:9], rtol=1e-5)
    np.testing.assert_allclose(pictures.peaks["end"], natural.peaks["end"][3:9], rtol=1e-5)


def test_strongest_and_weakest_keep_clear_of_nan():
    values = np.array([[0.5], [np.nan], [2.0], [-1.0], [2.0]], np.float32)
    found = Responses({"a": values}, {"a": values}, np.arange(5), np.ones(5, bool))
    assert found.strongest("a", 0, 3).tolist() == [2, 4, 0]
    assert found.weakest("a", 0, 2).tolist() == [3, 0]
    assert found.largest("a", 0) == (2.0, 2.0)


def test_nothing_asked_is_nothing_read(subject):
    assert read_pictures(subject, subject.inputs(np.arange(2)), []).means == {}
