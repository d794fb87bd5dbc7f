"""Initial beside trained weights, and the statistics of BatchNormalization."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.weights.movement import Movement
from reportgen.analyses.weights.tensors import NormRow
from reportgen.report.blocks import Block, Lines, Series, Spark, Table


def movement_blocks(movements: Sequence[Movement], shown: int) -> list[Block]:
    """How far each kernel came in training, and the histograms of those that came farthest."""
    if not movements:
        return []
    blocks: list[Block] = [_table(movements)]
    order = sorted(range(len(movements)), key=lambda i: -(movements[i].distance or 0.0))
    first = [0] if shown else []
    chosen = (first + [i for i in order if i])[:shown]
    return blocks + [_histogram(movements[i], place) for place, i in enumerate(chosen)]


def _table(movements: Sequence[Movement]) -> Table:
    return Table(
        id="weights-movement",
        title="Initial beside trained weights",
        caption=(
            "From the first record of the training to the weights of this model. Distance: how far "
            "a kernel came, as a multiple of its initial length (0: it did not move). Cosine: what "
            "is left of its initial direction (1: all, 0: nothing). Look for layers that moved far "
            "less than the others: gradients may not reach them, or they are frozen."
        ),
        header=("Kernel", "Weights", "Distance", "Cosine", "Initial", "Trained"),
        rows=tuple(_row(movement) for movement in movements),
    )


def _row(movement: Movement) -> tuple[str | int | float | Spark | None, ...]:
    low, high = movement.edges[0], movement.edges[-1]
    alt = f"weights from {low:.3g} to {high:.3g}"
    return (
        movement.label,
        movement.values,
        movement.distance,
        movement.cosine,
        Spark(values=tuple(map(float, movement.first)), alt=f"Initial {alt}"),
        Spark(values=tuple(map(float, movement.now)), alt=f"Trained {alt}"),
    )


def _histogram(movement: Movement, place: int) -> Lines:
    middle = tuple(((movement.edges[1:] + movement.edges[:-1]) / 2).tolist())
    return Lines(
        id=f"weights-movement-{place}",
        title=f"Weights of {movement.label}, initial and trained",
        caption=(
            "Training usually widens the histogram and rounds its edges. Two equal curves: hardly "
            "trained. A spike at zero: weights that were given up."
        ),
        alt=f"Histograms of the initial and the trained weights of {movement.label}.",
        series=(
            Series(name="initial", x=middle, y=_percent(movement.first), style="steps"),
            Series(name="trained", x=middle, y=_percent(movement.now), style="steps"),
        ),
        x_label="weight",
        y_label="% of the weights",
    )


def _percent(counts: NDArray[np.int64]) -> tuple[float, ...]:
    return tuple((100 * counts / max(1, int(np.sum(counts)))).tolist())


def norm_table(norms: Sequence[NormRow]) -> Table | None:
    """Ranges of each BatchNormalization; None without any."""
    if not norms:
        return None
    return Table(
        id="weights-batchnorm",
        title="BatchNorm statistics",
        caption=(
            "BatchNormalization subtracts a recorded mean, divides by the root of a recorded "
            "variance, multiplies by gamma and adds beta, channel by channel; smallest to largest "
            "over the channels. At start: channels with mean 0 and variance 1, as before the first "
            "batch; none should be left. Look for variances at zero (a constant channel) and for "
            "gammas at zero (a channel switched off)."
        ),
        header=("Layer", "Channels", "Gamma", "Beta", "Mean", "Variance", "At start %"),
        rows=tuple(
            (
                row.address,
                row.channels,
                _range(row.gamma),
                _range(row.beta),
                _range(row.mean),
                _range(row.variance),
                100 * row.at_start / row.channels,
            )
            for row in norms
        ),
    )


def _range(bounds: tuple[float, float] | None) -> str | None:
    return None if bounds is None else f"{bounds[0]:.3g} to {bounds[1]:.3g}"
