"""Planes of the loss against the plain way: set the weights, call the model, once a cell."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

_ROOT = Path(__file__).resolve().parents[2]
HEADER = ("network", "contestant", "cells", "seconds", "ms a cell", "off, worst %", "off, mean %")
Row = tuple[str | float, ...]


@dataclass(frozen=True)
class Part:
    """Rows of one network, ratios and what they should be."""

    rows: list[Row]
    ratios: dict[str, float] = field(default_factory=dict)
    goals: dict[str, float] = field(default_factory=dict)


def real_folder() -> Path | None:
    """The collection of real models, where it is here (``REPORTGEN_REAL``)."""
    folder = Path(os.environ.get("REPORTGEN_REAL", _ROOT.parent / "shared" / "real"))
    return folder if folder.is_dir() else None


def plain_way(
    model: Any, x: Any, y: Any, directions: Sequence[Sequence[Any]]
) -> Callable[[Any], float]:
    """Loss of a cell as it is done by hand; the model has to be compiled. Trained weights only."""
    base = [w.numpy() for w in model.trainable_variables]
    rest = {id(w): w.numpy() for w in model.weights}

    def measure(step: Any) -> float:
        for w, b, d1, d2 in zip(model.trainable_variables, base, *directions, strict=True):
            rest[id(w)] = b + step[0] * d1 + step[1] * d2
        model.set_weights([rest[id(w)] for w in model.weights])
        result = model.test_on_batch(x, y)
        return float(result[0] if isinstance(result, list) else result)

    return measure


def differences(ours: Any, plain: Any) -> tuple[float, float]:
    """Relative difference of two grids in percent: in the worst cell, and on average."""
    off = 100 * np.abs(np.asarray(ours) / np.asarray(plain) - 1)
    return float(off.max()), float(off.mean())
