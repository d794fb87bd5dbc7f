"""Why a picture means nothing: dead, no gradient, saturated, at its bound, no better than noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.optvis.causes import Cause

FloatArray = NDArray[np.float64]
# Of the size of the values: what float32 makes of the same sums in another order.
_SAME = 1e-4
_AT_BOUND = 1e-3  # of the range between the bounds
_BOUNDS = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "relu6": (0.0, 6.0),
}


@dataclass(frozen=True)
class Evidence:
    """What is known of the pictures of one unit.

    scores, starts: the objective at the end and the beginning ``(variants,)``. gradients: length
    of the first gradient, silent ReLUs opened ``(variants,)``. noise: the highest that random
    pictures reach. constant: no sample changes it. activation: of the layer. hurried: time ran
    out. settled: the objective had become flat.
    """

    scores: FloatArray
    starts: FloatArray
    gradients: FloatArray
    noise: float
    constant: bool
    activation: str | None
    hurried: bool = False
    settled: bool = True


def diagnose(evidence: Evidence) -> Cause | None:
    """Why the pictures of a unit mean nothing; None if they mean something."""
    finite = np.isfinite(evidence.scores) & np.isfinite(evidence.starts)
    if not finite.any():
        return "not finite"
    scores, starts = evidence.scores[finite], evidence.starts[finite]
    size = max(float(np.abs(scores).max()), float(np.abs(starts).max()), 1e-12)
    if float((scores - starts).max()) <= _SAME * size:
        if _is_pinned(starts, evidence.activation):
            return "saturated" if evidence.constant else "bound"
        return _explain_rest(evidence)
    if np.isfinite(evidence.noise) and float(scores.max()) <= evidence.noise:
        return "unfinished" if evidence.hurried else "noise"
    return None


def _explain_rest(evidence: Evidence) -> Cause:
    """Why nothing rose. What a sample excites is not dead, whatever the pictures do."""
    leads = (np.nan_to_num(evidence.gradients) != 0).any()
    if leads and evidence.hurried:  # silent units of a real model took up to 16 steps to wake
        return "unfinished"
    if leads and not evidence.settled:
        return "stuck"
    if evidence.constant:
        return "dead"
    return "stuck" if leads else "no gradient"


def _is_pinned(starts: FloatArray, activation: str | None) -> bool:
    """At its upper bound from the start: there is nothing left to climb."""
    bounds = _BOUNDS.get(activation or "")
    if bounds is None:
        return False
    low, high = bounds
    return bool(starts.min() >= high - _AT_BOUND * (high - low))
