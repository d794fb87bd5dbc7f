"""A time budget that shares itself over what is still to do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from reportgen.analyses.optvis.studio import Studio
    from reportgen.subject.top_activating import ExcitedLayer

_TRACING = 0.1  # of all work: what a job costs before its first step


class Budget:
    """Seconds for several jobs of known weights. What one leaves unused, the others get."""

    def __init__(self, seconds: float, weights: list[float]) -> None:
        self._end = time.monotonic() + seconds
        self._weights = list(weights)

    def allow(self) -> float:
        """Seconds for the next job: its share of what is left; never below zero."""
        left = max(self._end - time.monotonic(), 0.0)
        total = sum(self._weights)
        return left * self._weights.pop(0) / total


def weigh_layers(studio: Studio, layers: list[ExcitedLayer]) -> list[float]:
    """How much work each layer's pictures are, the whole model on one sample being 1."""
    from reportgen.analyses.optvis.studio import choose_size

    calls = studio.subject.probe.calls
    work = np.cumsum([flops or 0 for flops in studio.subject.flops], dtype=np.float64)
    place = {call.address: i for i, call in enumerate(calls)}
    height, width = studio.size
    weights = []
    for layer in layers:
        small = choose_size(layer.window, studio.size)
        share = work[place[layer.address]] / max(work[-1], 1.0)
        area = small[0] * small[1] / (height * width)
        weights.append((float(share * area) + _TRACING) * len(layer.units))
    return weights
