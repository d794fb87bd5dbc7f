"""Calibration error: cases whose answer is known in closed form."""

import numpy as np
import pytest
from scipy.stats import binomtest

from reportgen.analyses.predictions.calibration import _equal_mass, bound_gap, measure_calibration


def measure(confidence, correct, *, bins=15, seed=0):
    return measure_calibration(
        np.asarray(confidence, float),
        np.asarray(correct, bool),
        bins=bins,
        rng=np.random.default_rng(seed),
    )


def calibrated(n, seed, shift=0.0):
    """A model whose confidence c comes true with probability c - shift."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.55, 1.0, n)
    return confidence, rng.uniform(size=n) < confidence - shift


def test_two_bins_by_hand():
    confidence = [0.5, 0.6, 0.7, 0.9, 0.9, 1.0]
    correct = [True, False, False, True, True, False]
    measured = measure(confidence, correct, bins=2)
    np.testing.assert_allclose(measured.bins.confidence, [0.6, 2.8 / 3])
    np.testing.assert_allclose(measured.bins.accuracy, [1 / 3, 2 / 3])
    assert measured.bins.count.tolist() == [3, 3]
    assert measured.bins.error == pytest.approx((0.6 - 1 / 3 + 2.8 / 3 - 2 / 3) / 2)


@pytest.mark.parametrize("seed", range(5))
def test_the_error_of_a_calibrated_model_may_be_none(seed):
    measured = measure(*calibrated(1500, seed))
    # 100 samples a bin: each accuracy is off by 0.8 * sqrt(0.16 / 100) = 0.03 on average.
    assert measured.bins.error > 0.012
    assert measured.error < measured.bins.error
    # The correction takes 41 % of it, see below; three deviations of 0.6 * 0.03 / sqrt(15).
    assert measured.error < 0.6 * 0.03 + 0.015
    assert measured.low == 0


def test_the_correction_is_right_on_average():
    # Of a calibrated model gaps are noise of deviation s: a mean size of c s, and of c s sqrt(2)
    # when as much noise is added. Twice the one less the other leaves 2 - sqrt(2) = 0.586 of it.
    measured = [measure(*calibrated(600, seed)) for seed in range(40)]
    ratio = np.mean([m.error for m in measured]) / np.mean([m.bins.error for m in measured])
    # Lifted a little where the mean gap is the larger.
    assert 0.55 < ratio < 0.68


@pytest.mark.parametrize(("confidence", "share"), [(0.9, 0.6), (0.7, 0.95), (0.8, 0.8)])
def test_a_constant_confidence_misses_by_its_distance_from_the_accuracy(confidence, share):
    correct = np.arange(1000) < 1000 * share
    measured = measure(np.full(1000, confidence), correct)
    assert measured.bins.count.tolist() == [1000]  # one bin: all are tied
    assert measured.bins.error == pytest.approx(abs(confidence - share))
    # What is subtracted is at most the deviation of one accuracy: sqrt(0.25 / 1000).
    assert measured.error == pytest.approx(abs(confidence - share), abs=0.016)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.25])
def test_the_interval_covers_the_truth(shift):
    held = 0
    for seed in range(20):
        measured = measure(*calibrated(800, 100 + seed, shift), seed=seed)
        assert 0 <= measured.low <= measured.error <= measured.high <= 1
        held += measured.low <= shift <= measured.high
    # Nominally 19 of 20; fewer than 15 has a probability below 0.001.
    assert held >= 15


@pytest.mark.parametrize("n", [40, 300, 1500])
@pytest.mark.parametrize("shift", [0.0, 0.03, 0.1])
def test_the_error_is_never_below_the_mean_gap(n, shift):
    for seed in range(10):
        measured = measure(*calibrated(n, 200 + seed, shift), seed=seed)
        gap = measured.bins.gap
        # The triangle inequality: a mean of sizes is at least the size of the mean.
        assert measured.error >= abs(gap) - 1e-12
        assert measured.gap_low <= gap <= measured.gap_high
        # Nor is the error said to be possibly zero where the mean gap is surely not: three of its
        # deviations, as the shared tail takes 2.24.
        if measured.low == 0:
            assert abs(gap) < 3 * (measured.gap_high - measured.gap_low) / 3.92 + 1e-3


def test_the_correction_is_that_of_the_article():
    # Kumar, Liang & Ma 2019: twice the plain error less the mean error of accuracies drawn around
    # those seen. Two bins of 50, gaps of .10 and .02, by the mean of a folded normal:
    # E|N(g, s)| = s sqrt(2/pi) exp(-g2/2s2) + g (1 - 2 Phi(-g/s)).
    from scipy.stats import norm

    confidence = np.repeat([0.6, 0.9], 50)
    correct = np.concatenate([np.arange(50) < 35, np.arange(50) < 44])
    gaps, spread = np.array([0.1, -0.02]), np.sqrt([0.7 * 0.3 / 50, 0.88 * 0.12 / 50])
    folded = spread * np.sqrt(2 / np.pi) * np.exp(-(gaps**2) / (2 * spread**2)) + np.abs(gaps) * (
        1 - 2 * norm.cdf(-np.abs(gaps) / spread)
    )
    expected = 2 * np.abs(gaps).mean() - folded.mean()
    measured = measure(confidence, correct, bins=2)
    # 200 draws of a mean whose deviation is about .03.
    assert measured.error == pytest.approx(max(expected, 0.04), abs=0.007)


@pytest.mark.parametrize("lowest", [0.35, 0.9])
def test_few_samples_of_a_calibrated_model_raise_no_alarm(lowest):
    alarms = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        confidence = rng.uniform(lowest, 1, 30)
        alarms += measure(confidence, rng.uniform(size=30) < confidence, seed=seed).low > 0.10
    # The interval is wrong in 1 of 40 cases; more than 4 of 30 has a probability below 0.001.
    assert alarms <= 4


def test_a_shift_is_found():
    measured = measure(*calibrated(4000, 3, shift=0.2))
    assert measured.error == pytest.approx(0.2, abs=0.02)  # three deviations of 4000 samples
    assert measured.low > 0.1


@pytest.mark.parametrize("bins", [1, 2, 5, 15, 100])
def test_bins_never_split_equal_confidences(bins):
    rng = np.random.default_rng(bins)
    ordered = np.sort(rng.choice(np.linspace(0.5, 1, 7), 200))
    borders = _equal_mass(ordered, bins)
    assert borders[0] == 0
    assert borders[-1] == 200
    assert (np.diff(borders) > 0).all()
    for border in borders[1:-1]:
        assert ordered[border - 1] < ordered[border]


def test_distinct_confidences_fill_bins_equally():
    assert np.diff(_equal_mass(np.linspace(0, 1, 100), 10)).tolist() == [10] * 10


@pytest.mark.parametrize(("hits", "n"), [(0, 20), (7, 20), (20, 20), (590, 600)])
def test_the_interval_of_the_mean_gap_is_wilsons_where_all_are_as_sure(hits, n):
    low, high = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    found = bound_gap(np.full(n, 0.8), (np.arange(n) < hits).astype(float), 0.05)
    assert found == pytest.approx((0.8 - high, 0.8 - low), abs=1e-9)


def test_one_sample():
    measured = measure([0.75], [True])
    assert measured.bins.error == pytest.approx(0.25)
    assert (measured.low, measured.error) == pytest.approx((0, 0.25))


def test_the_same_seed_gives_the_same_numbers():
    first, second = (measure(*calibrated(300, 1), seed=4) for _ in range(2))
    assert (first.error, first.low, first.high) == (second.error, second.low, second.high)
