"""What is painted, how long it may take, and when a check speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from reportgen.analyses.contract import AnalysisOptions
from reportgen.subject.limits import SAMPLES_KEPT

RecipeName = Literal[
    "default",
    "lucid",
    "distill",
    "tf-keras-vis",
    "tf-keras-vis-classes",
    "keras-vis",
    "keras-vis-filters",
    "ascent",
    "octaves",
    "maco",
]


class Options(AnalysisOptions):
    """Say what is painted, how long it may take, and when a check of the pictures speaks."""

    layers: int = Field(
        default=6,
        ge=0,
        description=(
            "Layers whose units (channels or neurons) are painted, spread over the depth; 0 leaves "
            "the units out."
        ),
    )
    units: int = Field(
        default=4,
        ge=1,
        description=(
            "Units of each layer: up to half are those that tell a class apart most clearly, the "
            "others those that vary most, as in the feature maps."
        ),
    )
    variants: int = Field(
        default=3,
        ge=1,
        le=16,
        description=(
            "Pictures of each unit and class, each from another random start. With 1 it cannot be "
            "told whether several starts lead to the same picture."
        ),
    )
    classes: int = Field(
        default=10,
        ge=0,
        description=(
            "Classes (or numbers, where the model predicts numbers) that are painted, those that "
            "the model answers most often; 0 leaves them out."
        ),
    )
    dreams: int = Field(
        default=4,
        ge=0,
        description=(
            "Of the painted layers, how many change a sample into what the layer as a whole wants "
            "to see (DeepDream), spread over the depth; 0 leaves this out."
        ),
    )
    silent_units: int = Field(
        default=8,
        ge=0,
        description=(
            "Channels of each painted layer that no sample changes, of which it is tried whether "
            "any picture excites them; 0 tries none. `optvis.unresponsive_units` reads the result."
        ),
    )
    negative: bool = Field(
        default=False,
        description=(
            "Also paint what each unit wants least; this takes a quarter of its layer's time."
        ),
    )
    recipe: RecipeName = Field(
        default="default",
        description=(
            "How pictures are made: default is this tool's own; lucid, distill, tf-keras-vis and "
            "keras-vis (-classes, -filters: variants) follow those tools; ascent is plain gradient "
            "ascent, octaves grows the picture, maco takes the spectrum of the samples."
        ),
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description=(
            "Numbers that painting computes in: float32 keeps the model's own precision, bfloat16 "
            "is shorter and less exact, auto takes bfloat16 where a trial finds it clearly faster "
            "and off by at most 2 %, and float32 where SOURCE_DATE_EPOCH is set."
        ),
    )
    seconds: float = Field(
        default=150.0,
        gt=0,
        description=(
            "Seconds for all painting; judging the pictures comes on top. Every picture gets at "
            "least a few steps; the report says which were not finished."
        ),
    )
    samples: int = Field(
        default=1000,
        ge=1,
        description=(
            "Samples, drawn at random, that pictures are compared with. Those that excite the "
            "shown units most and least are always among them."
        ),
    )
    noise: int = Field(
        default=16,
        ge=1,
        description=(
            "Random pictures that a unit's pictures have to excite it more than, or else they are "
            "called no better than noise."
        ),
    )
    most_exciting: int = Field(
        default=3,
        ge=1,
        le=SAMPLES_KEPT,
        description="Samples beside the pictures of a unit or class that excite it most.",
    )
    least_exciting: int = Field(
        default=1,
        ge=0,
        le=SAMPLES_KEPT,
        description=(
            "Samples beside the pictures of a unit that excite it least; 0 leaves them out."
        ),
    )
    side: int = Field(
        default=96,
        ge=32,
        le=256,
        description=(
            "Pixels a side of a picture or sample in the report. The size that is painted at does "
            "not depend on it."
        ),
    )
    unresponsive_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description=(
            "Bar of `optvis.unresponsive_units`, from 0 to 1: it warns where no picture excites "
            "more than this share of a layer; below there is a note. A class whose score no "
            "picture raises always warns."
        ),
    )
    natural_share: float = Field(
        default=1.0,
        gt=0,
        description=(
            "Bar of `optvis.below_natural`: a note names units whose best picture excites them "
            "less than this many times as much as their strongest sample."
        ),
    )

    # Which precision is faster is timed, and a report that has to be the same each time must not
    # depend on how long a step took.
    reproducible: ClassVar[Mapping[str, Any]] = {"precision": "float32"}
    presets: ClassVar[Mapping[Any, Mapping[str, Any]]] = {
        "quick": {
            "layers": 3,
            "units": 3,
            "variants": 2,
            "classes": 4,
            "dreams": 1,
            "silent_units": 4,
            "seconds": 20.0,
            "samples": 300,
        },
        "full": {
            "layers": 1000,
            "units": 12,
            "variants": 4,
            "classes": 100,
            "dreams": 12,
            "silent_units": 64,
            "negative": True,
            "seconds": 7200.0,
            "samples": 5000,
            "side": 128,
        },
    }
    tiny: ClassVar[Mapping[str, Any]] = {
        "layers": 1,
        "units": 2,
        "variants": 2,
        "classes": 2,
        "dreams": 1,
        "silent_units": 4,
        "precision": "float32",
        "seconds": 600.0,
        "samples": 40,
        "noise": 4,
        "side": 32,
    }
