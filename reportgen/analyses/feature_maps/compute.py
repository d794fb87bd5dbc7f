"""Feature maps of chosen samples, and a census of all channels over all samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from reportgen.analyses.feature_maps.attention import AttentionMaps, read_attention
from reportgen.analyses.feature_maps.depth import Depth, measure_depth, read_means
from reportgen.analyses.feature_maps.effects import Together, measure_problems
from reportgen.analyses.feature_maps.embedding import Embedding, embed
from reportgen.analyses.feature_maps.layers import ShownLayer, read_layers
from reportgen.analyses.feature_maps.options import Options
from reportgen.analyses.feature_maps.picks import choose_shown
from reportgen.analyses.feature_maps.problems import Problems, find_problems
from reportgen.analyses.feature_maps.selection import ChosenSample, choose_layers, choose_samples
from reportgen.subject.top_activating import ExcitedLayer, Request
from reportgen.subject.zero_filters import zero_channels

if TYPE_CHECKING:
    from reportgen.subject.census import Census
    from reportgen.subject.subject import Subject


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
        excitation=subject.find_top_activating(
            Request(
                layers=options.unit_layers,
                units=options.units,
                most=options.most_exciting,
                least=options.least_exciting,
                side=options.patch_side,
            )
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
        zero_channels(subject.zero_filters),
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
