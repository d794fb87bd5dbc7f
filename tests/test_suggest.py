"""The nearest known name: what is near, what is not, and the same answer every time."""

from __future__ import annotations

import pytest

from reportgen.suggest import closest, nearest

ANALYSES = ("overview", "predictions", "feature_maps", "weights", "optvis", "loss_landscape")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("predictons", "predictions"),
        ("Weights", "weights"),
        ("feature-maps", "feature_maps"),
        ("landscape", "loss_landscape"),  # stands whole in one name only
        ("lanscape", "loss_landscape"),
        ("zebra", None),
        ("", None),
        (3, None),
    ],
)
def test_the_nearest_name(word, meant):
    assert closest(word, ANALYSES) == meant
    assert nearest(word, ANALYSES) == (f"Did you mean {meant!r}?" if meant else "")


def test_an_option_without_its_analysis():
    known = ("overview.seconds", "predictions.min_accuracy", "predictions.max_error")
    assert closest("min_accuracy", known) == "predictions.min_accuracy"


def test_among_equals_the_first_wins_and_nothing_known_is_no_guess():
    assert closest("cat", ("cap", "car")) == "cap"
    assert closest("cat", ()) is None
