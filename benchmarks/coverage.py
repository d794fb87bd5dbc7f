"""How often the intervals of a report hold the truth, by simulation with known truths.

Each interval comes from the function that an audit calls. "Stated" is what the report says of it;
"at least" is met by more; where it says "rough" or "error", the
report claims no interval. Three sizes each: of the samples, or of what else the interval is made
of. 400 repetitions: a coverage of 95 % is then known to 1.1 points (one standard error). What is
exact says so. One core, no TensorFlow.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

# Small products: further threads only wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from benchmarks.runner import Outcome
from reportgen.analyses.feature_maps.depth import count_hits
from reportgen.analyses.intervals import wilson_bounds
from reportgen.analyses.loss_landscape.curvature_blocks import _student
from reportgen.analyses.optvis.natural import Responses
from reportgen.analyses.optvis.trust import Asked, Trust, judge_trust
from reportgen.analyses.predictions.calibration import measure_calibration
from reportgen.analyses.predictions.compute import wilson_interval
from reportgen.analyses.predictions.regression import measure_regression
from reportgen.analyses.weights.spectra import draw_null, measure_spectrum
from reportgen.landscape.sharpness import average_rise
from reportgen.landscape.spectrum import (
    Eigenpair,
    Trace,
    estimate_density,
    estimate_trace,
    find_extremes,
)
from reportgen.landscape.uncertainty import PairedBootstrap
from reportgen.subject.census.units import Targets, UnitTally

FloatArray = NDArray[np.float64]
Rng = np.random.Generator
Held = Mapping[str, float]
HEADER = ("interval: truth", "stated", "sizes", "first", "second", "third")
_RUNS = 400
_SAMPLES = (100, 600, 2500)
# In per cent, where it is not 95. Of two standard errors: what a Gaussian has within them.
_STATED = {
    "calibration error": "at least 95",
    "r of a unit, best class": "at least 95",
    "r of the clearest unit": "at least 95",
    "loss less the model's": "95.4",
    # Printed as a rough range or a standard error; here the interval that it would make.
    "exponent": "rough",
    "the same, none known": "error",
    "the same, from their spread": "error",
    "the same rise, none known": "error",
}


@dataclass(frozen=True)
class Case:
    """Some intervals under one truth.

    once: size and generator -> by interval the share (0..1) that holds the truth in one
    repetition, NaN where none is given. runs: repetitions, 1 for what is exact. sizes: of samples,
    draws or eigenvalues.
    """

    truth: str
    once: Callable[[int, Rng], Held]
    sizes: tuple[int, int, int] = _SAMPLES
    runs: int = _RUNS


def run() -> Outcome:
    return Outcome(HEADER, [row for case in list_cases() for row in measure(case)])


def list_cases() -> list[Case]:
    """All, in the order of a report."""
    parts = (_shares, _calibration, _regression, _units, _depth, _kernels, _paths, _bands, _bends)
    return [case for part in parts for case in part()]


def measure(case: Case) -> list[tuple[str | float, ...]]:
    """A row for each interval: coverage in per cent, by size."""
    found = [_repeat(case, size) for size in case.sizes]
    sizes = " / ".join(map(str, case.sizes))
    return [
        (
            f"{name}: {case.truth}",
            _STATED.get(name, "95"),
            sizes,
            *(round(100 * one[name], 1) for one in found),
        )
        for name in found[0]
    ]


def _repeat(case: Case, size: int) -> dict[str, float]:
    seeds = np.random.SeedSequence([zlib.crc32(case.truth.encode()), size]).spawn(case.runs)
    held = [case.once(size, np.random.default_rng(seed)) for seed in seeds]
    return {name: float(np.nanmean([one[name] for one in held])) for name in held[0]}


def _holds(low: Any, truth: Any, high: Any) -> float:
    return float(np.mean((low <= truth) & (truth <= high)))


# Shares: exact, summed over the binomial distribution.


def _shares() -> Iterator[Case]:
    for right in (0.5, 0.9, 0.98):
        yield Case(f"{right}, exact", partial(_of_share, right), runs=1)
    yield Case("3 in n, exact", _of_three, runs=1)


def _of_share(right: float, size: int, rng: Rng) -> Held:
    from scipy.stats import binom

    held = [low <= right <= high for low, high in _wilson(size)]
    return {"accuracy": float(binom.pmf(np.arange(size + 1), size, right) @ held)}


@cache
def _wilson(size: int) -> list[tuple[float, float]]:
    return [wilson_interval(hits, size) for hits in range(size + 1)]


def _of_three(size: int, rng: Rng) -> Held:
    """The report says "fewer" of a channel that was silent on all samples."""
    return {"dead channel responds to fewer": 1 - (1 - 3 / size) ** size}


# Calibration: two classes, logits as those of a trained model.


def _calibration() -> Iterator[Case]:
    yield Case("calibrated", partial(_of_calibration, partial(_temper, 1.0)))
    for error in (0.03, 0.057, 0.1):
        truth = partial(_temper, _temperature(error))
        yield Case(f"too sure by {error}", partial(_of_calibration, truth))
    yield Case("too sure and unsure in turns", partial(_of_calibration, _wave))


def _of_calibration(truth: Callable[[FloatArray], FloatArray], size: int, rng: Rng) -> Held:
    confidence = _draw_confidence(size, rng)
    right = truth(confidence)
    measured = measure_calibration(confidence, rng.uniform(size=size) < right, bins=15, rng=rng)
    gaps = _many() - truth(_many())
    bins = measured.bins
    low, high = wilson_bounds(bins.accuracy * bins.count, bins.count)
    first = np.concatenate([[0], np.cumsum(bins.count)[:-1]])
    inside = np.add.reduceat(right[np.argsort(confidence, kind="stable")], first) / bins.count
    return {
        "calibration error": _holds(measured.low, np.abs(gaps).mean(), measured.high),
        "mean gap": _holds(measured.gap_low, gaps.mean(), measured.gap_high),
        "share right in a bin": _holds(low, inside, high),
    }


def _draw_confidence(size: int, rng: Rng) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-np.abs(rng.normal(2.5, 2, size)))))


def _temper(temperature: float, confidence: FloatArray) -> FloatArray:
    """How often answers are right, of a model that should have divided its logits by this."""
    return np.asarray(1 / (1 + (1 / confidence - 1) ** (1 / temperature)))


def _wave(confidence: FloatArray) -> FloatArray:
    return np.asarray(np.clip(confidence + 0.1 * np.sin(4 * np.pi * confidence), 0, 1))


@cache
def _many() -> FloatArray:
    return _draw_confidence(200_000, np.random.default_rng(0))


def _temperature(error: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(lambda t: (_many() - _temper(t, _many())).mean() - error, 1, 20))


# R2.


def _regression() -> Iterator[Case]:
    yield Case("0", partial(_of_fit, 0.0, heavy=False))
    yield Case("0.95, errors with heavy tails", partial(_of_fit, 0.95, heavy=True))


def _of_fit(r2: float, size: int, rng: Rng, *, heavy: bool) -> Held:
    actual, errors = rng.standard_normal((2, size, 1))
    if heavy:
        errors = rng.standard_t(5, (size, 1)) / np.sqrt(5 / 3)
    subject: Any = SimpleNamespace(
        labels=SimpleNamespace(values=actual),
        raw_outputs=actual + np.sqrt(1 - r2) * errors,
        input=SimpleNamespace(shape=(8,)),
    )
    (interval,) = measure_regression(subject, np.ones(size, bool), rng).r2_interval
    return {"R2": _holds(interval[0], r2, interval[1])}


# Units: 64, ten classes, each unit reacts to one of them.

_CHANNELS, _CLASSES = 64, 10


def _units() -> Iterator[Case]:
    for kind in ("Gaussian", "ReLU"):
        for said, first, others in (("one clear", 4.0, 1.0), ("alike", 1.0, 1.0), ("none", 0, 0)):
            lifts = np.zeros((_CHANNELS, _CLASSES))
            lifts[np.arange(_CHANNELS), np.arange(_CHANNELS) % _CLASSES] = others
            lifts[0, 0] = first
            once = partial(_of_units, lifts, kind == "ReLU")
            yield Case(f"{said}, {kind}", once)


def _of_units(lifts: FloatArray, silent: bool, size: int, rng: Rng) -> Held:
    labels = rng.integers(0, _CLASSES, size)
    values = lifts[:, labels].T + rng.standard_normal((size, _CHANNELS))
    if silent:  # five of six samples leave a unit silent that its class does not lift
        values = np.maximum(values - 1, 0)
    classes = np.arange(_CLASSES)
    targets = Targets(labels, classes, rng.permutation(labels)[None])
    tally = UnitTally("layer", _CHANNELS, targets)
    rows = np.arange(size)
    tally.add(values, np.zeros_like(values), rows, targets.columns(rows))  # peaks do not matter
    found = tally.finish().selectivity
    assert found is not None
    truth = _correlate(lifts, silent)[np.arange(_CHANNELS), found.best]
    best = int(found.r.argmax())
    low, high = found.bounds(best)
    return {
        "r of a unit, best class": _holds(found.low, truth, found.high),
        "r of the clearest unit": _holds(low, truth[best], high),
    }


def _correlate(lifts: FloatArray, silent: bool) -> FloatArray:
    """Of each unit with each class: the moments of Gaussians, or of their part above 1."""
    from scipy.stats import norm

    if silent:
        m = lifts - 1
        mean = m * norm.cdf(m) + norm.pdf(m)
        square = (m**2 + 1) * norm.cdf(m) + m * norm.pdf(m)
    else:
        mean, square = lifts, lifts**2 + 1
    over = mean.mean(axis=1, keepdims=True)
    spread = np.sqrt(square.mean(axis=1, keepdims=True) - over**2)
    return np.asarray((mean - over) / spread / np.sqrt(_CLASSES - 1))


# The nearest class centre. The truth is its mean over many data sets of the same size.


def _depth() -> Iterator[Case]:
    yield Case("half told right", partial(_of_depth, 1.0), (100, 300, 1000))


def _of_depth(apart: float, size: int, rng: Rng) -> Held:
    hits = np.array([_count_hits(apart, size, rng)])
    low, high = wilson_bounds(hits, np.array([size]))
    return {"nearest class centre": _holds(low, _mean_share(apart, size), high)}


def _count_hits(apart: float, size: int, rng: Rng) -> float:
    classes = np.arange(size) % _CLASSES
    centres = apart * np.random.default_rng(1).standard_normal((_CLASSES, 8)) / np.sqrt(2)
    values = centres[classes] + rng.standard_normal((size, 8))
    return count_hits(values, classes, int(rng.integers(2**31)))


@cache
def _mean_share(apart: float, size: int) -> float:
    rngs = np.random.default_rng(2).spawn(60)
    return float(np.mean([_count_hits(apart, size, rng) for rng in rngs])) / size


# Kernels.


def _kernels() -> Iterator[Case]:
    yield Case("a new random matrix", _of_random, (40, 100, 300))
    sizes = (64, 128, 256)
    yield Case("independent, all of a power law", partial(_of_exponent, 1.0), sizes)
    yield Case("independent, a third of a power law", partial(_of_exponent, 1 / 3), sizes)
    yield Case("of random matrices, their mean", _of_random_exponent, sizes)


def _of_random(draws: int, rng: Rng) -> Held:
    null, new = draw_null(64, 288, draws, rng), draw_null(64, 288, 1, rng)
    assert null.exponent
    assert new.exponent
    return {
        "random spectral norm": _holds(null.low[0], new.low[0], null.high[0]),
        "random singular values": _holds(null.low, new.low, null.high),
        "random stable rank": _holds(null.stable_rank[0], new.stable_rank[0], null.stable_rank[1]),
        "random exponent": _holds(null.exponent[0], new.exponent[0], null.exponent[1]),
    }


_EXPONENT = 3.0


def _of_exponent(tail: float, count: int, rng: Rng) -> Held:
    """Eigenvalues of which this share lies in the tail; the others are even below it."""
    values = rng.pareto(_EXPONENT - 1, count) + 1
    body = rng.uniform(size=count) > tail
    values[body] = rng.uniform(0, 1, body.sum())
    return _hold_exponent(np.diag(np.sqrt(values)), _EXPONENT, rng)


def _of_random_exponent(count: int, rng: Rng) -> Held:
    return _hold_exponent(rng.standard_normal((count, 4 * count)), _mean_exponent(count), rng)


def _hold_exponent(kernel: FloatArray, truth: float, rng: Rng) -> Held:
    null: Any = None
    interval = measure_spectrum("", "", kernel, null, 100, rng).exponent_interval
    assert interval
    return {"exponent": _holds(interval[0], truth, interval[1])}


@cache
def _mean_exponent(count: int) -> float:
    rng, null = np.random.default_rng(3), None
    found = [
        measure_spectrum("", "", rng.standard_normal((count, 4 * count)), null, 10, rng).exponent  # type: ignore[arg-type]
        for _ in range(200)
    ]
    return float(np.mean(np.array(found, float)))


# Paths of pictures. The truth is the mean value over many draws of as many samples.


def _paths() -> Iterator[Case]:
    for said, own in (("like its samples", 1.4), ("half way", 2.2), ("like others", 8.0)):
        yield Case(said, partial(_of_path, own), (48, 150, 300))


def _of_path(own: float, size: int, rng: Rng) -> Held:
    found = _judge(own, size, rng)
    held = _holds(found.low, _mean_value(own, size), found.high)
    return {"path of a picture": held if np.isfinite(found.value) else np.nan}


def _judge(own: float, size: int, rng: Rng) -> Trust:
    """Two layers of 32 channels and a unit that reads the first of eight causes; a picture of this
    cause and, so much, of the second one."""
    fixed = np.random.default_rng(4)
    mixes = [fixed.standard_normal((8, 32)) for _ in range(2)]
    causes = rng.standard_normal((size, 8))
    shown = np.zeros((1, 8))
    shown[0, :2] = 2.0, 2.0 * own
    natural, picture = (_respond(one, mixes) for one in (causes, shown))
    asked = [Asked("unit", 0, ("0", "1"), np.arange(1))]
    return judge_trust(natural, picture, asked, seed=int(rng.integers(2**31)))[0]


def _respond(causes: FloatArray, mixes: list[FloatArray]) -> Responses:
    means = {str(i): np.maximum(causes @ mix, 0).astype(np.float32) for i, mix in enumerate(mixes)}
    means["unit"] = np.maximum(causes[:, :1], 0).astype(np.float32)
    return Responses(means, {}, np.arange(len(causes)), np.ones(len(causes), bool))


@cache
def _mean_value(own: float, size: int) -> float:
    rngs = np.random.default_rng(5).spawn(_RUNS)
    return float(np.nanmean([_judge(own, size, rng).value for rng in rngs]))


# Bands of the loss. Margins are what the right class is ahead by; losses are cross entropies.

_Model = tuple[float, float, float]  # mean margin of the model, what is left of it, noise


def _bands() -> Iterator[Case]:
    for said, model in (
        ("90 % right, far", (3.84, 0.4, 2.0)),
        ("99 % right, near", (7.0, 0.9, 0.5)),
    ):
        yield Case(said, partial(_of_band, model))


def _of_band(model: _Model, size: int, rng: Rng) -> Held:
    centre, cell = _draw_losses(model, size, rng)
    error = float(PairedBootstrap(centre, rng).error(cell[None])[0])
    found, truth = float((cell - centre).mean()), _mean_difference(model)
    return {"loss less the model's": _holds(found - 2 * error, truth, found + 2 * error)}


def _draw_losses(model: _Model, size: int, rng: Rng) -> tuple[FloatArray, FloatArray]:
    """At the model and at a cell where margins are shorter and noisy."""
    margin, shrink, noise = model
    margins = rng.normal(margin, 3, size)
    moved = shrink * margins + noise * rng.standard_normal(size)
    return np.logaddexp(0, -margins), np.logaddexp(0, -moved)


@cache
def _mean_difference(model: _Model) -> float:
    centre, cell = _draw_losses(model, 2_000_000, np.random.default_rng(6))
    return float((cell - centre).mean())


# Curvature. The eigenvectors are drawn, so that draws are as skewed as few large eigenvalues make
# them.

_WEIGHTS = 600
_SPECTRA = {
    "two large": (50.0, 20.0, *0.5 * np.exp(-np.arange(593) / 60), *[-0.3] * 5),
    # The outermost ones as measured, their sum as estimated from 300 draws.
    "as of the digits": (
        *(74.0, 58.0, 34.0, 21.0, 14.0, 12.0, 11.0, 10.0, 8.0, 8.0, 7.5, 6.7),
        *6 * np.exp(-np.arange(585) / 17),
        *(-0.4, -0.9, -1.3),
    ),
}


def _bends() -> Iterator[Case]:
    for spectrum in _SPECTRA:
        yield Case(spectrum, partial(_of_trace, spectrum), (4, 10, 30))
        yield Case(spectrum, partial(_of_density, spectrum), (2, 3, 8))
        yield Case(spectrum, partial(_of_rise, spectrum), (4, 8, 16))


@cache
def _matrix(spectrum: str) -> tuple[FloatArray, float]:
    """With its trace."""
    values = np.array(_SPECTRA[spectrum])
    drawn = np.random.default_rng(7).standard_normal((_WEIGHTS, _WEIGHTS))
    turn = np.linalg.qr(drawn)[0]
    return turn * values @ turn.T, float(values.sum())


def _hessian(spectrum: str) -> Any:
    matrix = _matrix(spectrum)[0]
    return SimpleNamespace(
        size=_WEIGHTS,
        product=lambda vector: matrix @ vector,
        products=0,
        deadline=np.inf,
        point=(np.zeros(_WEIGHTS),),
        model=SimpleNamespace(parameters=SimpleNamespace(unpack=lambda vector: (vector,))),
    )


@cache
def _outermost(spectrum: str) -> tuple[FloatArray, ...]:
    return tuple(pair.vector for pair in _pairs(spectrum))


@cache
def _pairs(spectrum: str) -> tuple[Eigenpair, ...]:
    """As an audit finds them: two at each end."""
    found = find_extremes(_hessian(spectrum), np.random.default_rng(8), count=2, tolerance=1e-2)
    return (*found.top, *found.bottom)


def _of_trace(spectrum: str, draws: int, rng: Rng) -> Held:
    hessian = _hessian(spectrum)
    known = estimate_trace(hessian, rng, draws, _outermost(spectrum))
    return {
        "sum of eigenvalues, outermost known": _hold_trace(spectrum, known),
        "the same, none known": _hold_trace(spectrum, estimate_trace(hessian, rng, draws)),
    }


def _of_density(spectrum: str, starts: int, rng: Rng) -> Held:
    found = estimate_density(_hessian(spectrum), rng, starts=starts, steps=16)
    return {"the same, from their spread": _hold_trace(spectrum, found.trace if found else None)}


def _hold_trace(spectrum: str, trace: Trace | None) -> float:
    assert trace
    return _holds(trace.low, _matrix(spectrum)[1], trace.high)


def _of_rise(spectrum: str, draws: int, rng: Rng) -> Held:
    """Of a quadratic the mean over a sphere is known; audits take 8 draws."""
    matrix, trace = _matrix(spectrum)
    evaluator: Any = SimpleNamespace(
        at=lambda point: SimpleNamespace(losses=np.array([point[0] @ matrix @ point[0] / 2]))
    )
    truth = 0.05**2 / 2 * trace / _WEIGHTS
    held = {}
    for name, known in (
        ("average rise, outermost known", _pairs(spectrum)),
        ("the same rise, none known", ()),
    ):
        found = average_rise(_hessian(spectrum), evaluator, 0.05, rng, draws=draws, known=known)
        half = found.error * _student(found.tried)
        held[name] = _holds(found.value - half, truth, found.value + half)
    return held
