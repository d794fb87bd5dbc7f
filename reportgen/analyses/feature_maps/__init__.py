"""What the layers make of a sample, and which channels do nothing at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reportgen.analyses.contract import Analysis, Need
from reportgen.analyses.feature_maps.findings import CHECKS
from reportgen.analyses.feature_maps.options import Options

if TYPE_CHECKING:
    import numpy as np

    from reportgen.analyses.feature_maps.compute import FeatureMapsResult
    from reportgen.report.sections import SectionBody
    from reportgen.subject.subject import Subject


def _compute(subject: Subject, options: Options, rng: np.random.Generator) -> FeatureMapsResult:
    from reportgen.analyses.feature_maps.compute import compute

    return compute(subject, options, rng)


def _present(result: FeatureMapsResult) -> SectionBody:
    from reportgen.analyses.feature_maps.present import present

    return present(result)


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
    needs=frozenset({Need.SAMPLES}),
    options=Options,
    compute=_compute,
    present=_present,
    checks=CHECKS,
)
