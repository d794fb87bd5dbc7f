"""How the loss bends at the model: gradient, eigenvalues, their sum and spread, sharpness."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from reportgen.analyses.loss_landscape.plan import Plan
from reportgen.analyses.loss_landscape.planes import Drawn, line, plane_through
from reportgen.analyses.loss_landscape.results import Bends
from reportgen.analyses.loss_landscape.setting import Setting
from reportgen.landscape.curvature import Hessian
from reportgen.landscape.directions import scaled
from reportgen.landscape.grid import FloatArray, axis
from reportgen.landscape.limits import NoProductError
from reportgen.landscape.parameters import norm
from reportgen.landscape.sharpness import Rise, average_rise, worst_rise
from reportgen.landscape.source import Source
from reportgen.landscape.spectrum import (
    Density,
    Extremes,
    Trace,
    estimate_density,
    estimate_trace,
    find_extremes,
)

_PART = 0.05  # of the loss, and of the weights' length


def measure_bends(
    setting: Setting,
    hessian: Hessian,
    rng: np.random.Generator,
    plan: Plan,
    source: Source | None,
) -> tuple[Bends, Drawn | None]:
    """The eigenvalues, the plane of the outermost ones, their sum and spread, and sharpness.

    source: how products are made; None where there is no time for any.
    """
    until = plan.until
    extremes, drawn = Extremes((), (), False, 0), None
    trace, density, falls = None, None, None
    if plan.curvature and source is not None:
        try:
            extremes, drawn, falls, trace, density = _measure_spectrum(setting, hessian, rng, plan)
        except NoProductError as error:
            source = replace(source, kind="none", why=str(error))
    places, shares = _smooth(density)
    worst: tuple[Rise, ...] = ()
    average: tuple[Rise, ...] = ()
    if time.monotonic() < until.sharpness:
        worst, average = _sharpness(setting, hessian, extremes, rng, until.sharpness)
    bends = Bends(
        top=tuple((pair.value, pair.residual) for pair in extremes.top),
        bottom=tuple((pair.value, pair.residual) for pair in extremes.bottom),
        complete=extremes.complete,
        products=hessian.products,
        size=hessian.size,
        places=places,
        density=shares,
        density_trace=density.trace if density else None,
        trace=trace,
        worst=worst,
        average=average,
        needed=plan.needed,
        bends_down=falls,
        source=source,
        nodes=density.nodes if density else None,
        node_weights=density.weights if density else None,
    )
    return bends, drawn


def _measure_spectrum(
    setting: Setting, hessian: Hessian, rng: np.random.Generator, plan: Plan
) -> tuple[Extremes, Drawn | None, bool | None, Trace | None, Density | None]:
    """The outermost eigenvalues and their plane, whether the loss bends down, sum and spread.

    Raises:
        NoProductError: a product with the Hessian is not finite.
    """
    options, until = setting.options, plan.until
    hessian.deadline = until.extremes
    hessian.expected = 2 * options.products
    extremes = find_extremes(
        hessian,
        rng,
        count=options.eigenvalues,
        tolerance=1e-2,
        most_products=options.products,
        halfway=until.top,
    )
    falls = _bends_down(setting, extremes)
    drawn = _hessian_plane(setting, extremes, until.steep)
    hessian.deadline = until.density
    hessian.expected = hessian.products + options.trace_draws
    known = [pair.vector for pair in (*extremes.top, *extremes.bottom)]
    trace = estimate_trace(hessian, rng, options.trace_draws, known)
    hessian.expected = hessian.products + options.density_starts * options.density_steps
    density = estimate_density(
        hessian, rng, starts=options.density_starts, steps=options.density_steps
    )
    return extremes, drawn, falls, trace, density


def _hessian_plane(setting: Setting, extremes: Extremes, deadline: float) -> Drawn | None:
    """The plane of the top and the bottom eigenvector, as far as the filters' lengths reach."""
    if not extremes.top or not extremes.bottom:
        return None
    unpack = setting.parameters.unpack
    top, bottom = extremes.top[0], extremes.bottom[0]
    # As far as the loss should rise to what knowing nothing costs, if it kept bending so.
    goal = setting.model.loss.chance or 10 * setting.loss
    longest = 0.2 * norm(setting.point)
    across = min(np.sqrt(2 * goal / max(top.value, 1e-30)), longest)
    up = min(np.sqrt(2 * goal / max(abs(bottom.value), 1e-30)), 4 * across, longest)
    first, second = scaled(unpack(top.vector), across), scaled(unpack(bottom.vector), up)
    side = axis(1.0, setting.options.hessian_points)
    return plane_through(
        setting, "hessian", (first, second), side, side, deadline, "plane of the Hessian"
    )


def _bends_down(setting: Setting, extremes: Extremes) -> bool | None:
    """Whether the loss itself bends down along the lowest eigenvector; None if that is not asked.

    A Hessian knows one side of each corner of a ReLU or of an absolute error. The loss knows both:
    at two lengths the mean of both sides has to lie below the middle.
    """
    if not extremes.bottom or extremes.bottom[0].value >= 0:
        return None
    pair = extremes.bottom[0]
    # Where the quadratic would have fallen by a twentieth of the loss.
    longest = float(np.sqrt(2 * _PART * max(setting.loss, 0.0) / -pair.value))
    longest = min(longest, _PART * (norm(setting.point) or np.inf))
    if not longest:
        return None
    steps = longest * np.array([-1, -0.5, 0, 0.5, 1])
    losses, _, _ = line(setting, setting.parameters.unpack(pair.vector), steps)
    both = losses[[1, 0]] + losses[[3, 4]] - 2 * losses[2]
    return bool((both < 0).all())


def _smooth(density: Density | None) -> tuple[FloatArray, FloatArray]:
    if density is None:
        return np.zeros(0), np.zeros(0)
    low, high = float(density.nodes.min()), float(density.nodes.max())
    width = max((high - low) / 60, 1e-12)
    places = np.linspace(low - 3 * width, high + 3 * width, 200)
    return places, density.smooth(places, width)


def _sharpness(
    setting: Setting,
    hessian: Hessian,
    extremes: Extremes,
    rng: np.random.Generator,
    deadline: float,
) -> tuple[tuple[Rise, ...], tuple[Rise, ...]]:
    starts = [pair.vector for pair in extremes.top[:1]]
    starts += [hessian.gradient(), rng.standard_normal(hessian.size)]
    balls = ((setting.options.radius, False), (setting.options.adaptive_radius, True))
    known = (*extremes.top, *extremes.bottom)
    evaluator, steps = setting.evaluator, setting.options.ascents
    worst, average = [], []
    for number, (reach, adaptive) in enumerate(balls):
        now = time.monotonic()
        half = now + (deadline - now) / (len(balls) - number)
        average.append(
            average_rise(
                hessian,
                evaluator,
                reach,
                rng,
                adaptive=adaptive,
                known=known,
                deadline=now + (half - now) / 2,
            )
        )
        worst.append(
            worst_rise(
                hessian, evaluator, starts, reach, steps=steps, adaptive=adaptive, deadline=half
            )
        )
    return tuple(worst), tuple(average)
