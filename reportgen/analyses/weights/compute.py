"""Reads every weight: statistics, spectra, kernels to draw, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from reportgen.analyses.contract import AnalysisOptions
from reportgen.analyses.weights.drawing import DrawnKernel, draw_kernels
from reportgen.analyses.weights.effects import (
    Effects,
    confirm_dead,
    count_passes,
    draw_rows,
    measure_effects,
)
from reportgen.analyses.weights.faults import (
    find_batchnorm,
    find_dead,
    find_duplicates,
    find_non_finite,
    following_norms,
)
from reportgen.analyses.weights.flags import Flag
from reportgen.analyses.weights.mirrors import list_mirrored
from reportgen.analyses.weights.movement import Movement, first_weights, measure_movement
from reportgen.analyses.weights.ranks import rank_filters
from reportgen.analyses.weights.survey import Survey, take_spectra
from reportgen.analyses.weights.tensors import (
    NormRow,
    TensorRow,
    read_norms,
    read_tensor,
    read_tensors,
)
from reportgen.analyses.weights.untrained import Untrained, find_untrained
from reportgen.progress import track
from reportgen.subject.kernels import Kernel, list_kernels

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall
    from reportgen.subject.subject import Subject


class Options(AnalysisOptions):
    """What is drawn and when a check speaks.

    near_zero: a weight counts as near zero below this share of the tensor's deviation.
    duplicate_cosine: absolute cosine from which two filters are one.
    initial_p: a layer looks initial while the test against its initialiser stays above it.
    still: with a history, a layer that moved less than this share of its norm did not move.
    spectra_work: how many thousand millions of multiplications the spectra may cost, the smallest
        kernels first; 0 leaves them out. null_draws: random matrices a shape.
    bootstrap: resamples for the interval of an exponent. shown_spectra: curves in the figure.
    effect_samples: samples on which the effect of a flag is measured; fewer, but at least 30, where
        all passes together would cost more than effect_work thousand millions of multiplications.
    effect_flags: flags of a check that are also measured one by one.
    shown_movements: kernels whose initial and trained histograms are drawn.
    """

    shown_layers: int = Field(default=12, ge=0)
    shown_filters: int = Field(default=16, ge=1, le=256)
    shown_channels: int = Field(default=16, ge=1, le=256)
    numbered_filters: int = Field(default=32, ge=0, le=256)
    near_zero: float = Field(default=0.01, gt=0, lt=1)
    duplicate_cosine: float = Field(default=0.999, gt=0, lt=1)
    initial_p: float = Field(default=0.05, gt=0, lt=1)
    still: float = Field(default=1e-4, gt=0, lt=1)
    spectra_work: float = Field(default=100.0, ge=0)
    null_draws: int = Field(default=100, ge=10, le=10_000)
    bootstrap: int = Field(default=100, ge=10, le=10_000)
    shown_spectra: int = Field(default=5, ge=0, le=8)
    effect_samples: int = Field(default=1000, ge=1)
    effect_work: float = Field(default=2000.0, ge=0)
    effect_flags: int = Field(default=8, ge=0)
    shown_movements: int = Field(default=2, ge=0, le=50)

    tiny: ClassVar[Mapping[str, Any]] = {
        "shown_layers": 2,
        "spectra_work": 1.0,
        "null_draws": 20,
        "bootstrap": 20,
        "effect_samples": 60,
        "effect_flags": 2,
        "shown_movements": 1,
    }
    presets: ClassVar[Mapping[Any, Mapping[str, Any]]] = {
        "quick": {
            "shown_layers": 4,
            "spectra_work": 10.0,
            "null_draws": 40,
            "bootstrap": 40,
            "effect_samples": 200,
            "effect_work": 200.0,
            "effect_flags": 4,
            "shown_movements": 1,
        },
        "full": {
            "shown_layers": 1000,
            "shown_filters": 64,
            "shown_channels": 64,
            "spectra_work": 1e6,
            "null_draws": 300,
            "bootstrap": 300,
            "effect_samples": 5000,
            "effect_work": 1e6,
            "effect_flags": 50,
            "shown_movements": 8,
        },
    }


@dataclass(frozen=True)
class WeightsResult:
    """Tensors, spectra, drawn kernels, and the flags by check.

    filters: how many were judged. effects: of all flags of a check together.
    """

    tensors: tuple[TensorRow, ...]
    norms: tuple[NormRow, ...]
    survey: Survey
    movements: tuple[Movement, ...]
    kernels: tuple[DrawnKernel, ...]
    undrawn: int
    non_finite: tuple[Flag, ...]
    dead: tuple[Flag, ...]
    duplicates: tuple[Flag, ...]
    untrained: tuple[Flag, ...]
    batchnorm: tuple[Flag, ...]
    effects: Effects
    effect_samples: int
    filters: int
    judged_untrained: int
    by_history: bool
    options: Options


def compute(subject: Subject, options: Options, rng: np.random.Generator) -> WeightsResult:
    """Walk the layers once, in the order of execution; a shared layer is read once."""
    calls = _first_calls(subject.probe.calls)
    kernels = {call.address: list_kernels(call) for call in track(calls, "reading kernels")}
    every = [kernel for group in kernels.values() for kernel in group]
    followers = following_norms(subject.probe.calls)
    tensors = _read_all(subject, calls, every, options)
    movements = _measure_movements(subject, every)
    untrained = _find_untrained(kernels, calls, movements, options)
    dead = find_dead(every, followers)
    flags = {
        "weights.non_finite": find_non_finite(tensors),
        "weights.dead_filters": dead,
        "weights.duplicate_filters": find_duplicates(
            every,
            dead,
            followers,
            list_mirrored(subject.probe.calls, subject.probe.output_calls),
            options.duplicate_cosine,
        ),
        "weights.untrained_layers": untrained.flags,
        "weights.batchnorm_degenerate": find_batchnorm(calls),
    }
    passes = count_passes(flags, options.effect_flags)
    rows = draw_rows(subject, options.effect_samples, options.effect_work, passes, rng)
    flags["weights.dead_filters"] = confirm_dead(subject, dead, followers, rows)
    effects = measure_effects(subject, flags, rows, most=options.effect_flags)
    found = effects.flags
    flagged = frozenset(flag.address for group in found.values() for flag in group)
    first = frozenset(group[0].address for group in found.values() if group)
    drawn, undrawn = draw_kernels(
        subject,
        every,
        first_weights(subject) or {},
        rank_filters(subject.census, (flag for group in found.values() for flag in group)),
        layers=options.shown_layers,
        filters=options.shown_filters,
        channels=options.shown_channels,
        numbered=options.numbered_filters,
        always=first,
    )
    return WeightsResult(
        tensors=tuple(tensors),
        norms=tuple(read_norms(calls)),
        survey=take_spectra(every, flagged, options, rng),
        movements=tuple(movements.values()) if movements else (),
        kernels=drawn,
        undrawn=undrawn,
        non_finite=found["weights.non_finite"],
        dead=found["weights.dead_filters"],
        duplicates=found["weights.duplicate_filters"],
        untrained=found["weights.untrained_layers"],
        batchnorm=found["weights.batchnorm_degenerate"],
        effects=effects,
        effect_samples=len(rows),
        filters=sum(len(kernel.filters) for kernel in every if kernel.judged),
        judged_untrained=untrained.judged,
        by_history=untrained.by_history,
        options=options,
    )


def _first_calls(calls: tuple[LayerCall, ...]) -> list[LayerCall]:
    first: dict[int, LayerCall] = {}
    for call in calls:
        if getattr(call.layer, "weights", None):
            first.setdefault(id(call.layer), call)
    return list(first.values())


def _read_all(
    subject: Subject, calls: list[LayerCall], kernels: list[Kernel], options: Options
) -> list[TensorRow]:
    known = {id(kernel.variable): kernel for kernel in kernels}
    tensors: list[TensorRow] = []
    seen: set[int] = set()
    for call in track(calls, "reading weights"):
        tensors += read_tensors(call, known, options.near_zero)
        seen.update(id(weight) for weight in call.layer.weights)
    for weight in subject.model.weights:
        # What the model itself holds, or layers that prediction does not call.
        if id(weight) not in seen:
            address = "/".join(weight.path.split("/")[:-1]) or subject.model.name
            row = read_tensor(address, weight, None, options.near_zero)
            tensors += [replace(row, main=False)] if row else []
    return tensors


def _measure_movements(subject: Subject, kernels: list[Kernel]) -> dict[int, Movement] | None:
    first = first_weights(subject)
    if first is None:
        return None
    return {
        id(kernel.variable): measure_movement(kernel, first[id(kernel.variable)])
        for kernel in kernels
        if id(kernel.variable) in first
    }


def _find_untrained(
    kernels: dict[str, list[Kernel]],
    calls: list[LayerCall],
    movements: dict[int, Movement] | None,
    options: Options,
) -> Untrained:
    by_address = {call.address: call for call in calls}
    return find_untrained(
        kernels, by_address, movements, min_p=options.initial_p, still=options.still
    )
