"""What the parameters look like, layer by layer, and which of them do no work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reportgen.analyses.contract import Analysis
from reportgen.analyses.weights.findings import CHECKS
from reportgen.analyses.weights.options import Options

if TYPE_CHECKING:
    import numpy as np

    from reportgen.analyses.weights.compute import WeightsResult
    from reportgen.report.sections import SectionBody
    from reportgen.subject.subject import Subject


def _compute(subject: Subject, options: Options, rng: np.random.Generator) -> WeightsResult:
    from reportgen.analyses.weights.compute import compute

    return compute(subject, options, rng)


def _present(result: WeightsResult) -> SectionBody:
    from reportgen.analyses.weights.present import present

    return present(result)


ANALYSIS: Analysis[Options, WeightsResult] = Analysis(
    id="weights",
    title="Weights",
    why="Whether every layer learned something, and what its filters look like.",
    shows=(
        "every tensor with its histogram, spectra against random matrices, BatchNorm "
        "statistics, kernels as pictures and as numbers, initial beside trained where the "
        "training was recorded, and what each flagged filter does for the answers"
    ),
    needs=frozenset(),
    options=Options,
    compute=_compute,
    present=_present,
    checks=CHECKS,
)
