"""Pictures of units, classes and dreams as panels of tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen import text
from reportgen.analyses.optvis.compute import OptvisResult, PaintedClasses, PaintedLayer
from reportgen.analyses.optvis.judging import Judged
from reportgen.analyses.optvis.wording import say_unit
from reportgen.report.blocks import Block, ImageGrid, Panel, TileLabel
from reportgen.subject.top_activating import ShownUnit
from reportgen.subject.top_activating.patches import fit_square
from reportgen.text import slug

Arrays = dict[str, NDArray[Any]]
_MARGIN = 6
_BAR = np.array([60, 60, 60], np.uint8)
_HATCH = (232, 200)


def draw_layers(result: OptvisResult, arrays: Arrays) -> list[Block]:
    """A grid for each layer, a row for each unit."""
    return [_draw_layer(result, layer, index, arrays) for index, layer in enumerate(result.layers)]


def _draw_layer(result: OptvisResult, layer: PaintedLayer, index: int, arrays: Arrays) -> ImageGrid:
    raw = layer.raw
    name = slug(index, raw.excited.address)
    panels = []
    for i, (unit, judged) in enumerate(zip(raw.excited.units, layer.judged, strict=True)):
        key = f"unit_{name}_{unit.pick.channel}"
        negative = [] if layer.negative is None else [layer.negative[i]]
        arrays[key] = _compose(layer.tiles[i], judged, negative, *_patches(unit))
        panels.append(
            Panel(
                title=f"unit {unit.pick.channel}",
                note=f"{say_unit(judged)}. {_say_pick(unit)}",
                tiles=f"optvis/{key}",
                columns=len(arrays[key]),
            )
        )
    return ImageGrid(
        id=f"optvis-units-{name}",
        title=f"What {raw.excited.head} wants to see",
        caption=_caption(result, layer, index),
        alt=f"Optimised images of {len(panels)} units of {raw.excited.address}{_beside(result)}.",
        panels=tuple(panels),
    )


def _beside(result: OptvisResult) -> str:
    return "" if result.alone else " beside samples"


def _say_what(result: OptvisResult) -> str:
    return "Images" if result.alone else "Left: images"


def _say_behind(result: OptvisResult) -> str:
    return "" if result.alone else "Behind the bar, the samples with the highest score. "


def _say_pick(unit: ShownUnit) -> str:
    """Why it was chosen; the numbers stand with the samples in the feature maps."""
    why = unit.pick.why.split(" (")[0]
    return f"{why[:1].upper()}{why[1:]}."


def _patches(unit: ShownUnit) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
    return [patch.patch for patch in unit.most], [patch.patch for patch in unit.least]


def _compose(
    pictures: NDArray[np.uint8],
    judged: Judged,
    negative: list[NDArray[np.uint8]],
    most: list[NDArray[np.uint8]],
    least: list[NDArray[np.uint8]],
) -> NDArray[np.uint8]:
    """Pictures, then groups of others, each behind a bar: ``(n, side, side + margin, 3)``."""
    side = pictures.shape[1]
    shown = [_hatch(side)] * len(pictures) if judged.cause is not None else list(pictures)
    tiles: list[NDArray[np.uint8]] = []
    for group in (shown, negative, most, least):
        for position, tile in enumerate(group):
            margin = np.full((side, _MARGIN, 3), 255, np.uint8)
            if position == 0 and tiles:
                margin[:, 2:4] = _BAR
            tiles.append(np.concatenate([margin, fit_square(tile, side)], axis=1))
    return np.stack(tiles)


def _hatch(side: int) -> NDArray[np.uint8]:
    """No picture: stripes, which no unit's picture looks like by chance."""
    down, across = np.indices((side, side))
    stripes = (down + across) // 8 % 2
    grey = np.where(stripes == 0, *_HATCH).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _caption(result: OptvisResult, layer: PaintedLayer, index: int) -> str:
    raw = layer.raw
    where = f"Layer {raw.excited.address}, map {_shape(raw.shape)}."
    left = f" {raw.excited.units_left} more units are not drawn." * bool(raw.excited.units_left)
    channels = (
        f" Images have {result.channels} channels; their mean is drawn."
        if result.channels not in (1, 3, 4)
        else ""
    )
    if index:
        return f"{where} Drawn as above.{left}{channels}"
    opposite = " Behind the next bar, what it wants least." * (layer.negative is not None)
    least = " behind the last bar, the samples that excite it least," * bool(
        result.options.least_exciting
    )
    if result.alone:
        return (
            f"{where} What excites the unit most, optimised from {result.options.variants} seeds."
            f"{opposite} There were no samples, so nothing says whether real pictures excite it "
            f"alike. Audit with --images before you believe one.{left}{channels}"
        )
    return (
        f"{where} Left: what excites the unit most, optimised from {result.options.variants} "
        f"seeds.{opposite} Then the parts of samples that excite it most;{least} for comparison. "
        "Look for what the pictures and the samples share. Where they share nothing, or the path "
        f"is the picture's own way, the samples are the better guide.{left}{channels}"
    )


def _shape(sides: tuple[int | None, ...]) -> str:
    return " × ".join("?" if side is None else str(side) for side in sides)


def draw_classes(result: OptvisResult, arrays: Arrays) -> list[Block]:
    """A row for each class; nothing where there are none."""
    classes = result.classes
    if classes is None:
        return []
    panels = []
    for i, judged in enumerate(classes.judged):
        key = f"class_{classes.chosen[i]}"
        arrays[key] = _compose(classes.tiles[i], judged, [], list(classes.samples[i]), [])
        panels.append(
            Panel(
                title=classes.names[i],
                note=_class_note(classes, i, judged, is_class=bool(result.has_classes)),
                tiles=f"optvis/{key}",
                columns=len(arrays[key]),
            )
        )
    left = f" {classes.left} more are not drawn." * bool(classes.left)
    what = "class" if result.has_classes else "output"
    return [
        ImageGrid(
            id="optvis-classes",
            title="What each class wants to see" if result.has_classes else "What raises an output",
            caption=(
                f"{_say_what(result)} with the highest score of the {what}, before softmax or "
                f"sigmoid, from several seeds. {_say_behind(result)}If the pictures show a "
                "background, a mark or a texture and not the object, the model may have learned a "
                f"shortcut: test it on samples without.{left}"
            ),
            alt=f"Optimised images{_beside(result)}, a row a {what}, {len(panels)} in all.",
            panels=tuple(panels),
        )
    ]


def _class_note(classes: PaintedClasses, index: int, judged: Judged, *, is_class: bool) -> str:
    said = say_unit(judged)
    if judged.cause is not None or not is_class:
        return said
    # Of the picture whose score is told: another seed's may be surer with a lower score.
    answer = float(classes.answers[index][np.nanargmax(judged.scores)])
    return f"the model gives it {text.percent(answer)}; {said}"


def draw_dreams(result: OptvisResult, arrays: Arrays) -> list[Block]:
    """One sample as several layers would have it."""
    if result.dream_tiles is None or result.dreamt is None:
        return []
    arrays["dreams"] = np.concatenate([result.dreamt[None], result.dream_tiles])
    labels = [TileLabel(text="the sample")]
    labels += [
        TileLabel(text=dream.address, detail=_say_gain(dream.gain)) for dream in result.dreams
    ]
    return [
        ImageGrid(
            id="optvis-dreams",
            title="What whole layers look for",
            caption=(
                "DeepDream: a sample, changed so that a layer as a whole answers more strongly. "
                "Early layers add edges and textures, late ones parts of what they know. The "
                "number says by how much the layer's mean square grew."
            ),
            alt=f"One sample and its dreams by {len(result.dreams)} layers.",
            panels=(Panel(tiles="optvis/dreams", columns=5, labels=tuple(labels)),),
        )
    ]


def _say_gain(gain: float) -> str:
    return f"{gain:.3g} times" if np.isfinite(gain) else ""
