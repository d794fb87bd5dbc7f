"""The planes of the section: random ones, that of the training path, that of the Hessian."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.loss_landscape.results import Plane
from reportgen.analyses.loss_landscape.setting import Setting
from reportgen.errors import NothingToCheckError, UsageError
from reportgen.landscape.directions import cosine, draw_plane
from reportgen.landscape.grid import FloatArray, Grid, axis, empty, split
from reportgen.landscape.measuring import Effort, Surveyor
from reportgen.landscape.parameters import Point, norm
from reportgen.landscape.uncertainty import PairedBootstrap

_MOST_KEPT = 500_000  # weights of directions that stand beside the report
_FEWEST_CELLS = 20  # of a further plane that is worth to be seen


@dataclass(frozen=True, eq=False)
class Drawn:
    """A plane with its directions."""

    plane: Plane
    directions: tuple[Point, Point]


def random_directions(setting: Setting, rng: np.random.Generator) -> tuple[Point, Point]:
    """Two normalised, orthogonal directions."""
    options = setting.options
    return draw_plane(
        setting.parameters,
        setting.point,
        rng,
        normalisation=options.normalisation,
        vectors=options.vectors,
    )


def main_plane(setting: Setting, rng: np.random.Generator, deadline: float) -> Drawn:
    """The random plane in full, or one part of it."""
    options = setting.options
    if options.vectors == "ignore" and not any(setting.parameters.axes):
        if not options.layers:
            raise NothingToCheckError(
                "Of what is trained only biases and other vectors are left, which stay where they "
                "are in a random plane: the kernels are frozen, or stored as whole numbers "
                "(quantised). Audit the model as it was before, or set "
                "loss_landscape.vectors=keep."
            )
        raise UsageError(
            "Nothing moves: of the chosen layers only biases and other vectors are left, and these "
            "stay. Set loss_landscape.vectors=keep, or name other layers."
        )
    directions = random_directions(setting, rng)
    side = axis(options.reach, options.points, options.spacing)
    every = 3 if options.refine else 1
    effort = Effort(every, ceiling=setting.ceiling, deadline=deadline)
    surveyor = _surveyor(setting, directions, effort, "loss in a random plane")
    if options.tiles > 1:
        grid = empty(side, side)
        grid = surveyor.measure(grid, split(grid, options.tiles)[options.part])
    else:
        grid = surveyor.survey(side, side)
    return _drawn("random", grid, directions)


def further_planes(setting: Setting, rng: np.random.Generator, deadline: float) -> list[Drawn]:
    """Rough random planes of other seeds, to see how much the picture owes to the draw."""
    options = setting.options
    side = axis(options.reach, options.rough_points)
    found = []
    for number in range(1, options.planes):
        left = (deadline - time.monotonic()) / (options.planes - number)
        if left < _FEWEST_CELLS * setting.evaluator.seconds_a_point:
            break
        directions = random_directions(setting, rng)
        effort = Effort(ceiling=setting.ceiling, deadline=time.monotonic() + left)
        surveyor = _surveyor(setting, directions, effort, f"random plane {number + 1}")
        drawn = _drawn(f"random_{number + 1}", surveyor.survey(side, side), directions)
        if drawn.plane.grid.settled.any():
            found.append(drawn)
    return found


def training_plane(
    setting: Setting, main: Drawn, rng: np.random.Generator, deadline: float
) -> list[Plane]:
    """The main plane once more, roughly, on the training samples; nothing without them or time."""
    evaluator = setting.train_evaluator
    if evaluator is None:
        return []
    centre = np.asarray(evaluator.at(setting.point, timed=True).losses[0])
    if deadline - time.monotonic() < _FEWEST_CELLS * evaluator.seconds_a_point:
        return []
    effort = Effort(ceiling=setting.ceiling, deadline=deadline)
    surveyor = Surveyor(
        evaluator,
        setting.point,
        main.directions,
        PairedBootstrap(centre, rng),
        effort,
        label="loss of the training samples",
    )
    side = axis(setting.options.reach, setting.options.rough_points)
    return [_drawn("train", surveyor.survey(side, side), main.directions).plane]


def plane_through(
    setting: Setting,
    id_: str,
    directions: tuple[Point, Point],
    x: FloatArray,
    y: FloatArray,
    deadline: float,
    label: str,
) -> Drawn:
    """Any plane through the model."""
    every = 3 if setting.options.refine else 1
    effort = Effort(every, ceiling=setting.ceiling, deadline=deadline)
    surveyor = _surveyor(setting, directions, effort, label)
    return _drawn(id_, surveyor.survey(x, y), directions)


def line(
    setting: Setting, direction: Point, steps: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Loss, its standard error beside the model's, and accuracy along a direction: ``(steps,)``."""
    losses, errors, right = [], [], []
    for group in setting.evaluator.points(setting.point, [direction], steps[:, None]):
        losses.append(group.losses.mean(axis=1))
        errors.append(setting.bootstrap.error(np.asarray(group.losses)))
        right.append(group.right.mean(axis=1))
    return np.concatenate(losses), np.concatenate(errors), np.concatenate(right)


def _surveyor(
    setting: Setting, directions: Sequence[Point], effort: Effort, label: str
) -> Surveyor:
    return Surveyor(
        setting.evaluator, setting.point, directions, setting.bootstrap, effort, label=label
    )


def _drawn(id_: str, grid: Grid, directions: tuple[Point, Point]) -> Drawn:
    lengths = (norm(directions[0]), norm(directions[1]))
    return Drawn(Plane(id_, grid, cosine(*directions), lengths, _flatten(directions)), directions)


def _flatten(directions: tuple[Point, Point]) -> NDArray[np.float32] | None:
    """All weights of each direction in a row; None where they are too many to be kept."""
    if sum(array.size for array in directions[0]) > _MOST_KEPT:
        return None
    return np.stack(
        [np.concatenate([np.ravel(part) for part in one]).astype(np.float32) for one in directions]
    )
