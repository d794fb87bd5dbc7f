"""What was audited: the model's identity and layers, the samples and what was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reportgen.analyses.contract import Analysis
from reportgen.analyses.overview.findings import CHECKS
from reportgen.analyses.overview.options import Options

if TYPE_CHECKING:
    import numpy as np

    from reportgen.analyses.overview.compute import OverviewResult
    from reportgen.report.sections import SectionBody
    from reportgen.subject.subject import Subject


def _compute(subject: Subject, options: Options, rng: np.random.Generator) -> OverviewResult:
    from reportgen.analyses.overview.compute import compute

    return compute(subject, options, rng)


def _present(result: OverviewResult) -> SectionBody:
    from reportgen.analyses.overview.present import present

    return present(result)


ANALYSIS: Analysis[Options, OverviewResult] = Analysis(
    id="overview",
    title="Overview",
    why="What exactly was audited, on which samples, and what was left out.",
    shows=(
        "identity, every layer with parameters, FLOPs and receptive field, the "
        "architecture, the samples and what was left out"
    ),
    needs=frozenset(),
    options=Options,
    compute=_compute,
    present=_present,
    checks=CHECKS,
)
