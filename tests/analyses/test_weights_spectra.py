"""Spectra against closed forms, NumPy and samples of known law."""

import numpy as np
import pytest

from reportgen.analyses.weights.spectra import (
    MIN_EIGENVALUES,
    _draw_gaussian,
    count_work,
    draw_null,
    fit_exponents,
    marchenko_pastur,
    measure_spectrum,
    resample,
    singular_values,
    stable_rank,
)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def measure(matrix, rng, draws=100):
    return measure_spectrum("a", "a", matrix, draw_null(*matrix.shape, draws, rng), 100, rng)


@pytest.mark.parametrize("shape", [(5, 40), (40, 5), (30, 30), (16, 9)])
def test_singular_values_agree_with_numpy(shape, rng):
    matrix = rng.normal(size=shape)
    expected = np.linalg.svd(matrix, compute_uv=False)
    # The Gram matrix squares: the smallest value of a square matrix keeps eight digits.
    np.testing.assert_allclose(singular_values(matrix), expected, atol=1e-8 * expected[0])
    assert singular_values(matrix)[0] == pytest.approx(np.linalg.norm(matrix, 2), rel=1e-12)
    frobenius = np.linalg.norm(matrix) ** 2
    assert stable_rank(expected) == pytest.approx(frobenius / expected[0] ** 2)


def test_an_orthogonal_matrix_has_its_full_stable_rank(rng):
    matrix, _ = np.linalg.qr(rng.normal(size=(64, 64)))
    found = measure(matrix, rng)
    assert found.stable_rank == pytest.approx(64, rel=1e-10)
    np.testing.assert_allclose(found.values, 1, rtol=1e-10)
    assert found.above == 0


def test_rank_one_has_the_stable_rank_one(rng):
    found = measure(np.outer(rng.normal(size=60), rng.normal(size=80)), rng)
    assert found.stable_rank == pytest.approx(1, rel=1e-10)
    assert found.above == 1
    assert found.unlikeness > 0.9
    assert found.exponent is None  # one eigenvalue is left, the others are rounding


@pytest.mark.parametrize("shape", [(300, 300), (200, 800)])
def test_gaussian_matrices_end_at_the_edges_of_marchenko_and_pastur(shape, rng):
    low, high = marchenko_pastur(*shape, 0.1)
    found = singular_values(rng.normal(0, 0.1, shape))
    # Fluctuations at the edge are of order n^(-2/3), 2 % here.
    assert found[0] == pytest.approx(high, rel=0.03)
    assert found[-1] == pytest.approx(low, abs=0.03 * high)
    null = draw_null(*shape, 40, rng)
    size = 0.1 * np.sqrt(shape[0] * shape[1])
    assert size * null.low[0] < high * 1.02
    assert size * null.high[0] == pytest.approx(high, rel=0.03)


def test_what_is_above_random_is_so_by_chance_in_one_of_so_many_kernels(rng):
    """Of 300 random kernels 300 / 101 are expected above all of 100 draws."""
    null = draw_null(12, 40, 100, rng)
    above = 0
    for _ in range(300):
        values = singular_values(rng.normal(size=(12, 40)))
        above += bool(values[0] > np.sqrt((values**2).sum()) * null.most)
    assert above <= 14  # one set of draws may lie low: 5 % of them has more than 3 % above


def test_the_bidiagonal_draw_has_the_law_of_gaussian_matrices(rng):
    """Mean and spread of each singular value, 3000 draws each way."""
    drawn = np.stack([_draw_gaussian(6, 15, rng) for _ in range(3000)])
    plain = np.linalg.svd(rng.normal(size=(3000, 6, 15)), compute_uv=False)
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    error = plain.std(axis=0) / np.sqrt(3000)
    assert (np.abs(drawn.mean(axis=0) - plain.mean(axis=0)) < 5 * error).all()
    np.testing.assert_allclose(drawn.std(axis=0), plain.std(axis=0), rtol=0.1)
    np.testing.assert_allclose((drawn**2).sum(axis=1), 1, rtol=1e-10)


def test_a_random_kernel_is_like_random(rng):
    """By construction 2.5 % of random kernels exceed the largest value; 40 are looked at."""
    null = draw_null(64, 100, 200, rng)
    found = [
        measure_spectrum("a", "a", rng.normal(0, 0.3, (64, 100)), null, 50, rng) for _ in range(40)
    ]
    assert sum(spectrum.above > 0 for spectrum in found) <= 5
    inside = [null.stable_rank[0] <= s.stable_rank <= null.stable_rank[1] for s in found]
    assert sum(inside) >= 33
    assert all(spectrum.like_random for spectrum in found)


def test_a_planted_direction_stands_above_the_null(rng):
    noise = rng.normal(size=(64, 100))
    spike = 40 * np.outer(np.eye(64)[0], np.eye(100)[0])
    found = measure(noise + spike, rng)
    assert found.above == 1
    assert found.values[0] / found.size > 1.3 * found.null.high[0]


@pytest.mark.parametrize("exponent", [2.0, 3.0, 4.5])
def test_the_exponent_of_pareto_samples(exponent, rng):
    """Density x^-a above 1 (Clauset et al. 2009); deviation of the estimate (a - 1) / sqrt(n)."""
    samples = np.sort(1 + rng.pareto(exponent - 1, (50, 2000)), axis=1)
    found, tails = fit_exponents(samples)
    assert np.median(found) == pytest.approx(exponent, rel=0.03)
    assert np.median(tails) > 1000


def test_the_exponent_by_hand():
    """Ten equal ratios of e above the start: 1 + n / sum(log(x / x_min)) = 1 + 10 / 45."""
    found, tails = fit_exponents(np.exp(np.arange(10.0))[None])
    assert tails[0] == 10
    assert found[0] == pytest.approx(1 + 10 / 45)


def test_the_exponent_has_an_interval_that_holds_the_truth(rng):
    """A kernel whose eigenvalues are Pareto of exponent 3."""
    values = np.sqrt(1 + rng.pareto(2.0, 400))
    left, _ = np.linalg.qr(rng.normal(size=(400, 400)))
    found = measure(left * values, rng, draws=20)
    low, high = found.exponent_interval
    assert low < 3 < high
    assert high - low < 2
    assert found.like_random is False or found.null.exponent[0] <= high


def test_the_interval_holds_the_truth_as_often_as_it_says(rng):
    """95 % of intervals, 40 times: fewer than 33 has a chance below 1 in 1000. And always holds
    the estimate itself, which a bootstrap with ties does not."""
    holds, contains = 0, 0
    for _ in range(40):
        samples = np.sort(1 + rng.pareto(2.0, 200))
        estimate = fit_exponents(samples[None])[0][0]
        low, high = np.quantile(fit_exponents(resample(samples, 100, rng))[0], (0.025, 0.975))
        holds += low <= 3 <= high
        contains += low <= estimate <= high
    assert holds >= 33
    assert contains >= 39


def test_resamples_stay_in_range_and_have_no_ties(rng):
    drawn = resample(np.array([1.0, 2.0, 8.0]), 500, rng)
    assert drawn.shape == (500, 3)
    assert ((drawn >= 1) & (drawn <= 8)).all()
    assert (np.diff(drawn, axis=1) > 0).all()


def test_small_kernels_have_no_exponent(rng):
    """WeightWatcher's trap: untrained 27 x 32 matrices fall into its good band."""
    found = measure(rng.normal(size=(32, 27)), rng)
    assert found.exponent is None
    assert found.null.exponent is None
    assert found.like_random is None
    assert MIN_EIGENVALUES == 50


def test_equal_eigenvalues_have_no_exponent():
    found, tails = fit_exponents(np.ones((1, 60)))
    assert np.isnan(found[0])
    assert tails[0] == 0


def test_the_same_seed_gives_the_same_spectrum(rng):
    matrix = rng.normal(size=(60, 90))
    first, second = (measure(matrix, np.random.default_rng(5)) for _ in range(2))
    assert first.exponent_interval == second.exponent_interval
    np.testing.assert_array_equal(first.null.high, second.null.high)


def test_work_does_not_depend_on_the_orientation():
    assert count_work(10, 500) == count_work(500, 10)


def test_the_budget_leaves_out_the_largest(trained, subject_of, pictures, analyse):
    subject = subject_of(trained, *pictures, preprocessing="unit")
    survey = analyse("weights", subject).result.survey
    assert [s.label for s in survey.spectra] == ["c1", "c2", "d1", "out"]
    assert survey.left_out == ()
    assert survey.shown[0][0] == 0
    found = analyse("weights", subject, spectra_work=1e-5)
    assert "c2" in found.result.survey.left_out
    table = next(b for b in found.body.blocks if b.id == "weights-spectra")
    assert "spectra_work" in table.caption
    none = analyse("weights", subject, spectra_work=0)
    assert none.result.survey.spectra == ()
    assert not [b for b in none.body.blocks if b.id.startswith("weights-spectra")]


def test_the_curves_are_multiples_of_random_ones(trained, subject_of, pictures, analyse):
    found = analyse("weights", subject_of(trained, *pictures, preprocessing="unit"))
    lines = next(b for b in found.body.blocks if b.id == "weights-spectra-curves")
    assert lines.series[0].style == "reference"
    for series in lines.series[1:]:
        assert all(a <= y <= b for a, y, b in zip(series.low, series.y, series.high, strict=True))
