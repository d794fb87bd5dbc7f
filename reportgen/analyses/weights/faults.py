"""From the checks to flags: which layer, which filters, and what is set to zero to measure it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from reportgen.analyses.weights.checks import (
    batchnorm_problem,
    compare_offsets,
    duplicate_groups,
)
from reportgen.analyses.weights.flags import Flag
from reportgen.analyses.weights.tensors import TensorRow
from reportgen.subject.kernels import Kernel
from reportgen.subject.zero_filters import ZeroFilters

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall


def find_non_finite(tensors: list[TensorRow]) -> tuple[Flag, ...]:
    """A flag for each tensor with NaN or infinity, with the filters that hold it."""
    return tuple(
        Flag(
            row.address,
            row.bad_filters,
            f"{row.name}: {row.non_finite} values",
            kernel=row.address if row.name == "kernel" else f"{row.address}, {row.name}",
            which=_all_of(row.bad_filters, row.filters),
            silence=row.bad_filters if row.main and row.bad_filters else None,
        )
        for row in tensors
        if row.non_finite
    )


def _all_of(filters: tuple[int, ...], of: int) -> str:
    return f"all {of}" if of > 8 and len(filters) == of else ""


def find_dead(kernels: list[Kernel], zero: Sequence[ZeroFilters]) -> tuple[Flag, ...]:
    """A flag for each kernel with filters that are zero, or that their BatchNorm makes zero."""
    known = {(found.address, found.place): found for found in zero}
    dead = [known[_key(kernel)] for kernel in kernels if _key(kernel) in known]
    return tuple(
        Flag(
            found.address,
            found.filters,
            f"of {found.count}",
            found.place,
            which=_all_of(found.filters, found.count),
            silence=found.filters if found.main else None,
            of=found.count,
        )
        for found in dead
    )


def _key(kernel: Kernel) -> tuple[str, str]:
    return kernel.address, kernel.place


def find_duplicates(
    kernels: list[Kernel],
    dead: tuple[Flag, ...],
    followers: dict[str, LayerCall],
    mirrored: frozenset[str],
    cosine: float,
) -> tuple[Flag, ...]:
    """A flag for each kernel with groups of equal filters; dead ones are equal to nothing.

    Args:
        mirrored: layers where opposite filters are equal too, see `mirrors.list_mirrored`.
    """
    zero = {flag.label: flag.filters for flag in dead}
    found = []
    for kernel in kernels:
        skip = np.array(zero.get(kernel.place, ()), np.int64)
        if not kernel.judged:
            continue
        groups = duplicate_groups(
            kernel, min_cosine=cosine, skip=skip, mirrored=kernel.address in mirrored
        )
        if not groups:
            continue
        norm = followers.get(kernel.address) if kernel.main else None
        remark = compare_offsets(kernel, norm.layer if norm else None, groups)
        members = tuple(sorted(i for group in groups for i in group.members))
        copies = tuple(sorted(i for group in groups for i in group.members[1:]))
        which = "; ".join(group.equation for group in groups)
        cosines = sorted({group.said_cosines for group in groups})
        said = cosines[0] if len(cosines) == 1 else ", ".join(g.describe() for g in groups)
        found.append(
            Flag(
                kernel.address,
                members,
                f"{said}; {remark}",
                kernel.place,
                which=which,
                silence=copies if kernel.main else None,
            )
        )
    return tuple(found)


def find_batchnorm(calls: list[LayerCall]) -> tuple[Flag, ...]:
    """A flag for each BatchNormalization whose statistics do not describe data."""
    found = []
    for call in calls:
        problem = batchnorm_problem(call.layer)
        if problem:
            found.append(Flag(call.address, problem[1], problem[0], silence=problem[1]))
    return tuple(found)
