"""Do pictures of one unit from several seeds show the same? Compared by what layers say to them.

A unit may answer to several unlike things, its facets (Nguyen et al. 2016, "Multifaceted feature
visualization", arXiv 1602.03616). Then each seed may end at another, and one picture tells a part.
Two pictures are alike if the other channels of the unit's layer, and those of the layer before,
depart from their usual values in the same way. What all pictures of a layer have in common, such as
being brighter than any photograph, is taken away first: on eight real models pictures of different
units correlated up to .99 with it; without, 89 % of the pairs are below `ALIKE`, and 98 % of
the pairs of one unit above.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.optvis.natural import THINNEST, Responses
from reportgen.analyses.optvis.trust import Asked

FloatArray = NDArray[np.float64]
Label = Literal["stable", "many-faceted", "unclear"]
Doubt = Literal[
    "",
    "one picture",
    "one unit",
    "thin layer",
    "not finite",
    "not the same optimum",
    "as like as other units",
    "not finished",
]

ALIKE = 0.5  # a correlation from which two pictures share more than they differ in
_CHANCE = 0.95  # of pairs of pictures of different units
SAME_OPTIMUM = 0.5  # of the best picture's rise above a usual sample
_SMALLEST_SPREAD = 0.1  # of the median deviation; a channel that hardly moves would outweigh all


@dataclass(frozen=True)
class Agreement:
    """What the pictures of one unit have in common.

    similarity: mean correlation of pairs of its pictures, from -1 to 1; lowest: of its least alike
    pair; NaN if there is none. chance: so much or less have 95 % of the pairs of pictures of
    different units of the layer. facets: ``(variants,)`` number of the group of like pictures that
    each belongs to, from 0. doubt: what makes a label unclear, else empty.
    """

    address: str
    channel: int
    label: Label
    doubt: Doubt
    similarity: float
    lowest: float
    chance: float
    facets: NDArray[np.int64]


def judge_agreement(
    natural: Responses, pictures: Responses, asked: Sequence[Asked]
) -> tuple[Agreement, ...]:
    """The label of each unit, in the order asked. Units of one layer are each other's chance.

    stable: like pictures join all of its pictures, where like is a correlation of `ALIKE` and above
    ``chance``. many-faceted: pictures of the same strength are below `ALIKE`. unclear: in between.
    """
    found: dict[int, Agreement] = {}
    layers = dict.fromkeys((unit.address, unit.path[-1:]) for unit in asked)
    for address, before in layers:
        positions = [
            i for i, u in enumerate(asked) if (u.address, u.path[-1:]) == (address, before)
        ]
        units = [asked[i] for i in positions]
        found |= dict(
            zip(positions, _judge_layer(natural, pictures, address, before, units), strict=True)
        )
    return tuple(found[i] for i in range(len(asked)))


def _judge_layer(
    natural: Responses,
    pictures: Responses,
    address: str,
    before: Sequence[str],
    units: Sequence[Asked],
) -> list[Agreement]:
    rows = np.concatenate([unit.pictures for unit in units])
    owner = np.repeat(np.arange(len(units)), [len(unit.pictures) for unit in units])
    channels = np.array([unit.channel for unit in units])[owner]
    parts = [_standardise(natural, pictures.means, name, rows) for name in (address, *before)]
    alike = correlate(_centre(np.concatenate(parts, axis=1), owner), channels)
    other = owner[:, None] < owner[None]
    pairs = alike[other & (channels[:, None] != channels) & np.isfinite(alike)]
    chance = float(np.quantile(pairs, _CHANCE)) if len(pairs) else float("nan")
    count = sum(part.shape[1] for part in parts) - 1  # without the unit
    labels = []
    for index, unit in enumerate(units):
        mine = np.flatnonzero(owner == index)
        values = pictures.means[address][unit.pictures, unit.channel].astype(np.float64)
        usual = natural.means[address][natural.drawn, unit.channel].astype(np.float64)
        doubt = _doubt(values, float(np.median(usual)), count, chance)
        labels.append(_label(unit, alike[np.ix_(mine, mine)], chance, doubt))
    return labels


def _centre(values: FloatArray, owner: NDArray[np.int64]) -> FloatArray:
    """Without the mean over units.

    Fewer than three keep it: two would become each other's mirror image, alike by -1, whatever
    they show, and one has nothing to be compared with.
    """
    finite = np.isfinite(values).all(axis=1)
    units = [values[finite & (owner == i)].mean(axis=0) for i in np.unique(owner[finite])]
    return values - np.mean(units, axis=0) if len(units) > 2 else values


def _standardise(
    natural: Responses,
    means: Mapping[str, NDArray[np.float32]],
    address: str,
    rows: NDArray[np.int64],
) -> FloatArray:
    """Departure of each channel from its usual value, in standard deviations of real samples."""
    usual = natural.means[address][natural.drawn].astype(np.float64)
    with np.errstate(invalid="ignore"):
        middle, spread = usual.mean(axis=0), usual.std(axis=0)
    moving = spread[np.isfinite(spread) & (spread > 0)]
    least = _SMALLEST_SPREAD * float(np.median(moving)) if len(moving) else 1.0
    known = np.isfinite(middle) & np.isfinite(spread)  # the others, samples have broken
    values = (means[address][rows][:, known] - middle[known]) / np.maximum(spread[known], least)
    filled = np.zeros((len(rows), len(known)))  # the unit's channel keeps its place
    filled[:, known] = np.where(np.isfinite(values).all(axis=1, keepdims=True), values, np.nan)
    return filled


def correlate(values: FloatArray, units: NDArray[np.int64]) -> FloatArray:
    """Pearson's r of each pair of pictures, leaving out the two channels that they were made for.

    Args:
        values: ``(pictures, channels)``. units: ``(pictures,)`` channel of each picture.

    Returns: ``(pictures, pictures)``; NaN where a picture has no variation or is not finite.
    """
    own = values[:, units]  # (p, q): channel of q's unit in picture p
    mine = np.diag(own)[:, None]
    two = units[:, None] != units  # whether a pair leaves out two channels or one
    count = values.shape[1] - 1 - two
    total = values.sum(axis=1)[:, None] - mine - own * two
    squares = (values**2).sum(axis=1)[:, None] - mine**2 - own**2 * two
    products = values @ values.T - mine * own.T - own * mine.T * two
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = squares - total**2 / count
        variance = np.where(variance > 1e-9 * squares, variance, np.nan)
        r = (products - total * total.T / count) / np.sqrt(variance * variance.T)
    return np.asarray(np.clip(r, -1, 1))


def _doubt(values: FloatArray, usual: float, channels: int, chance: float) -> Doubt:
    if len(values) < 2:
        return "one picture"
    if channels < THINNEST:
        return "thin layer"
    if not np.isfinite(values).all():
        return "not finite"
    rises = values - usual
    if rises.min() < SAME_OPTIMUM * rises.max() or rises.max() <= 0:
        return "not the same optimum"
    return "" if np.isfinite(chance) else "one unit"


def _label(unit: Asked, alike: FloatArray, chance: float, doubt: Doubt) -> Agreement:
    pairs = alike[np.triu_indices(len(alike), 1)]
    known = bool(len(pairs)) and bool(np.isfinite(pairs).all())
    mean, lowest = (float(pairs.mean()), float(pairs.min())) if known else (float("nan"),) * 2
    if not doubt and not known:
        doubt = "not finite"
    joined = _group(alike >= ALIKE)
    label: Label = "unclear"
    if not doubt and joined.any():
        label = "many-faceted"
    elif not doubt and not _group(alike >= max(ALIKE, chance)).any():
        label = "stable"
    elif not doubt:
        doubt = "as like as other units"
    return Agreement(unit.address, unit.channel, label, doubt, mean, lowest, chance, joined)


def _group(joined: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of the connected group of each picture, ``(n,)``, all zero if there is but one."""
    from scipy.sparse.csgraph import connected_components

    return np.asarray(connected_components(joined, directed=False)[1], np.int64)
