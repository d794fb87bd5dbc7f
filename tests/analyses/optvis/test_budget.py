"""Shares of a time budget, with a clock that the test moves."""

from __future__ import annotations

import numpy as np
import pytest

from reportgen.analyses.optvis import budget
from reportgen.analyses.optvis.budget import Budget


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still; ``clock[0] += 5`` moves it."""
    now = [100.0]
    monkeypatch.setattr(budget.time, "monotonic", lambda: now[0])
    return now


def test_jobs_that_take_their_share_get_equal_ones(clock):
    shares = Budget(12.0, [1.0, 1.0, 2.0])
    given = []
    for _ in range(3):
        given.append(shares.allow())
        clock[0] += given[-1]
    assert given == pytest.approx([3.0, 3.0, 6.0])


def test_what_is_left_over_goes_to_the_others(clock):
    shares = Budget(12.0, [1.0, 1.0, 1.0])
    assert shares.allow() == pytest.approx(4.0)
    clock[0] += 2.0
    assert shares.allow() == pytest.approx(5.0)
    clock[0] += 0.0
    assert shares.allow() == pytest.approx(10.0)


def test_a_late_job_costs_the_others_and_none_gets_less_than_nothing(clock):
    shares = Budget(12.0, [1.0, 1.0, 1.0])
    shares.allow()
    clock[0] += 8.0
    assert shares.allow() == pytest.approx(2.0)
    clock[0] += 30.0
    assert shares.allow() == 0.0


@pytest.fixture(scope="module")
def hurried(paint, stack, head, noisy):
    """A thousandth of a second for two layers, two classes and a dream."""
    from keras import layers

    model = stack(
        layers.Conv2D(8, 3, activation="relu", name="c1"),
        layers.Conv2D(8, 3, activation="relu", name="c2"),
        *head(2),
    )
    return paint(model, noisy(), layers=2, classes=2, dreams=1, seconds=0.001)


def test_every_unit_has_a_picture_however_little_time_there_is(hurried):
    result = hurried.result
    assert [layer.tiles.shape[:2] for layer in result.layers] == [(2, 2), (2, 2)]
    assert result.classes.tiles.shape[:2] == (2, 2)
    assert len(result.dreams) == 1
    for made in (*(layer.raw.painting for layer in result.layers), result.classes.painting):
        assert made.hurried
        assert (made.steps >= 16).all()  # as the engine promises
        assert (made.steps < 128).all()
    for layer in result.layers:
        assert all(np.isfinite(judged.scores).all() for judged in layer.judged)


def test_a_hurry_is_said(hurried, sound):
    assert hurried.result.hurried
    assert any("time budget of 0.001 seconds" in line for line in hurried.body.method)
    assert not sound.result.hurried
    assert not any("time budget" in line for line in sound.body.method)


def test_what_did_not_wake_in_a_hurry_is_not_called_dead(paint, stack, head, noisy, planted):
    """A unit without weights has no way up; one that a bright picture wakes needs the time."""
    from keras import layers

    model = stack(layers.Conv2D(8, 3, activation="relu", name="c1"), *head())
    planted(model.get_layer("c1"), 1, 0.0, -1.0)
    planted(model.get_layer("c1"), 4, 1 / 27, -0.6)
    found = paint(model, noisy(), seconds=0.001)
    raw = found.result.layers[0].raw
    assert raw.silent == (1, 4)
    assert raw.causes[0] == "unfinished"
    assert raw.causes[1] in (None, "unfinished")
    assert found.levels["optvis.unresponsive_units"] == "note"
