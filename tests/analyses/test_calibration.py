"""Calibration error: cases whose answer is known in closed form."""

import numpy as np
import pytest

from reportgen.analyses.predictions.calibration import _equal_mass, measure_calibration


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
    np.testing.assert_allclose(measured.confidence, [0.6, 2.8 / 3])
    np.testing.assert_allclose(measured.accuracy, [1 / 3, 2 / 3])
    assert measured.count.tolist() == [3, 3]
    assert measured.raw_error == pytest.approx((0.6 - 1 / 3 + 2.8 / 3 - 2 / 3) / 2)


@pytest.mark.parametrize("seed", range(5))
def test_a_calibrated_model_has_no_error_once_debiased(seed):
    measured = measure(*calibrated(1500, seed))
    # 100 samples a bin: each accuracy is off by 0.8 * sqrt(0.16 / 100) = 0.03 on average.
    assert measured.raw_error > 0.012
    assert measured.error < measured.raw_error
    # What is left is the spread of the estimate: about 0.03 / sqrt(15) = 0.008, three times.
    assert measured.error < 0.025
    assert measured.low == 0


def test_the_correction_is_right_on_average():
    measured = [measure(*calibrated(600, seed)) for seed in range(40)]
    assert np.mean([m.error for m in measured]) < 0.6 * np.mean([m.raw_error for m in measured])


@pytest.mark.parametrize(("confidence", "share"), [(0.9, 0.6), (0.7, 0.95), (0.8, 0.8)])
def test_a_constant_confidence_misses_by_its_distance_from_the_accuracy(confidence, share):
    correct = np.arange(1000) < 1000 * share
    measured = measure(np.full(1000, confidence), correct)
    assert measured.count.tolist() == [1000]  # one bin: all are tied
    assert measured.raw_error == pytest.approx(abs(confidence - share))
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


def test_one_sample():
    measured = measure([0.75], [True])
    assert measured.raw_error == pytest.approx(0.25)
    assert (measured.low, measured.high) == pytest.approx((0, 0.25))


def test_the_same_seed_gives_the_same_numbers():
    first, second = (measure(*calibrated(300, 1), seed=4) for _ in range(2))
    assert (first.error, first.low, first.high) == (second.error, second.low, second.high)
