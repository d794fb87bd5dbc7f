"""What units, classes and layers want to see, and whether the pictures may be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reportgen.analyses.contract import Analysis, Need
from reportgen.analyses.optvis.findings import CHECKS
from reportgen.analyses.optvis.options import Options

if TYPE_CHECKING:
    import numpy as np

    from reportgen.analyses.optvis.compute import OptvisResult
    from reportgen.report.sections import SectionBody
    from reportgen.subject.subject import Subject


def _compute(subject: Subject, options: Options, rng: np.random.Generator) -> OptvisResult:
    from reportgen.analyses.optvis.compute import compute

    return compute(subject, options, rng)


def _present(result: OptvisResult) -> SectionBody:
    from reportgen.analyses.optvis.present import present

    return present(result)


ANALYSIS: Analysis[Options, OptvisResult] = Analysis(
    id="optvis",
    title="Optimised images",
    why="What each unit, class and layer wants to see most, and whether such pictures are true.",
    shows=(
        "what units, classes and whole layers want to see, beside the samples that excite "
        "them; whether such pictures may be believed (stronger than any sample? the same "
        "from every seed? by the path that samples take?), and a diagnosis where there is "
        "nothing to see"
    ),
    needs=frozenset({Need.IMAGES}),
    options=Options,
    compute=_compute,
    present=_present,
    checks=CHECKS,
)
