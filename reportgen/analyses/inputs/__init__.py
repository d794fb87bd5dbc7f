"""Whether samples reach the model as in its training, and whether their labels are right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reportgen.analyses.contract import Analysis, Need
from reportgen.analyses.inputs.findings import CHECKS
from reportgen.analyses.inputs.options import Options

if TYPE_CHECKING:
    import numpy as np

    from reportgen.analyses.inputs.compute import InputsResult
    from reportgen.report.sections import SectionBody
    from reportgen.subject.subject import Subject


def _compute(subject: Subject, options: Options, rng: np.random.Generator) -> InputsResult:
    from reportgen.analyses.inputs.compute import compute

    return compute(subject, options, rng)


def _present(result: InputsResult) -> SectionBody:
    from reportgen.analyses.inputs.present import present

    return present(result)


ANALYSIS: Analysis[Options, InputsResult] = Analysis(
    id="inputs",
    title="Inputs",
    why="Most models that fail are fed otherwise than they were trained.",
    shows=(
        "the same samples by every usual scaling and order of the colours, by other rules of "
        "resizing, by their own BatchNorm statistics, and by the class order that fits them best, "
        "each against what was declared; labels that the model contradicts"
    ),
    needs=frozenset({Need.SAMPLES}),
    options=Options,
    compute=_compute,
    present=_present,
    checks=CHECKS,
)
