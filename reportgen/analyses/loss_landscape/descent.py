"""Is this a minimum: does the loss fall along the gradient, on samples it was not made from?

A gradient always lowers the loss of its own samples a little. So it is taken from one half of the
samples, its best step too, and the fall is measured on the other half; then the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.loss_landscape.planes import Drawn
from reportgen.analyses.loss_landscape.results import Descent, Lower, Plane
from reportgen.analyses.loss_landscape.setting import Setting
from reportgen.landscape.curvature import Hessian
from reportgen.landscape.evaluator import Evaluator
from reportgen.landscape.grid import FloatArray
from reportgen.landscape.parameters import Point, norm

_FACTORS = 2.0 ** np.arange(-6, 4)


def descend(
    hessian: Hessian,
    evaluator: Evaluator,
    losses: FloatArray,
    rng: np.random.Generator,
    seconds: float,
) -> Descent | None:
    """Follow the gradient of each half of the samples and look at the other one.

    Args:
        hessian, evaluator: of the same samples. losses: theirs at the point of ``hessian``.
        seconds: for the steps; where a pass takes long, fewer of them are tried.

    Returns: None below 16 samples, or where the gradient is not finite.
    """
    count = len(losses)
    if count < 16:
        return None
    half = np.zeros(count, bool)
    half[rng.permutation(count)[: count // 2]] = True
    gradients = [hessian.gradient(weights=mask * (count / mask.sum())) for mask in (half, ~half)]
    if not all(np.isfinite(g).all() for g in gradients):
        return None
    noise = float(np.linalg.norm(gradients[0] - gradients[1])) / 2
    whole = float(np.linalg.norm(gradients[0] * half.mean() + gradients[1] * (1 - half.mean())))
    factors = _affordable_factors(seconds / (evaluator.seconds_a_point or 1e-9))
    found = [
        _fall(hessian, evaluator, losses, gradient, mask, factors)
        for gradient, mask in zip(gradients, (half, ~half), strict=True)
    ]
    falls, errors, lengths = (np.array(part) for part in zip(*found, strict=True))
    return Descent(
        gradient=whole,
        noise=noise,
        fall=float(falls.mean()),
        error=float(np.sqrt((errors**2).sum()) / 2),
        step=float(lengths.mean()) / (norm(hessian.point) or 1.0),
        half=half,
    )


def _fall(
    hessian: Hessian,
    evaluator: Evaluator,
    losses: FloatArray,
    gradient: FloatArray,
    mask: NDArray[np.bool_],
    factors: FloatArray,
) -> tuple[float, float, float]:
    """Fall on the samples outside of ``mask`` at the step that is best inside, its standard error,
    and the length of that step."""
    length = float(np.linalg.norm(gradient))
    if not length:
        return 0.0, 0.0, 0.0
    down = hessian.model.parameters.unpack(-gradient / length)
    # The step at which the loss would be zero if it kept falling as it does here.
    steps = factors * losses[mask].mean() / length
    groups = evaluator.points(hessian.point, [down], steps[:, None])
    there = np.concatenate([np.asarray(group.losses) for group in groups])
    inside = there[:, mask].mean(axis=1)
    best = int(np.nanargmin(inside)) if np.isfinite(inside).any() else 0
    if not inside[best] < losses[mask].mean():
        return 0.0, 0.0, 0.0
    falls = losses[~mask] - there[best, ~mask]
    error = float(falls.std(ddof=1) / np.sqrt(len(falls)))
    return float(falls.mean()), error, float(steps[best])


def _affordable_factors(passes: float) -> FloatArray:
    """All, or every second or third of them; each is tried for both halves."""
    every = next((n for n in (1, 2) if 2 * len(_FACTORS[::n]) <= passes), 3)
    return np.asarray(_FACTORS[::every])


def lowest_cells(
    planes: Sequence[Plane], loss: float, *, on_training: bool = False
) -> tuple[Lower, ...]:
    """The lowest measured cell of each plane, where it lies below ``loss``, the model's own."""
    found = []
    for plane in planes:
        grid = plane.grid
        place = grid.lowest
        if place is None or place == grid.centre:
            continue
        row, column = place
        fall, error = loss - float(grid.loss[place]), float(grid.error[place])
        if fall > 0:
            found.append(
                Lower(
                    plane.id,
                    float(grid.x[column]),
                    float(grid.y[row]),
                    fall,
                    error,
                    grid.measured,
                    on_training,
                )
            )
    return tuple(found)


def on_training(
    setting: Setting, planes: Sequence[Drawn], lower: Sequence[Lower], losses: FloatArray
) -> tuple[Lower, ...]:
    """The same places on the training samples, whose losses at the model are given."""
    evaluator = setting.train_evaluator
    if evaluator is None:
        return ()
    directions: dict[str, tuple[Point, Point]] = {d.plane.id: d.directions for d in planes}
    found = []
    for place in lower:
        steps = np.array([[place.x, place.y]])
        (group,) = evaluator.points(setting.point, directions[place.plane], steps)
        falls = losses - np.asarray(group.losses[0])
        error = float(falls.std(ddof=1) / np.sqrt(len(falls)))
        found.append(
            Lower(place.plane, place.x, place.y, float(falls.mean()), error, place.cells, True)
        )
    return tuple(found)
