"""Feature maps as blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.feature_maps.absences import say_absences
from reportgen.analyses.feature_maps.attention_blocks import draw_attention
from reportgen.analyses.feature_maps.census_arrays import COLUMNS, tabulate
from reportgen.analyses.feature_maps.compute import FeatureMapsResult
from reportgen.analyses.feature_maps.depth_blocks import draw_depth
from reportgen.analyses.feature_maps.drawing import list_stages, scale_of, shape_of
from reportgen.analyses.feature_maps.embedding_blocks import draw_embedding
from reportgen.analyses.feature_maps.excitation_blocks import draw_excitation
from reportgen.analyses.feature_maps.findings import judge
from reportgen.analyses.feature_maps.flag_blocks import evidence_blocks
from reportgen.analyses.feature_maps.layers import FloatArray, ShownLayer
from reportgen.analyses.feature_maps.responses import draw_responses
from reportgen.analyses.feature_maps.selection import ChosenSample
from reportgen.analyses.feature_maps.units_blocks import table_units
from reportgen.analyses.records import SAID, keep_records
from reportgen.report.blocks import Block, ColourScale, ImageGrid, Panel, Share, Text
from reportgen.report.sections import SectionBody
from reportgen.text import slug

_SHARES = 5
_HALF_MAX = float(np.finfo(np.float16).max)


def present(result: FeatureMapsResult) -> SectionBody:
    """The way of each sample through the layers; all channels of each layer; the findings."""
    arrays: dict[str, NDArray[Any]] = {}
    blocks: list[Block] = []
    if result.is_vector:
        blocks += draw_responses(result, arrays)
    else:
        blocks += [_path(result, i, arrays) for i in range(len(result.samples))]
        shown = result.layers[0].after.shape[0] if result.layers else 0
        for sample in range(shown):
            blocks += [_mosaic(result, sample, i, arrays) for i in range(len(result.layers))]
    blocks = [
        *evidence_blocks(result),
        *draw_depth(result.depth),
        *draw_embedding(result.embedding, result.classes),
        *table_units(result.census, result.classes),
        *draw_excitation(result.excitation, result.census.samples, arrays),
        *draw_attention(result.attention, {s.row: s.name for s in result.samples}, arrays),
        *say_absences(result),
        *blocks,
    ]
    if not blocks:
        said = "The model has no convolution, activation, pooling or dense layer to show."
        blocks.append(Text(id="feature_maps-none", caption=said))
    arrays |= tabulate(result.census) | _keep(result)
    method = (*_method(result), SAID.format(section="feature_maps"))
    return SectionBody(judge(result), tuple(blocks), method, arrays)


def _keep(result: FeatureMapsResult) -> dict[str, NDArray[Any]]:
    """Which samples the curve through the layers and the embedding are of, and their seeds."""
    embedding = result.embedding
    return keep_records(
        {
            "depth_rows": result.depth.rows,
            "depth_seed": result.depth.seed,
            "embedding_rows": embedding.rows if embedding else None,
            "embedding_seed": embedding.seed if embedding else None,
            "embedding_points": embedding.points if embedding else None,
        }
    )


def _method(result: FeatureMapsResult) -> tuple[str, ...]:
    options = result.options
    left = []
    if result.layers_left:
        left.append(f"{result.layers_left} layers (spread over the depth, ends kept)")
    if result.classes_left:
        left.append(f"{result.classes_left} classes")
    channels = sum(layer.channels_left for layer in result.layers)
    if channels and not result.is_vector:
        left.append(f"{channels} channels of the mosaics")
    mosaics = len(result.samples) - options.mosaic_samples
    if mosaics > 0 and not result.is_vector:
        left.append(f"the mosaics of {mosaics} samples")
    lines = [
        "One forward pass in inference mode gives all layers, before and after the activation "
        "function, also where it is fused into the layer. Samples: one a class, drawn with the "
        "seed, and the most confident mistake. Channels are picked by the census: those that "
        "answer to a class most clearly, and those that vary most, in their own order.",
        "Each layer has one colour scale: it reaches to the 99.9 % quantile of the size of its "
        "values after the activation function; values beyond take the end colours. "
        f"Maps larger than {options.largest_side} pixels a side are averaged down.",
        f"The census looks at every channel over all {result.census.samples:,} samples and "
        "positions. A channel is constant if it changes less than float32 can tell; it is named "
        "at the layer where that begins. A value of a bounded function is at its bound within 1 % "
        "of the range. Tells a class: the interval of r (point-biserial; of atanh r, with the "
        "larger of Fisher's deviation and the one measured from the samples; for the best of all "
        "classes by Bonferroni) of a unit's mean response with the class lies above the 95 % "
        "point of shuffled labels. Every number is "
        "in data/feature_maps.npz, a table a layer, census_...: "
        f"{', '.join(COLUMNS)}.",
    ]
    if result.depth.layers:
        lines.append(
            f"Layer by layer: a sample is the means of the channels over positions, "
            f"{result.depth.samples:,} samples. Effective rank: exp of the entropy of the shares "
            "of variance by direction (Roy & Vetterli 2007). Told right: the nearest class centre "
            "(scikit-learn), features scaled, five stratified folds, the mean of five draws of "
            "them; nothing is tuned, so layers are compared and not fits. Intervals: Wilson 95 %."
        )
    if left:
        lines.append(
            f"Left out by the budget: {'; '.join(left)}. Raise "
            "feature_maps.layers, .samples, .mosaic_channels or .mosaic_samples to see more."
        )
    return tuple(lines)


def _path(result: FeatureMapsResult, position: int, arrays: dict[str, NDArray[Any]]) -> ImageGrid:
    sample = result.samples[position]
    assert result.pictures is not None
    arrays[f"input_{position}"] = result.pictures[position][None]
    panels = [Panel(title="input", tiles=f"feature_maps/input_{position}", columns=1)]
    if result.inputs is not None:
        panels = [_separate(result.inputs[position], position, arrays)]
    for index, layer in enumerate(result.layers):
        key = f"path_{position}_{slug(index, layer.address)}"
        arrays[key] = _compact(layer.path[position])
        panels.append(
            Panel(
                title=layer.address,
                note=shape_of(layer),
                tiles=f"feature_maps/{key}",
                columns=_columns(len(layer.path_channels)),
                scale=scale_of(layer, signed=layer.after_signed),
            )
        )
    panels.append(Panel(title="output", shares=_shares(result, position)))
    return ImageGrid(
        id=f"feature_maps-path-{position}",
        title=_title(sample),
        caption=_path_caption(sample),
        alt=f"Feature maps of {sample.name} from the input through {len(result.layers)} layers.",
        panels=tuple(panels),
    )


def _separate(channels: FloatArray, position: int, arrays: dict[str, NDArray[Any]]) -> Panel:
    """A picture of other channels than grey or colour: one tile a channel."""
    arrays[f"channels_{position}"] = channels
    finite = channels[np.isfinite(channels)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return Panel(
        title="input",
        note=f"{len(channels)} channels",
        tiles=f"feature_maps/channels_{position}",
        columns=_columns(len(channels)),
        scale=ColourScale(low=low, high=high, map="viridis", unit="input"),
    )


def _compact(maps: FloatArray) -> NDArray[Any]:
    """Half precision where its range suffices; its 11 bits are more than the colours have."""
    sizes = np.abs(maps[np.isfinite(maps)])
    fits = sizes.max(initial=1.0) < _HALF_MAX and (sizes.max(initial=0.0) > 1e-3 or not sizes.any())
    return maps.astype(np.float16 if fits else np.float32)


def _columns(tiles: int) -> int:
    return max(1, int(np.ceil(np.sqrt(tiles))))


def _title(sample: ChosenSample) -> str:
    if sample.predicted is None:
        return f"Sample {sample.name}"
    if sample.actual is None:
        return f"{sample.name}: called {sample.predicted}"
    verb = "rightly called" if sample.right else "called"
    return f"{sample.actual} {verb} {sample.predicted}"


def _path_caption(sample: ChosenSample) -> str:
    start = f"{sample.name}, {sample.why}."
    if sample.right is False:
        return f"{start} Look for the layer from which nothing of the right class is left."
    return f"{start} Look for what each layer keeps of the picture and where it turns into a code."


def _shares(result: FeatureMapsResult, position: int) -> tuple[Share, ...]:
    values = np.nan_to_num(result.shares[position])
    sample = result.samples[position]
    names = result.classes or tuple(f"output {i}" for i in range(len(values)))
    order = np.argsort(-values, kind="stable")[:_SHARES]
    return tuple(
        Share(
            name=names[i],
            value=float(values[i]),
            tone="good"
            if names[i] == sample.actual
            else "bad"
            if names[i] == sample.predicted and sample.right is False
            else "plain",
        )
        for i in order
    )


def _mosaic(
    result: FeatureMapsResult, sample: int, index: int, arrays: dict[str, NDArray[Any]]
) -> ImageGrid:
    layer = result.layers[index]
    name = f"{sample}_{slug(index, layer.address)}"
    stages = list_stages(
        layer, layer.after[sample], None if layer.before is None else layer.before[sample]
    )
    panels = []
    for stage, maps in stages:
        key = f"maps_{name}_{'before' if stage.startswith('before') else 'after'}"
        arrays[key] = _compact(maps)
        wide = 16 if len(maps) > 16 and len(stages) == 1 else 8
        panels.append(
            Panel(
                title=stage,
                tiles=f"feature_maps/{key}",
                scale=scale_of(layer, signed=layer.signed),
                columns=min(wide, max(1, len(maps))),
            )
        )
    return ImageGrid(
        id=f"feature_maps-mosaic-{name}",
        title=layer.address,
        caption=_mosaic_caption(layer, result.samples[sample]),
        alt=f"All channels of layer {layer.address} for sample {result.samples[sample].name}.",
        panels=tuple(panels),
    )


def _mosaic_caption(layer: ShownLayer, sample: ChosenSample) -> str:
    what = f"{layer.channels} channels" if layer.has_positions else "all units in reading order"
    left = f" {layer.channels_left} channels that vary less are not drawn." * bool(
        layer.channels_left
    )
    reduced = f" Averaged down {layer.reduced}-fold." if layer.reduced > 1 else ""
    beyond = (
        f" {layer.beyond:.0%} of the values before {layer.activation} lie beyond the scale."
        if layer.beyond >= 0.005
        else ""
    )
    start = f"{layer.class_name} {shape_of(layer)}, {what}, for {sample.name}."
    return start + left + reduced + beyond
