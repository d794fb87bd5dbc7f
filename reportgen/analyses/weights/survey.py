"""The spectra of a model's kernels, the smallest first, until the budget of work is spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reportgen.analyses.weights.spectra import (
    Null,
    Spectrum,
    count_work,
    draw_null,
    measure_spectrum,
)
from reportgen.progress import track
from reportgen.subject.kernels import Kernel

if TYPE_CHECKING:
    from reportgen.analyses.weights.options import Options


@dataclass(frozen=True)
class Survey:
    """spectra: in the order of the layers. shown: positions of those that are drawn, and why.

    left_out: labels of kernels that the budget did not reach.
    """

    spectra: tuple[Spectrum, ...]
    shown: tuple[tuple[int, str], ...]
    left_out: tuple[str, ...]


def take_spectra(
    kernels: Sequence[Kernel], flagged: frozenset[str], options: Options, rng: np.random.Generator
) -> Survey:
    """Measure what fits the budget and choose the curves to draw."""
    chosen, left_out = _within_budget(kernels, options.spectra_work)
    nulls: dict[tuple[int, int], Null] = {}
    spectra = []
    for kernel in track(chosen, "singular values"):
        filters = kernel.filters
        rows, columns = filters.shape
        shape = (min(rows, columns), max(rows, columns))
        if shape not in nulls:
            nulls[shape] = draw_null(*shape, options.null_draws, rng)
        spectra.append(
            measure_spectrum(
                kernel.address, kernel.label, filters, nulls[shape], options.bootstrap, rng
            )
        )
    shown = _choose(spectra, flagged, options.shown_spectra)
    return Survey(tuple(spectra), shown, left_out)


def _within_budget(
    kernels: Sequence[Kernel], budget: float
) -> tuple[list[Kernel], tuple[str, ...]]:
    """Kernels with at least two rows and columns, finite and not zero; and what was left out."""
    usable = [
        kernel
        for kernel in kernels
        if min(_shape(kernel)) > 1 and np.isfinite(kernel.values).all() and kernel.values.any()
    ]
    work = np.array([count_work(*_shape(kernel)) for kernel in usable])
    order = np.argsort(work, kind="stable")
    fits = set(order[np.cumsum(work[order]) <= budget].tolist())
    left = tuple(kernel.label for i, kernel in enumerate(usable) if i not in fits)
    return [kernel for i, kernel in enumerate(usable) if i in fits], left


def _shape(kernel: Kernel) -> tuple[int, int]:
    rows = int(np.prod([kernel.values.shape[axis] for axis in kernel.axes]))
    return rows, kernel.values.size // rows


def _choose(
    spectra: Sequence[Spectrum], flagged: frozenset[str], most: int
) -> tuple[tuple[int, str], ...]:
    """First, last, flagged, and those least and most like random matrices."""
    if not spectra or not most:
        return ()
    by_unlikeness = np.argsort(
        [-spectrum.unlikeness for spectrum in spectra], kind="stable"
    ).tolist()
    wanted = [(0, "first"), (len(spectra) - 1, "last")]
    wanted += [(i, "flagged") for i, s in enumerate(spectra) if s.address in flagged][:2]
    wanted += [(by_unlikeness[0], "most unlike random"), (by_unlikeness[-1], "most like random")]
    chosen: dict[int, str] = {}
    for position, why in wanted:
        if position in chosen:
            chosen[position] += f", {why}"
        elif len(chosen) < most:
            chosen[position] = why
    return tuple(sorted(chosen.items()))
