"""Feature maps of chosen samples, and a census of all channels over all samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from reportgen.analyses.contract import AnalysisOptions
from reportgen.analyses.feature_maps.census import ChannelCensus, take_census
from reportgen.analyses.feature_maps.depth import Depth, measure_depth
from reportgen.analyses.feature_maps.layers import ShownLayer, read_layers
from reportgen.analyses.feature_maps.problems import Problems, find_problems
from reportgen.analyses.feature_maps.selection import ChosenSample, choose_layers, choose_samples

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject


class Options(AnalysisOptions):
    """What is shown and when a check speaks.

    samples: one a class up to so many, and the worst mistake. layers: spread over the depth.
    path_channels: a layer in a sample's path. mosaic_channels: a layer in its mosaic.
    mosaic_samples: samples whose layers are shown with all channels.
    pinned_share: a channel is saturated if more of its values lie at the bounds.
    saturated_share: `features.saturated` warns if more of a layer's channels are saturated.
    min_samples: with fewer samples a channel that did not change proves nothing.
    depth_samples, depth_layers: how many are compared layer by layer.
    """

    samples: int = Field(default=10, ge=1, le=100)
    layers: int = Field(default=24, ge=1)
    path_channels: int = Field(default=9, ge=1, le=64)
    mosaic_channels: int = Field(default=64, ge=1, le=1024)
    mosaic_samples: int = Field(default=1, ge=0, le=20)
    largest_side: int = Field(default=64, ge=8, le=512)
    pinned_share: float = Field(default=0.95, gt=0, le=1)
    saturated_share: float = Field(default=0.5, ge=0, lt=1)
    min_samples: int = Field(default=30, ge=1)
    depth_samples: int = Field(default=1000, ge=2)
    depth_layers: int = Field(default=60, ge=1)

    presets: ClassVar[Mapping[Any, Mapping[str, Any]]] = {
        "quick": {
            "samples": 3,
            "layers": 8,
            "mosaic_channels": 32,
            "depth_samples": 300,
            "depth_layers": 24,
        },
        "full": {
            "samples": 30,
            "layers": 1000,
            "mosaic_channels": 512,
            "mosaic_samples": 3,
            "depth_samples": 5000,
            "depth_layers": 1000,
        },
    }


@dataclass(frozen=True)
class FeatureMapsResult:
    """pictures: ``(samples, h, w, 3)`` uint8, None for vectors. shares: ``(samples, classes)``
    probabilities, or raw outputs ``(samples, units)`` without classes.
    """

    samples: tuple[ChosenSample, ...]
    pictures: NDArray[np.uint8] | None
    layers: tuple[ShownLayer, ...]
    layers_left: int
    classes_left: int
    shares: NDArray[np.float64]
    classes: tuple[str, ...]
    is_vector: bool
    census_samples: int
    census: tuple[ChannelCensus, ...]
    depth: Depth
    problems: Problems
    options: Options


def compute(subject: Subject, options: Options, rng: np.random.Generator) -> FeatureMapsResult:
    """Choose samples and layers, read them in one pass, and count all channels in another."""
    samples, classes_left = choose_samples(subject, options.samples, rng)
    calls, layers_left = choose_layers(subject, options.layers)
    rows = np.array([sample.row for sample in samples])
    is_image = subject.input.kind == "image"
    layers = read_layers(
        subject,
        calls,
        rows,
        path_channels=options.path_channels,
        mosaic_channels=options.mosaic_channels,
        mosaic_samples=options.mosaic_samples if is_image else len(samples),
        largest_side=options.largest_side,
    )
    census = tuple(take_census(subject))
    classes = subject.labels.classes
    raw = subject.raw_outputs[rows].reshape(len(rows), -1)
    return FeatureMapsResult(
        samples=samples,
        pictures=subject.pictures(rows) if is_image else None,
        layers=layers,
        layers_left=layers_left,
        classes_left=classes_left,
        shares=subject.probabilities[rows] if classes else raw.astype(np.float64),
        classes=classes,
        is_vector=not is_image,
        census_samples=len(subject.samples),
        census=census,
        depth=measure_depth(subject, options.depth_samples, options.depth_layers, rng),
        problems=find_problems(subject.probe.calls, census, subject.probe.output_calls, options),
        options=options,
    )
