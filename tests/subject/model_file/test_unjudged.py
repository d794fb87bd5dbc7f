"""A guard that had nothing to look at says so, in `inspect` and in the audit."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from reportgen.subject.model_file import examine, identify
from reportgen.subject.model_file.declared import declare, single_layer, wrappers
from reportgen.subject.model_file.inspection import describe, inspect

RAISED = [TypeError("3"), ValueError("3"), KeyError("units"), IndexError(), AttributeError("x")]
RAISED += [ZeroDivisionError(), OverflowError(), RecursionError()]


def trip(error):
    def rule(settings, call):
        raise error

    return rule


@pytest.fixture
def saved(tmp_path):
    """A file whose layers' shapes are all known."""
    model = keras.Sequential(
        [
            keras.Input((6,), name="in"),
            keras.layers.Dense(4, name="first"),
            keras.layers.Dense(3, name="second"),
        ]
    )
    model.save(tmp_path / "net.keras")
    return tmp_path / "net.keras"


def test_nothing_is_said_where_all_shapes_are_known(saved):
    file = examine(saved)
    assert file.declared.unjudged == file.notes == ()
    assert inspect(file)["shapes_not_judged"] == {"count": 0, "layers": []}


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("table", ["WEIGHTS", "OUTPUTS"])
def test_a_layer_whose_rule_raises_is_counted_and_named(saved, monkeypatch, table, error):
    monkeypatch.setitem(getattr(single_layer, table), "Dense", trip(error))
    file = identify(saved)
    facts = inspect(file)
    assert facts["shapes_not_judged"] == {"count": 2, "layers": ["first", "second"]}
    assert json.loads(json.dumps(facts)) == facts
    (note,) = file.notes
    assert note.startswith("The shapes of 2 layers (first, second) could not be told from the ")
    assert ("Note", note) in describe(facts)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("ours")])
def test_what_no_stranger_s_setting_raises_is_not_swallowed(saved, monkeypatch, error):
    monkeypatch.setitem(single_layer.WEIGHTS, "Dense", trip(error))
    with pytest.raises(type(error)):
        examine(saved)


def test_a_wrapper_whose_rule_raises_is_counted(monkeypatch):
    inner = {"class_name": "Dense", "config": {"name": "d", "units": 2}}
    settings = {"name": "t", "layer": inner, "batch_input_shape": [None, 5, 4]}
    layer = {"class_name": "TimeDistributed", "config": settings}
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [layer]}}
    assert declare(config).unjudged == ()
    monkeypatch.setattr(wrappers, "sound", trip(ValueError()))
    monkeypatch.setattr(wrappers, "need", lambda _: trip(ValueError())(None, None))
    assert declare(config).unjudged == ("t",)


def test_a_network_that_cannot_be_walked_is_named_as_a_whole():
    assert declare({"class_name": "Mine", "config": {}}).unjudged == ("the whole network",)
    assert declare({"class_name": "Functional", "config": {"layers": 3}}).unjudged
    assert declare(None).unjudged == ()  # no network, nothing to judge


def test_the_card_of_an_audit_says_it(saved, tmp_path, monkeypatch):
    from reportgen.config import AuditConfig
    from reportgen.subject.subject import open_subject

    np.savez(tmp_path / "data.npz", x=np.ones((4, 6), np.float32))
    config = AuditConfig(model=saved, data=tmp_path / "data.npz")
    assert not any("could not be told" in note for note in open_subject(config).card.notes)
    monkeypatch.setitem(single_layer.WEIGHTS, "Dense", trip(ValueError()))
    (note,) = [n for n in open_subject(config).card.notes if "could not be told" in n]
    assert "(first, second)" in note
