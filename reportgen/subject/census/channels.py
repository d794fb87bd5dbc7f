"""What is known of the channels of one layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.census.units import UnitCensus

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ChannelCensus:
    """One layer call, over the finite values of all samples and positions.

    mean, spread, low, high: ``(channels,)``; spread is the standard deviation. zeros: share of
    exact zeros, behind a ReLU only. pinned: share of values at the bounds; None if unbounded.
    non_finite: values that are NaN or infinite, ``(channels,)``. units: None where the layer's
    channels are looked at further on (before its normalisation or activation function) or are no
    units of its own.
    """

    address: str
    mean: FloatArray
    spread: FloatArray
    low: FloatArray
    high: FloatArray
    zeros: FloatArray | None
    pinned: FloatArray | None
    non_finite: NDArray[np.int64]
    units: UnitCensus | None = None

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Channels that never changed, to float32 precision, ``(channels,)``.

        One without a single finite value is not constant: it is broken, another finding.
        """
        seen = self.low <= self.high
        size = np.maximum(np.abs(self.low), np.abs(self.high))
        spread = np.where(seen, self.high, 0) - np.where(seen, self.low, 0)
        return np.asarray(seen & (spread <= 4 * np.finfo(np.float32).eps * size))
