"""Deletion and insertion by hand; ties; what the gate takes and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from reportgen.attributions import explain, open_case
from reportgen.attributions.cells import Grid, make_grid
from reportgen.attributions.gate.controls import (
    BLURS,
    draw_noise,
    find_blur,
    find_partners,
    measure_smoothness,
)
from reportgen.attributions.gate.curves import draw_curves, order_cells
from reportgen.attributions.gate.statistics import correct, p_above
from reportgen.attributions.maps import Maps

from .conftest import linear

GRID = make_grid(8, 8)
ALL = tuple(k / 64 for k in range(1, 64))


def one(weights: np.ndarray):
    """A picture of ones on a mean of zero: the score is the sum of the weights that are left."""
    x = np.ones((1, 8, 8, 1), np.float32)
    return open_case(
        linear(weights.reshape(8, 8, 1, 1)), x, reference=np.zeros((1, 8, 8, 1), np.float32)
    )


def curve(case, order):
    return draw_curves(case, GRID, {"own": np.asarray(order)[None]}, "mean", ALL)["own"]


def test_10_deletion_and_insertion_of_a_sum_add_up_to_one(rng):
    case = one(rng.uniform(0.1, 1, 64).astype(np.float32))
    for _ in range(3):
        order = rng.permutation(64)
        found = curve(case, order)
        both = np.trapezoid(found.insertion + found.deletion, found.shares, axis=1)
        np.testing.assert_allclose(both, 1.0, atol=1e-5)


def test_10_equal_weights_score_a_half(rng):
    found = curve(one(np.ones(64, np.float32)), rng.permutation(64))
    np.testing.assert_allclose(np.trapezoid(found.deletion, found.shares), 0.5, atol=1e-5)
    np.testing.assert_allclose(found.area, 0, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 5, 64])
def test_10_one_cell_at_rank_r_scores_r_less_a_half_of_n(rank):
    """A perfect map scores 1 / 2n, not 0."""
    weights = np.zeros(64, np.float32)
    weights[17] = 1
    others = [i for i in range(64) if i != 17]
    order = [*others[: rank - 1], 17, *others[rank - 1 :]]
    found = curve(one(weights), order)
    deletion = np.trapezoid(found.deletion, found.shares, axis=1)
    np.testing.assert_allclose(deletion, (rank - 0.5) / 64, atol=1e-6)


def test_coarse_steps_are_the_same_curve_at_fewer_places(rng):
    case = one(rng.uniform(0.1, 1, 64).astype(np.float32))
    order = {"own": rng.permutation(64)[None]}
    fine, coarse = (
        draw_curves(case, GRID, order, "mean", ALL),
        draw_curves(case, GRID, order, "mean"),
    )
    at = np.isin(np.rint(fine["own"].shares * 64), np.rint(coarse["own"].shares * 64))
    np.testing.assert_allclose(fine["own"].deletion[:, at], coarse["own"].deletion, atol=1e-6)


def test_equal_cells_come_in_an_order_of_chance():
    """By place, a map that says nothing would take the upper left away first."""
    order = order_cells(np.zeros((400, 8, 8), np.float32), np.random.default_rng(0))
    first = np.bincount(order[:, :13].ravel(), minlength=64)
    assert first.max() < 2 * first.mean()
    assert (np.sort(order, axis=1) == np.arange(64)).all()


def test_maps_are_on_the_same_cells(rng):
    values = rng.normal(size=(2, 16, 24)).astype(np.float32)
    grid = Grid(16, 24, 8, 8)
    by_hand = values.reshape(2, 8, 2, 8, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(grid.average(values), by_hand, atol=1e-6)
    top, left, bottom, right = grid.box(9)
    assert (top, left, bottom, right) == (2, 3, 4, 6)


def test_a_side_that_cells_do_not_divide_has_no_cell_of_nothing():
    grid = make_grid(11, 5)
    assert (grid.rows, grid.columns) == (8, 5)
    sizes = np.bincount(grid.cells.ravel(), minlength=grid.count)
    assert set(sizes) <= {1, 2}


def test_half_pixel(rng):
    """Cell (1, 1) of 7 x 7 lands at 47.5 of 224; tools that align corners put it at 37.2."""
    small = np.zeros((1, 7, 7), np.float32)
    small[0, 1, 1] = 1
    large = Maps("m", small, (224, 224), signed=True).enlarged[0]
    place = (large * np.arange(224)[:, None]).sum() / large.sum()
    assert place == pytest.approx(47.5, abs=0.01)
    corner = np.zeros((1, 14, 14), np.float32)
    corner[0, -1, -1] = 1
    assert Maps("m", corner, (100, 100), signed=True).enlarged[0, -1, -1] == pytest.approx(1)


@pytest.mark.parametrize("blur", BLURS)
def test_noise_is_as_smooth_as_it_is_asked_for(blur):
    rng = np.random.default_rng(1)
    assert find_blur(draw_noise(400, GRID, blur, rng)) == blur
    large = draw_noise(20, Grid(64, 64, 64, 64), blur, rng)
    wanted = np.exp(-1 / (4 * blur**2)) if blur else 0  # of a Gaussian, where there is room
    assert measure_smoothness(large) == pytest.approx(wanted, abs=0.06)


def test_partners_are_of_another_class(rng):
    x = rng.normal(size=(6, 8, 8, 1)).astype(np.float32)
    weights = rng.normal(size=(8, 8, 1, 3))
    case = open_case(linear(weights), x, classes=[0, 0, 0, 1, 1, 2])
    partners = find_partners(case)
    classes = case.directions.argmax(axis=1)
    assert (classes[partners] != classes).all()


def test_holm_by_hand():
    assert correct([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert correct([0.9, 0.8]) == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("count", [8, 16, 40])
def test_p_is_as_often_small_as_it_says(count):
    """Of 2,000 draws without a difference, skewed ones too: 5 % below .05, s.e. .5 points."""
    rng = np.random.default_rng(count)
    for draw in (rng.standard_normal, lambda size: rng.exponential(size=size) - 1):
        found = np.array([p_above(draw(count), rng) for _ in range(600)])
        assert (found < 0.05).mean() < 0.085


def test_p_finds_a_difference():
    rng = np.random.default_rng(0)
    assert p_above(rng.normal(1, 1, 20), rng) < 0.01
    assert p_above(np.zeros(20), rng) == 1.0
    assert p_above(np.full(20, 0.5), rng) < 0.001


def test_the_answer_changes_where_the_marked_fifth_decides(rng):
    weights = np.zeros((8, 8, 1, 2), np.float32)
    weights[0, 0, 0, 1] = 1.0
    weights[1:, :, 0, 0] = 0.001
    x = rng.uniform(0.5, 1, (5, 8, 8, 1)).astype(np.float32)
    case = open_case(linear(weights), x, reference=np.zeros((1, 8, 8, 1), np.float32))
    maps = explain(linear(weights), x, "occlusion", classes=1, reference=case.reference)
    order = order_cells(maps.values, rng)
    found = draw_curves(case, GRID, {"own": order}, "mean")["own"]
    assert found.flips.all()
