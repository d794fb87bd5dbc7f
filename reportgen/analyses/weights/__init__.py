"""What the parameters look like, layer by layer, and which of them do no work."""

from reportgen.analyses.contract import Analysis
from reportgen.analyses.weights.compute import WeightsResult, compute
from reportgen.analyses.weights.findings import CHECKS
from reportgen.analyses.weights.options import Options
from reportgen.analyses.weights.present import present

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
    compute=compute,
    present=present,
    checks=CHECKS,
)
