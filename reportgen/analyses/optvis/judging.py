"""What every picture is worth: against samples, against noise, on its path, between seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.optvis.agreement import Agreement, judge_agreement
from reportgen.analyses.optvis.causes import UNRESPONSIVE, Cause
from reportgen.analyses.optvis.classes import (
    SCORES,
    RawClasses,
    as_class_scores,
    class_objective,
    read_scores,
)
from reportgen.analyses.optvis.diagnosis import Evidence, diagnose
from reportgen.analyses.optvis.natural import (
    Responses,
    choose_path,
    lies_above,
    list_extremes,
    read_natural,
)
from reportgen.analyses.optvis.pictures import as_tiles, unit_samples
from reportgen.analyses.optvis.reading import read_images
from reportgen.analyses.optvis.silent import search_scores
from reportgen.analyses.optvis.studio import Studio
from reportgen.analyses.optvis.trust import Asked, Trust, judge_trust
from reportgen.analyses.optvis.units import RawLayer, list_addresses

if TYPE_CHECKING:
    from reportgen.analyses.optvis.options import Options
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float32]
_SHARE_FOR_LOST = 0.1  # of the time for painting


@dataclass(frozen=True)
class Judged:
    """One unit's pictures. Values are of what was raised: a mean over positions, or a score.

    scores: of each picture ``(variants,)``. natural: the largest among samples; least: the
    smallest. noise: the largest among random pictures.
    """

    scores: FloatArray
    natural: float
    noise: float
    trust: Trust
    agreement: Agreement
    cause: Cause | None
    least: float = 0.0

    @property
    def best(self) -> float:
        """The highest of its pictures' scores."""
        return float(np.nanmax(self.scores)) if np.isfinite(self.scores).any() else float("nan")

    @property
    def ratio(self) -> float:
        """Its best picture against its strongest sample; NaN where a factor says nothing.

        Behind a ReLU zero is silence. Of values that go below it, such as scores of classes, zero
        means nothing, and a factor would tell how near the strongest sample is to it.
        """
        known = np.isfinite(self.natural) and self.natural > 0 and self.least >= 0
        return self.best / self.natural if known else float("nan")

    def is_weak(self, share: float) -> bool:
        """Whether the best picture stays below ``share`` of the strongest sample.

        Both at the upper bound of the activation are alike, whatever their last digits say.
        """
        if self.cause == "bound" and share <= 1:
            return False
        limit = share * self.natural if self.natural > 0 else self.natural
        return bool(self.best < limit)


@dataclass(frozen=True)
class Extras:
    """rows: samples that pictures were compared with, by number. See `PaintedClasses` for the
    others."""

    rows: NDArray[np.int64]
    class_samples: NDArray[np.uint8]
    answers: FloatArray


def judge(
    studio: Studio,
    layers: Sequence[RawLayer],
    classes: RawClasses | None,
    options: Options,
    rng: np.random.Generator,
) -> tuple[list[tuple[Judged, ...]], tuple[Judged, ...], Extras]:
    """Judge all pictures, in one pass over samples and one over the pictures of each layer."""
    subject = studio.subject
    asked = list_asked(subject, layers, classes)
    addresses = list(dict.fromkeys(a for unit in asked for a in (*unit.path, unit.address)))
    addresses = [address for address in addresses if address != SCORES]
    always = list_extremes(subject.census, list_addresses([raw.excited for raw in layers]))
    natural = read_natural(subject, addresses, most=options.samples, rng=rng, always=always)
    if classes is not None:
        rows = natural.rows
        scores = read_scores(subject, lambda part: subject.inputs(rows[part]), len(rows))
        natural = replace(natural, means={**natural.means, SCORES: scores})
    pictures = _read_pictures(studio, layers, classes, asked)
    noise = _read_noise(studio, addresses, options.noise, rng)
    trusts = judge_trust(natural, pictures, asked, seed=studio.seed)
    agreements = judge_agreement(natural, pictures, asked)
    searched = {
        (raw.excited.address, channel): cause
        for raw in layers
        for channel, cause in zip(raw.silent, raw.causes, strict=True)
    }
    judged = [
        _judge_one(subject, unit, natural, pictures, noise, trust, agreement, first, searched)
        for unit, trust, agreement, first in zip(
            asked, trusts, agreements, _list_firsts(layers, classes), strict=True
        )
    ]
    judged = _search_lost(studio, asked, judged, options)
    grouped, start = [], 0
    for raw in layers:
        grouped.append(tuple(judged[start : start + len(raw.channels)]))
        start += len(raw.channels)
    extras = _gather_extras(subject, classes, natural, pictures, asked[start:], options)
    return grouped, tuple(judged[start:]), extras


def list_asked(
    subject: Subject, layers: Sequence[RawLayer], classes: RawClasses | None
) -> list[Asked]:
    """All units and classes in one row, with the positions of their pictures."""
    asked: list[Asked] = []
    count = 0
    for raw in layers:
        address = raw.excited.address
        path, above = choose_path(subject, address), lies_above(subject, address)
        for channel in raw.channels:
            rows = np.arange(count, count + raw.images.shape[1])
            asked.append(Asked(address, channel, path, rows, above))
            count += len(rows)
    if classes is not None:
        head = subject.reading.output.address
        path = choose_path(subject, head) if head else ()
        above = lies_above(subject, head) if head else False
        for channel in classes.chosen:
            rows = np.arange(count, count + classes.optimised.images.shape[1])
            asked.append(Asked(SCORES, channel, path, rows, above))
            count += len(rows)
    return asked


def _read_pictures(
    studio: Studio, layers: Sequence[RawLayer], classes: RawClasses | None, asked: Sequence[Asked]
) -> Responses:
    """Every picture at the layers of its own unit; NaN at all others."""
    groups = [raw.images for raw in layers]
    groups += [classes.optimised.images] if classes is not None else []
    total = sum(group.shape[0] * group.shape[1] for group in groups)
    means: dict[str, FloatArray] = {}
    start = unit = 0
    for group in groups:
        images = group.reshape(-1, *group.shape[2:])
        wanted = asked[unit]
        is_class = wanted.address == SCORES
        addresses = wanted.path if is_class else (*wanted.path, wanted.address)
        seen, scores = read_images(studio, images, addresses, scores=is_class)
        if scores is not None:
            seen[SCORES] = as_class_scores(studio.subject, scores)
        for address, values in seen.items():
            every = means.setdefault(address, np.full((total, values.shape[1]), np.nan, np.float32))
            every[start : start + len(images)] = values
        start, unit = start + len(images), unit + len(group)
    return Responses(means, {}, np.arange(total), np.ones(total, np.bool_))


@dataclass(frozen=True)
class _First:
    """Where the pictures of a unit began: scores and gradients; how they ended."""

    scores: FloatArray
    gradients: FloatArray
    settled: NDArray[np.bool_]
    hurried: bool


def _list_firsts(layers: Sequence[RawLayer], classes: RawClasses | None) -> list[_First]:
    made = [raw.optimised for raw in layers]
    made += [classes.optimised] if classes is not None else []
    return [
        _First(scores, gradients, settled, optimised.hurried)
        for optimised in made
        for scores, gradients, settled in zip(
            optimised.starts, optimised.helped_gradients, optimised.settled, strict=True
        )
    ]


def _read_noise(
    studio: Studio, addresses: Sequence[str], count: int, rng: np.random.Generator
) -> Responses:
    """Random pictures: half of them even noise, half with the spectrum of photographs."""
    from reportgen.optvis.canvas import Canvas
    from reportgen.optvis.fourier import Fourier

    shape = studio.subject.input.pixels
    seeds = rng.spawn(count)
    even = [seed.uniform(size=shape).astype(np.float32) for seed in seeds[: count // 2]]
    smooth = Fourier(deviation=1.0)
    canvas = Canvas(shape[0], shape[1], studio.subject.input.channels)
    rest = seeds[count // 2 :]
    drawn = smooth.decode(smooth.start(rest, canvas), canvas)
    images = np.concatenate([np.array(even, np.float32).reshape(-1, *drawn.shape[1:]), drawn])
    means, scores = read_images(studio, images, addresses, scores=True)
    if scores is not None:
        means[SCORES] = as_class_scores(studio.subject, scores)
    return Responses(means, {}, np.arange(count), np.ones(count, np.bool_))


def _judge_one(
    subject: Subject,
    unit: Asked,
    natural: Responses,
    pictures: Responses,
    noise: Responses,
    trust: Trust,
    agreement: Agreement,
    first: _First,
    searched: Mapping[tuple[str, int], Cause | None],
) -> Judged:
    """searched: what a search said of channels that no sample changes."""
    scores = pictures.means[unit.address][unit.pictures, unit.channel]
    seen = natural.means[unit.address][:, unit.channel]
    constant, activation = _is_constant(seen), None
    if unit.address != SCORES:
        census = subject.census.by_address.get(unit.address)
        constant = bool(census.constant[unit.channel]) if census else False
        activation = subject.probe.call(unit.address).activation
    highest = _largest(noise.means[unit.address][:, unit.channel])
    cause = diagnose(
        Evidence(
            scores=scores.astype(np.float64),
            starts=first.scores.astype(np.float64),
            gradients=first.gradients.astype(np.float64),
            noise=highest,
            constant=constant,
            activation=activation,
            hurried=first.hurried,
        )
    )
    if unit.address != SCORES and cause in UNRESPONSIVE:
        # Some pictures that did not rise show little; `silent` looks harder.
        cause = searched.get((unit.address, unit.channel), "stuck") or "stuck"
    if first.hurried and not first.settled.any():
        agreement = replace(agreement, label="unclear", doubt="not finished")
    # Softmax sees differences of scores only: their zero is nowhere.
    least = float("nan") if unit.address == SCORES else -_largest(-seen)
    return Judged(scores, _largest(seen), highest, trust, agreement, cause, least)


def _search_lost(
    studio: Studio, asked: Sequence[Asked], judged: list[Judged], options: Options
) -> list[Judged]:
    """Look harder at classes whose score no picture raised."""
    lost = [
        i
        for i, (unit, one) in enumerate(zip(asked, judged, strict=True))
        if unit.address == SCORES and one.cause in UNRESPONSIVE
    ]
    if not lost:
        return judged
    seconds = _SHARE_FOR_LOST * options.seconds
    objective = class_objective(studio.subject, tuple(asked[i].channel for i in lost))
    causes = search_scores(studio, objective, seconds)
    for i, cause in zip(lost, causes, strict=True):
        judged[i] = replace(judged[i], cause=cause or "stuck")
    return judged


def _is_constant(scores: FloatArray) -> bool:
    """To float32 precision, as in the census."""
    size = float(np.abs(scores).max())
    return bool(np.ptp(scores) <= 4 * np.finfo(np.float32).eps * size)


def _largest(values: FloatArray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if len(finite) else float("nan")


def _gather_extras(
    subject: Subject,
    classes: RawClasses | None,
    natural: Responses,
    pictures: Responses,
    asked: Sequence[Asked],
    options: Options,
) -> Extras:
    side = options.side
    if classes is None:
        none = np.empty((0, 0, side, side, 3), np.uint8)
        return Extras(natural.rows, none, np.empty((0, 0), np.float32))
    count = min(options.most_exciting, len(natural.rows))
    tiles = np.stack(
        [
            as_tiles(
                unit_samples(subject, natural.rows[natural.strongest(SCORES, u.channel, count)]),
                side,
                None,
            )
            for u in asked
        ]
    )
    answers = _answers(subject, pictures.means[SCORES])
    shown = np.stack([answers[unit.pictures, unit.channel] for unit in asked])
    return Extras(natural.rows, tiles, shown)


def _answers(subject: Subject, scores: FloatArray) -> FloatArray:
    """Probabilities from scores; the scores themselves where there are no classes."""
    from reportgen.subject.outputs import probabilities

    task = subject.reading.task
    if task in ("softmax", "logits"):
        return probabilities("logits", scores).astype(np.float32)
    if task == "regression":
        return scores
    return np.asarray(0.5 * (1 + np.tanh(0.5 * scores)), np.float32)  # no overflow
