"""Feature maps of chosen samples, and a census of all channels over all samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from threadpoolctl import threadpool_limits

from reportgen.analyses.contract import AnalysisOptions
from reportgen.analyses.feature_maps.attention import AttentionMaps, read_attention
from reportgen.analyses.feature_maps.depth import Depth, measure_depth, read_means
from reportgen.analyses.feature_maps.effects import Together, measure_problems
from reportgen.analyses.feature_maps.embedding import Embedding, embed
from reportgen.analyses.feature_maps.excitation import ExcitedLayer, find_exciting
from reportgen.analyses.feature_maps.layers import ShownLayer, read_layers
from reportgen.analyses.feature_maps.picks import choose_shown
from reportgen.analyses.feature_maps.problems import Problems, find_problems
from reportgen.analyses.feature_maps.selection import ChosenSample, choose_layers, choose_samples
from reportgen.analyses.feature_maps.zero_filters import list_zero_filters
from reportgen.subject.census.units import SAMPLES_KEPT

if TYPE_CHECKING:
    from reportgen.subject.census import Census
    from reportgen.subject.subject import Subject


class Options(AnalysisOptions):
    """What is shown and when a check speaks.

    samples: one a class up to so many, and the worst mistake. layers: spread over the depth.
    path_channels: a layer in a sample's path. mosaic_channels: a layer in its mosaic.
    mosaic_samples: samples whose layers are shown with all channels.
    pinned_share: a channel is saturated if more of its values lie at the bounds.
    saturated_share: `features.saturated` warns if more of a layer's channels are saturated.
    min_samples: with fewer samples a channel that did not change proves nothing.
    depth_samples, depth_layers: how many are compared layer by layer. embedded: samples in the
    picture of the last representation; 0 for none.
    effect_samples, effect_layers: samples, and layers of a check, on which it is measured what
    the flagged channels do for the answers.
    unit_layers, units: layers, and units of each, for which it is shown what excites them.
    most_exciting, least_exciting: samples a unit. patch_side: pixels of a patch.
    attention_samples, attention_tokens: samples whose attention is drawn, and tokens a side.
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
    effect_samples: int = Field(default=500, ge=1)
    effect_layers: int = Field(default=12, ge=0)
    embedded: int = Field(default=1000, ge=0)
    unit_layers: int = Field(default=8, ge=0)
    units: int = Field(default=6, ge=1)
    most_exciting: int = Field(default=7, ge=1, le=SAMPLES_KEPT)
    least_exciting: int = Field(default=2, ge=0, le=SAMPLES_KEPT)
    patch_side: int = Field(default=48, ge=16, le=256)
    attention_samples: int = Field(default=2, ge=0, le=20)
    attention_tokens: int = Field(default=64, ge=1, le=1024)

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


@dataclass(frozen=True)
class FeatureMapsResult:
    """pictures: ``(samples, h, w, 3)`` uint8, None for vectors. inputs: ``(samples, c, h, w)``
    where a picture does not show all channels. sample_shape: of one, as people see it. shares:
    ``(samples, classes)`` probabilities, or raw outputs ``(samples, units)`` without classes.
    """

    samples: tuple[ChosenSample, ...]
    pictures: NDArray[np.uint8] | None
    inputs: NDArray[np.float32] | None
    layers: tuple[ShownLayer, ...]
    layers_left: int
    classes_left: int
    shares: NDArray[np.float64]
    classes: tuple[str, ...]
    is_vector: bool
    sample_shape: tuple[int, ...]
    census: Census
    excitation: tuple[ExcitedLayer, ...]
    attention: tuple[AttentionMaps, ...]
    depth: Depth
    embedding: Embedding | None
    problems: Problems
    together: Together
    options: Options


def compute(subject: Subject, options: Options, rng: np.random.Generator) -> FeatureMapsResult:
    """Count all channels in one pass, and show what the census picks."""
    census = subject.census
    samples, classes_left = choose_samples(subject, options.samples, rng)
    calls, layers_left = choose_layers(subject, options.layers)
    rows = np.array([sample.row for sample in samples])
    is_image = subject.input.kind == "image"
    classes = subject.labels.classes
    layers = read_layers(
        subject,
        calls,
        rows,
        choose_shown(census, options.path_channels, options.mosaic_channels, classes),
        mosaic_samples=options.mosaic_samples if is_image else len(samples),
        largest_side=options.largest_side,
    )
    raw = subject.raw_outputs[rows].reshape(len(rows), -1)
    drawn = np.sort(rng.permutation(len(subject.samples))[: options.depth_samples])
    means = read_means(subject, drawn, options.depth_layers)
    seed = int(rng.integers(2**31))
    embedded = np.sort(rng.permutation(len(drawn))[: options.embedded])
    # Small problems: threads that wait for each other cost more than they bring, much more on a
    # machine that has other work.
    with threadpool_limits(1):
        depth = measure_depth(subject, means, drawn, seed)
        embedding = embed(
            subject, {name: v[embedded] for name, v in means.items()}, drawn[embedded], seed
        )
    problems, together = _find_problems(subject, options, rng)
    return FeatureMapsResult(
        samples=samples,
        pictures=subject.pictures(rows) if is_image else None,
        inputs=_separate_channels(subject, rows),
        layers=layers,
        layers_left=layers_left,
        classes_left=classes_left,
        shares=subject.probabilities[rows] if classes else raw.astype(np.float64),
        classes=classes,
        is_vector=not is_image,
        sample_shape=subject.input.pixels,
        census=census,
        excitation=find_exciting(
            subject,
            layers=options.unit_layers,
            units=options.units,
            most=options.most_exciting,
            least=options.least_exciting,
            side=options.patch_side,
        ),
        attention=read_attention(
            subject, rows[: options.attention_samples], options.attention_tokens
        ),
        depth=depth,
        embedding=embedding,
        problems=problems,
        together=together,
        options=options,
    )


def _find_problems(
    subject: Subject, options: Options, rng: np.random.Generator
) -> tuple[Problems, Together]:
    probe = subject.probe
    found = find_problems(
        probe.calls,
        subject.census.layers,
        probe.output_calls,
        list_zero_filters(probe.calls),
        options,
    )
    if subject.census.samples < options.min_samples:
        found.dead.clear()  # what did not change on so few samples proves nothing
    rows = np.sort(rng.permutation(len(subject.samples))[: options.effect_samples])
    return measure_problems(subject, found, rows, options.effect_layers)


def _separate_channels(subject: Subject, rows: NDArray[np.int64]) -> NDArray[np.float32] | None:
    """Pictures with other channels than grey or colour, one by one: ``(samples, c, h, w)``."""
    if subject.input.kind != "image" or subject.input.channels in (1, 3, 4):
        return None
    pixels = np.asarray(subject.samples.pixels[rows], np.float32)
    return pixels.reshape(len(rows), *subject.input.pixels).transpose(0, 3, 1, 2)
