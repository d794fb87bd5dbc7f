"""Standard errors that share the samples, and levels that stand above them."""

import numpy as np
import pytest

from reportgen.landscape.uncertainty import PairedBootstrap, choose_levels


def test_the_paired_error_is_that_of_the_differences(rng):
    count = 400
    hard = rng.gamma(1.0, 2.0, count)  # hard samples are hard for all
    cells = hard + rng.normal(size=(6, count)) * np.array([0.01, 0.1, 0.3, 1, 2, 4])[:, None]
    found = PairedBootstrap(hard, rng).error(cells)
    differences = cells - hard
    known = differences.std(axis=1) / np.sqrt(count)
    # A deviation from 200 resamples is known to 1 / sqrt(400) = 5 %; three of those.
    np.testing.assert_allclose(found, known, rtol=0.15)
    unpaired = cells.std(axis=1) / np.sqrt(count)
    assert found[0] < unpaired[0] / 50


def test_more_resamples_come_closer(rng):
    centre, cell = rng.normal(size=(2, 300))
    found = PairedBootstrap(centre, rng, resamples=20_000).error(cell[None])
    assert found[0] == pytest.approx((cell - centre).std() / np.sqrt(300), rel=0.02)


def test_the_centre_has_no_error(rng):
    centre = rng.gamma(1.0, 2.0, 100)
    bootstrap = PairedBootstrap(centre, rng)
    assert bootstrap.error(centre[None])[0] == 0
    # Nor has a cell where every sample is worse by the same.
    assert bootstrap.error(centre[None] + 3.0)[0] == pytest.approx(0, abs=1e-12)
    assert bootstrap.own_error() == pytest.approx(centre.std() / 10, rel=0.2)


def test_identical_cells_have_identical_errors(rng):
    centre = rng.normal(size=50)
    cells = np.repeat(rng.normal(size=(1, 50)), 3, axis=0)
    assert len(set(PairedBootstrap(centre, rng).error(cells))) == 1


def test_what_is_not_finite_has_no_error(rng):
    cells = rng.normal(size=(4, 50))
    cells[1, 7], cells[2, 0], cells[3] = np.nan, np.inf, -np.inf
    errors = PairedBootstrap(rng.normal(size=50), rng).error(cells)
    assert np.isfinite(errors).tolist() == [True, False, False, False]


def test_the_same_seed_gives_the_same_errors(rng):
    centre, cell = rng.normal(size=(2, 80))
    errors = [
        PairedBootstrap(centre, np.random.default_rng(s)).error(cell[None])[0] for s in (1, 1, 2)
    ]
    assert errors[0] == errors[1] != errors[2]


def surface(low: float, high: float) -> np.ndarray:
    return np.geomspace(low, high, 400).reshape(20, 20)


def test_levels_over_orders_of_magnitude():
    loss = surface(0.1, 100.0)
    levels, left_out = choose_levels(loss, np.full(loss.shape, 1e-6), 0.1, np.inf, count=12)
    np.testing.assert_allclose(levels, np.geomspace(0.1, 100, 14)[1:-1])
    assert left_out == 0


def test_levels_over_a_narrow_range_are_even():
    levels, _ = choose_levels(surface(1.0, 1.5), np.full((20, 20), 1e-6), 1.0, np.inf, count=4)
    np.testing.assert_allclose(levels, [1.1, 1.2, 1.3, 1.4])


def test_levels_within_the_noise_are_left_out():
    loss, error = surface(1.0, 1.5), np.full((20, 20), 0.11)
    levels, left_out = choose_levels(loss, error, 1.0, np.inf, count=9)
    assert len(levels) + left_out == 9
    assert levels[0] >= 1.0 + 0.22  # above the model's own loss
    assert (np.diff(levels) >= 0.22).all()
    assert choose_levels(loss, np.full(loss.shape, 0.3), 1.0, np.inf, count=9) == ((), 9)


def test_noise_is_that_of_the_cells_with_this_loss():
    loss = surface(1.0, 1.9)
    error = np.where(loss > 1.5, 10.0, 1e-6)
    levels, left_out = choose_levels(loss, error, 1.0, np.inf, count=8)
    assert levels == pytest.approx([1.1, 1.2, 1.3, 1.4])  # 1.5 has noisy neighbours
    assert left_out == 4


def test_levels_end_at_the_ceiling():
    levels, _ = choose_levels(surface(0.1, 1e9), np.zeros((20, 20)), 0.1, 5.0)
    assert max(levels) < 5.0
    assert len(levels) == 12


@pytest.mark.parametrize(
    "loss", [np.full((3, 3), np.nan), np.full((3, 3), 2.0), np.zeros((0,)), np.array([[np.inf]])]
)
def test_planes_without_levels(loss):
    assert choose_levels(loss, np.zeros_like(loss), 2.0, np.inf) == ((), 0)


def test_cells_that_are_not_finite_do_not_count():
    loss = surface(1.0, 1.5)
    loss[0], loss[1] = np.nan, np.inf
    error = np.where(np.isfinite(loss), 1e-6, np.nan)
    levels, _ = choose_levels(loss, error, 1.0, np.inf)
    assert np.isfinite(levels).all()
    assert len(levels) == 12
