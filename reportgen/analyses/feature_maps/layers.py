"""Values of the shown layers, before and after their activation function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.feature_maps.picks import ShownChannels

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float32]
_UNITS_A_ROW = 16


@dataclass(frozen=True)
class ShownLayer:
    """One layer call.

    path: ``(samples, k, h, w)``, channels ``path_channels`` after the activation function.
    after, before: mosaics ``(mosaic samples, channels, h, w)``; before is None where it is the
        same. A layer without positions has one "channel" that holds all units.
    reach: the end of the layer's one colour scale. signed: a value before or after the
        activation function is negative; after_signed: one after it is. beyond: share of the
        values before it that are larger than ``reach``.
    reduced: maps were reduced by averaging by this factor.
    """

    address: str
    class_name: str
    activation: str | None
    shape: tuple[int | None, ...]
    channels: int
    path_channels: tuple[int, ...]
    path: FloatArray
    after: FloatArray
    before: FloatArray | None
    channels_left: int
    reach: float
    signed: bool
    after_signed: bool
    beyond: float
    reduced: int
    has_positions: bool


def read_layers(
    subject: Subject,
    calls: list[LayerCall],
    rows: NDArray[np.int64],
    channels: Mapping[str, ShownChannels],
    *,
    mosaic_samples: int,
    largest_side: int,
) -> tuple[ShownLayer, ...]:
    """Read all layers in one forward pass a batch; keep only what is shown.

    Args:
        channels: which to show of each layer, by address.
    """
    from reportgen.subject.probe import Tap

    taps = [Tap(call.address) for call in calls]
    taps += [Tap(c.address, "before") for c in calls if c.activation is not None]
    size = subject.probe.static_batch or subject.probe.batch_size(taps)
    kept: dict[Tap, list[FloatArray]] = {tap: [] for tap in taps}
    for start in range(0, len(rows), size):
        _, values = subject.probe.activations(
            subject.inputs(rows[start : start + size]), taps, "feature maps"
        )
        for tap, seen in values.items():
            call = subject.probe.call(tap.address)
            kept[tap].append(_as_maps(seen, call, largest_side)[0])
    layers = []
    for call in calls:
        after = np.concatenate(kept[Tap(call.address)])
        before = np.concatenate(kept[Tap(call.address, "before")]) if call.activation else None
        sides = [side or 1 for side in call.output_shape[1:]]
        factor = _factor(sides, call, largest_side)
        layers.append(
            _assemble(call, after, before, factor, channels.get(call.address), mosaic_samples)
        )
    return tuple(layers)


def _as_maps(values: FloatArray, call: LayerCall, largest: int) -> tuple[FloatArray, int]:
    """Any layer's values as ``(n, channels, h, w)``, reduced to ``largest`` a side."""
    if values.ndim == 4:
        maps = np.moveaxis(values, call.channel_axis, 1)
        factor = _factor(list(values.shape[1:]), call, largest)
        return _average(maps, factor), factor
    if values.ndim == 3:  # a sequence: a row of positions for each channel
        return np.moveaxis(values, call.channel_axis, 1)[:, :, None, :], 1
    return _fold(values), 1


def _factor(sides: list[int], call: LayerCall, largest: int) -> int:
    if len(sides) != 3:
        return 1
    h, w = sides[1:] if call.channels_first else sides[:2]
    return max(1, -(-max(h, w) // largest))


def _average(maps: FloatArray, factor: int) -> FloatArray:
    """Mean over blocks of ``factor`` a side; a rest at the edge is cut off."""
    if factor == 1:
        return np.ascontiguousarray(maps)
    n, c, h, w = maps.shape
    h, w = max(1, h // factor), max(1, w // factor)
    cut = maps[:, :, : h * factor, : w * factor]
    return np.asarray(cut.reshape(n, c, h, factor, w, factor).mean(axis=(3, 5)))


def _fold(units: FloatArray) -> FloatArray:
    """Units ``(n, k)`` as one picture in reading order; the last row is filled with NaN."""
    n, k = units.shape
    columns = min(_UNITS_A_ROW, k) if k <= 256 else int(np.ceil(np.sqrt(k)))
    rows = -(-k // columns)
    folded = np.full((n, rows * columns), np.nan, np.float32)
    folded[:, :k] = units
    return folded.reshape(n, 1, rows, columns)


def _assemble(
    call: LayerCall,
    after: FloatArray,
    before: FloatArray | None,
    factor: int,
    chosen: ShownChannels | None,
    mosaic_samples: int,
) -> ShownLayer:
    channels = after.shape[1]
    every = np.arange(channels)
    # Units without positions are drawn as one picture of all of them.
    if chosen is None or channels == 1:
        chosen = ShownChannels(every, every)
    shown, mosaic = chosen.path, chosen.mosaic
    reach = _reach(after, before)
    stages = [after] if before is None else [after, before]
    return ShownLayer(
        address=call.address,
        class_name=call.class_name,
        activation=call.activation,
        shape=call.output_shape[1:],
        channels=channels,
        path_channels=tuple(int(i) for i in shown),
        path=after[:, shown],
        after=after[:mosaic_samples, mosaic],
        before=None if before is None else before[:mosaic_samples, mosaic],
        channels_left=channels - len(mosaic),
        reach=reach,
        signed=any(_is_signed(stage) for stage in stages),
        after_signed=_is_signed(after),
        beyond=0.0 if before is None else _share_beyond(before, reach),
        reduced=factor,
        has_positions=len(call.output_shape) > 2,
    )


def _reach(after: FloatArray, before: FloatArray | None) -> float:
    """End of the colour scale: the 99.9 % quantile of the size of what leaves the layer.

    What an activation function cuts away is often much larger; it would hide what is passed on.
    """
    for stage in (after, before):
        sizes = np.abs(stage[np.isfinite(stage)]) if stage is not None else np.empty(0)
        if sizes.any():
            return float(np.quantile(sizes, 0.999)) or float(sizes.max())
    return 1.0


def _is_signed(stage: FloatArray) -> bool:
    return bool((stage[np.isfinite(stage)] < 0).any())


def _share_beyond(stage: FloatArray, reach: float) -> float:
    finite = stage[np.isfinite(stage)]
    return float((np.abs(finite) > reach).mean()) if finite.size else 0.0
