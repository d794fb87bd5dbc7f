"""Which files are checkpoints, their order and their epochs: by their names alone."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

_SUFFIXES = (".keras", ".h5", ".hdf5")
# Eighteen digits at most: a longer run is no epoch, and comes apart into several.
_NUMBER = re.compile(r"([0-9]{1,18})")


@dataclass(frozen=True)
class Order:
    """Names in the order of training.

    names: sorted, 2 before 10. epochs: of each, rising. numbered: whether the names say so.
    left_out: names that are built in another way than most, so they have no place in the order.
    """

    names: tuple[str, ...]
    epochs: tuple[int, ...]
    numbered: bool
    left_out: tuple[str, ...]


def list_checkpoints(folder: Path) -> tuple[str, ...]:
    """The names in ``folder`` that are those of checkpoints; hidden ones are none."""
    return tuple(
        name
        for name in sorted(os.listdir(folder) if folder.is_dir() else ())
        if name.lower().endswith(_SUFFIXES) and not name.startswith(".")
    )


def sort_names(names: Sequence[str]) -> Order:
    """Order checkpoints such as ``ckpt-03-0.12.keras``.

    Numbers compare as numbers. The epoch is the first number of the name that rises over all of
    them; where none does, they are counted from 0.
    """
    usual = Counter(map(_skeleton, sorted(names))).most_common(1)[0][0]
    chosen = sorted((name for name in names if _skeleton(name) == usual), key=_natural)
    columns = zip(*map(_numbers, chosen), strict=True)
    rising = next((c for c in columns if all(a < b for a, b in pairwise(c))), None)
    return Order(
        tuple(chosen),
        rising or tuple(range(len(chosen))),
        rising is not None,
        tuple(sorted(set(names) - set(chosen))),
    )


def _skeleton(name: str) -> str:
    return _NUMBER.sub("#", name)


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(map(int, _NUMBER.findall(name)))


def _natural(name: str) -> tuple[tuple[int, ...], str]:
    return _numbers(name), name
