"""When the checks of the overview speak."""

from __future__ import annotations

from pydantic import Field

from reportgen.analyses.contract import AnalysisOptions


class Options(AnalysisOptions):
    """Say from which share of the samples the checks of the overview warn."""

    max_skipped_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description=(
            "Bar of `inputs.skipped`, from 0 to 1: it warns where more than this share of the "
            "samples had to be left out; at or below it there is a note. At 1 it never warns."
        ),
    )
