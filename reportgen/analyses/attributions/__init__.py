"""Why the model says what it says, how far such maps can be believed, and shortcuts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reportgen.analyses.attributions.findings import CHECKS
from reportgen.analyses.attributions.options import Options
from reportgen.analyses.contract import Analysis, Need

if TYPE_CHECKING:
    import numpy as np

    from reportgen.analyses.attributions.compute import AttributionsResult
    from reportgen.report.sections import SectionBody
    from reportgen.subject.subject import Subject


def _compute(subject: Subject, options: Options, rng: np.random.Generator) -> AttributionsResult:
    from reportgen.analyses.attributions.compute import compute

    return compute(subject, options, rng)


def _present(result: AttributionsResult) -> SectionBody:
    from reportgen.analyses.attributions.present import present

    return present(result)


ANALYSIS: Analysis[Options, AttributionsResult] = Analysis(
    id="attributions",
    title="Attributions",
    why="Why the model said that: maps of what speaks for an answer, each with its proof.",
    shows=(
        "maps of what speaks for an answer and against it, by four methods that can be checked, "
        "each held against maps that know nothing of the answer and against random weights; "
        "mistakes with the map of either class; and marks that turn pictures of other classes "
        "into theirs when they are pasted in"
    ),
    needs=frozenset({Need.SAMPLES, Need.IMAGES}),
    options=Options,
    compute=_compute,
    present=_present,
    checks=CHECKS,
)
