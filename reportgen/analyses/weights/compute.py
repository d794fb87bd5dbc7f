"""Reads every weight: statistics, kernels to draw, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from reportgen.analyses.contract import AnalysisOptions
from reportgen.analyses.weights.checks import (
    batchnorm_problem,
    dead_filters,
    duplicate_pairs,
    looks_initial,
)
from reportgen.analyses.weights.drawing import DrawnKernel, draw_kernels
from reportgen.analyses.weights.kernels import as_filters, batch_scale, main_kernel
from reportgen.progress import track

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall
    from reportgen.subject.subject import Subject

_BINS = 32


class Options(AnalysisOptions):
    """What is drawn and when a check speaks.

    near_zero: a weight counts as near zero below this share of the tensor's deviation.
    duplicate_cosine: absolute cosine from which two filters are one.
    initial_p: a layer looks initial while the test against its initialiser stays above it.
    still: with a history, a layer that moved less than this share of its norm did not move.
    """

    shown_layers: int = Field(default=12, ge=0)
    shown_filters: int = Field(default=16, ge=1, le=256)
    shown_channels: int = Field(default=16, ge=1, le=256)
    numbered_filters: int = Field(default=32, ge=0, le=256)
    near_zero: float = Field(default=0.01, gt=0, lt=1)
    duplicate_cosine: float = Field(default=0.999, gt=0, lt=1)
    initial_p: float = Field(default=0.05, gt=0, lt=1)
    still: float = Field(default=1e-4, gt=0, lt=1)

    presets: ClassVar[Mapping[Any, Mapping[str, Any]]] = {
        "quick": {"shown_layers": 4},
        "full": {"shown_layers": 1000, "shown_filters": 64, "shown_channels": 64},
    }


@dataclass(frozen=True)
class TensorRow:
    """Statistics of one tensor over its finite values. histogram: counts between low and high."""

    address: str
    name: str
    shape: tuple[int, ...]
    norm: float
    mean: float
    deviation: float
    low: float
    high: float
    near_zero_share: float
    non_finite: int
    histogram: tuple[int, ...]


@dataclass(frozen=True)
class Flag:
    """A problem of one layer: which filters (or none, if it is the layer), and a remark."""

    address: str
    filters: tuple[int, ...]
    remark: str = ""


@dataclass(frozen=True)
class WeightsResult:
    """Tensors, drawn kernels, and the flags by check."""

    tensors: tuple[TensorRow, ...]
    kernels: tuple[DrawnKernel, ...]
    undrawn: int
    non_finite: tuple[Flag, ...]
    dead: tuple[Flag, ...]
    duplicates: tuple[Flag, ...]
    untrained: tuple[Flag, ...]
    batchnorm: tuple[Flag, ...]
    filters: int
    judged_untrained: int
    by_history: bool
    norms: int
    options: Options


def compute(subject: Subject, options: Options, rng: np.random.Generator) -> WeightsResult:
    """Walk the layers once, in the order of execution; a shared layer is read once."""
    calls = _first_calls(subject.probe.calls)
    norms = _following_norms(subject.probe.calls)
    tensors: list[TensorRow] = []
    dead, duplicates, batchnorm, filters = [], [], [], 0
    for call in track(calls, "reading weights"):
        tensors += _read_tensors(call, options)
        problem = batchnorm_problem(call.layer)
        if problem:
            batchnorm.append(Flag(call.address, (), problem))
        kernel = main_kernel(call.layer)
        if kernel is None or kernel.ndim < 2:
            continue
        rows = as_filters(call.class_name, kernel)
        filters += len(rows)
        zero = dead_filters(rows, batch_scale(norms.get(call.address)))
        if len(zero):
            dead.append(Flag(call.address, tuple(zero.tolist()), f"of {len(rows)}"))
        pairs = duplicate_pairs(
            call.class_name, kernel, min_cosine=options.duplicate_cosine, skip=zero
        )
        if pairs:
            members = tuple(sorted({i for pair in pairs for i in pair[:2]}))
            said = ", ".join(f"{i} and {j} ({cosine:+.4f})" for i, j, cosine in pairs[:4])
            duplicates.append(Flag(call.address, members, said))
    untrained, judged, by_history = _find_untrained(subject, calls, options)
    drawn, undrawn = draw_kernels(
        subject,
        calls,
        layers=options.shown_layers,
        filters=options.shown_filters,
        channels=options.shown_channels,
        numbered=options.numbered_filters,
        always=frozenset(flags[0].address for flags in (dead, duplicates, untrained) if flags),
    )
    bad = tuple(
        Flag(t.address, (), f"{t.name}: {t.non_finite} values") for t in tensors if t.non_finite
    )
    return WeightsResult(
        tensors=tuple(tensors), kernels=drawn, undrawn=undrawn, non_finite=bad,
        dead=tuple(dead), duplicates=tuple(duplicates), untrained=untrained,
        batchnorm=tuple(batchnorm), filters=filters,
        judged_untrained=judged, by_history=by_history, options=options,
        norms=sum(c.class_name == "BatchNormalization" for c in calls),
    )  # fmt: skip


def _first_calls(calls: tuple[LayerCall, ...]) -> list[LayerCall]:
    first: dict[int, LayerCall] = {}
    for call in calls:
        if getattr(call.layer, "weights", None):
            first.setdefault(id(call.layer), call)
    return list(first.values())


def _following_norms(calls: tuple[LayerCall, ...]) -> dict[str, Any]:
    """The BatchNormalization that takes a layer's output and nothing else, by address."""
    found: dict[str, Any] = {}
    for call in calls:
        if (
            call.class_name == "BatchNormalization"
            and len(call.inputs) == 1
            and call.inputs[0] >= 0
        ):
            source = calls[call.inputs[0]]
            if source.activation is None:
                found.setdefault(source.address, call.layer)
    return found


def _read_tensors(call: LayerCall, options: Options) -> list[TensorRow]:
    rows = []
    for weight in call.layer.weights:
        values = np.asarray(weight.numpy())
        if values.dtype.kind not in "fiu" or values.size == 0 or "seed" in weight.path:
            continue  # states of random generators are not parameters
        rows.append(_describe(call.address, weight.path.split("/")[-1], values, options))
    return rows


def _describe(address: str, name: str, values: NDArray[Any], options: Options) -> TensorRow:
    flat = values.ravel().astype(np.float64)
    finite = flat[np.isfinite(flat)]
    if not len(finite):
        finite = np.zeros(1)
    deviation = float(finite.std())
    counts, _ = np.histogram(finite, bins=_BINS)
    return TensorRow(
        address=address,
        name=name,
        shape=values.shape,
        norm=float(np.linalg.norm(finite)),
        mean=float(finite.mean()),
        deviation=deviation,
        low=float(finite.min()),
        high=float(finite.max()),
        near_zero_share=float((np.abs(finite) <= options.near_zero * deviation).mean()),
        non_finite=len(flat) - int(np.isfinite(flat).sum()),
        histogram=tuple(counts.tolist()),
    )


def _find_untrained(
    subject: Subject, calls: list[LayerCall], options: Options
) -> tuple[tuple[Flag, ...], int, bool]:
    """Layers that did not learn while others did; how many were judged; whether by history."""
    moved = _movement(subject)
    still: dict[str, bool] = {}
    for call in calls:
        kernel = main_kernel(call.layer)
        if kernel is None or kernel.ndim < 2 or not np.isfinite(kernel).all():
            continue
        if moved is not None:
            share = moved.get(_kernel_path(call.layer))
            answer = None if share is None else share < options.still
        else:
            answer = looks_initial(call.layer, kernel, min_p=options.initial_p)
        if answer is not None:
            still[call.address] = answer
    if not still or all(still.values()):
        # Nothing learned at all is a model that was not trained: every layer is named.
        flags = [Flag(address, ()) for address in still]
    else:
        flags = [Flag(address, ()) for address, answer in still.items() if answer]
    return tuple(flags), len(still), moved is not None


def _movement(subject: Subject) -> dict[str, float] | None:
    """How far each weight came from its first record, as a share of its norm; None without."""
    if subject.history is None or len(subject.history.steps) < 2:
        return None
    # By order and shape, not by name: Keras renames the weights of a Sequential on loading.
    first = list(subject.history.weights(0).values())
    if [w.shape for w in first] != [tuple(w.shape) for w in subject.model.weights]:
        return None
    moved = {}
    for start, weight in zip(first, subject.model.weights, strict=True):
        now = np.asarray(weight.numpy(), np.float64)
        distance = float(np.linalg.norm(now - start.astype(np.float64)))
        moved[weight.path] = distance / max(float(np.linalg.norm(start)), 1e-12)
    return moved


def _kernel_path(layer: Any) -> str:
    for name in ("pointwise_kernel", "depthwise_kernel", "kernel"):
        variable = getattr(layer, name, None)
        if variable is not None:
            return str(getattr(variable, "path", ""))
    return ""
