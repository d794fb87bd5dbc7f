"""Is this a minimum: does the loss fall along the gradient, on samples it was not made from?

A gradient always lowers the loss of its own samples a little. So it is taken from one half of the
samples, its best step too, and the fall is measured on the other half; then the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.loss_landscape.planes import Drawn
from reportgen.analyses.loss_landscape.results import Descent, Lower
from reportgen.analyses.loss_landscape.setting import Setting
from reportgen.landscape.curvature import Hessian
from reportgen.landscape.grid import MEASURED, FloatArray
from reportgen.landscape.parameters import Point, norm

_FACTORS = 2.0 ** np.arange(-6, 4)
_SHARE = 0.1  # of the time


def descend(setting: Setting, hessian: Hessian, rng: np.random.Generator) -> Descent | None:
    """Follow the gradient of each half and look at the other one; None below 16 samples."""
    count = setting.samples.count
    if count < 16:
        return None
    half = np.zeros(count, bool)
    half[rng.permutation(count)[: count // 2]] = True
    gradients = [hessian.gradient(weights=mask * (count / mask.sum())) for mask in (half, ~half)]
    if not all(np.isfinite(g).all() for g in gradients):
        return None
    noise = float(np.linalg.norm(gradients[0] - gradients[1])) / 2
    whole = float(np.linalg.norm(gradients[0] * half.mean() + gradients[1] * (1 - half.mean())))
    falls, variances, lengths = [], [], []
    for gradient, mask in zip(gradients, (half, ~half), strict=True):
        fall, error, length = _fall(setting, gradient, mask)
        falls.append(fall)
        variances.append(error**2)
        lengths.append(length)
    return Descent(
        gradient=whole,
        noise=noise,
        fall=float(np.mean(falls)),
        error=float(np.sqrt(np.sum(variances)) / 2),
        step=float(np.mean(lengths)) / (norm(setting.point) or 1.0),
    )


def _fall(
    setting: Setting, gradient: FloatArray, mask: NDArray[np.bool_]
) -> tuple[float, float, float]:
    """Fall on the samples outside of ``mask`` at the step that is best inside, its standard error,
    and the length of that step."""
    length = float(np.linalg.norm(gradient))
    if not length:
        return 0.0, 0.0, 0.0
    down = setting.parameters.unpack(-gradient / length)
    # The step at which the loss would be zero if it kept falling as it does here.
    steps = _affordable_factors(setting) * setting.losses[mask].mean() / length
    groups = setting.evaluator.points(setting.point, [down], steps[:, None])
    losses = np.concatenate([np.asarray(group.losses) for group in groups])
    inside = losses[:, mask].mean(axis=1)
    best = int(np.nanargmin(inside)) if np.isfinite(inside).any() else 0
    if not inside[best] < setting.losses[mask].mean():
        return 0.0, 0.0, 0.0
    falls = setting.losses[~mask] - losses[best, ~mask]
    error = float(falls.std(ddof=1) / np.sqrt(len(falls)))
    return float(falls.mean()), error, float(steps[best])


def _affordable_factors(setting: Setting) -> FloatArray:
    """All, or every second or third of them, where a pass takes long."""
    most = _SHARE * setting.options.seconds / (setting.evaluator.seconds_a_point or 1e-9)
    every = next((n for n in (1, 2) if 2 * len(_FACTORS[::n]) <= most), 3)
    return np.asarray(_FACTORS[::every])


def lowest_cells(setting: Setting, planes: Sequence[Drawn]) -> tuple[Lower, ...]:
    """The lowest measured cell of each plane, where it lies below the model."""
    found = []
    for drawn in planes:
        grid = drawn.plane.grid
        place = grid.lowest
        if place is None or place == grid.centre:
            continue
        row, column = place
        fall, error = setting.loss - float(grid.loss[place]), float(grid.error[place])
        if fall > 0:
            found.append(
                Lower(
                    drawn.plane.id, float(grid.x[column]), float(grid.y[row]), fall, error,
                    grid.count(MEASURED),
                )
            )  # fmt: skip
    return tuple(found)


def on_training(
    setting: Setting, planes: Sequence[Drawn], lower: Sequence[Lower]
) -> tuple[Lower, ...]:
    """The same places, measured on the training samples; empty without them."""
    evaluator = setting.train_evaluator
    if evaluator is None or not lower:
        return ()
    base = np.asarray(evaluator.at(setting.point).losses[0])
    directions: dict[str, tuple[Point, Point]] = {d.plane.id: d.directions for d in planes}
    found = []
    for place in lower:
        steps = np.array([[place.x, place.y]])
        (group,) = evaluator.points(setting.point, directions[place.plane], steps)
        falls = base - np.asarray(group.losses[0])
        error = float(falls.std(ddof=1) / np.sqrt(len(falls)))
        found.append(
            Lower(place.plane, place.x, place.y, float(falls.mean()), error, place.cells, True)
        )
    return tuple(found)
