"""The loss around the trained weights: is it a minimum, how sharp, and where it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reportgen.analyses.contract import Analysis, Need
from reportgen.analyses.loss_landscape.findings import CHECKS
from reportgen.analyses.loss_landscape.options import Options

if TYPE_CHECKING:
    import numpy as np

    from reportgen.analyses.loss_landscape.results import LandscapeResult
    from reportgen.report.cards import SubjectCard
    from reportgen.report.sections import SectionBody
    from reportgen.subject.subject import Subject


def _compute(subject: Subject, options: Options, rng: np.random.Generator) -> LandscapeResult:
    from reportgen.analyses.loss_landscape.compute import compute

    return compute(subject, options, rng)


def _present(result: LandscapeResult) -> SectionBody:
    from reportgen.analyses.loss_landscape.present import present

    return present(result)


def _split(options: Options, card: SubjectCard) -> list[Options]:
    from reportgen.analyses.loss_landscape.compute import split_options

    return split_options(options, card)


def _join(parts: list[LandscapeResult]) -> LandscapeResult:
    from reportgen.analyses.loss_landscape.compute import join_parts

    return join_parts(parts)


ANALYSIS: Analysis[Options, LandscapeResult] = Analysis(
    id="loss_landscape",
    title="Loss landscape",
    why="Whether training ended in a minimum, how sharp it is, and how it got there.",
    shows=(
        "the loss in random planes, in the plane of the recorded training with its path, "
        "and along the outermost curvatures, each cell with its standard error; Hessian "
        "eigenvalues, sharpness; what each plane holds, and the section's checks of "
        "itself"
    ),
    needs=frozenset({Need.SAMPLES, Need.LABELS}),
    options=Options,
    compute=_compute,
    present=_present,
    checks=CHECKS,
    split=_split,
    join=_join,
)
