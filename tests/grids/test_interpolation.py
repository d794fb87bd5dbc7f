"""Two interpolants, and the choice of cells where they disagree."""

import numpy as np
import pytest

from reportgen.landscape.interpolation import fill, pick_doubtful


def places(count: int = 9) -> np.ndarray:
    line = np.linspace(-1, 1, count)
    return np.stack(np.meshgrid(line, 10 * line), axis=-1).reshape(-1, 2)


def test_known_places_keep_their_values(rng):
    where, values = places(), rng.normal(size=81)
    known = rng.random(81) < 0.4
    known[[0, 8, 72, 80]] = True
    filled = fill(where, known, np.where(known, values, np.nan))
    np.testing.assert_array_equal(filled.values[known], values[known])
    assert (filled.doubt[known] == 0).all()
    assert (filled.doubt[~known] > 0).all()
    assert np.isfinite(filled.values).all()


def test_a_plane_is_filled_exactly():
    where = places()
    values = 3 + 2 * where[:, 0] - 0.5 * where[:, 1]
    known = np.arange(81) % 2 == 0
    np.testing.assert_allclose(fill(where, known, values).values, values, atol=1e-8)


def test_about_a_constant_there_is_no_doubt():
    filled = fill(places(), np.arange(81) % 2 == 0, np.full(81, 2.5))
    np.testing.assert_allclose(filled.values, 2.5, atol=1e-9)
    np.testing.assert_allclose(filled.doubt, 0, atol=1e-9)


def test_beyond_the_known_the_doubt_is_greatest():
    where = places()
    inside = np.abs(where[:, 0]) < 0.6
    known = inside & (np.arange(81) % 3 > 0)
    doubt = fill(where, known, where[:, 0] ** 2).doubt
    assert doubt[np.abs(where[:, 0]) > 0.9].min() > doubt[inside].max()


def test_doubt_follows_the_error():
    where = places(25)
    values = np.exp(2 * where[:, 0] ** 2 + (where[:, 1] / 10) ** 2)
    columns = np.arange(625) % 25
    rows = np.arange(625) // 25
    known = (columns % 4 == 0) & (rows % 4 == 0)
    filled = fill(where, known, values)
    error = np.abs(filled.values - values)
    assert (
        np.corrcoef(np.log(error[~known] + 1e-6), np.log(filled.doubt[~known] + 1e-6))[0, 1] > 0.3
    )
    assert np.median(filled.doubt[~known]) > np.median(error[~known]) / 3


@pytest.mark.parametrize("count", [1, 3, 5])
def test_the_most_doubtful_places_apart_from_each_other(count):
    where = np.stack([np.arange(10.0), np.zeros(10)], axis=1)
    doubt = np.array([1, 9, 8.9, 1, 1, 5, 1, 1, 1, 7.0])
    chosen = pick_doubtful(where, doubt, count, apart=1.5)
    assert chosen[:1] == [1]
    assert len(chosen) == len(set(chosen)) == count
    if count >= 3:
        assert chosen[:3] == [1, 9, 5]  # not 2, which lies beside 1


def test_where_there_is_no_doubt_nothing_is_chosen():
    where = places(3)
    assert pick_doubtful(where, np.zeros(9), 4, 1.0) == []
    doubt = np.where(np.arange(9) == 4, 1.0, 0.0)
    assert pick_doubtful(where, doubt, 4, 1.0) == [4]
