"""Measures of the literature by hand."""

from __future__ import annotations

import numpy as np
import pytest

from reportgen.attributions import explain, open_case
from reportgen.attributions.cells import make_grid
from reportgen.attributions.measures import entropy, gini, impute, infidelity, mu_fidelity, road

from .conftest import linear

GRID = make_grid(8, 8)


@pytest.fixture
def case(rng):
    weights = rng.normal(size=(8, 8, 1, 2)).astype(np.float32)
    x = rng.uniform(0, 1, (3, 8, 8, 1)).astype(np.float32)
    return open_case(linear(weights), x, classes=1), weights[..., 1]


def test_11_mu_fidelity_of_the_exact_map_is_one(case):
    asked, weights = case
    exact = (weights * (asked.pictures - asked.pictures.mean())).sum(axis=-1)
    np.testing.assert_allclose(mu_fidelity(asked, exact, GRID), 1, atol=1e-4)
    np.testing.assert_allclose(mu_fidelity(asked, -exact, GRID), -1, atol=1e-4)


def test_12_road_keeps_ramps_off_the_border(rng):
    """A plane is the mean of its neighbours, so removed pixels come back as they were."""
    y, x = np.mgrid[:12, :12]
    ramp = (0.3 * y - 0.2 * x + 1)[None, ..., None].astype(np.float64)
    gone = np.zeros((1, 12, 12), bool)
    gone[0, 2:10, 2:10] = rng.random((8, 8)) < 0.6
    made = impute(ramp, gone, noise=0)
    np.testing.assert_allclose(made, ramp, atol=1e-6)  # kept as float32; solved to 1e-12
    wild = np.where(gone[..., None], 99.0, ramp)
    np.testing.assert_allclose(impute(wild, gone, noise=0), ramp, atol=1e-6)


def test_14_infidelity_of_a_linear_model_is_none(case):
    asked, weights = case
    exact = np.broadcast_to(weights, asked.pictures.shape)
    assert infidelity(asked, exact).max() < 1e-9
    assert infidelity(asked, 2 * exact).min() > 1e-3


def test_15_sparseness():
    even, one = np.ones((1, 4, 5), np.float32), np.zeros((1, 4, 5), np.float32)
    one[0, 2, 3] = -7
    np.testing.assert_allclose(gini(np.concatenate([even, one])), [0, 1 - 1 / 20], atol=1e-6)
    np.testing.assert_allclose(entropy(np.concatenate([even, one])), [np.log(20), 0], atol=1e-6)


def test_road_prefers_the_true_order(case):
    asked, _ = case
    maps = explain(asked.network.model, asked.pictures, "occlusion", classes=1).values
    true, turned = road(asked, maps, GRID), road(asked, -maps, GRID)
    assert (true > 0).all()
    assert (turned < 0).all()
