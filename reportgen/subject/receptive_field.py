"""How much of the input each layer's output can see, and how far apart its positions are.

For a chain, with kernel k, dilation d and stride s (Araujo et al. 2019, "Computing receptive
fields of convolutional neural networks", eq. 1-2): r' = r + (k - 1) d j and j' = j s, where j
is the distance of neighbouring positions in input pixels. Branches that meet take the largest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reportgen.subject.layers import LayerCall

# Layers that mix every position: whatever follows sees the whole input.
_WHOLE = ("Global", "Flatten", "Attention", "LSTM", "GRU", "RNN", "Resizing", "Einsum",
          "GroupNormalization")  # fmt: skip


@dataclass(frozen=True)
class ReceptiveField:
    """Sides of the window in input positions, ``(h, w)`` or ``(length,)``; None: everything.

    jump: distance in input positions between neighbouring output positions.
    """

    size: tuple[int, ...] | None
    jump: tuple[int, ...]


def receptive_fields(calls: tuple[LayerCall, ...], axes: int) -> list[ReceptiveField]:
    """The receptive field of each call's output.

    Args:
        axes: spatial axes of the input: 2 for images, 1 for sequences, 0 for vectors.
    """
    start = ReceptiveField((1,) * axes if axes else None, (1,) * axes)
    fields: list[ReceptiveField] = []
    for call in calls:
        sources = [start if i < 0 else fields[i] for i in call.inputs] or [start]
        fields.append(_through(call, _merge(sources), axes))
    return fields


def _merge(sources: list[ReceptiveField]) -> ReceptiveField:
    sizes = [source.size for source in sources]
    known = [size for size in sizes if size is not None]
    jump = tuple(map(max, zip(*(source.jump for source in sources), strict=True)))
    whole = len(known) < len(sizes)
    return ReceptiveField(None if whole else tuple(map(max, zip(*known, strict=True))), jump)


def _through(call: LayerCall, field: ReceptiveField, axes: int) -> ReceptiveField:
    layer, name = call.layer, call.class_name
    if field.size is None or _mixes_everything(call, axes):
        return ReceptiveField(None, field.jump)
    kernel, stride, dilation = _window(layer, axes)
    if "Transpose" in name or "UpSampling" in name:
        return _upsample(layer, name, field, kernel, stride)
    size = tuple(
        r + (k - 1) * d * j
        for r, k, d, j in zip(field.size, kernel, dilation, field.jump, strict=True)
    )
    jump = tuple(j * s for j, s in zip(field.jump, stride, strict=True))
    return ReceptiveField(size, jump)


def _mixes_everything(call: LayerCall, axes: int) -> bool:
    lost_positions = len(call.output_shape) <= 2  # only the batch and units are left
    return not axes or lost_positions or any(part in call.class_name for part in _WHOLE)


def _window(layer: Any, axes: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Kernel (or pool), stride and dilation of a layer, one entry an axis; ones if it has none."""
    kernel = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    stride = getattr(layer, "strides", None) or getattr(layer, "size", None)
    dilation = getattr(layer, "dilation_rate", None)
    return _per_axis(kernel, axes), _per_axis(stride, axes), _per_axis(dilation, axes)


def _per_axis(value: Any, axes: int) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * axes
    if isinstance(value, tuple | list) and len(value) == axes:
        return tuple(int(v) for v in value)
    return (1,) * axes


def _upsample(
    layer: Any, name: str, field: ReceptiveField, kernel: tuple[int, ...], stride: tuple[int, ...]
) -> ReceptiveField:
    """Each output position sees at most ceil(k / s) inputs; positions move closer together.

    Enlarging copies one input position, or blends two; what follows it is an upper bound.
    """
    assert field.size is not None
    copies = getattr(layer, "interpolation", "nearest") == "nearest"
    enlarged = 1 if copies else 2
    seen = [
        -(-k // s) if "Transpose" in name else enlarged for k, s in zip(kernel, stride, strict=True)
    ]
    size = tuple(r + (n - 1) * j for r, n, j in zip(field.size, seen, field.jump, strict=True))
    return ReceptiveField(
        size, tuple(max(1, j // s) for j, s in zip(field.jump, stride, strict=True))
    )
