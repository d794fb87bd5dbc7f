"""What excites each unit, as rows of patches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.report.blocks import Block, ImageGrid, Panel
from reportgen.subject.top_activating import ExcitedLayer, ShownUnit
from reportgen.subject.top_activating.patches import Patch, has_colours, is_stack
from reportgen.text import slug

_HEAT = np.array([255, 140, 0], np.float32)
_BOX = np.array([0, 200, 255], np.uint8)
_BAR = np.array([60, 60, 60], np.uint8)
_GAP = 2
_MARGIN = 4


def draw_excitation(
    layers: tuple[ExcitedLayer, ...], samples: int, arrays: dict[str, NDArray[Any]]
) -> list[Block]:
    """A grid of patches for each layer; nothing without units to show."""
    kinds = [_kind(layer) for layer in layers]
    return [
        _draw_layer(layer, i, samples, arrays, explained=kinds[i] in kinds[:i])
        for i, layer in enumerate(layers)
    ]


def _draw_layer(
    layer: ExcitedLayer,
    index: int,
    samples: int,
    arrays: dict[str, NDArray[Any]],
    *,
    explained: bool,
) -> ImageGrid:
    name = slug(index, layer.address)
    panels = []
    for unit in layer.units:
        key = f"excites_{name}_{unit.pick.channel}"
        arrays[key] = _compose_row(unit)
        panels.append(
            Panel(
                title=f"unit {unit.pick.channel}",
                note=_note(unit, samples),
                tiles=f"feature_maps/{key}",
                columns=len(arrays[key]),
            )
        )
    return ImageGrid(
        id=f"feature_maps-excites-{name}",
        title=f"What excites {layer.head}",
        caption=_caption(layer, explained),
        alt=f"Patches of samples that excite {len(layer.units)} units of {layer.address}.",
        panels=tuple(panels),
    )


def _compose_row(unit: ShownUnit) -> NDArray[np.uint8]:
    """Most exciting first; a bar stands before the least exciting ones."""
    tiles = []
    for index, patch in enumerate((*unit.most, *unit.least)):
        tile = compose(patch)
        margin = np.full((len(tile), _MARGIN, 3), 255, np.uint8)
        if index == len(unit.most) and index:
            margin[:, : _MARGIN // 2] = _BAR
        tiles.append(np.concatenate([margin, tile], axis=1))
    return np.stack(tiles)


def _note(unit: ShownUnit, samples: int) -> str:
    words, high = unit.pick.why, unit.most[0].peak
    if not unit.least:
        words += f"; peak {high:.3g}"
    elif unit.least[0].peak < high:
        words += f"; peak {high:.3g}, least {unit.least[0].peak:.3g}"
    else:
        words += f"; every sample peaks at {high:.3g}, so their order says nothing"
    silent = f"; never above zero on {unit.silent:,} of {samples:,}"
    return words + silent * bool(unit.silent)


def _is_mapped(layer: ExcitedLayer) -> bool:
    """Whether it is known where in a sample its units respond."""
    return any(patch.strength is not None for unit in layer.units for patch in unit.most)


def _kind(layer: ExcitedLayer) -> tuple[bool, bool]:
    """Layers of one kind are drawn alike."""
    return _is_mapped(layer), layer.window is None


def _caption(layer: ExcitedLayer, explained: bool) -> str:
    mapped = _is_mapped(layer)
    where = "" if layer.head == layer.address else f" Read behind {layer.address}."
    last = ", the lowest behind the bar" * any(unit.least for unit in layer.units)
    left = f" {layer.units_left} more units are not drawn." * bool(layer.units_left)
    if explained:
        sides = "" if layer.window is None else f" A {_name(layer.window)}."
        return f"Drawn as above.{sides}{where}{left}"
    return (
        f"{_what(layer, mapped)}{_how(layer, mapped)}{where} Samples with the highest peak "
        f"first{last}. Look for what the first of a row share and the others lack.{left}"
    )


def _what(layer: ExcitedLayer, mapped: bool) -> str:
    if not mapped:
        return (
            "The whole sample. Where in it the unit responds is not drawn: the layer has no "
            "positions along the sample."
        )
    below = "the whole sample, orange where the unit responds"
    if layer.window is None:
        return f"Above: the whole sample, which is what a unit sees here. Below: {below}."
    return (
        f"Above: the {_name(layer.window)} that the unit sees where it is excited most "
        f"(grey: outside the sample). Below: {below}, the patch framed."
    )


def _name(window: tuple[int, ...]) -> str:
    sides = " × ".join(map(str, window))
    unit, name = ("pixels", "patch") if len(window) > 1 else ("steps", "stretch")
    return f"{name} of at most {sides} {unit}"


def _how(layer: ExcitedLayer, mapped: bool) -> str:
    """How a sample that is no picture in grey or colour became one."""
    if len(layer.sample) == 2:
        return " A row is a channel of the sample; its positions run to the right."
    if has_colours(layer.sample):
        return ""
    channels = f"{layer.sample[-1]} channels"
    if not is_stack(layer.sample):
        return f" The mean of the {channels} is drawn."
    below = "; below, their mean" if mapped else ""
    return f" The {channels} are drawn one by one, in reading order{below}."


def compose(patch: Patch) -> NDArray[np.uint8]:
    """Patch above, whole sample with the map and the frame below: ``(2 side + 2, side, 3)``.

    Without a map the patch, which then is the whole sample, stands alone: ``(side, side, 3)``.
    """
    if patch.strength is None:
        return patch.patch
    share = np.nan_to_num(patch.strength)[..., None] * 0.75
    grey = patch.whole.astype(np.float32).mean(axis=2, keepdims=True)
    calm = np.where(np.isnan(patch.strength)[..., None], patch.whole, 0.85 * grey + 20)
    below = ((1 - share) * calm + share * _HEAT).clip(0, 255).astype(np.uint8)
    side = len(below)
    if not _covers(patch.strength, patch.box):
        _draw_frame(below, patch.box)
    gap = np.full((_GAP, side, 3), 255, np.uint8)
    return np.concatenate([patch.patch, gap, below])


def _draw_frame(picture: NDArray[np.uint8], box: tuple[int, int, int, int]) -> None:
    side = len(picture)
    top, left = max(box[0], 0), max(box[1], 0)
    bottom, right = min(box[2], side) - 1, min(box[3], side) - 1
    if top > bottom or left > right:  # sees only padding
        return
    picture[[top, bottom], left : right + 1] = _BOX
    picture[top : bottom + 1, [left, right]] = _BOX


def _covers(strength: NDArray[np.float32], box: tuple[int, int, int, int]) -> bool:
    """The patch is all of the sample: a frame would say nothing."""
    rows, columns = np.nonzero(~np.isnan(strength))
    top, left, bottom, right = box
    inside = top <= rows.min() and left <= columns.min()
    return bool(inside and bottom > rows.max() and right > columns.max())
