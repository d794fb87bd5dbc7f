"""How many samples are asked in how many ways, and when a check speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from reportgen.analyses.contract import AnalysisOptions


class Options(AnalysisOptions):
    """Say how much is tried to find what is wrong about the samples."""

    samples: int = Field(
        default=1000,
        ge=1,
        le=20_000,
        description="Samples that are asked in other ways, drawn with the seed if there are more.",
    )
    work: float = Field(
        default=4000.0,
        gt=0,
        description=(
            "Thousand millions of multiplications that asking in all ways may cost. Of a larger "
            "model fewer samples are drawn, but never fewer than 60."
        ),
    )
    seconds: float = Field(
        default=120.0,
        gt=0,
        description=(
            "Time for all of it. What is left then is named in the report and was not tried."
        ),
    )
    changed_samples: int = Field(
        default=200,
        ge=1,
        le=20_000,
        description=(
            "Samples that are moved, blurred, compressed and so on to see which answers flip; of "
            "those that are asked at all."
        ),
    )
    max_duplicate_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description=(
            "Bar of `inputs.duplicates`, from 0 to 1: it warns where more than this share of the "
            "samples repeat another one to the last byte; at or below it there is a note. Copies "
            "with different labels always warn."
        ),
    )
    blank_confidence: float = Field(
        default=0.9,
        ge=0,
        le=1,
        description=(
            "Bar of `inputs.blank_answer`: it notes where an empty picture or noise is answered "
            "with at least this probability."
        ),
    )
    max_flips: float = Field(
        default=0.33,
        ge=0,
        le=1,
        description=(
            "Bar of `predictions.unstable`: it warns where more than this share of the answers "
            "flips under a shift by one pixel, 5 % more brightness or a JPEG of quality 80. Of "
            "sound networks a seventh did, of the smallest MobileNet a third."
        ),
    )
    shown_suspects: int = Field(
        default=12,
        ge=0,
        le=200,
        description=(
            "Samples with doubtful labels that are shown as pictures, the most contradicted first; "
            "the file beside the report lists all."
        ),
    )
    resizing_gain: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description=(
            "Bar of `inputs.resizing`: it warns where another rule of resizing answers more than "
            "this share of the samples rightly that the declared one does not."
        ),
    )
    presets: ClassVar[Mapping[Any, Mapping[str, Any]]] = {
        "quick": {"samples": 300, "work": 400.0, "seconds": 30.0},
        "full": {"samples": 5000, "work": 40_000.0, "seconds": 1800.0},
    }
    tiny: ClassVar[Mapping[str, Any]] = {"samples": 60, "seconds": 600.0}
