"""May a picture be believed? Whether it excites the layers below its unit as real samples do.

Source: Geirhos et al. 2023, "Don't trust your eyes: on the (un)reliability of feature
visualizations", arXiv 2306.04719: along the path, activations of a picture are compared with those
of natural images by Spearman's rank correlation over channels, scaled so that 1 is what the images
that excite the unit have among themselves and 0 what others have with them. Here the images that
excite a unit are its strongest samples, the others are drawn, and a layer where the two cannot be
told apart says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from reportgen.analyses.optvis.natural import THINNEST, Responses, Rows

FloatArray = NDArray[np.float64]
Mark = Literal["natural", "own way", "unclear"]
Why = Literal[
    "",
    "first layer",
    "thin layers",
    "few samples",
    "cannot be told",
    "between",
    "not finite",
    "no samples",
]

# Measured on 70 units of eight real models (preset quick) with the two constants below. Marks
# natural / unclear / own way: one of the strongest samples, held out, .90 / .10 / 0; a sample of
# the weaker half .09 / .26 / .66; even noise 0 / .10 / .90; noise as smooth as photographs
# .07 / .19 / .74. At .04 of the units no layer tells.
BELIEVED = 0.5  # nearer to the samples that excite the unit than to others
# A difference of means of so many standard deviations is "very large" (Sawilowsky 2009). From 1.0
# on more layers tell, and drawn samples are natural more often.
SEPARATED = 1.2
_MOST_TOP, _FEWEST_TOP = 16, 4
_MOST_OTHERS, _FEWEST_OTHERS = 64, 8
_RESAMPLES = 200
_SMALLEST_GAP = 1e-3  # of correlations: float32 sums are not the same to more digits


@dataclass(frozen=True)
class Asked:
    """A unit and its pictures.

    address, channel: the unit. path: addresses from the input on, without its own. pictures:
    ``(variants,)`` positions among the pictures that were read. above: other layers lie below it,
    though all may have too few channels to be in ``path``.
    """

    address: str
    channel: int
    path: tuple[str, ...]
    pictures: Rows
    above: bool = False


@dataclass(frozen=True)
class LayerTrust:
    """One layer of the path. channels: those that differ between samples.

    value: 1 where the pictures are as like the strongest samples as these are among themselves,
    0 where they are no more like them than drawn samples, below 0 where they are less; low, high:
    95 % interval over the draw of both kinds of samples. similarity, upper, lower: the mean
    correlations that it is made of. separation: of upper and lower, in standard deviations
    between images. told: whether ``value`` counts; it is NaN where a layer has too few channels.
    """

    address: str
    channels: int
    value: float
    low: float
    high: float
    similarity: float
    upper: float
    lower: float
    separation: float

    @property
    def told(self) -> bool:
        """Whether its strongest samples differ enough here from others to compare with them."""
        return self.separation >= SEPARATED and bool(np.isfinite(self.value))


@dataclass(frozen=True)
class Trust:
    """The mark of one unit.

    value, low, high: mean over the layers that tell, and its 95 % interval; NaN if none does.
    pictures: the value of each picture alone, ``(variants,)``. samples: how many strongest samples
    it was compared with. departs: the first layer that is clearly below `BELIEVED`. why: what makes
    a mark unclear, else empty.
    """

    address: str
    channel: int
    mark: Mark
    why: Why
    value: float
    low: float
    high: float
    pictures: FloatArray
    samples: int
    layers: tuple[LayerTrust, ...]
    departs: str | None


def judge_trust(
    natural: Responses, pictures: Responses, asked: Sequence[Asked], *, seed: int = 0
) -> tuple[Trust, ...]:
    """The mark of each unit, in the order asked.

    natural: if `BELIEVED` or above on average over the path. own way: if the interval ends below.
    unclear: if neither, or if nothing can be told.
    """
    drawn = np.random.default_rng(seed).permutation(np.flatnonzero(natural.drawn))
    others = np.sort(drawn[:_MOST_OTHERS])
    tops = [list_top(natural, unit.address, unit.channel) for unit in asked]
    ranks = {
        address: _rank_for(address, natural, pictures, asked, [others, *tops])
        for address in dict.fromkeys(a for unit in asked for a in unit.path)
    }
    with threadpool_limits(1, user_api="blas"):  # small products only wait for further threads
        return tuple(
            _judge(unit, top, np.setdiff1d(others, top), ranks, seed)
            for unit, top in zip(asked, tops, strict=True)
        )


def list_top(natural: Responses, address: str, channel: int, most: int = _MOST_TOP) -> Rows:
    """The samples that excite a unit: at most ``most``, and a quarter of what was drawn.

    Samples that leave the unit at its lowest value excite it least, however few others there are.
    """
    values = natural.means[address][:, channel]
    finite = np.isfinite(values)
    if not finite.any():
        return np.empty(0, np.int64)
    most = min(most, int(natural.drawn.sum()) // 4)
    top = natural.strongest(address, channel, most)
    excited = np.isfinite(values[top]) & (values[top] > values[finite].min())
    return np.asarray(top[excited])


@dataclass(frozen=True)
class _Ranks:
    """Ranks over channels, centred, of length 1, so that products are Spearman's correlations.

    natural: ``(samples, channels)``. pictures: ``(pictures, channels)``, NaN if not finite.
    moving: channels that differ between samples.
    """

    natural: FloatArray
    pictures: FloatArray
    moving: int


def _rank_for(
    address: str,
    natural: Responses,
    pictures: Responses,
    asked: Sequence[Asked],
    rows: Sequence[Rows],
) -> _Ranks:
    """Ranks at one layer, of the drawn samples and those that the units above it need.

    rows: the drawn samples, then the strongest of each unit. All other ranks are left zero.
    """
    above = [i for i, unit in enumerate(asked) if address in unit.path]
    samples = np.unique(np.concatenate([rows[0], *(rows[i + 1] for i in above)]))
    shown = np.unique(np.concatenate([asked[i].pictures for i in above]))
    seen, made = natural.means[address], pictures.means[address]
    # Channels silent for all samples stay: a picture that goes its own way may wake them.
    kept = np.isfinite(seen[samples]).all(axis=0)
    finite = shown[np.isfinite(made[shown][:, kept]).all(axis=1)]
    ranks = np.zeros((len(seen), kept.sum())), np.full((len(made), kept.sum()), np.nan)
    ranks[0][samples] = _rank(seen[samples][:, kept])
    ranks[1][finite] = _rank(made[finite][:, kept])
    moving = (seen[samples] != seen[samples[:1]])[:, kept].any(axis=0)
    return _Ranks(*ranks, int(moving.sum()))


def _rank(values: NDArray[np.float32]) -> FloatArray:
    from scipy.stats import rankdata

    if not values.size:
        return np.zeros(values.shape)
    ranks = rankdata(values, axis=1) - (values.shape[1] + 1) / 2
    length = np.linalg.norm(ranks, axis=1, keepdims=True)
    return np.asarray(ranks / np.where(length > 0, length, 1))


@dataclass(frozen=True)
class _Draws:
    """Bootstrap: how often each sample is taken.

    top: ``(resamples, strongest samples)``. others: ``(resamples, other samples)``.
    """

    top: NDArray[np.int64]
    others: NDArray[np.int64]

    def values(self, alike: FloatArray, among: FloatArray, others: FloatArray) -> FloatArray:
        """The value of a layer from each resample.

        alike: correlations of the strongest samples with the pictures, ``(top,)``; among: with
        each other, ``(top, top)``; others: of the other samples with them, ``(others, top)``.
        """
        count = self.top.shape[1]
        similarity = self.top @ alike / count
        lower = ((self.others @ others) * self.top).sum(axis=1) / count / self.others.shape[1]
        # A sample that was taken twice says nothing of how alike two of them are.
        itself = (self.top**2).sum(axis=1)
        pairs = ((self.top @ among) * self.top).sum(axis=1) - (self.top**2) @ np.diag(among)
        upper = pairs / np.maximum(count**2 - itself, 1)
        return np.asarray((similarity - lower) / np.maximum(upper - lower, _SMALLEST_GAP))

    def interval(self, value: float, resampled: FloatArray) -> tuple[float, float]:
        """95 %, widened about the value as Student's is for so few of the strongest samples."""
        from scipy.stats import norm, t

        count = self.top.shape[1]
        wider = np.sqrt(count / (count - 1)) * t.ppf(0.975, count - 1) / norm.ppf(0.975)
        low, high = value + wider * (np.quantile(resampled, (0.025, 0.975)) - value)
        return float(low), float(high)


@dataclass(frozen=True)
class _Compared:
    """One layer, and the values that its intervals are made of.

    each: of each picture ``(variants,)``. resampled: of their mean, ``(resamples,)``.
    """

    layer: LayerTrust
    each: FloatArray
    resampled: FloatArray


def _judge(unit: Asked, top: Rows, others: Rows, ranks: Mapping[str, _Ranks], seed: int) -> Trust:
    if not unit.path:
        return _give_up(unit, "thin layers" if unit.above else "first layer", len(top))
    if len(top) < _FEWEST_TOP or len(others) < _FEWEST_OTHERS:
        return _give_up(unit, "few samples", len(top))
    rng = np.random.default_rng(seed)  # anew, so that no unit's interval depends on the others
    drawn = _Draws(_draw_again(len(top), rng), _draw_again(len(others), rng))
    seen = [_compare(a, ranks[a], unit.pictures, top, others, drawn) for a in unit.path]
    layers = tuple(part.layer for part in seen)
    if any(np.isnan(ranks[a].pictures[unit.pictures]).any(axis=1).all() for a in unit.path):
        return _give_up(unit, "not finite", len(top), layers)
    told = [part for part in seen if part.layer.told]
    if not told:
        return _give_up(unit, "cannot be told", len(top), layers)
    value = float(np.mean([part.layer.value for part in told]))
    low, high = drawn.interval(value, np.mean([part.resampled for part in told], axis=0))
    mark, why = _mark(value, high)
    each = np.mean([part.each for part in told], axis=0)
    departs = next((p.layer.address for p in told if p.layer.high < BELIEVED), None)
    return Trust(
        unit.address, unit.channel, mark, why, value, low, high, each, len(top), layers, departs
    )


def _mark(value: float, high: float) -> tuple[Mark, Why]:
    if value >= BELIEVED:
        return "natural", ""
    return ("own way", "") if high < BELIEVED else ("unclear", "between")


def _give_up(unit: Asked, why: Why, samples: int, layers: tuple[LayerTrust, ...] = ()) -> Trust:
    nan = float("nan")
    each = np.full(len(unit.pictures), nan)
    return Trust(
        unit.address, unit.channel, "unclear", why, nan, nan, nan, each, samples, layers, None
    )


def _compare(
    address: str, ranks: _Ranks, pictures: Rows, top: Rows, others: Rows, drawn: _Draws
) -> _Compared:
    best = ranks.natural[top]
    shown = ranks.pictures[pictures]
    shown = shown[np.isfinite(shown).all(axis=1)]
    if ranks.moving < THINNEST or not len(shown):
        nan = float("nan")
        layer = LayerTrust(address, ranks.moving, nan, nan, nan, nan, nan, nan, 0.0)
        return _Compared(layer, np.full(len(pictures), nan), np.full(_RESAMPLES, nan))
    alike, among = shown @ best.T, best @ best.T
    among_each = (among.sum(axis=1) - np.diag(among)) / (len(top) - 1)
    others_each = ranks.natural[others] @ best.T
    similarity, upper, lower = (float(part.mean()) for part in (alike, among_each, others_each))
    gap = max(upper - lower, _SMALLEST_GAP)
    value = (similarity - lower) / gap
    resampled = drawn.values(alike.mean(axis=0), among, others_each)
    low, high = drawn.interval(value, resampled)
    layer = LayerTrust(
        address,
        ranks.moving,
        value,
        low,
        high,
        similarity,
        upper,
        lower,
        _separation(among_each, others_each.mean(axis=1)),
    )
    each = (ranks.pictures[pictures] @ best.T).mean(axis=1)
    return _Compared(layer, (each - lower) / gap, resampled)


def _draw_again(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.multinomial(count, np.full(count, 1 / count), _RESAMPLES)


def _separation(first: FloatArray, second: FloatArray) -> float:
    """Difference of means in pooled standard deviations (Cohen 1988)."""
    spread = np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2)
    return float((first.mean() - second.mean()) / max(spread, _SMALLEST_GAP))
