"""Attributions as blocks: the maps, what proves them, the mistakes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen import text
from reportgen.analyses.attributions.compute import AttributionsResult, MethodMaps, Shown
from reportgen.analyses.attributions.findings import (
    explain_failure,
    judge,
    say_covered,
    say_untried,
)
from reportgen.report.blocks import (
    Block,
    Cell,
    ImageGrid,
    Lines,
    Panel,
    Series,
    Table,
    Text,
    TileLabel,
    as_finite,
)
from reportgen.report.sections import SectionBody

_FILLS = {"mean": "the mean colour of the samples", "blurred": "the picture itself, blurred"}
_BEST = "each cell alone"
_SHORTCUTS = "Marks that go with a class, and what they do elsewhere"
_ROWS = 8


def present(result: AttributionsResult) -> SectionBody:
    """Maps first, then their proof, then mistakes."""
    if result.missing:
        none = Text(id="attributions-none", caption=result.missing)
        return SectionBody(judge(result), (none,), ())
    arrays: dict[str, NDArray[Any]] = {}
    blocks: list[Block] = [*_show_shortcuts(result, arrays)]
    if result.pictures is not None:
        blocks.append(_draw_maps(result, arrays))
    if result.mistakes:
        blocks.append(_draw_mistakes(result, arrays))
    blocks.append(_prove(result))
    if result.faithfulness is not None:
        blocks += _draw_curves(result)
    return SectionBody(judge(result), tuple(blocks), _describe(result), arrays)


def _show_shortcuts(result: AttributionsResult, arrays: dict[str, NDArray[Any]]) -> list[Block]:
    """The pictures that became another class first, then all that was asked."""
    found, bar = result.shortcuts, result.options.converted
    if found.missing:
        return []
    if not found.asked:
        said = (
            f"No place and no cast of colour goes with one class beyond chance{say_covered(found)}"
        )
        return [Text(id="attributions-shortcuts", title=_SHORTCUTS, caption=said)]
    blocks: list[Block] = []
    if found.pictures is not None:
        arrays["shortcuts"] = found.pictures
        labels: list[TileLabel] = []
        firing = [one for one in found.asked if one.is_one(bar)]
        for one, count in zip(firing, found.drawn, strict=False):
            labels += [
                TileLabel(text="before"),
                TileLabel(text=f"now {one.name}", detail=one.place, tone="bad"),
            ] * count
        blocks.append(
            ImageGrid(
                id="attributions-shortcut-pictures",
                title="Pictures that a pasted mark turns into another class",
                caption=(
                    "In pairs: a sample of another class, and the same with the place or the "
                    "colour of the class under it pasted in. The thing itself is not in it."
                ),
                alt=f"{sum(found.drawn)} pairs of pictures before and after pasting.",
                panels=(Panel(tiles="attributions/shortcuts", columns=4, labels=tuple(labels)),),
            )
        )
    left = len(found.asked) - _ROWS
    blocks.append(
        Table(
            id="attributions-shortcuts",
            title=_SHORTCUTS,
            caption=(
                "On one half of the samples, places that go with a class beyond what shuffling "
                "gives (p = .01 for all together). By colour: many of the class have that colour "
                "there, and few others. By covering: it takes the lead over the next class, and "
                "covering elsewhere does not. The frame of each class is tried anyway, of pictures "
                "of 16 pixels or more. On the other half each was pasted into pictures of other "
                "classes, from pictures of the class and, for comparison, from others. A shortcut "
                f"makes more of them its class than those do: by more than {bar:.0%} and the share "
                "of other samples that have it anyway, from three pictures or more, and by no "
                "chance (exact McNemar test, corrected for all that were tried). The shape of a "
                "thing has places too: they are listed and turn little."
                + (f" {left} more rows are not shown." if left > 0 else "")
                + say_untried(found)
            ),
            header=(
                "Class",
                "Place",
                "Proposed by",
                "In the class",
                "Elsewhere",
                "Pasted into",
                "Become it",
                "By others",
            ),
            rows=tuple(
                (
                    one.name,
                    one.place,
                    one.by,
                    None if one.share is None else f"{one.share:.0%}",
                    None if one.others is None else f"{one.others:.0%}",
                    one.asked,
                    one.became,
                    one.control,
                )
                for one in found.asked[:_ROWS]
            ),
        )
    )
    return blocks


def _draw_maps(result: AttributionsResult, arrays: dict[str, NDArray[Any]]) -> ImageGrid:
    drawn = [one for one in result.methods if one.overlays is not None]
    assert result.pictures is not None
    columns = [result.pictures, *(one.overlays for one in drawn if one.overlays is not None)]
    tiles = np.stack(columns, axis=1)
    arrays["maps"] = tiles.reshape(-1, *tiles.shape[2:])
    marks = {one.method: explain_failure(one) for one in _verdicts(result)}
    labels: list[TileLabel] = []
    for shown in result.shown:
        labels.append(_label(shown))
        labels += [_label_map(one, marks.get(one.name)) for one in drawn]
    left = len(result.chosen.rows) - len(result.shown)
    return ImageGrid(
        id="attributions-maps",
        title="What speaks for the answer, and against it",
        caption=(
            "Red speaks for the answer under the picture, blue against it; each map by its own "
            "largest value, so strengths are not to be compared between maps. The gradient has no "
            "sign: red is where a small change does most. A map marked as not proved is drawn to "
            f"be known, not to be believed. {left} more samples count in the tables, and "
            f"{result.chosen.left:,} of {result.samples:,} were not explained."
        ),
        alt=f"{len(result.shown)} samples, each beside its maps by "
        f"{', '.join(one.title for one in drawn)}.",
        panels=(Panel(tiles="attributions/maps", columns=len(columns), labels=tuple(labels)),),
    )


def _verdicts(result: AttributionsResult) -> tuple[Any, ...]:
    return result.faithfulness.verdicts if result.faithfulness else ()


def _label(shown: Shown) -> TileLabel:
    if shown.share is None:
        return TileLabel(text=f"{shown.value:.4g}", detail=text.name(shown.name, 40))
    said = f"{shown.explained}, {shown.share:.0%}"
    if shown.right is None:
        return TileLabel(text=said, detail=f"{shown.reason}: {text.name(shown.name, 40)}")
    truth = "" if shown.right else f" labelled {shown.actual};"
    return TileLabel(
        text=said,
        detail=f"{shown.reason};{truth} {text.name(shown.name, 40)}",
        tone="good" if shown.right else "bad",
    )


def _label_map(one: MethodMaps, failure: str | None) -> TileLabel:
    if failure is None:
        return TileLabel(text=one.title, detail="not held against chance: do not rely on it")
    if failure:
        return TileLabel(text=one.title, detail=f"not proved: {failure}", tone="bad")
    return TileLabel(text=one.title, detail="proved", tone="good")


def _draw_mistakes(result: AttributionsResult, arrays: dict[str, NDArray[Any]]) -> ImageGrid:
    assert result.mistake_pictures is not None
    arrays["mistakes"] = result.mistake_pictures
    labels: list[TileLabel] = []
    for one in result.mistakes:
        alike = f"correlation {one.alike:.2f}"
        labels += [
            TileLabel(text=text.name(one.name, 40)),
            TileLabel(text=f"for {one.taken}", detail="what it was taken for", tone="bad"),
            TileLabel(
                text=f"for {one.label}",
                detail=f"its label; {alike}"
                + ("" if one.specific else ": not specific to the class"),
            ),
        ]
    return ImageGrid(
        id="attributions-mistakes",
        title="Mistakes, for both classes",
        caption=(
            "By occlusion: what speaks for the class that the sample was taken for, and for its "
            "label. Where the two maps are more alike (Spearman's correlation) than two maps of "
            "one class, made by different fills, they are not specific to the class: they show "
            f"where the model looks, not why it chose wrongly. {len(result.mistakes)} of "
            f"{result.chosen.mistakes:,} mistakes, the surest."
        ),
        alt=f"{len(result.mistakes)} mistakes with the maps of the taken class and of the label.",
        panels=(Panel(tiles="attributions/mistakes", columns=6, labels=tuple(labels)),),
    )


def _prove(result: AttributionsResult) -> Table:
    verdicts = {one.method: one for one in _verdicts(result)}
    sanity = {one.method: one for one in result.sanity}
    rows: list[tuple[Cell, ...]] = []
    for one in result.methods:
        if one.missing:
            rows.append((one.title, one.missing, None, None, None, None, None))
            continue
        verdict, sane = verdicts.get(one.name), sanity.get(one.name)
        rows.append(
            (
                one.title,
                "not held" if verdict is None else explain_failure(verdict) or "proved",
                None if verdict is None else _say_scale(verdict),
                None if verdict is None else f"{verdict.p:.2g}",
                None if verdict is None else f"{verdict.flips['mean']}, {verdict.flips['blurred']}",
                None if sane is None else f"{sane.alike['all']:.2f} ({sane.usual:.2f})",
                _say_checks(one),
            )
        )
    found = result.faithfulness
    random = (
        ""
        if found is None
        else f" (a random fifth: {found.random['mean']:.0f}, {found.random['blurred']:.0f}, of "
        f"{found.pictures})"
    )
    return Table(
        id="attributions-proof",
        title="What the methods are worth here",
        caption=(
            "Scale: 0 is the method's own map of another sample, 1 the order of what covering each "
            "cell by itself does, with the 95 % interval over samples. p: that it beats every "
            "control, after Holm. Answers that change: with the marked fifth of the cells "
            f"replaced, by the mean colour and by blur{random}. Shuffled: correlation with the map "
            "by shuffled weights, and in brackets what 95 % of maps of different samples stay "
            "below."
        ),
        header=("Method", "Here", "Scale", "p", "Answers that change", "Shuffled", "Its own check"),
        rows=tuple(rows),
    )


def _say_scale(verdict: Any) -> str:
    if not np.isfinite(verdict.scale):
        return "no scale: cells do not matter here"
    return f"{verdict.scale:.2f} ({verdict.low:.2f} to {verdict.high:.2f})"


def _say_checks(one: MethodMaps) -> str:
    checks = one.checks or {}
    said = []
    if "completeness" in checks:
        said.append(f"sums to the score but for {np.median(checks['completeness']):.1%} (median)")
    if "residual" in checks:
        said.append(f"sums to the score but for {np.median(checks['residual']):.1%} (median)")
    if "grad_cam" in checks and np.isfinite(checks["grad_cam"]).any():
        said.append(f"correlation with Grad-CAM {np.nanmedian(checks['grad_cam']):.2f}")
    if "fit" in checks:
        said.append(f"a sum over cells explains {np.median(checks['fit']):.0%}")
    if "error" in checks:
        said.append(f"standard error {np.median(checks['error']):.2g}")
    if one.empty:
        said.append(f"no positive evidence in {one.empty}")
    return "; ".join(said)


def _draw_curves(result: AttributionsResult) -> list[Block]:
    found = result.faithfulness
    assert found is not None
    titles = {one.name: one.title for one in result.methods}
    blocks: list[Block] = []
    for fill, curves in found.curves.items():
        series = [
            Series(
                name=titles.get(name, "each cell by itself"),
                x=tuple(float(share) for share in curve.shares),
                y=as_finite(_between(curve.deletion.mean(axis=0))),
                style="reference" if name == _BEST else "line",
            )
            for name, curve in curves.items()
        ]
        blocks.append(
            Lines(
                id=f"attributions-deletion-{fill}",
                title=f"The score while marked cells are replaced by {_FILLS[fill]}",
                caption=(
                    f"Mean over {found.pictures} samples of the score that is explained, while the "
                    "cells that a method marks are replaced, the most marked first: 1 is the score "
                    "of the samples, 0 that of what replaces them. The faster it falls, the truer "
                    f"the order. What replaces them scores {found.empty[fill]:.3g} (before softmax "
                    "or sigmoid). Dotted: the order of what each cell does by itself."
                ),
                alt="At a fifth of the cells: "
                + ", ".join(
                    f"{titles.get(n, 'each cell by itself')} "
                    f"{_between(c.deletion.mean(axis=0))[int(np.abs(c.shares - 0.2).argmin())]:.2f}"
                    for n, c in curves.items()
                )
                + ".",
                series=tuple(series),
                x_label="share of the cells replaced",
                y_label="score",
            )
        )
    return blocks


def _between(curve: NDArray[Any]) -> tuple[float, ...]:
    """From 1, where it starts, to 0, where it ends; as it is where the end is no lower."""
    start, end = float(curve[0]), float(curve[-1])
    span = start - end if start > end else 1.0
    return tuple((float(value) - end) / span for value in curve)


def _count_shares(result: AttributionsResult) -> int:
    assert result.faithfulness is not None
    drawn = result.faithfulness.curves["mean"][_BEST]
    return len(drawn.shares) - 2  # without none and all


def _describe(result: AttributionsResult) -> tuple[str, ...]:
    grid = result.faithfulness.grid if result.faithfulness else None
    lines = [
        "The score that is explained is what goes into the last softmax or sigmoid, of the class "
        "that the model answers; of a number, the number.",
        f"Class activation maps are read from {result.layer}" if result.layer else "",
        f"All methods are held to the same {grid.rows} x {grid.columns} cells at "
        f"{_count_shares(result)} shares of them, by two fills: "
        f"{' and '.join(_FILLS.values())}. A method is proved where its order of cells changes the "
        "score more than its own map of another sample, than its own map of another class, than "
        "noise and than the picture's edges, both as smooth as the map."
        if grid
        else "",
        f"No time was left for {', '.join(result.left_out)}. Raise attributions.seconds."
        if result.left_out
        else "",
    ]
    return tuple(line for line in lines if line)
