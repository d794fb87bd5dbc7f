"""What is shown of the predictions, and when a check speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from reportgen.analyses.contract import AnalysisOptions


class Options(AnalysisOptions):
    """Say which predictions are shown and when a check of them speaks."""

    shown_samples: int = Field(
        default=20,
        ge=1,
        le=200,
        description=(
            "Samples that are shown with what the model answers, right or wrong. They are drawn "
            "at random; classes take turns, so that each is seen."
        ),
    )
    shown_mistakes: int = Field(
        default=12,
        ge=0,
        le=200,
        description="Wrong answers that are shown, the most confident first; 0 leaves them out.",
    )
    shown_kinds: int = Field(
        default=40,
        ge=0,
        le=400,
        description=(
            "Kinds of mistake (a true class taken for another) that are shown with one sample "
            "each, of those that the most confident mistakes leave out; 0 leaves them out."
        ),
    )
    shown_classes: int = Field(
        default=10,
        ge=1,
        le=50,
        description="Classes whose probabilities stand beside a shown sample, most probable first.",
    )
    bins: int = Field(
        default=15,
        ge=2,
        le=100,
        description=(
            "Groups of similar confidence, of about equally many samples, that calibration is "
            "measured in: whether stated probabilities come true as often as they say. At most so "
            "many; equal confidences stay together."
        ),
    )
    min_accuracy: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description=(
            "Your own bar of `predictions.accuracy`, from 0 to 1, for classes: it fails where the "
            "whole 95 % interval lies below, and warns where only the accuracy does. Unset, it "
            "only warns where the model is no better than chance."
        ),
    )
    max_calibration_error: float = Field(
        default=0.10,
        ge=0,
        le=1,
        description=(
            "Bar of `predictions.calibration`, from 0 to 1: it warns where stated probabilities "
            "miss the truth by more than this on average, by the lower end of the 95 % interval. "
            "At 1 it never warns."
        ),
    )
    collapse_share: float = Field(
        default=0.10,
        ge=0,
        le=1,
        description=(
            "Bar of `predictions.class_collapse`: it warns of a class that is predicted less often "
            "than this share of the samples it has, by the upper end of a 95 % interval. At 0 it "
            "never warns."
        ),
    )
    min_samples: int = Field(
        default=30,
        ge=1,
        description=(
            "With fewer samples `predictions.accuracy` and `predictions.calibration` give a note "
            "and no verdict. Your own bar `min_accuracy` holds all the same."
        ),
    )

    presets: ClassVar[Mapping[Any, Mapping[str, Any]]] = {
        "quick": {"shown_samples": 10, "shown_mistakes": 6, "shown_kinds": 20},
        "full": {"shown_samples": 60, "shown_mistakes": 48, "shown_kinds": 100},
    }
    tiny: ClassVar[Mapping[str, Any]] = {
        "shown_samples": 4,
        "shown_mistakes": 4,
        "shown_kinds": 4,
    }
