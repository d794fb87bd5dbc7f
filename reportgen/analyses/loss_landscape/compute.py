"""The loss around the model. TensorFlow is imported when it is asked for, and not before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from reportgen.analyses.loss_landscape.options import Options
from reportgen.analyses.loss_landscape.results import LandscapeResult
from reportgen.landscape.grid import join

if TYPE_CHECKING:
    from reportgen.report.cards import SubjectCard
    from reportgen.subject.subject import Subject


def compute(subject: Subject, options: Options, rng: np.random.Generator) -> LandscapeResult:
    """Measure one part of the plane, or all of the section."""
    from reportgen.analyses.loss_landscape.measure import measure

    with threadpool_limits(1, user_api="blas"):  # further threads wait for TensorFlow's
        return measure(subject, options, rng)


def split_options(options: Options, card: SubjectCard) -> list[Options]:
    """A part for each tile of the random plane."""
    return [options.model_copy(update={"part": part}) for part in range(options.tiles)]


def join_parts(parts: Sequence[LandscapeResult]) -> LandscapeResult:
    """The first part, with the cells of the others."""
    from reportgen.analyses.loss_landscape.descent import lowest_cells

    first = parts[0]
    if len(parts) == 1 or not first.planes:
        return first
    grid = join([part.planes[0].grid for part in parts])
    whole = replace(first.planes[0], grid=grid)
    lower = tuple(p for p in first.lower if p.plane != whole.id or p.on_training)
    lower += lowest_cells([whole], first.facts.loss)
    return replace(first, planes=(whole, *first.planes[1:]), lower=lower)
