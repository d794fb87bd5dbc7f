"""Reads every weight: statistics, spectra, kernels to draw, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

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
)
from reportgen.analyses.weights.flags import Flag
from reportgen.analyses.weights.mirrors import list_mirrored
from reportgen.analyses.weights.movement import Movement, first_weights, measure_movement
from reportgen.analyses.weights.options import Options
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
from reportgen.subject.zero_filters import following_norms

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall
    from reportgen.subject.subject import Subject


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
    dead = find_dead(every, subject.zero_filters)
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
