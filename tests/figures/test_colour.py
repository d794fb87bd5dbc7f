import numpy as np
import pytest

from reportgen.figures import colour
from reportgen.report.blocks import ColourScale


@pytest.mark.parametrize("name", ["magma", "viridis", "signed"])
def test_a_table_has_256_rows_of_bytes(name: colour.Map) -> None:
    assert colour.table(name).shape == (256, 3)
    assert colour.table(name).dtype == np.uint8


def test_low_and_high_are_the_ends_of_the_map() -> None:
    # The first and last colours of viridis, as matplotlib publishes them.
    painted = colour.paint(np.array([-1.0, 3.0]), ColourScale(low=-1, high=3, map="viridis"))
    assert painted.tolist() == [[68, 1, 84], [253, 231, 37]]


def test_signed_is_centred_on_zero_whatever_the_limits() -> None:
    scale = ColourScale(low=-0.1, high=2, map="signed")
    assert colour.limits(scale) == (-2, 2)
    assert colour.indices(np.zeros(1), scale)[0] == colour.ZERO
    left, right = colour.indices(np.array([-1.5, 1.5]), scale).astype(int)
    assert colour.ZERO - left == right - colour.ZERO


def test_zero_of_the_signed_map_is_nearly_white_and_its_ends_are_red_and_blue() -> None:
    low, zero, high = colour.paint(
        np.array([-1.0, 0.0, 1.0]), ColourScale(low=-1, high=1, map="signed")
    ).astype(int)
    assert zero.min() > 240
    assert low[2] > low[0]
    assert high[0] > high[2]


def test_values_beyond_the_limits_are_clipped_and_nan_is_grey() -> None:
    scale = ColourScale(low=0, high=1)
    values = np.array([-5.0, 9.0, np.nan, np.inf, -np.inf])
    assert colour.indices(values, scale).tolist() == [0, 252, colour.MISSING, 252, 0]
    grey = colour.paint(np.array([np.nan]), scale)[0]
    assert len(set(grey.tolist())) == 1


def test_a_scale_without_extent_still_paints() -> None:
    assert colour.indices(np.full(3, 2.0), ColourScale(low=2, high=2)).tolist() == [0, 0, 0]
    assert colour.indices(np.zeros(1), ColourScale(low=0, high=0, map="signed"))[0] == colour.ZERO


def test_ink_contrasts_with_its_ground() -> None:
    assert colour.ink_on(np.array([255, 255, 255], np.uint8)) == "#000000"
    assert colour.ink_on(np.array([30, 0, 60], np.uint8)) == "#ffffff"
