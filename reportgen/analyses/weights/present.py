"""Weights as blocks."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.weights.compute import Flag, TensorRow, WeightsResult
from reportgen.analyses.weights.drawing import DrawnKernel
from reportgen.results import (
    Block,
    ColourScale,
    Finding,
    ImageGrid,
    Level,
    Panel,
    SectionBody,
    Spark,
    Table,
)

CHECKS = {
    "weights.non_finite": "NaN or infinity in a parameter",
    "weights.dead_filters": "Dead filters",
    "weights.duplicate_filters": "Duplicate filters",
    "weights.untrained_layers": "Untrained layers",
    "weights.batchnorm_degenerate": "Degenerate BatchNorm statistics",
}


def present(result: WeightsResult) -> SectionBody:
    """A table of tensors, the flagged filters, the kernels."""
    arrays: dict[str, NDArray[Any]] = {}
    blocks: list[Block] = [_table(result)]
    flagged = _flag_table(result)
    if flagged:
        blocks.append(flagged)
    for position, kernel in enumerate(result.kernels):
        blocks += _draw(kernel, position, arrays)
    return SectionBody(_judge(result), tuple(blocks), _method(result), arrays)


def _method(result: WeightsResult) -> tuple[str, ...]:
    options = result.options
    lines = [
        "Every tensor of every layer is read as it is in the file; a shared layer once. Filters "
        "lie along the output axis: the last one of Dense and Conv kernels, the last two of "
        "depthwise ones, the one before the last of transposed ones.",
        "A filter is dead if its norm, times the scale of the BatchNorm that follows, is zero to "
        "float32 precision beside the layer's median. Two filters are duplicates above an "
        f"absolute cosine of {options.duplicate_cosine}; depthwise kernels and kernels so small "
        "that chance makes such pairs are not judged.",
    ]
    if result.by_history:
        lines.append(
            "Untrained: with the recorded history, a kernel that moved less than "
            f"{options.still:g} of its first norm."
        )
    else:
        lines.append(
            "Untrained: the kernel fits its initialiser's distribution (Kolmogorov-Smirnov, "
            f"p > {options.initial_p}), lies within its bounds, and the bias is exactly zero. "
            "Kernels under 200 weights are not judged."
        )
    if result.undrawn:
        lines.append(
            f"{result.undrawn} kernels are not drawn: the preset shows {options.shown_layers} "
            "layers spread over the depth; --preset full draws all that fit a picture."
        )
    return tuple(lines)


def _table(result: WeightsResult) -> Table:
    return Table(
        id="weights-tensors",
        title="Parameters",
        caption=(
            f"{len(result.tensors)} tensors. Near zero: below {result.options.near_zero:.0%} of "
            "the tensor's deviation; a high share may be pruned away. Look for rows unlike their "
            "neighbours: very wide, very narrow, or with two humps."
        ),
        header=("Layer", "Tensor", "Shape", "Norm", "Mean", "Deviation", "Smallest", "Largest",
                "Near zero %", "Histogram"),
        rows=tuple(_row(row) for row in result.tensors),
    )  # fmt: skip


def _row(row: TensorRow) -> tuple[Any, ...]:
    alt = f"Histogram from {row.low:.3g} to {row.high:.3g}"
    return (
        row.address, row.name, " × ".join(map(str, row.shape)) or "scalar", row.norm, row.mean,
        row.deviation, row.low, row.high, 100 * row.near_zero_share,
        Spark(values=tuple(float(v) for v in row.histogram), alt=alt),
    )  # fmt: skip


def _flag_table(result: WeightsResult) -> Table | None:
    kinds = (
        ("NaN or infinity", result.non_finite),
        ("dead filters", result.dead),
        ("duplicate filters", result.duplicates),
        ("untrained", result.untrained),
        ("BatchNorm", result.batchnorm),
    )
    rows = tuple(
        (kind, flag.address, len(flag.filters) or None, _numbers(flag.filters), flag.remark)
        for kind, flags in kinds
        for flag in flags
    )
    if not rows:
        return None
    return Table(
        id="weights-flags",
        title="Flagged layers",
        caption="Each layer that a check names, with the numbers of its filters.",
        header=("Check", "Layer", "Filters", "Which", "Remark"),
        rows=rows,
    )


def _numbers(filters: tuple[int, ...], most: int = 40) -> str:
    more = f", … ({len(filters) - most} more)" if len(filters) > most else ""
    return ", ".join(map(str, filters[:most])) + more


def _draw(kernel: DrawnKernel, position: int, arrays: dict[str, NDArray[Any]]) -> list[Block]:
    slug = f"{position}_{re.sub(r'[^A-Za-z0-9_]', '_', kernel.address)[-40:]}"
    scale = ColourScale(low=-kernel.largest, high=kernel.largest, map="signed", unit="weight")
    if kernel.look == "colour":
        # Grey is zero; one scale for all filters and channels.
        shade = kernel.tiles / (2 * kernel.largest) + 0.5
        arrays[f"kernel_{slug}"] = np.round(shade * 255).clip(0, 255).astype(np.uint8)
    else:
        arrays[f"kernel_{slug}"] = kernel.tiles.astype(np.float32)
    colour = kernel.look == "colour"
    note = f"grey is 0, full colour is ±{kernel.largest:.3g}" if colour else ""
    blocks: list[Block] = [
        ImageGrid(
            id=f"weights-kernel-{slug}",
            title=f"Kernels of {kernel.address}",
            caption=f"{_shape(kernel)}: {kernel.what}. {_left(kernel)}".strip(),
            alt=f"Weights of layer {kernel.address} as pictures on a signed scale.",
            panels=(
                Panel(
                    tiles=f"weights/kernel_{slug}",
                    columns=kernel.columns,
                    scale=None if colour else scale,
                    note=note,
                ),
            ),
        )
    ]
    if kernel.numbers is not None:
        blocks.append(_write_out(kernel, slug, scale, arrays))
    return blocks


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
                title=name, tiles=f"weights/numbers_{slug}_{channel}",
                columns=8, scale=scale, numbers=True,
            )
        )  # fmt: skip
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


def _judge(result: WeightsResult) -> tuple[Finding, ...]:
    dead = sum(len(flag.filters) for flag in result.dead)
    pairs = sum(len(flag.filters) for flag in result.duplicates)
    return (
        _finding(
            "weights.non_finite", "fail", result.non_finite, len(result.non_finite), "tensors",
            "hold NaN or infinity. The model cannot be used: go back to an earlier checkpoint.",
            "Every parameter is finite.",
        ),
        _finding(
            "weights.dead_filters", "warn", result.dead, dead, f"of {result.filters:,} filters",
            "are zero: they cost time and do nothing. Prune them, or look for a learning rate "
            "or weight decay that is too high.",
            f"None of {result.filters:,} filters is zero.",
        ),
        _finding(
            "weights.duplicate_filters", "warn", result.duplicates, pairs, "filters",
            "are copies of another one, up to sign and size. Merge them, or check how the "
            "layer was initialised.",
            f"No two filters point the same way (cosine above {result.options.duplicate_cosine}).",
            threshold=result.options.duplicate_cosine,
        ),
        _untrained(result),
        _finding(
            "weights.batchnorm_degenerate", "warn", result.batchnorm, len(result.batchnorm),
            "BatchNorm layers",
            "have statistics that do not describe data. Train with training=True, or "
            "recalibrate on samples.",
            "Moving means and variances look like data.",
        ),
    )  # fmt: skip


def _untrained(result: WeightsResult) -> Finding:
    if not result.judged_untrained:
        return Finding(
            id="weights.untrained_layers", level="not_applicable",
            title=CHECKS["weights.untrained_layers"],
            message="No layer is large enough to be compared with its initialiser. "
                    "Record the training with WeightRecorder and give --history.",
        )  # fmt: skip
    how = "did not move in training" if result.by_history else "still look like their initialiser"
    return _finding(
        "weights.untrained_layers", "warn", result.untrained, len(result.untrained),
        f"of {result.judged_untrained} layers",
        f"{how}. Check that they were trainable and that gradients reach them.",
        f"Each of {result.judged_untrained} layers moved away from its initial weights.",
    )  # fmt: skip


def _finding(
    id_: str, level: Level, flags: tuple[Flag, ...], count: int, what: str, problem: str,
    fine: str, *, threshold: float = 0.0,
) -> Finding:  # fmt: skip
    named = ", ".join(_name(flag) for flag in flags[:4])
    more = f" and {len(flags) - 4} more layers" if len(flags) > 4 else ""
    return Finding(
        id=id_,
        level=level if flags else "pass",
        title=CHECKS[id_],
        message=f"{count} {what} {problem} Where: {named}{more}." if flags else fine,
        value=float(count),
        unit=what,
        threshold=threshold,
        evidence="weights-flags" if flags else "weights-tensors",
    )


def _name(flag: Flag) -> str:
    return flag.address + (f" [{_numbers(flag.filters, 6)}]" if flag.filters else "")
