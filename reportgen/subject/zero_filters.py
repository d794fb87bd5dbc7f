"""Filters that are zero, alone or by the BatchNormalization that follows them.

Two sections rest on this one rule: the weights name such filters, the feature maps leave the
channels out that cannot change because of them, so that a channel is named once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.kernels import FloatArray, Kernel, batch_scale, list_kernels

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall

# Below this share of the layer's median a filter is zero to float32 precision.
_ZERO = 4 * float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class ZeroFilters:
    """The filters of one kernel that are zero.

    address, place: of the kernel, see `Kernel`. main: they are channels of the layer's output.
    filters: which. count: of all filters of the kernel.
    """

    address: str
    place: str
    main: bool
    filters: tuple[int, ...]
    count: int


def find_zero_filters(calls: Sequence[LayerCall]) -> tuple[ZeroFilters, ...]:
    """Every judged kernel with such filters, call by call; of a shared layer once a call."""
    followers = following_norms(calls)
    found = []
    for call in calls:
        if not getattr(call.layer, "weights", None):
            continue
        for kernel in filter(_is_judged, list_kernels(call)):
            norm = followers.get(kernel.address) if kernel.main else None
            filters = kernel.filters
            zero = dead_filters(filters, batch_scale(norm.layer) if norm else None)
            if len(zero):
                which = tuple(zero.tolist())
                found.append(
                    ZeroFilters(kernel.address, kernel.place, kernel.main, which, len(filters))
                )
    return tuple(found)


def _is_judged(kernel: Kernel) -> bool:
    return kernel.judged


def zero_channels(found: Sequence[ZeroFilters]) -> dict[str, NDArray[np.bool_]]:
    """By layer, which channels of its output have filters that are zero, ``(channels,)``."""
    masks = {}
    for zero in found:
        if zero.main:
            masks[zero.address] = np.zeros(zero.count, bool)
            masks[zero.address][list(zero.filters)] = True
    return masks


def following_norms(calls: Sequence[LayerCall]) -> dict[str, LayerCall]:
    """The BatchNormalization that takes a layer's output and nothing else, by address."""
    found: dict[str, LayerCall] = {}
    for call in calls:
        if (
            call.class_name == "BatchNormalization"
            and len(call.inputs) == 1
            and call.inputs[0] >= 0
        ):
            source = calls[call.inputs[0]]
            if source.activation is None:
                found.setdefault(source.address, call)
    return found


def dead_filters(filters: FloatArray, scale: FloatArray | None) -> NDArray[np.int64]:
    """Filters that are zero to precision, alone or times their BatchNorm scale.

    Args:
        filters: ``(filters, fan_in)``. scale: ``(filters,)`` or None.
    """
    norms = np.linalg.norm(filters.astype(np.float64), axis=1)
    if scale is not None and scale.shape == norms.shape:
        norms = norms * np.abs(scale)
    norms = np.where(np.isfinite(norms), norms, np.inf)  # NaN is another finding
    usual = float(np.median(norms[norms > 0])) if (norms > 0).any() else 1.0
    return np.flatnonzero(norms <= _ZERO * min(usual, 1e30))
