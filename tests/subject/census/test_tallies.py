"""Running sums against NumPy and SciPy on all values at once, whatever the batches."""

import numpy as np
import pytest
import scipy.stats

from reportgen.subject.census.tallies import Associations, Extremes, Moments, Similarities
from reportgen.subject.census.units import (
    Targets,
    UnitTally,
    fisher_deviation,
    make_targets,
    r_bounds,
)

SPLITS = [[60], [1] * 60, [7, 50, 3], [0, 59, 1]]


def batches(values, sizes):
    ends = np.cumsum(sizes)
    return np.split(values, ends[:-1])


@pytest.mark.parametrize("sizes", SPLITS)
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_correlations_are_those_of_numpy(sizes, offset):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 4)) + offset
    values[:, 3] = values[:, 0] * -2 + 0.1 * values[:, 1]
    columns = rng.integers(0, 2, (60, 3)).astype(float)
    pairs, classes = Similarities(4), Associations(3, 4)
    for x, y in zip(batches(values, sizes), batches(columns, sizes), strict=True):
        pairs.add(x)
        classes.add(x, y)
    expected = np.corrcoef(values.T)
    np.fill_diagonal(expected, 0)
    # Sums are shifted by the first batch; without that the offset alone would cost all digits.
    np.testing.assert_allclose(pairs.correlations(), expected, atol=1e-8)
    whole = np.corrcoef(columns.T, values.T)[:3, 3:]
    np.testing.assert_allclose(classes.correlations(), whole, atol=1e-8)


def test_a_channel_that_never_changes_correlates_with_nothing():
    values = np.random.default_rng(0).normal(size=(30, 3))
    values[:, 1] = 0.3  # has no exact binary form, so its sums carry rounding
    columns = np.eye(2)[np.arange(30) % 2]
    pairs, classes = Similarities(3), Associations(2, 3)
    pairs.add(values)
    classes.add(values, columns)
    assert not pairs.correlations()[1].any()
    assert not pairs.correlations()[:, 1].any()
    assert not classes.correlations()[:, 1].any()


@pytest.mark.parametrize("sizes", SPLITS)
def test_extremes_in_order_and_equal_values_by_sample(sizes):
    rng = np.random.default_rng(1)
    values = rng.integers(0, 9, (60, 5)).astype(float)  # many equal ones
    most, least = Extremes(4, 5, 1.0), Extremes(4, 5, -1.0)
    start = 0
    for part in batches(values, sizes):
        rows = np.arange(start, start + len(part))
        start += len(part)
        most.add(part, rows)
        least.add(part, rows)
    expected = np.argsort(-values, axis=0, kind="stable")[:4].T
    np.testing.assert_array_equal(most.rows, expected)
    np.testing.assert_array_equal(least.rows, np.argsort(values, axis=0, kind="stable")[:4].T)
    np.testing.assert_array_equal(most.values, np.take_along_axis(values.T, expected, axis=1))


def test_extremes_of_fewer_samples_than_are_kept():
    most = Extremes(4, 1, 1.0)
    most.add(np.array([[2.0], [5.0]]), np.array([10, 11]))
    assert most.rows.tolist() == [[11, 10, -1, -1]]


def test_a_deviation_is_never_more_than_the_range_allows():
    """Large sums differ by more than the values do: 4096.1 in float32, a thousand times."""
    value = np.float32(4096.1)
    seen = {
        "samples": 1000,
        "count": 1000,
        "sum": np.array([1000 * value]),
        "low": np.array([value]),
        "high": np.array([value]),
        "norm": np.sqrt(np.array([1000.2]) * value**2),
    }
    moments = Moments()
    moments.add(seen)
    assert moments.spread.tolist() == [0.0]


def test_bounds_of_gaussian_numbers_are_those_of_scipy():
    x, y = np.random.default_rng(2).normal(size=(2, 80))
    found = scipy.stats.pearsonr(x, x + y)
    wanted = found.confidence_interval(0.95)
    low, high = r_bounds(np.array([found.statistic]), fisher_deviation(80))
    np.testing.assert_allclose([low[0], high[0]], [wanted.low, wanted.high], atol=1e-12)


@pytest.mark.parametrize("n", [60, 600])
def test_an_interval_of_the_best_of_many_holds(n):
    """Sixty-four units that all correlate by .3: the largest lies above, its own interval too."""
    rng, true, held, alone = np.random.default_rng(3), 0.3, 0, 0
    for _ in range(200):
        x = rng.normal(size=n)
        units = true * x[:, None] + np.sqrt(1 - true**2) * rng.normal(size=(n, 64))
        r = np.corrcoef(x, units.T)[0, 1:].max(keepdims=True)
        low, high = r_bounds(r, fisher_deviation(n), 64)
        held += low[0] <= true <= high[0]
        low, high = r_bounds(r, fisher_deviation(n))
        alone += low[0] <= true <= high[0]
    # At least 95 %; 181 of 200 or fewer has a probability of .005.
    assert held > 181
    assert alone < 100  # what it was


def test_the_deviation_of_r_is_that_of_its_influences():
    """The same from the samples one by one, in unequal batches, far from zero."""
    rng = np.random.default_rng(5)
    x = np.maximum(rng.normal(size=(90, 3)) - 1, 0) + 1000
    y = (rng.integers(0, 3, 90)[:, None] == np.arange(3)).astype(float)
    sums = Associations(3, 3, sure=2)
    for rows in (slice(0, 7), slice(7, 50), slice(50, 90)):
        sums.add(x[rows], y[rows])
    for k in range(2):
        for c in range(3):
            zx, zy = scipy.stats.zscore(x[:, c]), scipy.stats.zscore(y[:, k])
            r = np.corrcoef(zx, zy)[0, 1]
            psi = zx * zy - r * (zx**2 + zy**2) / 2
            wanted = np.sqrt((psi**2).mean() / 90) / (1 - r**2)
            # Rounding: fourth powers near 1000 are not formed, as values are shifted first.
            assert sums.deviations()[k, c] == pytest.approx(wanted, rel=1e-9)


def test_an_interval_of_a_mostly_silent_unit_is_wider_than_fishers():
    """Ten thousand draws of 400 samples say how much its atanh r varies."""
    rng = np.random.default_rng(6)
    labels = np.arange(400) % 4
    drawn = np.maximum(rng.normal(size=(400, 10_000)) + (labels == 0)[:, None] - 1.5, 0)
    first = (labels == 0).astype(float)
    r = (scipy.stats.zscore(drawn).T @ scipy.stats.zscore(first)) / 400
    true = np.arctanh(r).std()
    sums = Associations(1, 10_000, sure=1)
    sums.add(drawn, first[:, None])
    measured = sums.deviations()[0].mean()
    assert measured == pytest.approx(true, rel=0.05)
    assert measured > 1.05 * fisher_deviation(400)


def tally(responses, labels, seed=0):
    targets = make_targets(labels, np.random.default_rng(seed))
    layer = UnitTally("head", responses.shape[1], targets)
    for rows in np.array_split(np.arange(len(responses)), 5):
        columns = None if targets is None else targets.columns(rows)
        layer.add(responses[rows], responses[rows], rows, columns)
    return layer.finish()


def test_a_detector_is_found_with_its_class_and_noise_is_not():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 400)
    responses = rng.normal(size=(400, 6))
    responses[:, 2] = labels == 3
    responses[:, 4] += 2 * (labels == 1)
    found = tally(responses, labels).selectivity
    assert found.clear.tolist() == [False, False, True, False, True, False]
    assert found.best[[2, 4]].tolist() == [3, 1]
    assert found.r[2] == pytest.approx(1)
    assert found.r[4] == pytest.approx(np.corrcoef(responses[:, 4], labels == 1)[0, 1])
    assert found.low[4] < found.r[4] < found.high[4]


def test_with_labels_that_mean_nothing_hardly_a_unit_is_clear():
    """The interval must lie above the 95 % point of shuffled labels, so below 5 % by design."""
    rng = np.random.default_rng(4)
    clear = [
        tally(rng.normal(size=(100, 50)), rng.integers(0, 10, 100), seed).selectivity.clear.mean()
        for seed in range(10)
    ]
    assert np.mean(clear) < 0.01


def test_unknown_labels_are_left_out():
    labels = np.array([0, 1] * 20 + [-1] * 40)
    responses = np.concatenate([labels[:40], np.full(40, 1e9)])[:, None].astype(float)
    found = tally(np.repeat(responses, 2, axis=1), labels).selectivity
    assert found.r.tolist() == pytest.approx([1, 1])
    assert found.best.tolist() == [1, 1]


@pytest.mark.parametrize("labels", [None, np.zeros(9, np.int64), np.linspace(0, 1, 9)])
def test_without_classes_there_is_no_selectivity(labels):
    assert tally(np.random.default_rng(0).normal(size=(9, 2)), labels).selectivity is None


def test_many_classes_make_do_with_fewer_shuffles():
    targets = make_targets(np.arange(1000) % 500, np.random.default_rng(0))
    assert isinstance(targets, Targets)
    assert targets.columns(np.arange(3)).shape == (3, 1000)


def test_the_nearest_other_channel_and_the_silent_samples():
    rng = np.random.default_rng(5)
    values = np.maximum(rng.normal(size=(50, 4)), 0)
    values[:, 3] = 2 * values[:, 1]
    found = tally(values, None)
    assert found.nearest[[1, 3]].tolist() == [3, 1]
    assert found.likeness[[1, 3]] == pytest.approx([1, 1])
    np.testing.assert_array_equal(found.silent, (values <= 0).sum(axis=0))
