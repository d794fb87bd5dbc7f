"""The battery: the analyses of an audit, in the order of the report."""

from __future__ import annotations

from typing import Any

from reportgen.analyses.contract import Analysis
from reportgen.analyses.feature_maps import ANALYSIS as FEATURE_MAPS
from reportgen.analyses.loss_landscape import ANALYSIS as LOSS_LANDSCAPE
from reportgen.analyses.optvis import ANALYSIS as OPTVIS
from reportgen.analyses.overview import ANALYSIS as OVERVIEW
from reportgen.analyses.predictions import ANALYSIS as PREDICTIONS
from reportgen.analyses.weights import ANALYSIS as WEIGHTS

BATTERY: tuple[Analysis[Any, Any], ...] = (
    OVERVIEW,
    PREDICTIONS,
    FEATURE_MAPS,
    WEIGHTS,
    OPTVIS,
    LOSS_LANDSCAPE,
)


def find_analysis(id_: str) -> Analysis[Any, Any]:
    """The analysis named ``id_`` (KeyError: none)."""
    return {analysis.id: analysis for analysis in BATTERY}[id_]
