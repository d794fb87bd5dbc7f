"""Is there another scaling of the pixels, or another order of their channels, that does better?

Never told by how sure the model is: raw pixels saturate a softmax, so a wrong scaling is surer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.inputs.asking import Asking
from reportgen.analyses.inputs.batchnorm import is_near_start, measure_distance, trace_norms
from reportgen.analyses.inputs.class_order import ClassOrder
from reportgen.analyses.inputs.paired import DOUBTFUL, IMPROBABLE, Paired, compare
from reportgen.analyses.inputs.wording import LATE
from reportgen.analyses.intervals import wilson_bounds
from reportgen.subject.inputs import scales_inside
from reportgen.subject.preprocessing import (
    NAMES,
    Preprocessing,
    find_preprocessing,
    fits_channels,
)

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

_LOOKED_AT = 4  # pictures, to find ways that are the same as the declared one
_SAME = 1e-5  # of the largest value
# Measured on three published networks and 25 trained for it (five kinds, five scalings): the right
# scaling fits best in all 28, up to the order of the channels, with a distance of .02 to .28; the
# next one lies at .34 and above.
_MISFIT, _CLOSER = 0.35, 2.0
_FITTED, _FEWEST_FITTED = 128, 16  # samples
_NEAR_START = (
    "There are no labels, and what BatchNormalization has stored is still close to where it begins "
    "(mean 0, variance 1): it says nothing of the scaling. Give labels, or train longer."
)
_BRIGHT = 32.0  # pixels from 0 to 255 reach it; counts up to 16 do not


@dataclass(frozen=True)
class Scaled:
    """One way that was tried: its name, what it does, and how it compares with the declared one.
    most: samples of the most frequent class."""

    name: str
    words: str
    paired: Paired
    most: int

    @property
    def beats_chance(self) -> bool:
        """Whether more answers are right than if all were the most frequent class.

        A network that has collapsed is right for one class, which is more than none where the
        classes are named wrongly.
        """
        low, _ = wilson_bounds(
            np.array([float(self.paired.after)]), np.array([self.paired.samples])
        )
        return bool(low[0] > self.most / self.paired.samples)


@dataclass(frozen=True)
class Tried:
    """Classes that the model answers by each scaling, ``(n,)``; factor: see `find_factor`. same,
    missing, left: as of `Scalings`."""

    factor: float = 1.0
    answers: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    same: tuple[str, ...] = ()
    left: int = 0
    missing: str = ""


@dataclass(frozen=True)
class Fit:
    """How far what a scaling makes of the samples is from what BatchNormalization has stored: the
    median over its layers of `batchnorm.Strayed.distance`. Channels the other way round fit alike,
    so ``name`` stands for both orders."""

    name: str
    words: str
    distance: float


@dataclass(frozen=True)
class Scalings:
    """All ways that were tried.

    fits: without labels, by the stored statistics, nearest first; own: the declared one.

    declared: in words. same: names of ways that give the same numbers. fractions: samples are from
    0 to 1, and every way gets 255 times as much. inner: address of a layer that scales the input
    itself, empty without. missing: why nothing was tried, empty if something was. left: ways that
    no time was left for.
    """

    declared: str
    tried: tuple[Scaled, ...] = ()
    same: tuple[str, ...] = ()
    fractions: bool = False
    inner: str = ""
    missing: str = ""
    left: int = 0
    fits: tuple[Fit, ...] = ()
    own: float = 0.0

    @property
    def closer(self) -> Fit | None:
        """The scaling that fits the stored statistics, where the declared one does not."""
        best = self.fits[0] if self.fits else None
        if best is None or not self.own > _MISFIT:
            return None
        # What fits none of them was stored of other data, or too early.
        return best if best.distance < min(_MISFIT, self.own / _CLOSER) else None

    @property
    def fits_none(self) -> bool:
        """Whether no scaling, also not the declared one, fits the stored statistics."""
        return self.own > _MISFIT and self.closer is None

    @property
    def better(self) -> tuple[Scaled, ...]:
        """Those that are better beyond chance, most right answers first; ties as listed."""
        return self._list_better(IMPROBABLE)

    @property
    def perhaps(self) -> tuple[Scaled, ...]:
        """The same, with those that may be."""
        return self._list_better(DOUBTFUL)

    def _list_better(self, level: float) -> tuple[Scaled, ...]:
        count = len(self.tried)
        found = [s for s in self.tried if s.paired.is_better(count, level) and s.beats_chance]
        return tuple(sorted(found, key=lambda one: -one.paired.after))


def try_scalings(asking: Asking) -> Tried:
    """Ask the same samples by every known scaling, in both orders of the channels."""
    subject = asking.subject
    factor = find_factor(subject)
    if subject.input.kind != "image" or factor is None:
        what = "pixels from 0 to 255, or to 1" if subject.input.kind == "image" else "pictures"
        return Tried(missing=f"The samples are no {what}, so no usual scaling fits.")
    if asking.targets is None:
        return Tried(factor)
    ways = {name: find_preprocessing(name)[1:] for name in list_names(subject.input.channels)}
    same = tuple(name for name, (function, _) in ways.items() if _is_same(asking, function, factor))
    others = [name for name in ways if name not in same]
    answers: dict[str, NDArray[np.int64]] = {}
    for name in others:
        if asking.late:
            break
        function = ways[name][0]

        def make(rows: NDArray[np.int64], function: Preprocessing = function) -> Any:
            return function(np.asarray(asking.pixels(rows), np.float32) * np.float32(factor))

        answers[name] = asking.ask(make, f"trying {name}")
    return Tried(factor, answers, same, len(others) - len(answers))


def compare_scalings(asking: Asking, tried: Tried, order: ClassOrder) -> Scalings:
    """Right answers by each scaling and by the declared one.

    Args:
        order: that was found. Answers are counted by it where it explains more than any scaling
            does: by wrong names a network that has collapsed to one class would look better.
    """
    subject, declared = asking.subject, asking.subject.scaling.words
    if tried.missing:
        return Scalings(declared, missing=tried.missing)
    if asking.targets is None:
        return _fit_statistics(asking, declared, tried.factor)
    by_names = [answers == asking.targets for answers in tried.answers.values()]
    best = max(by_names, key=lambda right: int(right.sum()), default=asking.right)
    plain = range(subject.reading.classes)
    place = np.append(np.array(order.places or plain, np.int64), -1)  # last: no number, no class
    moved = tried.answers.get(order.scaling, asking.answers)
    if not compare(best, place[moved] == asking.targets).is_better(1, DOUBTFUL):
        place = np.append(np.array(plain, np.int64), -1)

    def judge(answers: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.asarray(place[answers] == asking.targets)

    right = judge(asking.answers)
    most = np.bincount(asking.targets).max()
    found = []
    for name, answers in tried.answers.items():
        words = find_preprocessing(name)[2] + " of 255 times your samples" * (tried.factor != 1)
        found.append(Scaled(name, words, compare(right, judge(answers)), int(most)))
    return Scalings(
        declared,
        tuple(found),
        tried.same,
        fractions=tried.factor != 1,
        inner=scales_inside(subject.probe.calls) or "",
        left=tried.left,
    )


def _fit_statistics(asking: Asking, declared: str, factor: float) -> Scalings:
    """Without labels: by which scaling the samples are what BatchNormalization has stored."""
    from reportgen.subject.batch_statistics import list_norms

    subject = asking.subject
    norms = list_norms(subject.probe.calls)
    if norms and all(is_near_start(call) for call in norms.values()):
        return Scalings(declared, missing=_NEAR_START)
    if not norms or subject.probe.static_batch:
        return Scalings(
            declared,
            missing=f"{asking.unlabelled} Without, only a model with BatchNormalization says how "
            "its inputs are to be scaled.",
        )
    if len(asking.rows) < _FEWEST_FITTED:
        return Scalings(
            declared,
            missing=f"{len(asking.rows)} samples without labels are too few: {_FEWEST_FITTED} or "
            "more tell the scaling by their statistics.",
        )
    # Neighbours are of one class, and a batch of one class has other statistics.
    some = np.random.default_rng(0).permutation(len(asking.rows))[:_FITTED]
    parts = np.array_split(some, max(len(some) * 2 // subject.probe.batch_size(()), 1))
    run = trace_norms(subject, norms, own=False)

    def measure(function: Preprocessing, scale: float) -> float:
        seen = []
        for part in parts:
            pixels = np.asarray(asking.pixels(part), np.float32) * np.float32(scale)
            inputs = subject.input.arrange(function(pixels)).astype(np.float32, copy=False)
            seen.append((len(part), run(inputs)[1]))
        distances = [measure_distance(call, address, seen) for address, call in norms.items()]
        return float(np.median(distances))

    fits = []
    for name in list_names(subject.input.channels):
        if name.endswith(("-bgr", "-rgb")):
            continue
        if asking.late:  # of some of them nothing can be said
            return Scalings(declared, missing=LATE)
        function, words = find_preprocessing(name)[1:]
        if _is_same(asking, function, factor):
            continue
        fits.append(Fit(name, words, measure(function, factor)))
    fits = [fit for fit in fits if np.isfinite(fit.distance)]
    own = measure(subject.preprocess, 1.0)
    if not np.isfinite(own):
        return Scalings(declared, missing="What reaches BatchNormalization is NaN or infinite.")
    return Scalings(
        declared,
        fractions=factor != 1,
        inner=scales_inside(subject.probe.calls) or "",
        fits=tuple(sorted(fits, key=lambda fit: fit.distance)),
        own=own,
    )


def list_names(channels: int) -> tuple[str, ...]:
    """Names of the scalings that such inputs can have."""
    return tuple(name for name in NAMES if fits_channels(name, channels))


def find_factor(subject: Subject) -> float | None:
    """What makes pixels from 0 to 255 of the samples: 1, 255, or None if nothing does."""
    pixels = subject.samples.pixels
    if not pixels.size:
        return None
    low, high = float(pixels.min()), float(pixels.max())
    if low >= 0 and 0 < high <= 1:
        return 255.0
    return 1.0 if low >= 0 and _BRIGHT <= high <= 255 else None


def _is_same(asking: Asking, function: Preprocessing, factor: float) -> bool:
    """Whether it makes the numbers that the audit makes, of pictures of noise.

    Samples may be black, or grey: many ways make the same of these.
    """
    shape = (_LOOKED_AT, *asking.subject.input.pixels)
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    own = asking.subject.preprocess(pixels / np.float32(factor))
    other = function(pixels.copy())
    return bool(np.abs(own - other).max() <= _SAME * max(float(np.abs(own).max()), 1e-30))
