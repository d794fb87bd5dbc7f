"""Surveys of a plane on surfaces that are known, without a network."""

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from reportgen.landscape.evaluator import Group
from reportgen.landscape.grid import (
    CENSORED,
    INTERPOLATED,
    MEASURED,
    MISSING,
    NOT_FINITE,
    axis,
    empty,
    join,
    load,
    save,
    split,
)
from reportgen.landscape.measuring import Effort, Surveyor
from reportgen.landscape.uncertainty import PairedBootstrap
from reportgen.progress import listening

AXIS = axis(1.0, 31)
SAMPLES = 20


class Surface:
    """Stands in for an evaluator: the loss of each sample is a function of the step."""

    def __init__(self, function, group: int = 16, right: object = None) -> None:
        self.function, self.group = function, group
        self.model = SimpleNamespace(loss=SimpleNamespace(right=right))
        self.asked: list[tuple[float, float]] = []
        self.after_group = lambda: None
        self.seconds_a_point = 0.0  # not known

    def mean(self, a, b):
        return self.function(np.asarray(a, float), np.asarray(b, float))

    def points(self, point, directions, steps, ceiling=np.inf):
        spread = np.linspace(-0.05, 0.05, SAMPLES)
        for start in range(0, len(steps), self.group):
            part = steps[start : start + self.group]
            self.asked += [tuple(step) for step in part]
            losses = self.mean(part[:, 0], part[:, 1])[:, None] * (1 + spread)
            right = np.broadcast_to((np.arange(SAMPLES) % 4 > 0) * 1.0, losses.shape)
            self.after_group()
            yield Group(start, losses, right, np.ones(len(part)), np.ones(len(part), bool))


def survey(surface: Surface, effort: Effort, x=AXIS, y=AXIS, **options):
    centre = surface.mean(0.0, 0.0) * np.linspace(0.95, 1.05, SAMPLES)
    bootstrap = PairedBootstrap(np.nan_to_num(centre, nan=1.0), np.random.default_rng(0))
    known = options.pop("known", None)
    return Surveyor(surface, (), ((), ()), bootstrap, effort, **options).survey(x, y, known)


SMOOTH = {
    "a bowl": lambda a, b: np.exp(0.2 + 2 * a**2 + b**2),
    "a steep bowl": lambda a, b: np.exp(-1 + 3 * a**2 + 4 * b**2),
    "a turned valley": lambda a, b: np.exp(-2 + 4 * (a + b) ** 2 + 0.3 * (a - b)),
    "a shifted bowl": lambda a, b: np.exp(1.5 * (a - 0.4) ** 2 + 2 * (b + 0.3) ** 2 + a * b),
    "a quadratic": lambda a, b: 0.2 + 3 * a**2 + a * b + b**2,
    "a saddle": lambda a, b: np.exp(a**2 - b**2),
    "a line of valleys": lambda a, b: np.exp(a**2 + 0.4 * np.sin(5 * b)),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_surfaces_take_fewer_than_half_of_the_cells(name):
    surface = Surface(SMOOTH[name])
    effort = Effort(off=0.015)
    grid = survey(surface, effort)
    truth = surface.mean(*np.meshgrid(AXIS, AXIS))
    worst = np.abs(grid.loss / truth - 1).max()
    assert len(surface.asked) == len(set(surface.asked)) == grid.count(MEASURED)
    assert grid.count(MEASURED) < 0.5 * grid.state.size
    assert grid.count(MEASURED) + grid.count(INTERPOLATED) == grid.state.size
    assert worst < 5 * effort.off
    measured = grid.state == MEASURED
    np.testing.assert_allclose(grid.loss[measured], truth[measured], rtol=1e-12)
    assert (grid.error[~measured] > 0).all()
    assert grid.off <= effort.off


def test_every_cell_measured_needs_no_guess():
    surface = Surface(SMOOTH["a steep bowl"])
    grid = survey(surface, Effort(every=1))
    assert grid.count(MEASURED) == 31 * 31
    np.testing.assert_allclose(grid.loss, surface.mean(*np.meshgrid(AXIS, AXIS)), rtol=1e-12)
    assert np.isnan(grid.off)
    # The coordinates that are labelled are those that were measured.
    assert set(surface.asked) == {(a, b) for a in AXIS for b in AXIS}


class Answering(Surface):
    """Also hands out what the loss is a function of: here the loss itself."""

    def points(self, *args):
        for group in super().points(*args):
            yield replace(group, answers=group.losses[..., None].astype(np.float32))

    def losses_of(self, answers):
        assert len(answers), "nothing is to be guessed"
        return answers[..., 0].astype(float)


def test_a_rough_plane_is_refined_until_every_cell_is_measured():
    rng = np.random.default_rng(4)
    rough = dict(zip([(a, b) for a in AXIS for b in AXIS], rng.uniform(0.1, 9, 961), strict=True))
    surface = Answering(np.vectorize(lambda a, b: rough.get((a, b), 1.0)))
    grid = survey(surface, Effort(off=1e-6))
    assert grid.count(MEASURED) == 31 * 31
    np.testing.assert_allclose(grid.loss, [[rough[a, b] for a in AXIS] for b in AXIS])


def test_small_planes_are_measured_whole():
    surface = Surface(SMOOTH["a bowl"])
    assert survey(surface, Effort(), axis(1.0, 11), axis(1.0, 11)).count(MEASURED) == 121


def test_grid_axes_swapped_for_non_square_grids():
    x, y = axis((-1.0, 2.0), 31), axis(0.5, 11)
    surface = Surface(lambda a, b: np.exp(a + 10 * b**2))
    for effort in (Effort(every=1), Effort(off=0.01)):
        grid = survey(surface, effort, x, y)
        assert grid.loss.shape == (11, 31)
        known = np.exp(x[None] + 10 * y[:, None] ** 2)
        np.testing.assert_allclose(grid.loss, known, rtol=0.05 if effort.every > 1 else 1e-12)
        assert (grid.x.tolist(), grid.y.tolist()) == (x.tolist(), y.tolist())


def broken(a, b):
    """Not a number beyond a slanted line, infinite in a corner."""
    values = np.where(a + 0.3 * b > 0.35, np.nan, np.exp(2 * a**2 + b**2))
    return np.where((a < -0.8) & (b < -0.7), np.inf, values)


ISLANDS = {
    "half of the plane": broken,
    "a ring": lambda a, b: np.where(np.abs(np.hypot(a, b) - 0.6) < 0.08, np.nan, 1 + a**2 + b**2),
    "an island": lambda a, b: np.where(np.hypot(a - 0.5, b) < 0.2, np.inf, np.exp(a + b)),
    "all but a line": lambda a, b: np.where(np.abs(b) > 1e-9, np.nan, 1 + a**2),
    "all but a strip": lambda a, b: np.where(np.abs(b) > 0.1, np.nan, 1 + a**2 + b),
    "everything": lambda a, b: np.full(np.broadcast_shapes(np.shape(a), np.shape(b)), np.nan),
}


@pytest.mark.parametrize("name", ISLANDS)
def test_nan_replaced_by_the_mean_and_infinity_imputed(name):
    surface = Surface(ISLANDS[name])
    grid = survey(surface, Effort())
    truth = surface.mean(*np.meshgrid(AXIS, AXIS))
    finite = np.isfinite(truth)
    assert (grid.state[~finite] == NOT_FINITE).all()
    assert np.isnan(grid.loss[~finite]).all()
    assert np.isnan(grid.error[~finite]).all()
    assert grid.count(NOT_FINITE) == (~finite).sum()
    assert np.isfinite(grid.loss[finite]).all()
    assert not (grid.state[finite] == NOT_FINITE).any()
    # Nothing is interpolated across the border: its neighbours were measured.
    rows, columns = np.nonzero(~finite)
    for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0), (0, 2), (2, 0), (1, 1)):
        near = np.clip(rows + down, 0, 30), np.clip(columns + right, 0, 30)
        assert (grid.state[near] != INTERPOLATED).all()
    assert grid.count(MISSING) == 0


def test_one_sample_that_is_not_finite_breaks_a_cell():
    surface = Surface(SMOOTH["a bowl"])
    plain = surface.points

    def points(*given):
        for group in plain(*given):
            here = np.array([abs(a) < 1e-9 for a, _ in surface.asked[-len(group.whole) :]])
            group.losses[here, 3] = np.inf
            yield group

    surface.points = points
    grid = survey(surface, Effort(every=1))
    assert (grid.state[:, 15] == NOT_FINITE).all()
    assert grid.count(NOT_FINITE) == 31


def test_losses_that_reach_zero_or_below():
    surface = Surface(lambda a, b: 2 * a**2 + b - 0.3)
    grid = survey(surface, Effort())
    truth = surface.mean(*np.meshgrid(AXIS, AXIS))
    assert np.abs(grid.loss - truth).max() < 5 * 0.015 * np.ptp(truth)
    assert grid.count(MEASURED) < grid.state.size / 2


def test_accuracies_and_penalties():
    with_answers = survey(Surface(SMOOTH["a bowl"], right=object()), Effort())
    np.testing.assert_allclose(with_answers.accuracy, 0.75, atol=1e-9)
    np.testing.assert_allclose(with_answers.penalty, 1, atol=1e-9)
    assert np.isnan(survey(Surface(SMOOTH["a bowl"]), Effort()).accuracy).all()


def test_the_middle_comes_first():
    surface = Surface(SMOOTH["a bowl"], group=9)
    survey(surface, Effort(every=1, deadline=time.monotonic() - 1))
    assert surface.asked[0] == (0.0, 0.0)
    assert max(np.hypot(*step) for step in surface.asked) < 0.1


@pytest.mark.parametrize("groups", [1, 3, 8, 12, 20])
def test_time_that_runs_out_leaves_a_valid_grid(groups, monkeypatch):
    surface, clock = Surface(SMOOTH["a steep bowl"], group=10), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def tick():
        clock[0] += 1.0

    surface.after_group = tick
    grid = survey(surface, Effort(deadline=groups - 0.5))
    assert len(surface.asked) <= 10 * groups
    truth = surface.mean(*np.meshgrid(AXIS, AXIS))
    measured = grid.state == MEASURED
    assert measured.sum() == len(set(surface.asked))
    np.testing.assert_allclose(grid.loss[measured], truth[measured], rtol=1e-12)
    assert np.isnan(grid.loss[grid.state == MISSING]).all()
    assert np.isfinite(grid.loss[grid.state == INTERPOLATED]).all()
    assert set(np.unique(grid.state)) <= {MEASURED, INTERPOLATED, MISSING}
    if groups == 1:
        assert grid.count(MEASURED) == 10
    if groups == 20:  # after the coarse grid, between rounds: no cell is missing
        assert grid.count(MISSING) == 0
        assert grid.count(INTERPOLATED) > 0


@pytest.mark.parametrize(
    ("seconds", "points"), [(1000.0, 31), (130.0, 31), (60.0, 31), (40.0, 31), (60.0, 11)]
)
def test_a_short_time_gives_a_coarse_plane_and_no_half_of_one(seconds, points, monkeypatch):
    """A second a cell, in groups of one."""
    surface, clock = Surface(SMOOTH["a bowl"], group=1), [0.0]
    surface.seconds_a_point = 1.0
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def tick():
        clock[0] += 1.0

    surface.after_group = tick
    side = axis(1.0, points)
    grid = survey(surface, Effort(deadline=seconds), side, side)
    assert len(surface.asked) <= seconds + 1
    assert grid.count(MISSING) == 0
    truth = surface.mean(*np.meshgrid(side, side))
    # Every sixth row and column of a bowl is enough to see one.
    np.testing.assert_allclose(grid.loss, truth, rtol=0.05)


def test_time_that_runs_out_beside_what_is_not_finite(monkeypatch):
    surface, clock = Surface(broken, group=10), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def tick():
        clock[0] += 1.0

    surface.after_group = tick
    grid = survey(surface, Effort(deadline=11.5))
    assert grid.count(NOT_FINITE) > 0
    truth = surface.mean(*np.meshgrid(AXIS, AXIS))
    guessed = grid.state == INTERPOLATED
    assert guessed.any()
    assert np.isfinite(truth[guessed]).all()
    assert np.isnan(grid.loss[grid.state == MISSING]).all()


def test_a_run_that_goes_on_measures_nothing_again(tmp_path):
    first = Surface(SMOOTH["a turned valley"])
    whole = survey(first, Effort())
    path = tmp_path / "plane.npz"
    kept = []

    def keep(grid):
        kept.append(grid)
        save(grid, path, "print")
        if len(kept) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        survey(Surface(SMOOTH["a turned valley"]), Effort(), keep=keep)
    known = load(path, "print")
    assert known.count(MEASURED) == 5 * 16
    second = Surface(SMOOTH["a turned valley"])
    again = survey(second, Effort(), known=known)
    steps = known.steps[known.settled.ravel()]
    assert not set(second.asked) & {tuple(step) for step in steps}
    np.testing.assert_array_equal(again.loss, whole.loss)
    np.testing.assert_array_equal(again.state, whole.state)
    third = Surface(SMOOTH["a turned valley"])
    finished = survey(third, Effort(most=0.01), known=again)
    assert third.asked == []
    np.testing.assert_array_equal(finished.state, again.state)
    full = Surface(SMOOTH["a turned valley"])
    survey(full, Effort(every=1), known=again)  # what was interpolated is measured now
    assert len(full.asked) == again.count(INTERPOLATED)


def test_parts_measured_apart_are_the_whole():
    effort = Effort(every=1)
    surface = Surface(broken)
    whole = survey(surface, effort)
    blank, parts = empty(AXIS, AXIS), []
    bootstrap = PairedBootstrap(
        surface.mean(0.0, 0.0) * np.linspace(0.95, 1.05, SAMPLES), np.random.default_rng(0)
    )
    for mask in split(blank, 3):
        parts.append(
            Surveyor(Surface(broken), (), ((), ()), bootstrap, effort).measure(blank, mask)
        )
        assert parts[-1].settled.sum() == mask.sum()
    joined = join(parts)
    for name in ("loss", "error", "penalty", "state"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))


def test_progress_is_told():
    told = []
    with listening(lambda *given: told.append(given)):
        survey(Surface(SMOOTH["a bowl"]), Effort(every=1), axis(1.0, 5), axis(1.0, 5), label="here")
    assert told == [(16, 25, "here"), (25, 25, "here")]


def test_beyond_the_scale_no_cell_is_refined():
    steep = Surface(SMOOTH["a steep bowl"])
    bounded = Surface(SMOOTH["a steep bowl"])
    survey(steep, Effort(off=0.001))
    survey(bounded, Effort(off=0.001, ceiling=2.0))
    beyond = [sum(s.mean(a, b) > 6 for a, b in s.asked) for s in (steep, bounded)]
    assert beyond[1] < beyond[0]
    assert CENSORED not in np.unique(survey(bounded, Effort(ceiling=2.0)).state)  # all were whole
