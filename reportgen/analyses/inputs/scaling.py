"""Is there another scaling of the pixels, or another order of their channels, that does better?

Never told by how sure the model is: raw pixels saturate a softmax, so a wrong scaling is surer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.inputs.asking import Asking
from reportgen.analyses.inputs.batchnorm import measure_distance, trace_norms
from reportgen.analyses.inputs.paired import DOUBTFUL, IMPROBABLE, Paired, compare
from reportgen.subject.inputs import scales_inside
from reportgen.subject.preprocessing import (
    NAMES,
    Preprocessing,
    find_preprocessing,
    fits_channels,
)

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

_LOOKED_AT = 4  # samples, to find ways that are the same as the declared one
_SAME = 1e-5  # of the largest value
# Measured on three published networks and 25 trained for it (five kinds, five scalings): the right
# scaling fits best in all 28, up to the order of the channels, with a distance of .02 to .28; the
# next one lies at .34 and above.
_MISFIT, _CLOSER = 0.35, 2.0
_FITTED = 128  # samples
_BRIGHT = 32.0  # pixels from 0 to 255 reach it; counts up to 16 do not


@dataclass(frozen=True)
class Scaled:
    """One way that was tried: its name, what it does, how it compares with the declared one, and
    the classes that the model answers with, ``(n,)``."""

    name: str
    words: str
    paired: Paired
    answers: NDArray[np.int64]


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
        found = [one for one in self.tried if one.paired.is_better(len(self.tried), level)]
        return tuple(sorted(found, key=lambda one: -one.paired.after))


def try_scalings(asking: Asking) -> Scalings:
    """Ask the same samples by every known scaling, in both orders of the channels."""
    subject = asking.subject
    declared = subject.scaling.words
    factor = find_factor(subject)
    if subject.input.kind != "image" or factor is None:
        what = "pixels from 0 to 255, or to 1" if subject.input.kind == "image" else "pictures"
        return Scalings(declared, missing=f"The samples are no {what}, so no usual scaling fits.")
    if asking.targets is None:
        return _fit_statistics(asking, declared, factor)
    ways = {name: find_preprocessing(name)[1:] for name in list_names(subject.input.channels)}
    same = tuple(name for name, (function, _) in ways.items() if _is_same(asking, function, factor))
    tried, right = [], asking.right
    others = [name for name in ways if name not in same]
    for name in others:
        if asking.late:
            break
        function, words = ways[name]
        words += " of 255 times your samples" * (factor != 1)

        def make(rows: NDArray[np.int64], function: Preprocessing = function) -> Any:
            return function(np.asarray(asking.pixels(rows), np.float32) * np.float32(factor))

        answers = asking.ask(make, f"trying {name}")
        tried.append(Scaled(name, words, compare(right, answers == asking.targets), answers))
    return Scalings(
        declared,
        tuple(tried),
        same,
        fractions=factor != 1,
        inner=scales_inside(subject.probe.calls) or "",
        left=len(others) - len(tried),
    )


def _fit_statistics(asking: Asking, declared: str, factor: float) -> Scalings:
    """Without labels: by which scaling the samples are what BatchNormalization has stored."""
    from reportgen.subject.batch_statistics import list_norms

    subject = asking.subject
    norms = list_norms(subject.probe.calls)
    if not norms or subject.probe.static_batch:
        return Scalings(
            declared,
            missing=f"{asking.unlabelled} Without, only a model with BatchNormalization says how "
            "its inputs are to be scaled.",
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
        if asking.late or name.endswith(("-bgr", "-rgb")):
            continue
        function, words = find_preprocessing(name)[1:]
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
    if pixels.dtype == np.uint8:
        return 1.0
    low, high = float(pixels.min()), float(pixels.max())
    if pixels.dtype.kind == "f" and low >= 0 and 0 < high <= 1:
        return 255.0
    return 1.0 if low >= 0 and _BRIGHT <= high <= 255 else None


def _is_same(asking: Asking, function: Preprocessing, factor: float) -> bool:
    """Whether it makes the numbers that the audit makes, of the first samples."""
    pixels = asking.pixels(np.arange(min(_LOOKED_AT, len(asking.rows))))
    own = asking.subject.preprocess(np.asarray(pixels, np.float32))
    other = function(np.asarray(pixels, np.float32) * np.float32(factor))
    return bool(np.abs(own - other).max() <= _SAME * max(float(np.abs(own).max()), 1e-30))
