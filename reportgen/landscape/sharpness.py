"""How much the loss rises close to a point: in the worst direction, and on average.

Sharpness is no verdict on generalisation (Andriushchenko et al. 2023, arXiv 2302.07011).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reportgen.landscape.parameters import Point, shifted

if TYPE_CHECKING:
    from reportgen.landscape.curvature import Hessian, Vector
    from reportgen.landscape.evaluator import Evaluator
    from reportgen.landscape.spectrum import Eigenpair


_PATIENCE = 3  # steps in a row that bring nothing


@dataclass(frozen=True)
class Rise:
    """value: of the mean loss; NaN where it is not finite, or there was no time. radius: of the
    ball. error: standard error over directions (average) or NaN (worst case). tried: steps of
    ascent, or directions."""

    value: float
    radius: float
    error: float = float("nan")
    tried: int = 0


def worst_rise(
    hessian: Hessian,
    evaluator: Evaluator,
    starts: Sequence[Vector],
    radius: float,
    *,
    steps: int = 20,
    least: float = 0.01,
    adaptive: bool = False,
    deadline: float = np.inf,
) -> Rise:
    """The largest rise within a ball, by gradient ascent on its surface from several starts.

    Args:
        starts: directions to begin with, such as the top eigenvector; of each the better sign.
        steps: at most, from each start; it ends where a few in a row bring less than ``least`` of
            what was reached. One alone says little: an ascent may pause.
        adaptive: the ball is measured in units of each weight, ``|delta / w| <= radius`` (Kwon et
            al. 2021, arXiv 2102.11600), so that rescaled layers have the same sharpness.
        deadline: of `time.monotonic`; no step begins after it.
    """
    stretch = _stretch(hessian, adaptive=adaptive)
    base = _mean_loss(evaluator, hessian.point)

    def place(unit: Vector) -> Point:
        return _moved(hessian, stretch(radius * unit))

    def rise(unit: Vector) -> float:
        found = _mean_loss(evaluator, place(unit)) - base
        return found if np.isfinite(found) else np.inf

    best, tried = -np.inf, 0
    for start in starts:
        length = float(np.linalg.norm(start))
        if not length:
            continue
        if np.isfinite(best) and time.monotonic() > deadline:
            break
        unit = start / length
        here, unit = max(((rise(sign * unit), sign * unit) for sign in (1, -1)), key=lambda p: p[0])
        best, idle = max(best, here), 0
        for _ in range(steps if np.isfinite(here) else 0):
            if idle >= _PATIENCE or time.monotonic() > deadline:
                break
            tried += 1
            ascent = stretch(hessian.gradient(place(unit)))
            length = float(np.linalg.norm(ascent))
            if not length or not np.isfinite(length):
                break
            # The next point of the ball in the direction of the gradient (as SAM takes it).
            unit = ascent / length
            found = rise(unit)
            idle = idle + 1 if found <= here + least * abs(here) else 0
            here = max(here, found)
            best = max(best, here)
        if not np.isfinite(best):
            break
    value = max(best, 0.0) if np.isfinite(best) else float("nan")
    return Rise(value, float(radius), tried=tried)


def average_rise(
    hessian: Hessian,
    evaluator: Evaluator,
    radius: float,
    rng: np.random.Generator,
    *,
    draws: int = 8,
    adaptive: bool = False,
    known: Sequence[Eigenpair] = (),
    deadline: float = np.inf,
) -> Rise:
    """The mean rise at random places of the ball's surface, with its standard error.

    Args:
        known: outermost eigenpairs. What they make of a place beside what they make of all is
            taken off its rise (a control variate), so that few steep directions do not make the
            draws skewed. Any pairs give the right mean, true ones a smaller error.
        deadline: of `time.monotonic`; the value is NaN if it left no time for two places.
    """
    stretch = _stretch(hessian, adaptive=adaptive)
    base = _mean_loss(evaluator, hessian.point)
    rises = []
    for _ in range(draws):
        if time.monotonic() > deadline:
            break
        drawn = rng.standard_normal(hessian.size)
        step = stretch(radius * drawn / np.linalg.norm(drawn))
        rise = _mean_loss(evaluator, _moved(hessian, step)) - base
        rises.append(rise - sum(_beyond_mean(pair, step, stretch, radius) for pair in known))
    if len(rises) < 2:
        return Rise(float("nan"), float(radius))
    error = float(np.std(rises, ddof=1) / np.sqrt(len(rises)))
    return Rise(float(np.mean(rises)), float(radius), error, len(rises))


def _beyond_mean(
    pair: Eigenpair, step: Vector, stretch: Callable[[Vector], Vector], radius: float
) -> float:
    """By how much the pair's part of the rise, as a quadratic, is above its mean over the ball."""
    mean = radius**2 * float((stretch(pair.vector) ** 2).mean())
    return pair.value / 2 * (float(step @ pair.vector) ** 2 - mean)


def _stretch(hessian: Hessian, *, adaptive: bool) -> Callable[[Vector], Vector]:
    if not adaptive:
        return lambda v: v
    sizes = np.abs(np.concatenate([a.astype(np.float64).ravel() for a in hessian.point]))
    return lambda v: sizes * v


def _moved(hessian: Hessian, step: Vector) -> Point:
    return shifted(hessian.point, [hessian.model.parameters.unpack(step)], [1.0])


def _mean_loss(evaluator: Evaluator, point: Point) -> float:
    return float(evaluator.at(point).losses.mean())
