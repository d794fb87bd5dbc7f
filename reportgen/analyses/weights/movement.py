"""Initial weights beside trained ones, from the recorded training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.kernels import Kernel

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.floating[Any]]
_BINS = 40


@dataclass(frozen=True)
class Movement:
    """How far a kernel came.

    distance: ||w - w0|| / ||w0||; None if the first record is zero.
    cosine: of the angle between w and w0; None if one of them is zero.
    edges: ``bins + 1`` of the histograms. first, now: counts, ``(bins,)``.
    """

    address: str
    label: str
    values: int
    distance: float | None
    cosine: float | None
    edges: FloatArray
    first: NDArray[np.int64]
    now: NDArray[np.int64]


def first_weights(subject: Subject) -> dict[int, FloatArray] | None:
    """The first recorded weights by the identity of the model's variable; None without a history
    of this model."""
    if subject.history is None or len(subject.history.steps) < 2:
        return None
    if not subject.history.from_start:
        return None  # checkpoints: the first one is trained already
    # By order and shape, not by name: Keras renames the weights of a Sequential on loading.
    first = list(subject.history.weights(0).values())
    weights = subject.model.weights
    if [w.shape for w in first] != [tuple(w.shape) for w in weights]:
        return None
    return {id(weight): start for weight, start in zip(weights, first, strict=True)}


def measure_movement(kernel: Kernel, start: FloatArray) -> Movement:
    """Compare a kernel with its first record. Values that are not finite are left out."""
    now = kernel.values.ravel().astype(np.float64)
    first = start.ravel().astype(np.float64)
    if np.array_equal(start.astype(np.float16), start):
        # Recorded in half precision: a kernel that never moved must come out as such.
        now = now.astype(np.float16).astype(np.float64)
    usable = np.isfinite(now) & np.isfinite(first)
    now, first = now[usable], first[usable]
    before, after = float(np.linalg.norm(first)), float(np.linalg.norm(now))
    low, high = _common_range(first, now)
    edges = np.linspace(low, high, _BINS + 1)
    return Movement(
        address=kernel.address,
        label=kernel.label,
        values=len(now),
        distance=float(np.linalg.norm(now - first)) / before if before else None,
        cosine=float(now @ first) / (before * after) if before and after else None,
        edges=edges,
        first=np.histogram(first, edges)[0],
        now=np.histogram(now, edges)[0],
    )


def _common_range(first: FloatArray, now: FloatArray) -> tuple[float, float]:
    both = np.concatenate([first, now])
    low, high = (float(both.min()), float(both.max())) if len(both) else (0.0, 0.0)
    return (low, high) if high > low else (low - 0.5, low + 0.5)
