"""What is drawn of the weights, and when a check speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from reportgen.analyses.contract import AnalysisOptions


class Options(AnalysisOptions):
    """Say which weights are drawn and when a check of them speaks."""

    shown_layers: int = Field(
        default=12,
        ge=0,
        description=(
            "Kernels (weight arrays of a layer) that are drawn, spread over the depth, the first "
            "and the last among them. The first one that a check flags is always drawn, even at 0."
        ),
    )
    shown_filters: int = Field(
        default=16,
        ge=1,
        le=256,
        description=(
            "Filters in the picture of a kernel, flagged ones and those that vary most first; of "
            "dense layers four times as many units. Three-channel filters on the input image are "
            "drawn in colour, always up to 256."
        ),
    )
    shown_channels: int = Field(
        default=16,
        ge=1,
        le=256,
        description="Input channels of each drawn filter, the first ones.",
    )
    numbered_filters: int = Field(
        default=32,
        ge=0,
        le=256,
        description=(
            "Filters of the first kernel whose weights are also written out as numbers; 0 leaves "
            "them out. Only for windows of at most 7 x 7 weights and 4 channels."
        ),
    )
    near_zero: float = Field(
        default=0.01,
        gt=0,
        lt=1,
        description=(
            "In the table of parameters a weight counts as near zero up to this share of its "
            "array's standard deviation. No check hangs on it."
        ),
    )
    dead_filter_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description=(
            "Bar of `weights.dead_filters`: it warns where more than this share of all filters are "
            "zero, and notes fewer."
        ),
    )
    dead_filter_layer_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description=(
            "Second bar of `weights.dead_filters`: it warns where more than this share of one "
            "layer's filters are zero."
        ),
    )
    duplicate_cosine: float = Field(
        default=0.999,
        gt=0,
        lt=1,
        description=(
            "Bar of `weights.duplicate_filters`: two filters are one above this cosine of the "
            "angle between them (1: the same direction). Opposite filters count too where the next "
            "layer reads both alike."
        ),
    )
    initial_p: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description=(
            "Bar of `weights.untrained_layers`: a kernel looks untrained while the p value of the "
            "test against its initialiser (Kolmogorov-Smirnov) is above this; beside a bias that "
            "never moved, above a fiftieth of it."
        ),
    )
    still: float = Field(
        default=1e-4,
        gt=0,
        lt=1,
        description=(
            "Bar of `weights.untrained_layers` with a history: a kernel that moved by less than "
            "this share of its first recorded length did not learn."
        ),
    )
    spectra_work: float = Field(
        default=100.0,
        ge=0,
        description=(
            "Thousand millions of multiplications that the singular values of all kernels may "
            "cost, the smallest kernels first. Larger ones are left out; 0 leaves out all."
        ),
    )
    null_draws: int = Field(
        default=100,
        ge=10,
        le=10_000,
        description=(
            "Random matrices of each kernel's shape that its singular values are compared with, "
            "to tell structure from noise."
        ),
    )
    bootstrap: int = Field(
        default=100,
        ge=10,
        le=10_000,
        description=(
            "Resamples for the range of a spectrum's exponent, which says how fast its large "
            "eigenvalues thin out."
        ),
    )
    shown_spectra: int = Field(
        default=5,
        ge=0,
        le=8,
        description=(
            "Spectra that are drawn as curves: the first and last kernel, flagged ones, and those "
            "least and most like random matrices, at most 6 in all; 0 leaves the figure out."
        ),
    )
    effect_samples: int = Field(
        default=1000,
        ge=1,
        description=(
            "Samples, drawn at random, that are predicted again with flagged filters set to zero. "
            "Fewer, but at least 30, where that would cost more than `effect_work`."
        ),
    )
    effect_work: float = Field(
        default=2000.0,
        ge=0,
        description=(
            "Thousand millions of multiplications that all predictions with flagged filters set to "
            "zero may cost. A larger model is asked on fewer samples; at 0 on 30."
        ),
    )
    effect_flags: int = Field(
        default=8,
        ge=0,
        description=(
            "Flags of each check whose filters are set to zero one flag at a time. Where there are "
            "several, all together are measured beside that; at 0 only the latter."
        ),
    )
    shown_movements: int = Field(
        default=2,
        ge=0,
        le=50,
        description=(
            "With a history: kernels whose initial and trained histograms are drawn, the first "
            "kernel and those that moved farthest; 0 leaves them out."
        ),
    )

    presets: ClassVar[Mapping[Any, Mapping[str, Any]]] = {
        "quick": {
            "shown_layers": 4,
            "spectra_work": 10.0,
            "null_draws": 40,
            "bootstrap": 40,
            "effect_samples": 200,
            "effect_work": 200.0,
            "effect_flags": 4,
            "shown_movements": 1,
        },
        "full": {
            "shown_layers": 1000,
            "shown_filters": 64,
            "shown_channels": 64,
            "spectra_work": 1e6,
            "null_draws": 300,
            "bootstrap": 300,
            "effect_samples": 5000,
            "effect_work": 1e6,
            "effect_flags": 50,
            "shown_movements": 8,
        },
    }
    tiny: ClassVar[Mapping[str, Any]] = {
        "shown_layers": 2,
        "spectra_work": 1.0,
        "null_draws": 20,
        "bootstrap": 20,
        "effect_samples": 60,
        "effect_flags": 2,
        "shown_movements": 1,
    }
