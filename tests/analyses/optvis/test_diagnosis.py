"""Why a picture means nothing: by numbers, and in models where the answer was planted."""

from __future__ import annotations

import numpy as np
import pytest
from keras import layers

from reportgen.analyses.optvis.causes import UNRESPONSIVE, WORDS
from reportgen.analyses.optvis.diagnosis import Evidence, diagnose

ID = "optvis.unresponsive_units"
NAN, INF = float("nan"), float("inf")


def evidence(
    scores, starts, *, noise=NAN, constant=False, activation="relu", gradient=0.0, hurried=False
):
    scores, starts = np.array(scores, float), np.array(starts, float)
    gradients = np.full(len(scores), gradient)
    return Evidence(scores, starts, gradients, noise, constant, activation, hurried)


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        (evidence([2.0, 1.0], [0.0, 0.0], noise=0.5), None),
        (evidence([0.0, 0.0], [0.0, 0.0], constant=True), "dead"),
        (evidence([0.3, 0.3], [0.3, 0.3], constant=True, activation=None), "dead"),
        (evidence([0.0, 0.0], [0.0, 0.0]), "no gradient"),
        (evidence([1.0, 1.0], [1.0, 1.0], constant=True, activation="sigmoid"), "saturated"),
        # some samples lower it, so it is no dead weight
        (evidence([6.0], [6.0], activation="relu6"), "bound"),
        (evidence([1.0, 1.0], [1.0, 1.0], activation="tanh"), "bound"),
        (evidence([-1.0, -1.0], [-1.0, -1.0], activation="tanh"), "no gradient"),
        (evidence([1.0, 1.0], [1.0, 1.0], activation="relu"), "no gradient"),
        # one variant starts below the bound and never leaves its place
        (evidence([1.0, 0.2], [1.0, 0.2], activation="sigmoid"), "no gradient"),
        (evidence([2.0, 1.0], [0.0, 0.0], noise=2.5), "noise"),
        (evidence([2.0, 1.0], [0.0, 0.0], noise=1.5), None),
        (evidence([2.0, 0.0], [0.0, 0.0], noise=1.5), None),  # one picture is enough
        # there was a gradient: samples excite it, only its pictures fail
        (evidence([0.0, 0.0], [1.0, 1.0], gradient=0.1), "stuck"),
        (evidence([0.0, 0.0], [0.0, 0.0], gradient=0.1, hurried=True), "unfinished"),
        (evidence([0.0, 0.0], [0.0, 0.0], gradient=0.1, constant=True), "dead"),
        # too little time tells nothing of what a picture can do, if there is a way up at all
        (evidence([0.0], [0.0], gradient=0.1, constant=True, hurried=True), "unfinished"),
        (evidence([0.0, 0.0], [0.0, 0.0], constant=True, hurried=True), "dead"),
        (evidence([2.0, 1.0], [0.0, 0.0], noise=2.5, hurried=True), "unfinished"),
        # float32 in another order of sums is no rise; a part in a thousand is
        (evidence([100.001], [100.0], constant=True), "dead"),
        (evidence([100.1], [100.0]), None),
        (evidence([-1.0], [-2.0]), None),
        (evidence([NAN, NAN], [0.0, 0.0]), "not finite"),
        (evidence([1.0, 1.0], [NAN, INF]), "not finite"),
        # what is not finite says nothing of the other variants
        (evidence([NAN, 1.0], [0.0, 0.0]), None),
        (evidence([INF, 1.0], [0.0, 0.0]), None),
        (evidence([NAN, 1.0], [0.0, NAN]), "not finite"),
        (evidence([INF, 0.5], [0.0, 0.0], noise=0.7), "noise"),
    ],
)
def test_each_cause_by_numbers(given, cause):
    assert diagnose(given) == cause
    assert cause is None or WORDS[cause]


def test_units_that_answer_to_something_are_no_dead_weight():
    assert not {"noise", "bound", "stuck", "unfinished"} & UNRESPONSIVE
    assert set(WORDS) > UNRESPONSIVE


@pytest.fixture(scope="module")
def few(paint, stack, head, planted, noisy):
    """c1: unit 1 dead, unit 4 silent on dark samples, woken by bright pictures. s: unit 2 stuck."""
    model = stack(
        layers.Conv2D(8, 3, activation="relu", name="c1"),
        layers.Conv2D(6, 3, activation="sigmoid", name="s"),
        *head(),
    )
    planted(model.get_layer("c1"), 1, 0.0, -1.0)
    planted(model.get_layer("c1"), 4, 1 / 27, -0.6)  # the mean of what it sees, less 0.6
    planted(model.get_layer("s"), 2, 0.01, 50.0)
    return paint(model, noisy(), layers=2, units=2)


def test_a_dead_unit_is_found_and_a_reachable_one_is_not_dead(few):
    first = few.result.layers[0].raw
    assert first.excited.address == "c1"
    assert (first.silent, first.silent_count, first.width) == ((1, 4), 2, 8)
    assert first.causes == ("dead", None)


def test_a_unit_at_its_bound_is_saturated(few):
    second = few.result.layers[1].raw
    assert second.excited.address == "s"
    assert (second.silent, second.causes) == ((2,), ("saturated",))


def test_few_of_them_are_a_note(few):
    finding = few.findings[ID]
    assert (finding.level, finding.unit) == ("note", "share of a layer")
    assert finding.value == pytest.approx(1 / 6)  # of s; of c1 it is one of eight
    assert "c1 (1 of 2 searched for; the layer has 8)" in finding.message
    assert "s (1 of 1 searched for; the layer has 6)" in finding.message
    assert finding.cause == "features.dead_channels"  # which says that no sample changes them
    assert finding.evidence == "optvis-silent"
    (table,) = [block for block in few.body.blocks if block.id == "optvis-silent"]
    assert table.rows == (("c1", 2, 2, 1, 1, 0, "1"), ("s", 1, 1, 0, 1, 0, "2"))


def test_what_was_not_searched_for_is_not_called_dead(paint, stack, head, planted, noisy):
    model = stack(layers.Conv2D(8, 3, activation="relu", name="c1"), *head())
    planted(model.get_layer("c1"), [0, 2, 3, 5, 6], 0.0, -1.0)
    found = paint(model, noisy(), silent_units=3)
    raw = found.result.layers[0].raw
    assert (raw.silent, raw.silent_count) == ((0, 2, 3), 5)
    assert raw.causes == ("dead",) * 3
    finding = found.findings[ID]
    assert finding.level == "note"
    assert finding.value == pytest.approx(3 / 8)  # of the other two nothing is known
    assert finding.threshold == 0.5
    assert "c1 (3 of 3 searched for; the layer has 8)" in finding.message


def test_a_layer_that_is_mostly_dead_warns(paint, stack, head, planted, noisy):
    model = stack(layers.Conv2D(8, 3, activation="relu", name="c1"), *head())
    planted(model.get_layer("c1"), [0, 2, 3, 5, 6], 0.0, -1.0)
    finding = paint(model, noisy(), silent_units=8).findings[ID]
    assert (finding.level, finding.value) == ("warn", pytest.approx(5 / 8))


def test_a_class_whose_score_never_changes_warns_by_name(paint, stack, head, planted, noisy):
    model = stack(layers.Conv2D(8, 3, activation="relu", name="c1"), *head())
    planted(model.get_layer("out"), 1, 0.0, 0.3)
    found = paint(model, noisy(), settings={"classes": ("ant", "bee", "cat")}, layers=0, classes=3)
    assert [judged.cause for judged in found.result.classes.judged] == [None, "dead", None]
    finding = found.findings[ID]
    assert finding.level == "warn"
    assert "No picture raises the score of bee." in finding.message
    assert finding.evidence in {block.id for block in found.body.blocks}


def test_a_sound_net_is_not_warned_of(sound):
    assert sound.levels[ID] == "pass"
    assert sound.levels["optvis.below_natural"] in ("pass", "note")


def test_a_trained_net_is_not_warned_of(trained, pictures, paint):
    found = paint(trained, *pictures, layers=3, classes=3, silent_units=8)
    assert set(found.levels.values()) <= {"pass", "note"}
    for layer in found.result.layers:
        assert not {judged.cause for judged in layer.judged} & UNRESPONSIVE
