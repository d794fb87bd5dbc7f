"""What several analyses need of a subject is computed once, and again where they ask for more."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from reportgen.config import AuditConfig
from reportgen.subject import audited_model
from reportgen.subject import subject as subjects
from reportgen.subject.subject import LiveInput, open_subject
from reportgen.subject.top_activating import Request
from reportgen.subject.zero_filters import zero_channels

ASKED = Request(layers=2, units=2, most=2, least=1, side=16)


@pytest.fixture
def subject():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Conv2D(4, 3, name="conv"),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax", name="out"),
        ]
    )
    kernel, bias = (value.numpy() for value in model.get_layer("conv").weights)
    kernel[..., 1] = 0
    model.get_layer("conv").set_weights([kernel, bias])
    x = np.random.default_rng(0).random((20, 6, 6, 1), np.float32)
    return open_subject(AuditConfig(), LiveInput(model, x, np.arange(20) % 2))


def counting(monkeypatch, module, name):
    calls, real = [], getattr(module, name)
    monkeypatch.setattr(module, name, lambda *given: calls.append(given) or real(*given))
    return calls


def test_the_same_request_is_answered_once(subject, monkeypatch):
    calls = counting(monkeypatch, subjects, "find_top_activating")
    first = subject.find_top_activating(ASKED)
    assert subject.find_top_activating(replace(ASKED)) is first
    assert len(calls) == 1


@pytest.mark.parametrize("change", [{"layers": 1}, {"units": 1}, {"most": 1}, {"side": 24}])
def test_another_request_has_an_answer_of_its_own(subject, change):
    """And it is the one that a subject gives that was never asked anything else."""
    subject.find_top_activating(ASKED)
    asked = replace(ASKED, **change)
    found = subject.find_top_activating(asked)
    fresh = subjects.find_top_activating(subject, subject.census, asked)
    assert [layer.address for layer in found] == [layer.address for layer in fresh]
    for layer, other in zip(found, fresh, strict=True):
        assert len(layer.units) == len(other.units)
        for unit, same in zip(layer.units, other.units, strict=True):
            for patch, again in zip(unit.most, same.most, strict=True):
                np.testing.assert_array_equal(patch.patch, again.patch)
    patch = found[0].units[0].most[0].patch
    assert patch.shape[0] == asked.side


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("receptive_fields", 1), ("find_zero_filters", 1), ("count_flops", 3)],
)
def test_what_follows_from_the_model_alone_is_computed_once(subject, monkeypatch, name, wanted):
    calls = counting(monkeypatch, audited_model, name)
    for _ in range(3):
        assert subject.receptive_fields
        assert subject.zero_filters
        assert len(subject.flops) == 3
    assert len(calls) == wanted  # of FLOPs one a layer


def test_zero_filters_are_named_once_for_both_sections(subject):
    (zero,) = subject.zero_filters
    assert (zero.address, zero.filters, zero.count) == ("conv", (1,), 4)
    assert zero_channels(subject.zero_filters)["conv"].tolist() == [False, True, False, False]
