"""Which methods are asked about how many samples, and how long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from reportgen.analyses.contract import AnalysisOptions

STANDARD = ("occlusion", "hires_cam", "integrated_gradients", "gradient")
CHEAP = ("occlusion", "hires_cam", "gradient")
ALL = (
    *STANDARD,
    "gradient_times_input",
    "smoothgrad",
    "smoothgrad_squared",
    "vargrad",
    "expected_gradients",
    "grad_cam",
    "grad_cam_plus_plus",
    "layer_cam",
    "score_cam",
    "rise",
    "kernel_shap",
    "rollout",
)


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in ALL]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no method. There are: {', '.join(ALL)}")
    return tuple(dict.fromkeys(names))


class Options(AnalysisOptions):
    """Say which maps are drawn, of how many samples, and how they are proved."""

    methods: Annotated[tuple[str, ...], AfterValidator(_known), Field(min_length=1)] = Field(
        default=STANDARD,
        description=(
            "Methods, by name. The standard four can be checked; the preset quick leaves out "
            "integrated gradients, full takes all. "
            "docs/attributions.md says what each one computes."
        ),
    )
    samples: int = Field(
        default=32,
        ge=1,
        le=1000,
        description=(
            "Samples that maps are made of and methods are held against: the surest mistakes, some "
            "of each class, and the least certain ones."
        ),
    )
    shown: int = Field(
        default=8,
        ge=0,
        le=100,
        description="Samples whose maps are drawn; the others count in the tables.",
    )
    mistakes: int = Field(
        default=4,
        ge=0,
        le=50,
        description=(
            "Mistakes that are drawn with the map of the class they were taken for and of the "
            "label."
        ),
    )
    randomised: int = Field(
        default=8,
        ge=0,
        le=200,
        description=(
            "Samples whose maps are made again by networks with shuffled weights, two or more; 0: "
            "none."
        ),
    )
    converted: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description=(
            "Bar of `attributions.shortcut`: it warns where pasting a place or colour of one class "
            "makes more than this share of other pictures that class, beyond the share of samples "
            "of other classes that have it anyway."
        ),
    )
    work: float = Field(
        default=4000.0,
        gt=0,
        description=(
            "Thousand millions of multiplications that all of it may cost. Of a larger model fewer "
            "samples are taken, but never fewer than 8, and fewer points of their curves."
        ),
    )
    seconds: float = Field(
        default=180.0,
        gt=0,
        description="Time for all of it. What is left then is named in the report.",
    )
    presets: ClassVar[Mapping[Any, Mapping[str, Any]]] = {
        "quick": {
            "methods": CHEAP,
            "samples": 12,
            "shown": 4,
            "mistakes": 2,
            "randomised": 4,
            "work": 800.0,
            "seconds": 60.0,
        },
        "full": {"methods": ALL, "shown": 12, "randomised": 6, "work": 40_000.0, "seconds": 3600.0},
    }
    tiny: ClassVar[Mapping[str, Any]] = {
        "samples": 8,
        "shown": 2,
        "mistakes": 1,
        "randomised": 2,
        "seconds": 600.0,
    }
