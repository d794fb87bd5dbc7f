"""Facts about the model and its samples, before anything is judged."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.overview.options import Options
from reportgen.report.cards import SubjectCard

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall
    from reportgen.subject.receptive_field import ReceptiveField
    from reportgen.subject.subject import Subject


@dataclass(frozen=True)
class LayerRow:
    """One call of a layer.

    parameters: None where a shared layer is called again. sees_all: a position in the middle sees
    the whole input.
    """

    address: str
    class_name: str
    output_shape: tuple[int | None, ...]
    parameters: int | None
    trainable: bool
    flops: int | None
    receptive_field: tuple[int, ...] | None
    sees_all: bool
    activation_bytes: int
    activation: str | None
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class OverviewResult:
    """See the fields; nothing here is an estimate."""

    card: SubjectCard
    layers: tuple[LayerRow, ...]
    trainable_parameters: int
    training: dict[str, str]
    class_counts: tuple[int, ...]
    target_range: tuple[float, float] | None
    size_counts: tuple[tuple[str, int], ...]
    options: Options


def compute(subject: Subject, options: Options, rng: np.random.Generator) -> OverviewResult:
    """Read the layers as they are called, count samples."""
    calls = subject.probe.calls
    values = subject.labels.values
    return OverviewResult(
        card=subject.card,
        layers=_read_layers(calls, subject.receptive_fields, subject.flops),
        trainable_parameters=int(sum(np.prod(w.shape) for w in subject.model.trainable_weights)),
        training=subject.training,
        class_counts=_count_classes(subject, values),
        target_range=_find_range(values),
        size_counts=_count_sizes(subject.samples.sizes),
        options=options,
    )


def _find_range(values: NDArray[Any] | None) -> tuple[float, float] | None:
    if values is None or values.dtype.kind != "f":
        return None
    return float(values.min()), float(values.max())


def _read_layers(
    calls: tuple[LayerCall, ...],
    fields: tuple[ReceptiveField, ...],
    flops: tuple[int | None, ...],
) -> tuple[LayerRow, ...]:
    seen: set[int] = set()
    rows = []
    for call, field, operations in zip(calls, fields, flops, strict=True):
        weights = getattr(call.layer, "weights", [])
        again = id(call.layer) in seen and bool(weights)
        seen.add(id(call.layer))
        elements = int(np.prod([side or 1 for side in call.output_shape[1:]]))
        rows.append(
            LayerRow(
                address=call.address,
                class_name=call.class_name,
                output_shape=call.output_shape,
                parameters=None if again else int(sum(np.prod(w.shape) for w in weights)),
                trainable=bool(getattr(call.layer, "trainable", False)),
                flops=operations if hasattr(call.layer, "weights") else None,
                receptive_field=field.size,
                sees_all=field.sees_all,
                activation_bytes=elements * np.dtype("float32").itemsize,
                activation=call.activation,
                inputs=call.inputs,
            )
        )
    return tuple(rows)


def _count_classes(subject: Subject, values: NDArray[Any] | None) -> tuple[int, ...]:
    if values is None or values.dtype.kind != "i":
        return ()
    return tuple(np.bincount(values, minlength=len(subject.labels.classes)).tolist())


def _count_sizes(sizes: NDArray[np.int64]) -> tuple[tuple[str, int], ...]:
    counts = Counter(f"{width} x {height}" for height, width in sizes.tolist())
    return tuple(counts.most_common())
