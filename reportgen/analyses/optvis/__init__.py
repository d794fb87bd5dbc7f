"""What units, classes and layers want to see, and whether the pictures may be believed."""

from reportgen.analyses.contract import Analysis, Need
from reportgen.analyses.optvis.compute import OptvisResult, compute
from reportgen.analyses.optvis.findings import CHECKS
from reportgen.analyses.optvis.options import Options
from reportgen.analyses.optvis.present import present

ANALYSIS: Analysis[Options, OptvisResult] = Analysis(
    id="optvis",
    title="Optimised images",
    why="What each unit, class and layer wants to see most, and whether such pictures are true.",
    shows=(
        "what units, classes and whole layers want to see, beside the samples that excite "
        "them; whether such pictures may be believed (stronger than any sample? the same "
        "from every seed? by the path that samples take?), and a diagnosis where there is "
        "nothing to see"
    ),
    needs=frozenset({Need.IMAGES}),
    options=Options,
    compute=compute,
    present=present,
    checks=CHECKS,
)
