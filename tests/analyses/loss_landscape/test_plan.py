"""What is measured in the time there is: nothing is begun that cannot be ended."""

import time
from dataclasses import astuple

import numpy as np
import pytest

from reportgen.analyses.loss_landscape.plan import make_plan


def plan(seconds, cell, gradient, *, path=False, spent=0.0):
    now = time.monotonic()
    made = make_plan(now - spent, seconds, cell=cell, gradient=gradient, checked=5, path=path)
    return made, [moment - now for moment in astuple(made.until)]


@pytest.mark.parametrize("path", [True, False])
@pytest.mark.parametrize(("cell", "gradient"), [(0.0, 0.0), (0.01, 0.04), (0.1, 0.4)])
def test_where_passes_are_fast_everything_is_measured(path, cell, gradient):
    made, until = plan(150.0, cell, gradient, path=path)
    assert made.curvature
    assert made.line_points == 31
    assert until == sorted(until)
    assert until[-1] <= 150.0
    # Enough products for both ends and the sum, each about two and a half gradients.
    assert 42 * 2.5 * gradient <= until[6] - until[2] + 1e-6


@pytest.mark.parametrize("path", [True, False])
def test_where_a_product_takes_too_long_the_planes_have_its_time(path):
    """A network for 224 pixels: 1.5 s a cell, 5 s a gradient."""
    made, until = plan(150.0, 1.5, 5.0, path=path, spent=30.0)
    assert not made.curvature
    assert made.needed > 150.0
    # 42 products of 12.5 s in the share of the time that they have.
    assert 42 * 12.5 < made.needed < 42 * 12.5 / 0.4 + 150
    assert until == sorted(until)
    assert until[0] > 0.35 * until[-1]
    # What comes after the last plane still fits: lines, cells measured again, checks.
    assert until[-1] + 1.5 * (made.line_points * (2 if path else 1) + 5) <= 120.0
    assert made.line_points == 7


def test_with_the_time_that_is_said_there_are_eigenvalues():
    made, _ = plan(150.0, 1.5, 5.0)
    again, _ = plan(made.needed + 60, 1.5, 5.0)  # lines have more points when there is more time
    assert again.curvature


@pytest.mark.parametrize("seconds", [1e-3, 1.0])
def test_no_time_at_all(seconds):
    made, until = plan(seconds, 0.5, 2.0)
    assert not made.curvature
    assert made.line_points == 7
    assert np.isfinite(until).all()
