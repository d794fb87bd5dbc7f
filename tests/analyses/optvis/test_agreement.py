"""Agreement of pictures against NumPy and units that are built to have one facet or two."""

from __future__ import annotations

import numpy as np
import pytest

from reportgen.analyses.optvis.agreement import correlate, judge_agreement
from reportgen.analyses.optvis.natural import Responses
from reportgen.analyses.optvis.trust import Asked

SIDE = 32  # pixels of an image
UNITS = 5


def patterns(rng, count):
    """Orthogonal, of length 1, ``(count, pixels)``."""
    return np.linalg.qr(rng.normal(size=(SIDE, SIDE)))[0][:count]


@pytest.fixture
def layer():
    """A layer of 5 + 24 units of random images: unit 0 is the larger of two orthogonal patterns.

    Returns: a function images -> `Responses`, and the patterns: 0 and 1 of unit 0, then one each.
    """
    rng = np.random.default_rng(0)
    own = patterns(rng, UNITS + 1)
    others = rng.normal(size=(24, SIDE)) / np.sqrt(SIDE)

    def respond(images):
        two = (images @ own[:2].T).max(axis=1, keepdims=True)
        means = np.concatenate([two, images @ own[2:].T, images @ others.T], axis=1)
        count = len(images)
        return Responses(
            {"layer": np.maximum(means, 0).astype(np.float32)},
            {},
            np.arange(count),
            np.ones(count, bool),
        )

    return respond, own


def draw_pictures(own, facets, rng):
    """Three pictures of each unit: the pattern, four times as strong as a sample's, and noise."""
    shown = [own[i] for i in facets] + [own[unit + 1] for unit in range(1, UNITS) for _ in range(3)]
    return 4 * np.array(shown) + 0.1 * rng.normal(size=(3 * UNITS, SIDE))


def ask(units=UNITS, variants=3):
    return [Asked("layer", unit, (), np.arange(variants) + 3 * unit) for unit in range(units)]


@pytest.mark.parametrize(
    ("facets", "label", "groups"),
    [((0, 0, 0), "stable", [0, 0, 0]), ((0, 1, 0), "many-faceted", [0, 1, 0])],
)
def test_the_larger_of_two_patterns_has_two_facets(layer, facets, label, groups):
    respond, own = layer
    rng = np.random.default_rng(1)
    natural = respond(rng.normal(size=(200, SIDE)))
    found = judge_agreement(natural, respond(draw_pictures(own, facets, rng)), ask())
    assert (found[0].label, found[0].facets.tolist(), found[0].doubt) == (label, groups, "")
    assert {agreement.label for agreement in found[1:]} == {"stable"}
    assert found[0].lowest <= found[0].similarity
    assert all(a.similarity > 0.9 for a in found[1:])
    assert found[0].chance < 0.5


def test_a_common_look_is_no_agreement(layer):
    """All pictures brighter alike: without the mean over units, all would be stable."""
    respond, own = layer
    rng = np.random.default_rng(1)
    natural = respond(rng.normal(size=(200, SIDE)))
    pictures = respond(draw_pictures(own, (0, 1, 0), rng))
    pictures.means["layer"][:] += 30 * rng.uniform(0.5, 1.5, UNITS + 24)
    assert judge_agreement(natural, pictures, ask())[0].label == "many-faceted"


def test_pictures_of_other_strength_are_not_the_same_optimum(layer):
    respond, own = layer
    rng = np.random.default_rng(1)
    natural = respond(rng.normal(size=(200, SIDE)))
    images = draw_pictures(own, (0, 1, 0), rng)
    images[1] /= 4
    found = judge_agreement(natural, respond(images), ask())
    assert (found[0].label, found[0].doubt) == ("unclear", "not the same optimum")


def test_what_cannot_be_judged_is_said(layer):
    respond, own = layer
    rng = np.random.default_rng(1)
    natural = respond(rng.normal(size=(200, SIDE)))
    pictures = respond(draw_pictures(own, (0, 0, 0), rng))
    assert {a.doubt for a in judge_agreement(natural, pictures, ask(variants=1))} == {"one picture"}
    assert {a.doubt for a in judge_agreement(natural, pictures, ask(units=1))} == {"one unit"}
    thin = [
        Responses({"layer": r.means["layer"][:, :8]}, {}, r.rows, r.drawn)
        for r in (natural, pictures)
    ]
    assert {a.doubt for a in judge_agreement(*thin, ask())} == {"thin layer"}
    pictures.means["layer"][1, 20] = np.inf
    broken = judge_agreement(natural, pictures, ask())
    assert [a.doubt for a in broken] == ["not finite", "", "", "", ""]


def test_twins_are_unclear(layer):
    """Two units that do the same have the same pictures: likeness then says nothing of a unit."""
    respond, own = layer
    rng = np.random.default_rng(1)
    natural = respond(rng.normal(size=(200, SIDE)))
    images = draw_pictures(own, (0, 0, 0), rng)
    images[3:6] = images[:3] + 1e-3 * rng.normal(size=(3, SIDE))
    pictures = respond(images)
    for part in (natural, pictures):
        part.means["layer"][:, 1] = part.means["layer"][:, 0]
    found = judge_agreement(natural, pictures, ask(units=3))
    assert found[0].label == "unclear"
    assert found[0].doubt == "as like as other units"


def test_two_units_are_not_each_others_mirror_image(layer):
    """Less their mean, any two are alike by -1: a chance of -1 made every pair remarkable."""
    respond, own = layer
    rng = np.random.default_rng(1)
    natural = respond(rng.normal(size=(200, SIDE)))
    pictures = respond(draw_pictures(own, (0, 0, 0), rng))
    found = judge_agreement(natural, pictures, ask(units=2))
    assert all(agreement.chance > -0.5 for agreement in found)


def test_the_layer_before_counts_too(layer):
    """A layer too thin to judge is judged with the one before it."""
    respond, own = layer
    rng = np.random.default_rng(1)
    mixing = rng.normal(size=(SIDE, 16))
    parts = []
    for images in (rng.normal(size=(200, SIDE)), draw_pictures(own, (0, 1, 0), rng)):
        seen = respond(images)
        before = (images @ mixing).astype(np.float32)
        means = {"layer": seen.means["layer"][:, :UNITS], "before": before}
        parts.append(Responses(means, {}, seen.rows, seen.drawn))
    asked = [Asked("layer", u, ("first", "before"), np.arange(3) + 3 * u) for u in range(UNITS)]
    found = judge_agreement(*parts, asked)
    assert [a.label for a in found] == ["many-faceted", *["stable"] * (UNITS - 1)]


def test_correlations_leave_out_both_units():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 20))
    units = np.array([3, 3, 7, 7, 0, 19])
    found = correlate(values, units)
    for i in range(6):
        for j in range(6):
            kept = np.delete(np.arange(20), np.unique([units[i], units[j]]))
            expected = np.corrcoef(values[i, kept], values[j, kept])[0, 1]
            assert found[i, j] == pytest.approx(expected, abs=1e-12)


def test_a_picture_without_variation_has_no_correlation():
    values = np.ones((2, 10))
    values[1, 4] = 2
    assert np.isnan(correlate(values, np.array([0, 1]))[0]).all()
