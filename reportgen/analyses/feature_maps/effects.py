"""What flagged channels do for the answers: set to zero, and the same samples asked again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.feature_maps.problems import Problem, Problems
from reportgen.errors import UsageError
from reportgen.progress import track

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

_SILENT = "as they are zero on all of these samples, no answer to them changes without them"
Measure = Callable[[Sequence[Problem]], str]


@dataclass(frozen=True)
class Together:
    """The effect of all flags of a check in words; empty where there is nothing to measure."""

    dead: str = ""
    saturated: str = ""


def measure_problems(
    subject: Subject, problems: Problems, rows: NDArray[np.int64], most: int
) -> tuple[Problems, Together]:
    """Flagged channels of each layer, and of all dead and all saturated ones together.

    Args:
        rows: samples that are asked. most: layers of a check that are measured one by one.
    """
    dead, saturated = problems.dead, problems.saturated
    if not dead and not saturated and not problems.non_finite:
        return problems, Together()
    from reportgen.subject.ablation import read_outputs

    before = read_outputs(subject, rows)

    def measure(group: Sequence[Problem]) -> str:
        return _measure(subject, group, rows, before)

    measured = replace(
        problems,
        non_finite=_measure_each(problems.non_finite, measure, most),
        dead=_measure_each(dead, measure, most),
        saturated=_measure_each(saturated, measure, most),
    )
    return measured, Together(
        dead=_all(measured.dead, measure), saturated=_all(measured.saturated, measure)
    )


def _measure_each(problems: list[Problem], measure: Measure, most: int) -> list[Problem]:
    first = [
        replace(problem, effect="" if problem.silent else measure([problem]))
        for problem in track(problems[:most], "setting flagged channels to zero")
    ]
    return [*first, *problems[most:]]


def _all(problems: list[Problem], measure: Measure) -> str:
    if problems and all(problem.silent for problem in problems):
        return _SILENT
    return problems[0].effect if len(problems) == 1 else measure(problems) if problems else ""


def _measure(
    subject: Subject, group: Sequence[Problem], rows: NDArray[np.int64], before: NDArray[np.float32]
) -> str:
    """In words; empty where no weight makes these channels."""
    from reportgen.subject.ablation import measure_effect
    from reportgen.subject.channel_weights import find_parts

    chosen: dict[str, Sequence[int]] = {}
    for problem in group:
        try:
            find_parts(subject.probe, problem.address)
        except UsageError:
            continue
        chosen[problem.address] = problem.channels
    if not chosen:
        return ""
    return measure_effect(subject, chosen, rows, before=before).describe()
