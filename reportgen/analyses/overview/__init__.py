"""What was audited: the model's identity and layers, the samples and what was left out."""

from reportgen.analyses.contract import Analysis
from reportgen.analyses.overview.compute import OverviewResult, compute
from reportgen.analyses.overview.findings import CHECKS
from reportgen.analyses.overview.options import Options
from reportgen.analyses.overview.present import present

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
    compute=compute,
    present=present,
    checks=CHECKS,
)
