"""Weights as blocks."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.records import SAID, keep_records
from reportgen.analyses.weights.compute import WeightsResult
from reportgen.analyses.weights.drawing import DrawnKernel
from reportgen.analyses.weights.findings import judge
from reportgen.analyses.weights.flag_blocks import list_flags
from reportgen.analyses.weights.record_blocks import movement_blocks, norm_table
from reportgen.analyses.weights.spectra_blocks import spectra_blocks
from reportgen.analyses.weights.tensors import TensorRow
from reportgen.report.blocks import Block, ColourScale, ImageGrid, Panel, Spark, Table
from reportgen.report.sections import SectionBody
from reportgen.text import slug


def present(result: WeightsResult) -> SectionBody:
    """A table of tensors, the flagged filters, the kernels, and what else is known of them."""
    arrays: dict[str, NDArray[Any]] = {}
    blocks: list[Block] = [_table(result)]
    flagged = list_flags(result)
    if flagged:
        blocks.append(flagged)
    pictures: dict[str, str] = {}
    for position, kernel in enumerate(result.kernels):
        drawn = _draw(kernel, position, arrays)
        pictures.setdefault(kernel.address, drawn[0].id)
        blocks += drawn
    blocks += spectra_blocks(result.survey)
    blocks += movement_blocks(result.movements, result.options.shown_movements)
    norms = norm_table(result.norms)
    if norms:
        blocks.append(norms)
    spectra = result.survey.spectra
    arrays |= keep_records(
        {
            f"singular_values_{slug(index, spectrum.label)}": spectrum.values
            for index, spectrum in enumerate(spectra)
        }
    )
    method = (*_method(result), SAID.format(section="weights"))
    return SectionBody(judge(result, pictures), tuple(blocks), method, arrays)


def _method(result: WeightsResult) -> tuple[str, ...]:
    options = result.options
    lines = [
        "Every tensor of every layer is read as it is in the file; a shared layer once. Filters "
        "lie along the output axis: the last one of Dense and Conv kernels, the last two of "
        "depthwise ones, the one before the last of transposed ones, heads times size of "
        "attention; a row of an embedding is a token.",
        "A filter is dead if its norm, times the scale of the BatchNorm that follows, is zero to "
        "float32 precision beside the layer's median. Filters are duplicates above an "
        f"absolute cosine of {options.duplicate_cosine}, joined into groups; only filters that "
        "read the same inputs are compared, and kernels so small that chance makes such pairs are "
        "not judged.",
        "Effect of a flag: the filters' slices of the kernel and their bias (of a BatchNorm: gamma "
        f"and beta) are set to zero, {result.effect_samples:,} samples are predicted before and "
        "after, and the weights are restored, proved by a hash over all of them."
        if result.effect_samples
        else "The effect of flags was not measured: there are no samples.",
        _how_untrained(result),
    ]
    if result.survey.spectra:
        lines.append(
            "Spectra: singular values in double precision. Random: "
            f"{options.null_draws} Gaussian matrices of the same shape and Frobenius norm, drawn "
            "by their bidiagonal form (Dumitriu and Edelman 2002); 95 % of them. Exponent: maximum "
            "likelihood for the tail of the squared singular values, its start by the smallest "
            "Kolmogorov-Smirnov distance (Clauset, Shalizi and Newman 2009; Martin and Mahoney "
            f"2021), its rough range by {options.bootstrap} smoothed bootstrap resamples, as if "
            "eigenvalues were independent."
        )
    if result.undrawn:
        lines.append(
            f"{result.undrawn} kernels are not drawn: the preset shows {options.shown_layers} "
            "layers spread over the depth; --preset full draws all that fit a picture."
        )
    return tuple(lines)


def _how_untrained(result: WeightsResult) -> str:
    options = result.options
    if result.by_history:
        return (
            "Untrained: with the recorded history, a kernel that moved less than "
            f"{options.still:g} of its first norm; a frozen layer only if it also looks like its "
            "initialiser."
        )
    return (
        "Untrained: every kernel of the layer fits its initialiser's distribution "
        f"(Kolmogorov-Smirnov, p > {options.initial_p}, or a fiftieth of it beside a bias), lies "
        "within its bounds, and the bias is as it starts. Kernels under 200 weights are not judged."
    )


def _table(result: WeightsResult) -> Table:
    return Table(
        id="weights-tensors",
        title="Parameters",
        caption=(
            f"{len(result.tensors)} tensors. Near zero: below {result.options.near_zero:.0%} of "
            "the tensor's deviation; a high share may be pruned away. Look for rows unlike their "
            "neighbours: very wide, very narrow, or with two humps."
        ),
        header=(
            "Layer",
            "Tensor",
            "Shape",
            "Histogram",
            "Norm",
            "Mean",
            "Deviation",
            "Smallest",
            "Largest",
            "Near zero %",
        ),
        rows=tuple(_row(row) for row in result.tensors),
    )


def _row(row: TensorRow) -> tuple[Any, ...]:
    alt = f"Histogram from {row.low:.3g} to {row.high:.3g}"
    return (
        row.address,
        row.name,
        " × ".join(map(str, row.shape)) or "scalar",
        Spark(values=tuple(float(v) for v in row.histogram), alt=alt),
        row.norm,
        row.mean,
        row.deviation,
        row.low,
        row.high,
        100 * row.near_zero_share,
    )


def _draw(kernel: DrawnKernel, position: int, arrays: dict[str, NDArray[Any]]) -> list[Block]:
    slug = f"{position}_{re.sub(r'[^A-Za-z0-9_]', '_', kernel.address)[-40:]}"
    scale = ColourScale(low=-kernel.largest, high=kernel.largest, map="signed", unit="weight")
    panels = [_panel(kernel, kernel.tiles, f"kernel_{slug}", scale, arrays)]
    beside = ""
    if kernel.initial is not None:
        first = _panel(kernel, kernel.initial, f"initial_{slug}", scale, arrays)
        # The front page shows the first panel.
        panels = [
            panel.model_copy(update={"title": title, "columns": min(panel.columns, 8)})
            for title, panel in (("trained", panels[0]), ("initial", first))
        ]
        beside = " Trained and initial, on one scale."
    blocks: list[Block] = [
        ImageGrid(
            id=f"weights-kernel-{slug}",
            title=f"Kernels of {kernel.label}",
            caption=f"{_shape(kernel)}: {kernel.what}.{beside} {_left(kernel)}".strip(),
            alt=f"Weights of layer {kernel.label} as pictures on a signed scale.",
            panels=tuple(panels),
        )
    ]
    if kernel.numbers is not None:
        blocks.append(_write_out(kernel, slug, scale, arrays))
    return blocks


def _panel(
    kernel: DrawnKernel,
    tiles: NDArray[np.float32],
    key: str,
    scale: ColourScale,
    arrays: dict[str, NDArray[Any]],
) -> Panel:
    colour = kernel.look == "colour"
    if colour:
        # Grey is zero; one scale for all filters and channels.
        shade = tiles / (2 * kernel.largest) + 0.5
        arrays[key] = np.round(shade * 255).clip(0, 255).astype(np.uint8)
    else:
        arrays[key] = tiles.astype(np.float32)
    return Panel(
        tiles=f"weights/{key}",
        columns=kernel.columns,
        scale=None if colour else scale,
        note=f"grey is 0, full colour is ±{kernel.largest:.3g}" if colour else "",
    )


def _shape(kernel: DrawnKernel) -> str:
    return f"{kernel.class_name}, {' × '.join(map(str, kernel.shape))}"


def _left(kernel: DrawnKernel) -> str:
    left = [f"{kernel.filters_left} filters"] * bool(kernel.filters_left)
    left += [f"{kernel.channels_left} input channels"] * bool(kernel.channels_left)
    return f"Not drawn: {' and '.join(left)}." if left else ""


def _write_out(
    kernel: DrawnKernel, slug: str, scale: ColourScale, arrays: dict[str, NDArray[Any]]
) -> ImageGrid:
    assert kernel.numbers is not None
    names = {1: ("",), 3: ("red", "green", "blue")}.get(
        len(kernel.numbers), tuple(f"channel {i}" for i in range(len(kernel.numbers)))
    )
    panels = []
    for channel, (name, tiles) in enumerate(zip(names, kernel.numbers, strict=True)):
        arrays[f"numbers_{slug}_{channel}"] = tiles.astype(np.float32)
        panels.append(
            Panel(
                title=name,
                tiles=f"weights/numbers_{slug}_{channel}",
                columns=8,
                scale=scale,
                numbers=True,
            )
        )
    rest = (
        f" {kernel.numbers_left} more filters are not written out." if kernel.numbers_left else ""
    )
    return ImageGrid(
        id=f"weights-numbers-{slug}",
        title=f"Kernels of {kernel.address} in numbers",
        caption=(
            f"The same weights as tables, filter 0 first, a picture an input channel.{rest} "
            "Edges show as opposite signs side by side."
        ),
        alt=f"Weights of layer {kernel.address} written into coloured cells.",
        panels=tuple(panels),
    )
