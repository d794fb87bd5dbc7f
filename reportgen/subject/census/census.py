"""The census: is each channel finite, does it ever change, how often is it silent or pinned?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from reportgen.subject.census.channels import ChannelCensus
from reportgen.subject.census.following import follow
from reportgen.subject.census.plan import Reading, plan_readings
from reportgen.subject.census.readings import all_finite, list_taps, make_reducer
from reportgen.subject.census.tallies import Moments
from reportgen.subject.census.units import Targets, UnitTally, make_targets

if TYPE_CHECKING:
    from reportgen.subject.audited_model import AuditedModel

FloatArray = NDArray[np.float64]
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Census:
    """All layer calls in the order of execution."""

    samples: int
    layers: tuple[ChannelCensus, ...]

    @cached_property
    def by_address(self) -> Mapping[str, ChannelCensus]:
        """The layers by address."""
        return {layer.address: layer for layer in self.layers}


def take_census(subject: AuditedModel) -> Census:
    """One pass over all samples; memory does not depend on their number."""
    probe, count = subject.probe, len(subject.samples)
    readings = plan_readings(probe.calls, probe.output_calls)
    taps = list_taps(readings)
    if not taps or not count:
        return Census(count, ())
    tally = _Tally(
        readings, make_targets(subject.labels.values, np.random.default_rng(subject.config.seed))
    )
    careful = make_reducer(readings, careful=True)

    def look_closely(rows: NDArray[np.int64]) -> list[Any]:
        parts = probe.reduce(
            lambda part: subject.inputs(rows[part]), len(rows), taps, careful, "NaN or infinity"
        )
        return [[_bounded(seen) for seen in part] for part in parts]

    reducer = make_reducer(readings)
    # The products of small matrices between batches gain nothing from threads, and threads that
    # wait for the next product take the cores from TensorFlow: twice the time.
    with threadpool_limits(1, user_api="blas"):
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
        read = [r for r in self.readings if r.is_read]
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
            self.units[address] = UnitTally(
                reading.head, _responses(seen)[0].shape[1], self.targets
            )
        return self.units[address]

    def finish(self) -> tuple[ChannelCensus, ...]:
        done: dict[str, ChannelCensus] = {}
        for reading in self.readings:
            if reading.is_read:
                if reading.follows_low:
                    low = np.maximum(done[reading.source].low, 0)
                    moments = self.moments[reading.call.address]
                    moments.low = np.minimum(low, moments.high)
                done[reading.call.address] = self._finish(reading.call.address)
        waiting = [reading for reading in self.readings if not reading.is_read]
        while ready := [reading for reading in waiting if reading.source in done]:
            for reading in ready:  # one may follow from another that follows itself
                done[reading.call.address] = follow(reading, done[reading.source])
            waiting = [reading for reading in waiting if reading not in ready]
        order = (reading.call.address for reading in self.readings)
        return tuple(done[address] for address in order if address in done)

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


def _bounded(seen: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Sums of large finite values overflow float32: they count as its largest number."""
    sums = {name: seen[name] for name in ("sum", "sums", "norm") if name in seen}
    bounded = {
        name: np.nan_to_num(v.astype(np.float64), posinf=_LARGEST, neginf=-_LARGEST)
        for name, v in sums.items()
    }
    return seen | bounded


def _responses(seen: dict[str, NDArray[Any]]) -> tuple[FloatArray, FloatArray]:
    if "values" in seen:
        values = seen["values"].astype(np.float64)
        finite = np.isfinite(values)
        return np.where(finite, values, 0), np.where(finite, values, -_LARGEST)
    positions = int(seen["count"]) // len(seen["peaks"])
    return seen["sums"].astype(np.float64) / positions, seen["peaks"].astype(np.float64)
