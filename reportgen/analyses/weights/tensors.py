"""Statistics of every tensor, where one is not finite, and of every BatchNormalization."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.kernels import Kernel, as_filters

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall

_BINS = 32


@dataclass(frozen=True)
class TensorRow:
    """Statistics of one tensor over its finite values. histogram: counts between low and high.

    bad_filters: positions along the filters (kernels) or entries (vectors) with NaN or infinity.
    main: those positions are channels of the layer's output.
    """

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
    bad_filters: tuple[int, ...] = ()
    filters: int = 0
    main: bool = False


@dataclass(frozen=True)
class NormRow:
    """A BatchNormalization: smallest and largest of each vector (None if it has none), and how
    many channels have the mean 0 and the variance 1 that they start with."""

    address: str
    channels: int
    gamma: tuple[float, float] | None
    beta: tuple[float, float] | None
    mean: tuple[float, float]
    variance: tuple[float, float]
    at_start: int


def read_tensors(
    call: LayerCall, kernels: Mapping[int, Kernel], near_zero: float
) -> list[TensorRow]:
    """A row for each weight of a layer.

    Args:
        kernels: the layer's kernels by the identity of their variable.
    """
    rows = []
    for weight in call.layer.weights:
        row = read_tensor(call.address, weight, kernels.get(id(weight)), near_zero)
        if row is not None:
            rows.append(row)
    return rows


def read_tensor(
    address: str, weight: Any, kernel: Kernel | None, near_zero: float
) -> TensorRow | None:
    """One weight; None for the states of random generators, which are no parameters."""
    values = np.asarray(weight.numpy()) if kernel is None else kernel.values
    if values.dtype.name == "bfloat16":
        values = values.astype(np.float32)
    if values.dtype.kind not in "fiu" or values.size == 0 or "seed" in weight.path:
        return None
    name = weight.path.split("/")[-1]
    if kernel is not None and kernel.name not in ("kernel", name):
        name = kernel.name if kernel.name.endswith(name) else f"{kernel.name}/{name}"
    return _describe(address, name, values, kernel, near_zero)


def _describe(
    address: str, name: str, values: NDArray[Any], kernel: Kernel | None, near_zero: float
) -> TensorRow:
    flat = values.ravel().astype(np.float64)
    finite = flat[np.isfinite(flat)]
    bad = len(flat) - len(finite)
    if not len(finite):
        finite = np.zeros(1)
    deviation = float(finite.std())
    counts, _ = np.histogram(finite, bins=_BINS)
    where, of = _locate(values, kernel) if bad else ((), 0)
    return TensorRow(
        address=address,
        name=name,
        shape=values.shape,
        norm=float(np.linalg.norm(finite)),
        mean=float(finite.mean()),
        deviation=deviation,
        low=float(finite.min()),
        high=float(finite.max()),
        near_zero_share=float((np.abs(finite) <= near_zero * deviation).mean()),
        non_finite=bad,
        histogram=tuple(counts.tolist()),
        bad_filters=where,
        filters=of,
        main=kernel.main if kernel else values.ndim == 1,
    )


def _locate(values: NDArray[Any], kernel: Kernel | None) -> tuple[tuple[int, ...], int]:
    """Filters, or entries of a vector, that are not finite, and how many there are in all."""
    if kernel is not None:
        rows = as_filters(values, kernel.axes)
    elif values.ndim == 1:
        rows = values[:, None]
    else:
        return (), 0
    return tuple(np.flatnonzero(~np.isfinite(rows).all(axis=1)).tolist()), len(rows)


def read_norms(calls: Iterable[LayerCall]) -> list[NormRow]:
    """A row for each BatchNormalization."""
    rows = []
    for call in calls:
        mean = _values(call.layer, "moving_mean")
        variance = _values(call.layer, "moving_variance")
        if mean is None or variance is None:
            continue
        rows.append(
            NormRow(
                address=call.address,
                channels=len(mean),
                gamma=_range(_values(call.layer, "gamma")),
                beta=_range(_values(call.layer, "beta")),
                mean=_range(mean) or (0.0, 0.0),
                variance=_range(variance) or (0.0, 0.0),
                at_start=int(((mean == 0) & (variance == 1)).sum()),
            )
        )
    return rows


def _values(layer: Any, name: str) -> NDArray[np.float64] | None:
    variable = getattr(layer, name, None)
    return None if variable is None else np.asarray(variable.numpy(), np.float64)


def _range(values: NDArray[np.float64] | None) -> tuple[float, float] | None:
    finite = None if values is None else values[np.isfinite(values)]
    return None if finite is None or not len(finite) else (float(finite.min()), float(finite.max()))
