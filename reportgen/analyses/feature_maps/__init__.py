"""What the layers make of a sample, and which channels do nothing at all."""

from reportgen.analyses.contract import Analysis
from reportgen.analyses.feature_maps.compute import FeatureMapsResult, compute
from reportgen.analyses.feature_maps.findings import CHECKS
from reportgen.analyses.feature_maps.options import Options
from reportgen.analyses.feature_maps.present import present

ANALYSIS: Analysis[Options, FeatureMapsResult] = Analysis(
    id="feature_maps",
    title="Feature maps",
    why="How a picture turns into an answer, layer by layer, and which channels do nothing.",
    needs=frozenset(),
    options=Options,
    compute=compute,
    present=present,
    checks=CHECKS,
)
