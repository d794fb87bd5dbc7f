"""Verdicts from results whose numbers are set by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reportgen.analyses.optvis.findings import CHECKS
from reportgen.analyses.optvis.findings import judge as judge_section

LOST, BELOW = "optvis.unresponsive_units", "optvis.below_natural"


def judge(result):
    return {finding.id: finding for finding in judge_section(result)}


def with_causes(result, *causes):
    """The first layer's units have these causes."""
    first, *rest = result.layers
    judged = tuple(replace(unit, cause=c) for unit, c in zip(first.judged, causes, strict=True))
    return replace(result, layers=(replace(first, judged=judged), *rest))


def with_silent(result, causes, count):
    """So many channels of the first layer are silent; those tried have these causes."""
    first, *rest = result.layers
    others = [c for c in range(first.raw.width) if c not in first.raw.channels]
    silent = tuple(others[: len(causes)])
    raw = replace(first.raw, silent=silent, causes=tuple(causes), silent_count=count)
    return replace(result, layers=(replace(first, raw=raw), *rest))


def with_scores(result, best, natural):
    """Every picture reaches ``best``; the strongest sample reaches ``natural``."""

    def change(units):
        scores = np.array([best, best - 1], np.float32)
        return tuple(replace(unit, scores=scores, natural=natural) for unit in units)

    layers = tuple(replace(layer, judged=change(layer.judged)) for layer in result.layers)
    classes = replace(result.classes, judged=change(result.classes.judged))
    return replace(result, layers=layers, classes=classes)


def with_options(result, **options):
    return replace(result, options=result.options.model_copy(update=options))


def test_both_checks_are_answered(sound):
    assert list(judge(sound.result)) == [check.id for check in CHECKS]


def test_every_verdict_has_its_number_and_its_evidence(sound):
    """As the contract of all analyses has it."""
    ids = {block.id for block in sound.body.blocks}
    for result in (
        sound.result,
        with_silent(sound.result, ["dead"], 1),
        with_causes(sound.result, "no gradient", None),
        with_scores(sound.result, 1.0, 2.0),
    ):
        for finding in judge(result).values():
            assert None not in (finding.value, finding.unit, finding.threshold, finding.evidence)
            assert finding.evidence in ids | {"optvis-silent"}
            assert finding.message.endswith(".")


@pytest.mark.parametrize(
    ("causes", "count", "level", "share"),
    [
        ((), 0, "pass", 0.0),
        ((None, None), 2, "pass", 0.0),
        (("dead",), 1, "note", 1 / 8),
        (("saturated", None, "dead"), 3, "note", 2 / 8),
        (("dead", "dead"), 6, "note", 2 / 8),  # of the four not tried nothing is known
        (("dead",) * 4, 6, "note", 4 / 8),  # a half is not more than a half
        (("dead",) * 5, 5, "warn", 5 / 8),
        (("not finite",), 1, "note", 0.0),  # it cannot be told: no pass
    ],
)
def test_more_than_half_of_a_layer_warns(sound, causes, count, level, share):
    finding = judge(with_silent(sound.result, causes, count))[LOST]
    assert finding.level == level
    assert finding.value == pytest.approx(share)


def test_the_share_that_warns_is_an_option(sound):
    result = with_silent(sound.result, ["dead"], 1)
    assert judge(with_options(result, unresponsive_share=0.1))[LOST].level == "warn"
    assert judge(with_options(result, unresponsive_share=0.2))[LOST].level == "note"


def test_shown_units_count_too(sound):
    finding = judge(with_causes(sound.result, "no gradient", None))[LOST]
    assert (finding.level, finding.value) == ("note", pytest.approx(1 / 8))
    assert "c1 (1 of 1 searched for; the layer has 8)" in finding.message


@pytest.mark.parametrize(
    ("cause", "level"),
    [("noise", "pass"), ("bound", "pass"), ("stuck", "note"), ("unfinished", "note")],
)
def test_a_poor_picture_is_no_dead_unit(sound, cause, level):
    finding = judge(with_causes(sound.result, cause, None))[LOST]
    assert (finding.level, finding.value) == (level, 0.0)


def test_units_that_nothing_is_known_of_are_not_called_answering(sound):
    assert "All 7 units" in judge(sound.result)[LOST].message
    result = with_silent(with_causes(sound.result, "stuck", None), ["unfinished", None], 2)
    message = judge(result)[LOST].message
    assert "7 of 9 units" in message
    assert "optvis.seconds" in message
    # Of two that were searched for and told, one is dead. What was not told is not counted.
    finding = judge(with_silent(sound.result, ["dead", None, "unfinished"], 4))[LOST]
    assert finding.value == pytest.approx(1 / 8)
    assert "c1 (1 of 2 searched for; the layer has 8)" in finding.message


def test_a_lost_class_warns_whatever_its_share(sound):
    classes = sound.result.classes
    judged = (replace(classes.judged[0], cause="dead"), *classes.judged[1:])
    finding = judge(replace(sound.result, classes=replace(classes, judged=judged)))[LOST]
    assert finding.level == "warn"
    assert "No picture raises the score of class 0." in finding.message
    assert "c1" not in finding.message
    assert "the layer can be smaller" not in finding.message  # a class is no layer


def test_pictures_below_a_sample_are_a_note_that_names_them(sound):
    finding = judge(with_scores(sound.result, 1.0, 1.5))[BELOW]
    assert (finding.level, finding.value) == ("note", 7.0)  # two layers of two, three classes
    assert "7 of 7" in finding.message
    assert "class class 0" not in finding.message
    assert " and 1 more" in finding.message
    assert judge(with_scores(sound.result, 1.5, 1.5))[BELOW].level == "pass"


def test_how_far_below_is_an_option(sound):
    result = with_scores(sound.result, 1.0, 1.5)
    assert judge(with_options(result, natural_share=0.6))[BELOW].level == "pass"
    assert judge(with_options(result, natural_share=0.7))[BELOW].level == "note"
    result = with_scores(sound.result, 2.0, 1.5)
    assert judge(with_options(result, natural_share=1.5))[BELOW].level == "note"


def test_below_zero_a_share_says_nothing(sound):
    for share in (0.5, 1.0, 2.0):
        below = with_options(with_scores(sound.result, -2.0, -1.0), natural_share=share)
        above = with_options(with_scores(sound.result, -1.0, -1.5), natural_share=share)
        assert judge(below)[BELOW].level == "note"
        assert judge(above)[BELOW].level == "pass"


def test_units_without_a_picture_are_not_compared(sound):
    result = with_causes(with_scores(sound.result, 1.0, 1.5), "dead", "bound")
    assert "5 of" in judge(result)[BELOW].message


def test_time_that_ran_out_is_the_likely_cause(sound):
    result = with_scores(sound.result, 1.0, 1.5)
    assert "raise optvis.seconds" not in judge(result)[BELOW].message
    first, *rest = result.layers
    late = replace(first, raw=replace(first.raw, hurried=True))
    assert "raise optvis.seconds" in judge(replace(result, layers=(late, *rest)))[BELOW].message


def test_values_that_are_not_finite_are_no_verdict_on_the_pictures(sound):
    nan = float("nan")
    assert judge(with_scores(sound.result, nan, 1.0))[BELOW].level in ("pass", "not_applicable")
    assert judge(with_scores(sound.result, 1.0, nan))[BELOW].level in ("pass", "not_applicable")


def test_nothing_painted_is_nothing_checked(sound):
    empty = replace(sound.result, layers=(), classes=None)
    found = judge(empty)
    assert {finding.level for finding in found.values()} == {"not_applicable"}
    assert "optvis.layers" in found[LOST].message
