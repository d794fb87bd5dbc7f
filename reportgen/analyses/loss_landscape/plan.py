"""What fits into the time: which parts are measured, and by when each of them has to be done."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields

# Cost of a product with the Hessian in gradients, about.
_PRODUCT = 2.5
# Two ends by Lanczos, with a basis of 20 vectors each, and two draws of the sum.
_FEWEST_PRODUCTS = 42
_LINE_POINTS = (31, 19, 13, 7)
_LINE_SHARE = 0.05
# Of the check at the end: four cells of two networks.
_CHECKS = 8


@dataclass(frozen=True)
class Moments:
    """By when each part has to be done, of `time.monotonic`; as shares of the time before that.

    top, extremes: the upper end of the eigenvalues, and the lower. steep: the plane of the
    outermost curvatures. density: sum and spread of the eigenvalues. further: other random planes.
    """

    plane: float
    records: float
    path: float
    top: float
    extremes: float
    steep: float
    density: float
    sharpness: float
    further: float = 1.0


# By whether there is a path, and whether there is time for eigenvalues.
_SHARES = {
    (True, True): Moments(0.3, 0.36, 0.44, 0.58, 0.72, 0.76, 0.9, 0.95),
    (False, True): Moments(0.3, 0.3, 0.3, 0.5, 0.7, 0.74, 0.9, 0.95),
    (True, False): Moments(0.4, 0.55, 0.8, 0.8, 0.8, 0.8, 0.8, 0.9),
    (False, False): Moments(0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.85),
}


@dataclass(frozen=True)
class Plan:
    """until: deadlines. curvature: whether there is time for eigenvalues; needed: seconds of the
    whole section with which there would be. line_points: of each line."""

    until: Moments
    curvature: bool
    needed: float
    line_points: int


def make_plan(
    started: float,
    seconds: float,
    *,
    cell: float,
    gradient: float,
    checked: int,
    path: bool,
    train: bool = False,
) -> Plan:
    """Share out what is left of ``seconds`` since ``started``, of `time.monotonic`.

    Args:
        cell, gradient: seconds for the loss at one point, and for its gradient there; 0: unknown.
        checked: cells that are measured again at the end. path: whether training was recorded.
        train: whether there are training samples.
    """
    now = time.monotonic()
    points = next((n for n in _LINE_POINTS if n * cell <= _LINE_SHARE * seconds), _LINE_POINTS[-1])
    product = _PRODUCT * gradient
    spent = now - started + cell * (points * (1 + path + train) + checked + _CHECKS)
    with_all = _SHARES[path, True]
    share = with_all.density - with_all.path
    needed = spent + product + _FEWEST_PRODUCTS * product / share
    curvature = needed <= seconds
    room = seconds - spent - (product if curvature else 0)
    shares = _SHARES[path, curvature]
    until = {f.name: now + getattr(shares, f.name) * room for f in fields(Moments)}
    return Plan(Moments(**until), curvature, needed, points)
