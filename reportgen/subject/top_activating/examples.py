"""What excites a unit: the samples with its highest and lowest peaks, cut where the peak sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.top_activating.choice import Pick, choose_unit_layers, choose_units
from reportgen.subject.top_activating.patches import (
    Patch,
    as_picture,
    cut_patch,
    locate_positions,
    read_channels,
)

if TYPE_CHECKING:
    from reportgen.subject.audited_model import AuditedModel
    from reportgen.subject.census import Census, ChannelCensus
    from reportgen.subject.layers import LayerCall
    from reportgen.subject.probe import Tap
    from reportgen.subject.receptive_field import ReceptiveField

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class ShownUnit:
    """A unit, why it is shown, and the patches that excite it most and least, extremes first.

    silent: samples that do not excite it at all.
    """

    pick: Pick
    most: tuple[Patch, ...]
    least: tuple[Patch, ...]
    silent: int


@dataclass(frozen=True)
class ExcitedLayer:
    """The shown units of one layer.

    window: sides of the largest receptive field, at most the sample's; None: everything.
    sample: shape of a sample, ``(h, w, c)`` or ``(length, channels)`` and its like.
    """

    address: str
    head: str
    window: tuple[int, ...] | None
    units: tuple[ShownUnit, ...]
    units_left: int
    sample: tuple[int, ...]


@dataclass(frozen=True)
class Request:
    """What is asked of the units.

    layers: that have units, spread over the depth. units: of each layer. most, least: samples that
    excite a unit most and least. side: pixels of a patch.
    """

    layers: int
    units: int
    most: int
    least: int
    side: int


def find_top_activating(
    subject: AuditedModel, census: Census, request: Request
) -> tuple[ExcitedLayer, ...]:
    """Patches of the chosen units of the chosen layers; one more pass over their samples only.

    Empty for models whose samples are neither pictures nor sequences.
    """
    most, least = request.most, request.least
    if len(subject.input.pixels) not in (2, 3):
        return ()
    chosen = [
        (
            layer,
            subject.probe.call(layer.address),
            choose_units(layer, request.units, subject.labels.classes),
        )
        for layer in choose_unit_layers(census, request.layers)
    ]
    chosen = [(layer, call, picks) for layer, call, picks in chosen if picks]
    wanted = {layer.address: _list_rows(layer, picks, most, least) for layer, _, picks in chosen}
    maps = _read_maps(subject, [(call, picks) for _, call, picks in chosen], wanted)
    fields = dict(
        zip((c.address for c in subject.probe.calls), subject.receptive_fields, strict=True)
    )
    return tuple(
        _assemble(
            subject,
            layer,
            picks,
            fields[layer.address],
            maps[layer.address],
            most=most,
            least=least,
            side=request.side,
        )
        for layer, _, picks in chosen
    )


def _list_rows(
    layer: ChannelCensus, picks: Sequence[Pick], most: int, least: int
) -> NDArray[np.int64]:
    assert layer.units is not None
    channels = [pick.channel for pick in picks]
    both = [layer.units.most[channels, :most], layer.units.least[channels, :least]]
    rows = np.unique(np.concatenate([part.ravel() for part in both]))
    return rows[rows >= 0]


def _read_maps(
    subject: AuditedModel,
    chosen: Sequence[tuple[LayerCall, Sequence[Pick]]],
    wanted: Mapping[str, NDArray[np.int64]],
) -> dict[str, dict[int, FloatArray]]:
    """For each layer and each of its rows the maps of the picked units, ``(units, h, w)``."""
    from reportgen.subject.probe import Tap

    found: dict[str, dict[int, FloatArray]] = {address: {} for address in wanted}
    if not chosen:
        return found
    rows = np.unique(np.concatenate(list(wanted.values())))
    taps = [Tap(call.address) for call, _ in chosen]
    gather = _make_reducer(dict(zip(taps, chosen, strict=True)))
    start = 0
    for batch in subject.probe.reduce(
        lambda part: subject.inputs(rows[part]), len(rows), taps, gather, "what excites units"
    ):
        for (call, _), maps in zip(chosen, batch, strict=True):
            for row, values in zip(rows[start : start + len(maps)], maps, strict=True):
                if row in wanted[call.address]:
                    found[call.address][int(row)] = values.copy()
        start += len(batch[0])
    return found


def _make_reducer(chosen: Mapping[Tap, tuple[LayerCall, Sequence[Pick]]]) -> Any:
    import tensorflow as tf

    def reduce(values: Mapping[Tap, Any]) -> list[Any]:
        maps = []
        for tap, tensor in values.items():
            call, picks = chosen[tap]
            axis = call.channel_axis
            kept = tf.gather(tensor, [pick.channel for pick in picks], axis=axis)
            order = [0, axis, *(i for i in range(1, tensor.shape.rank) if i != axis)]
            maps.append(tf.transpose(kept, order))
        return maps

    return reduce


def _assemble(
    subject: AuditedModel,
    layer: ChannelCensus,
    picks: Sequence[Pick],
    field: ReceptiveField,
    maps: Mapping[int, FloatArray],
    *,
    most: int,
    least: int,
    side: int,
) -> ExcitedLayer:
    assert layer.units is not None
    units = []
    for index, pick in enumerate(picks):
        reach = _reach(float(layer.low[pick.channel]), float(layer.high[pick.channel]))
        shown = [
            tuple(
                _cut(subject, int(row), maps[int(row)][index], field, reach, side)
                for row in rows[pick.channel, :count]
                if row >= 0
            )
            for rows, count in ((layer.units.most, most), (layer.units.least, least))
        ]
        units.append(ShownUnit(pick, shown[0], shown[1], int(layer.units.silent[pick.channel])))
    left = int((~layer.constant).sum()) - len(units)
    window = None
    if field.size is not None:
        window = tuple(min(pair) for pair in zip(field.size, field.sides, strict=True))
    return ExcitedLayer(
        layer.address, layer.units.head, window, tuple(units), max(left, 0), subject.input.pixels
    )


def _reach(low: float, high: float) -> tuple[float, float]:
    """Ends of the colours: from zero, unless the unit never gets above it."""
    return (max(low, 0.0), high) if high > max(low, 0.0) else (low, high)


def _cut(
    subject: AuditedModel,
    row: int,
    values: FloatArray,
    field: ReceptiveField,
    reach: tuple[float, float],
    side: int,
) -> Patch:
    finite = np.where(np.isfinite(values), values, -np.inf)
    crop = tuple(slice(0, length) for length in field.sides)
    strength, centres = None, []
    if values.ndim == len(field.sides):  # else, as for tokens, they do not lie along the sample
        position = np.unravel_index(int(finite.argmax()), values.shape)
        crop = field.crop([int(p) for p in position])
        share = (np.nan_to_num(values) - reach[0]) / max(reach[1] - reach[0], 1e-30)
        strength = np.clip(share, 0, 1).astype(np.float32)
        centres = locate_positions(field, values.shape)
    return cut_patch(
        as_picture(subject, row),
        crop,
        strength,
        centres,
        side,
        name=subject.samples.names[row],
        peak=float(finite.max()),
        channels=read_channels(subject, row),
    )
