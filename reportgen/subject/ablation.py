"""What a model answers when chosen channels of chosen layers are set to zero.

A channel is set to zero by its weights: the slices of the layer's kernel that make it and its
bias; of a BatchNormalization (or another normalisation with a scale) gamma and beta. What follows
sees exactly zero, or the activation function of zero; a BatchNormalization that follows adds its
shift to it as it does to a filter that is dead. Every weight is restored, proved by hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import ReportgenError, UsageError
from reportgen.subject.channel_weights import Part, find_parts

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float32]
# Channels by address; None stands for all channels of that layer.
Channels = Mapping[str, Sequence[int] | None]


@dataclass(frozen=True)
class Effect:
    """What changed in the audited output.

    right_before, right_after: right answers; None without labels or classes.
    changed: answers (classes) that differ; None where the output is read as numbers.
    mean_change: mean absolute change over the outputs that are finite before and after.
    broken_before, broken_after: samples with NaN or infinity among their outputs; they count
        as an answer of their own, which is never right.
    """

    samples: int
    right_before: int | None
    right_after: int | None
    changed: int | None
    mean_change: float
    broken_before: int
    broken_after: int

    @property
    def unchanged(self) -> bool:
        """Whether no answer changed; for numbers, whether no output did beyond float32."""
        if self.changed is not None:
            return self.changed == 0
        return self.mean_change <= 1e-6 and self.broken_before == self.broken_after

    def describe(self) -> str:
        """The effect as a clause: ``set to zero: 91.2 % -> 90.0 % right on 500 samples, ...``."""
        if self.right_before is not None and self.right_after is not None:
            before, after = self.right_before / self.samples, self.right_after / self.samples
            words = f"{100 * before:.1f} % -> {100 * after:.1f} % right on {self.samples:,} samples"
            words += f", {_answers(self.changed or 0)}"
        elif self.changed is not None:
            words = f"{self.changed:,} of {self.samples:,} answers change"
        else:
            words = (
                f"outputs change by {self.mean_change:.3g} on average over {self.samples:,} samples"
            )
        if self.broken_before or self.broken_after:
            words += (
                f"; samples without a finite output: {self.broken_before} -> {self.broken_after}"
            )
        return f"set to zero: {words}"


def _answers(count: int) -> str:
    return f"{count:,} answer{'s' if count != 1 else ''} change{'s' if count == 1 else ''}"


@contextmanager
def zeroed(subject: Subject, channels: Channels) -> Iterator[None]:
    """Within the context the channels are zero; after it every weight is what it was.

    A layer without weights (activation, pooling) stands for the layer before it that makes its
    channels. A layer that is called several times, or that feeds several others, is silenced for
    all of them.

    Raises:
        UsageError: no such address or channel, or no weight that makes the channel; nothing was
            changed.
        ReportgenError: the weights could not be restored.
    """
    plan = [
        (part, _positions(address, part, wanted))
        for address, wanted in channels.items()
        for part in find_parts(subject.probe, address)
    ]
    before = subject.weights_hash()
    kept = {id(part.variable): (part.variable, part.variable.numpy()) for part, _ in plan}
    try:
        for part, positions in plan:
            part.variable.assign(part.silenced(part.variable.numpy(), positions))
        yield
    finally:
        for variable, values in kept.values():
            variable.assign(values)
        if subject.weights_hash() != before:
            raise ReportgenError("The weights differ after filters were set to zero and restored.")


def _positions(address: str, part: Part, wanted: Sequence[int] | None) -> NDArray[np.int64]:
    if wanted is None:
        return np.arange(part.channels)
    positions = np.asarray(wanted, np.int64)
    if len(positions) and (positions.min() < 0 or positions.max() >= part.channels):
        raise UsageError(
            f"{address}: channel {int(positions.max())} of {part.channels} does not exist."
        )
    return positions


def read_outputs(subject: Subject, rows: NDArray[np.int64]) -> FloatArray:
    """The audited output for these samples as the model is now: ``(n, ...)``."""
    outputs = subject.probe.predict(lambda batch: subject.inputs(rows[batch]), len(rows))
    return outputs[subject.reading.output.index]


def measure_effect(
    subject: Subject,
    channels: Channels,
    rows: NDArray[np.int64],
    *,
    before: FloatArray | None = None,
) -> Effect:
    """Compare the answers for the same samples with and without the channels.

    Args:
        rows: positions of the samples. before: their `read_outputs`, if they are known.

    Raises:
        UsageError, ReportgenError: see `zeroed`.
    """
    if before is None:
        before = read_outputs(subject, rows)
    with zeroed(subject, channels):
        after = read_outputs(subject, rows)
    return compare(subject, rows, before, after)


def compare(
    subject: Subject, rows: NDArray[np.int64], before: FloatArray, after: FloatArray
) -> Effect:
    """The effect between two outputs ``(n, ...)`` of the same samples."""
    first, second = _answer(subject, before), _answer(subject, after)
    targets = None if subject.labels.values is None else subject.labels.values[rows]
    both = np.isfinite(before) & np.isfinite(after)
    change = np.abs(before[both].astype(np.float64) - after[both])
    return Effect(
        samples=len(rows),
        right_before=_count_right(first, targets),
        right_after=_count_right(second, targets),
        changed=None if first is None or second is None else int((first != second).sum()),
        mean_change=float(change.mean()) if change.size else 0.0,
        broken_before=int((~_finite(before)).sum()),
        broken_after=int((~_finite(after)).sum()),
    )


def _count_right(said: NDArray[np.int64] | None, targets: NDArray[np.int64] | None) -> int | None:
    return None if said is None or targets is None else int((said == targets).sum())


def _finite(outputs: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(outputs.reshape(len(outputs), -1)).all(axis=1))


def _answer(subject: Subject, outputs: FloatArray) -> NDArray[np.int64] | None:
    """The class that each sample is given, ``(n,)``; -1 where an output is not finite."""
    from reportgen.subject.outputs import probabilities

    if not subject.reading.classes:
        return None
    finite = _finite(outputs)
    said = np.full(len(outputs), -1)
    if finite.any():
        said[finite] = probabilities(subject.reading.task, outputs[finite]).argmax(axis=1)
    return said
