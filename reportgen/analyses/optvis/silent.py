"""Can any picture excite a channel that no sample changes? A search from many starts, no proof."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.optvis.causes import STARTS, Cause
from reportgen.optvis.parameterizations import Pixels
from reportgen.optvis.recipe import Optimizer, Recipe, Stage

if TYPE_CHECKING:
    from reportgen.analyses.optvis.studio import Studio
    from reportgen.optvis.engine import Engine
    from reportgen.optvis.images import OptimizedImages
    from reportgen.optvis.objective import Objective
    from reportgen.subject.layers import LayerCall

FloatArray = NDArray[np.float64]
# Starts and steps of each. Most channels that a picture excites are found in the first round. Of
# those called dead after both, none was excited by 48 longer searches on the real models tried
# (tests/analyses/optvis/test_silent_on_real_models.py).
_ROUNDS = ((4, 128), (STARTS, 384))
# No shifts, blurs or priors: what is asked is whether there is any picture, not a fair one.
_SEARCH = Recipe(
    name="search",
    source="plain gradient ascent with Adam (Kingma & Ba 2015)",
    parameterization=Pixels(origin="uniform", spread=1.0),
    optimizer=Optimizer("adam", 0.05),
    stages=(Stage(_ROUNDS[0][1]),),
)
_BOUNDS = {"relu": (0.0, np.inf), "relu6": (0.0, 6.0)}
_HIGHEST = {"sigmoid": 1.0, "hard_sigmoid": 1.0, "softmax": 1.0, "tanh": 1.0, "softsign": 1.0}
_AT_BOUND = 1e-3
_SMALLEST_CANVAS = 32
_SAME = 1e-4  # of the size of the values: what float32 makes of the same sums in another order


def search_silent(
    studio: Studio,
    call: LayerCall,
    channels: Sequence[int],
    values: FloatArray,
    window: tuple[int, ...] | None,
    seconds: float,
) -> tuple[Cause | None, ...]:
    """Why each channel stays as it is; None: a picture changes it.

    One position of a channel is moved away from the value that it always has, behind a ReLU
    before the function is applied. A mean over the map, through a silent ReLU, only ever asks for
    one colour everywhere, and never finds a pattern.

    Args:
        values: what each channel always is, ``(channels,)``.
        window: what a position sees, see `Studio.open_small`.
    """
    top = np.array([_is_highest(value, call.activation) for value in values])
    causes: list[Cause | None] = ["dead"] * len(channels)
    for rows, sign in ((np.flatnonzero(~top), 1), (np.flatnonzero(top), -1)):
        if not len(rows):
            continue
        share = seconds * len(rows) / len(channels)
        chosen = [channels[int(row)] for row in rows]
        found = _search_channels(studio, call, chosen, window, sign, share)
        for row, cause in zip(rows, found, strict=True):
            causes[int(row)] = "saturated" if cause == "dead" and sign < 0 else cause
    return tuple(causes)


def _is_highest(value: float, activation: str | None) -> bool:
    """Whether a channel is at the upper bound of its function: then it can only be lowered."""
    high = _BOUNDS.get(activation or "", (0.0, np.inf))[1]
    high = _HIGHEST.get(activation or "", high)
    return bool(value >= high - _AT_BOUND * (high if np.isfinite(high) else 0.0))


def search_scores(studio: Studio, objective: Objective, seconds: float) -> tuple[Cause | None, ...]:
    """Why no picture raises each score; None where one of many starts does."""
    engine = studio.open(objective, variants=_ROUNDS[0][0], recipe=_SEARCH)
    return tuple(_climb(engine, objective, None, 1, seconds))


def _search_channels(
    studio: Studio,
    call: LayerCall,
    channels: Sequence[int],
    window: tuple[int, ...] | None,
    sign: int,
    seconds: float,
) -> list[Cause | None]:
    from reportgen.optvis import neuron

    stage: Literal["before", "after"] = "before" if call.activation in _BOUNDS else "after"
    objective = sign * neuron(call.address, channels, stage=stage)
    engine = studio.open_small(
        objective, window, variants=_ROUNDS[0][0], recipe=_SEARCH, smallest=_SMALLEST_CANVAS
    )
    return _climb(engine, objective, call.activation, sign, seconds)


def _climb(
    engine: Engine, objective: Objective, activation: str | None, sign: int, seconds: float
) -> list[Cause | None]:
    """A cause for each unit of the objective. Time that one round leaves goes to the next."""
    from reportgen.optvis.painting import paint

    causes: list[Cause | None] = ["unfinished"] * len(objective)
    left = list(range(len(objective)))
    until = time.monotonic() + seconds
    for number, (variants, steps) in enumerate(_ROUNDS):
        engine.take_up(objective[left], variants=variants, stages=(Stage(steps),))
        seen = paint(engine, (until - time.monotonic()) / (len(_ROUNDS) - number))
        for row, cause in zip(left, judge_silent(seen, activation, sign), strict=True):
            causes[row] = cause
        left = [row for row in left if causes[row] is not None]
        if seen.hurried or not left:
            break
    return causes


def judge_silent(
    seen: OptimizedImages, activation: str | None, sign: int = 1
) -> list[Cause | None]:
    """Causes from the images of a search, one a channel.

    Behind a ReLU the values before it were moved: a channel is changed once they are above zero,
    or below six where that is its bound and it was there. The best of all steps counts.

    Args:
        sign: -1 where values were lowered; ``seen`` then holds them negated.
    """
    best = np.fmax(seen.scores, np.fmax.reduce(seen.history, axis=-1)).astype(np.float64)
    starts = seen.starts.astype(np.float64)
    finite = np.isfinite(best) & np.isfinite(starts)
    if activation in _BOUNDS:
        bound = _BOUNDS[activation][0] if sign > 0 else -_BOUNDS[activation][1]
        changed = best > bound
    else:
        size = np.maximum(np.fmax(np.abs(best), np.abs(starts)), 1e-12)
        spread = np.nanmax(np.where(finite, best, -np.inf), axis=1, keepdims=True) - starts
        changed = spread > _SAME * size
    changed &= finite
    return [
        "not finite"
        if not finite[row].any()
        else None
        if changed[row].any()
        else "unfinished"
        if seen.hurried
        else "dead"
        for row in range(len(best))
    ]
