"""The census: is each channel finite, does it ever change, how often is it silent or pinned?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.census.plan import Reading, plan_readings
from reportgen.subject.census.readings import all_finite, list_taps, make_reducer
from reportgen.subject.census.tallies import Moments
from reportgen.subject.census.units import Targets, UnitCensus, UnitTally, make_targets

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

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
        return np.asarray(seen & (self.high - self.low <= 4 * np.finfo(np.float32).eps * size))


@dataclass(frozen=True)
class Census:
    """All layer calls in the order of execution."""

    samples: int
    layers: tuple[ChannelCensus, ...]

    @cached_property
    def by_address(self) -> Mapping[str, ChannelCensus]:
        """The layers by address."""
        return {layer.address: layer for layer in self.layers}


def take_census(subject: Subject) -> Census:
    """One pass over all samples; memory does not depend on their number."""
    probe, count = subject.probe, len(subject.samples)
    readings = plan_readings(probe.calls, probe.output_calls)
    taps = list_taps(readings)
    if not taps:
        return Census(count, ())
    tally = _Tally(
        readings, make_targets(subject.labels.values, np.random.default_rng(subject.config.seed))
    )
    careful = make_reducer(readings, careful=True)

    def look_closely(rows: NDArray[np.int64]) -> list[Any]:
        parts = probe.reduce(
            lambda part: subject.inputs(rows[part]), len(rows), taps, careful, "NaN or infinity"
        )
        return list(parts)

    reducer = make_reducer(readings)
    for batch in probe.reduce(subject.inputs, count, taps, reducer, "census of channels"):
        for part in [batch] if all_finite(batch) else look_closely(tally.next_rows(batch)):
            tally.add(part)
    return Census(count, tally.finish())


@dataclass
class _Tally:
    """What is known so far of all layers."""

    readings: Sequence[Reading]
    targets: Targets | None
    start: int = 0
    moments: dict[str, Moments] = field(default_factory=dict)
    units: dict[str, UnitTally] = field(default_factory=dict)
    bad_before: dict[str, Any] = field(default_factory=dict)

    def next_rows(self, batch: list[dict[str, NDArray[Any]]]) -> NDArray[np.int64]:
        """Positions of the samples of a batch that comes next."""
        return np.arange(self.start, self.start + int(batch[0]["samples"]))

    def add(self, batch: list[dict[str, NDArray[Any]]]) -> None:
        read = [r for r in self.readings if r.kind in ("unit", "plain")]
        rows = self.next_rows(batch)
        self.start += len(rows)
        columns = self.targets.columns(rows) if self.targets else None
        for reading, seen in zip(read, batch, strict=False):
            address = reading.call.address
            self.moments.setdefault(address, Moments()).add(seen)
            if reading.kind == "unit":
                self._unit(reading, seen).add(*_responses(seen), rows, columns)
        fused = [r.call.address for r in read if r.call.fused and r.call.activation is not None]
        for address, seen in zip(fused, batch[len(read) :], strict=True):
            self.bad_before[address] = self.bad_before.get(address, 0) + seen.get("bad", 0)

    def _unit(self, reading: Reading, seen: dict[str, NDArray[Any]]) -> UnitTally:
        address = reading.call.address
        if address not in self.units:
            self.units[address] = UnitTally(reading.head, seen["peaks"].shape[1], self.targets)
        return self.units[address]

    def finish(self) -> tuple[ChannelCensus, ...]:
        done: dict[str, ChannelCensus] = {}
        for reading in self.readings:
            address = reading.call.address
            if reading.kind in ("unit", "plain"):
                if reading.follows_low:
                    low = np.maximum(done[reading.source].low, 0)
                    self.moments[address].low = np.minimum(low, self.moments[address].high)
                done[address] = self._finish(address)
            elif reading.source in done:
                done[address] = _follow(reading, done[reading.source])
        return tuple(done.values())

    def _finish(self, address: str) -> ChannelCensus:
        seen = self.moments[address]
        positive = seen.share("positive")
        return ChannelCensus(
            address=address,
            mean=seen.mean,
            spread=seen.spread,
            low=seen.low,
            high=seen.high,
            zeros=None if positive is None else 1 - positive,
            pinned=seen.share("pinned"),
            non_finite=np.maximum(
                np.broadcast_to(seen.bad, seen.low.shape), self.bad_before.get(address, 0)
            ),
            units=self.units[address].finish() if address in self.units else None,
        )


def _responses(seen: dict[str, NDArray[Any]]) -> tuple[FloatArray, FloatArray]:
    positions = int(seen["count"]) // len(seen["peaks"])
    return seen["sums"].astype(np.float64) / positions, seen["peaks"].astype(np.float64)


def _follow(reading: Reading, before: ChannelCensus) -> ChannelCensus:
    """What is known behind a layer that is linear channel by channel, or does nothing."""
    scale, shift = _line(reading)
    ends = np.stack([scale * before.low + shift, scale * before.high + shift])
    return ChannelCensus(
        address=reading.call.address,
        mean=scale * before.mean + shift,
        spread=np.abs(scale) * before.spread,
        low=ends.min(axis=0),
        high=ends.max(axis=0),
        zeros=before.zeros if reading.kind == "same" else None,
        pinned=None,
        non_finite=before.non_finite,
    )


def _line(reading: Reading) -> tuple[Any, Any]:
    """Scale and shift of each channel; BatchNormalization at rest (Ioffe & Szegedy 2015)."""
    if reading.kind == "same":
        return 1.0, 0.0
    layer = reading.call.layer
    mean, variance = np.asarray(layer.moving_mean, float), np.asarray(layer.moving_variance, float)
    scale = 1 / np.sqrt(variance + layer.epsilon)
    if layer.gamma is not None:
        scale = scale * np.asarray(layer.gamma, float)
    shift = -mean * scale
    return scale, shift + (0 if layer.beta is None else np.asarray(layer.beta, float))
