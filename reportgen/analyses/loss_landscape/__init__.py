"""The loss around the trained weights: is it a minimum, how sharp, and where it came from."""

from reportgen.analyses.contract import Analysis, Need
from reportgen.analyses.loss_landscape.compute import compute, join_parts, split_options
from reportgen.analyses.loss_landscape.findings import CHECKS
from reportgen.analyses.loss_landscape.options import Options
from reportgen.analyses.loss_landscape.present import present
from reportgen.analyses.loss_landscape.results import LandscapeResult

ANALYSIS: Analysis[Options, LandscapeResult] = Analysis(
    id="loss_landscape",
    title="Loss landscape",
    why="Whether training ended in a minimum, how sharp it is, and how it got there.",
    shows=(
        "the loss in random planes, in the plane of the recorded training with its path, "
        "and along the outermost curvatures, each cell with its standard error; Hessian "
        "eigenvalues, sharpness; what each plane holds, and the section's checks of "
        "itself"
    ),
    needs=frozenset({Need.LABELS}),
    options=Options,
    compute=compute,
    present=present,
    checks=CHECKS,
    split=split_options,
    join=join_parts,
)
