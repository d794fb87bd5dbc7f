"""What the model answers: samples, scores, calibration and its most confident mistakes."""

from reportgen.analyses.contract import Analysis
from reportgen.analyses.predictions.compute import PredictionsResult, compute
from reportgen.analyses.predictions.findings import CHECKS
from reportgen.analyses.predictions.options import Options
from reportgen.analyses.predictions.present import present

ANALYSIS: Analysis[Options, PredictionsResult] = Analysis(
    id="predictions",
    title="Predictions",
    why="How often the model is right, how sure it is, and where it is wrong.",
    shows=(
        "samples with their probabilities, accuracy with its interval, confusion matrix, "
        "calibration, the most confident mistakes; residuals and fitted curve for "
        "regression"
    ),
    needs=frozenset(),
    options=Options,
    compute=compute,
    present=present,
    checks=CHECKS,
)
