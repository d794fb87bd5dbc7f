"""What is shown of the activations, and when a check speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from reportgen.analyses.contract import AnalysisOptions
from reportgen.subject.limits import SAMPLES_KEPT


class Options(AnalysisOptions):
    """Say which feature maps are shown and when a check of them speaks."""

    samples: int = Field(
        default=10,
        ge=1,
        le=100,
        description=(
            "Samples that are followed through the layers. With class labels: one of each class, "
            "of at most so many classes, and the most confident mistake. Without: so many images, "
            "drawn at random; of other inputs always up to 64."
        ),
    )
    layers: int = Field(
        default=24,
        ge=1,
        description=(
            "Layers whose feature maps are drawn. A deeper model is cut down to so many, spread "
            "over the depth, the first and the last among them."
        ),
    )
    path_channels: int = Field(
        default=9,
        ge=1,
        le=64,
        description=(
            "Channels of each layer in a sample's path from input to output: those that tell "
            "classes apart most clearly, and those that vary most."
        ),
    )
    mosaic_channels: int = Field(
        default=64,
        ge=1,
        le=1024,
        description=(
            "Channels of each layer in its mosaic, the large picture of its maps side by side: "
            "those that vary most."
        ),
    )
    mosaic_samples: int = Field(
        default=1,
        ge=0,
        le=20,
        description=(
            "Of the samples shown, how many also get a mosaic of each layer, the first ones; 0 "
            "leaves the mosaics out. Only for images."
        ),
    )
    largest_side: int = Field(
        default=64,
        ge=8,
        le=512,
        description=(
            "Pixels a side of a drawn feature map, at most. Larger maps are averaged over square "
            "blocks until they fit."
        ),
    )
    pinned_share: float = Field(
        default=0.95,
        gt=0,
        le=1,
        description=(
            "For `features.saturated`: a channel is saturated where more than this share of its "
            "values lie at a bound of its activation function, such as 0 or 1 of a sigmoid. At 1 "
            "none ever is."
        ),
    )
    dead_layer_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description=(
            "Bar of `features.dead_channels`: it warns where more than this share of a layer's "
            "channels never change, and notes fewer."
        ),
    )
    dead_share: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description=(
            "Second bar of `features.dead_channels`: it warns where more than this share of all "
            "channels never change."
        ),
    )
    alarm_samples: int = Field(
        default=100,
        ge=1,
        description=(
            "With fewer samples `features.dead_channels` notes and does not warn. On 60 samples of "
            "two classes 44 % of a sound model's channels never changed, and pictures excited all "
            "of those tried."
        ),
    )
    saturated_share: float = Field(
        default=0.5,
        ge=0,
        lt=1,
        description=(
            "Bar of `features.saturated`: it warns of a layer where more than this share of the "
            "channels are saturated. At 0 one such channel is enough."
        ),
    )
    min_samples: int = Field(
        default=30,
        ge=1,
        description=(
            "With fewer samples `features.dead_channels` is not judged: a channel that did not "
            "change on a few samples may change on others."
        ),
    )
    depth_samples: int = Field(
        default=1000,
        ge=2,
        description=(
            "Samples, drawn at random, on which the layers are compared: how well each one tells "
            "the classes apart, and in how many directions samples differ."
        ),
    )
    depth_layers: int = Field(
        default=60,
        ge=1,
        description=(
            "Layers that are compared with each other. A deeper model is cut down to so many, "
            "spread over the depth, the first and the last among them."
        ),
    )
    effect_samples: int = Field(
        default=500,
        ge=1,
        description=(
            "Samples, drawn at random, that are predicted again with flagged channels set to zero, "
            "to see what these channels do for the answers."
        ),
    )
    effect_layers: int = Field(
        default=12,
        ge=0,
        description=(
            "Layers of each check whose flagged channels are set to zero one layer at a time. All "
            "of a check together are measured beside that. At 0 only the latter."
        ),
    )
    embedded: int = Field(
        default=1000,
        ge=0,
        description=(
            "Samples in the map of the last layer's features, where similar samples lie close "
            "together (t-SNE). They are drawn from those of `depth_samples`; fewer than 20, or 0, "
            "leave it out."
        ),
    )
    unit_layers: int = Field(
        default=8,
        ge=0,
        description=(
            "Layers of which it is shown what excites their units (channels or neurons), spread "
            "over the depth; 0 leaves this out."
        ),
    )
    units: int = Field(
        default=6,
        ge=1,
        description=(
            "Units of each such layer: up to half are those that tell a class apart most clearly, "
            "the others those that vary most."
        ),
    )
    most_exciting: int = Field(
        default=7,
        ge=1,
        le=SAMPLES_KEPT,
        description="Samples that excite a unit most, shown cut to what the unit sees of them.",
    )
    least_exciting: int = Field(
        default=2,
        ge=0,
        le=SAMPLES_KEPT,
        description="Samples that excite a unit least, shown beside the others; 0 leaves them out.",
    )
    patch_side: int = Field(
        default=48,
        ge=16,
        le=256,
        description="Pixels a side of each of the samples that are shown for a unit.",
    )
    attention_samples: int = Field(
        default=2,
        ge=0,
        le=20,
        description=(
            "Of the samples shown, for how many it is drawn where attention layers look; 0 leaves "
            "attention out."
        ),
    )
    attention_tokens: int = Field(
        default=64,
        ge=1,
        le=1024,
        description=(
            "Tokens (positions of the sequence) a side of a drawn attention map: the first ones. "
            "The numbers beside it are of all tokens."
        ),
    )

    presets: ClassVar[Mapping[Any, Mapping[str, Any]]] = {
        "quick": {
            "samples": 3,
            "layers": 8,
            "mosaic_channels": 32,
            "depth_samples": 300,
            "depth_layers": 24,
            "embedded": 300,
            "unit_layers": 3,
            "units": 4,
            "attention_samples": 1,
        },
        "full": {
            "samples": 30,
            "layers": 1000,
            "mosaic_channels": 512,
            "mosaic_samples": 3,
            "depth_samples": 5000,
            "depth_layers": 1000,
            "embedded": 3000,
            "unit_layers": 1000,
            "units": 12,
            "attention_samples": 3,
            "attention_tokens": 256,
        },
    }
    tiny: ClassVar[Mapping[str, Any]] = {
        "samples": 2,
        "layers": 3,
        "path_channels": 4,
        "mosaic_channels": 8,
        "depth_samples": 60,
        "depth_layers": 4,
        "effect_samples": 60,
        "effect_layers": 2,
        "embedded": 40,
        "unit_layers": 2,
        "units": 2,
        "most_exciting": 3,
        "attention_samples": 1,
    }
