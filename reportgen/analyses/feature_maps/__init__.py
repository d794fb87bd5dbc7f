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
    shows=(
        "a census of all channels over all samples, the patches of samples that excite a "
        "unit most and least, the way of a picture through every layer, layer by layer "
        "where the classes come apart, the last representation as a map with the mistakes "
        "marked, and attention"
    ),
    needs=frozenset(),
    options=Options,
    compute=compute,
    present=present,
    checks=CHECKS,
)
