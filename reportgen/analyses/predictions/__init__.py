"""What the model answers: samples, scores, calibration and its most confident mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reportgen.analyses.contract import Analysis, Need
from reportgen.analyses.predictions.findings import CHECKS
from reportgen.analyses.predictions.options import Options

if TYPE_CHECKING:
    import numpy as np

    from reportgen.analyses.predictions.compute import PredictionsResult
    from reportgen.report.sections import SectionBody
    from reportgen.subject.subject import Subject


def _compute(subject: Subject, options: Options, rng: np.random.Generator) -> PredictionsResult:
    from reportgen.analyses.predictions.compute import compute

    return compute(subject, options, rng)


def _present(result: PredictionsResult) -> SectionBody:
    from reportgen.analyses.predictions.present import present

    return present(result)


ANALYSIS: Analysis[Options, PredictionsResult] = Analysis(
    id="predictions",
    title="Predictions",
    why="How often the model is right, how sure it is, and where it is wrong.",
    shows=(
        "samples with their probabilities, accuracy with its interval, confusion matrix, "
        "calibration, the most confident mistakes; residuals and fitted curve for "
        "regression"
    ),
    needs=frozenset({Need.SAMPLES}),
    options=Options,
    compute=_compute,
    present=_present,
    checks=CHECKS,
)
