"""How answers flip under changes, as curves, a table and pictures."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from reportgen import text
from reportgen.analyses.inputs.stability import MIRROR, SHIFT, Curve, Stability
from reportgen.analyses.inputs.wording import say_change
from reportgen.report.blocks import Block, ImageGrid, Lines, Panel, Series, Table, TileLabel

_STEPS = 5


def show_stability(found: Stability, arrays: dict[str, NDArray[Any]]) -> list[Block]:
    """Shares that flip and shares that stay right; some samples that flip."""
    blocks: list[Block] = [_draw_flips(found)]
    if found.right is not None:
        blocks.append(_draw_right(found, found.right))
    blocks.append(_list_changes(found))
    if found.pictures is not None:
        arrays["flipped"] = found.pictures
        blocks.append(_show(found))
    return blocks


def _draw_flips(found: Stability) -> Lines:
    curves = [curve for curve in found.curves if curve.kind != MIRROR]
    return Lines(
        id="inputs-flips",
        title="Answers that flip",
        caption=(
            f"Share of {found.samples:,} answers that change, with 95 % intervals (Wilson), by how "
            "strong the change is: five steps of each corruption, and shifts by one pixel more "
            "each. What hardly shows is held to the bar: the first point of "
            f"{', '.join(c.kind for c in curves if c.judged)}. The others show what the model can "
            "take; sound networks lose half of their answers to some of them."
        ),
        alt="Curves of the share of answers that flip: at the first step "
        + ", ".join(f"{c.kind} {c.flips[0] / found.samples:.0%}" for c in curves)
        + ".",
        series=tuple(_draw(curve, found, curve.flips) for curve in curves),
        x_label="strength, step",
        y_label="answers that flip",
        y_range=(0.0, 1.0),
    )


def _draw_right(found: Stability, before: int) -> Lines:
    curves = [curve for curve in found.curves if curve.kind != MIRROR]
    low, high = found.bound(before)
    share = before / found.samples
    return Lines(
        id="inputs-kept",
        title="Answers that stay right",
        caption=(
            f"Share of {found.samples:,} answers that are right after the same changes, with 95 % "
            f"intervals. Without a change {share:.1%} ({low:.1%} to {high:.1%}), the dashed line."
        ),
        alt="Curves of the share of right answers: at the last step "
        + ", ".join(f"{c.kind} {(c.right or (0,))[-1] / found.samples:.0%}" for c in curves)
        + ".",
        series=(
            *(_draw(curve, found, curve.right or ()) for curve in curves),
            Series(name="unchanged", x=(0.0, _STEPS), y=(share, share), style="reference"),
        ),
        x_label="strength, step",
        y_label="right answers",
        y_range=(0.0, 1.0),
    )


def _draw(curve: Curve, found: Stability, counts: tuple[int, ...]) -> Series:
    bounds = [found.bound(count) for count in counts]
    return Series(
        name=curve.kind,
        x=tuple(float(i + _STEPS - len(counts) + 1) for i in range(len(counts)))
        if curve.kind != SHIFT
        else tuple(curve.strengths),
        y=tuple(count / found.samples for count in counts),
        low=tuple(low for low, _ in bounds),
        high=tuple(high for _, high in bounds),
    )


def _list_changes(found: Stability) -> Table:
    right = (
        ""
        if found.right is None
        else f" Without a change {found.right} of {found.samples:,} are right."
    )
    return Table(
        id="inputs-changes",
        title="Changes, and what they do",
        caption=(
            "Flip: answers that change. Still right: of all samples, with the label."
            + right
            + " A mirrored picture may be of another class, as of letters, digits and signs; the "
            "samples cannot tell, so it is shown and never judged."
        ),
        header=("Pictures are", "Flip", "Still right"),
        rows=tuple(
            (
                say_change(curve.kind, strength),
                f"{curve.flips[i] / found.samples:.1%}",
                None if curve.right is None else f"{curve.right[i] / found.samples:.1%}",
            )
            for curve in found.curves
            for i, strength in enumerate(curve.strengths)
        ),
    )


def _show(found: Stability) -> ImageGrid:
    labels: list[TileLabel] = []
    for one in found.flipped:
        name = text.name(one.name, 40)
        labels += [
            TileLabel(text=one.before, detail=name),
            TileLabel(text=one.after, detail=say_change(one.kind, one.strength)),
        ]
    return ImageGrid(
        id="inputs-flipped",
        title="Pictures whose answer flips",
        caption=(
            "In pairs: the sample with its answer, and the same one after a change that hardly "
            "shows, with the answer that it then gets."
        ),
        alt=f"{len(found.flipped)} samples before and after a mild change that flips their answer.",
        panels=(Panel(tiles="inputs/flipped", columns=6, labels=tuple(labels)),),
    )
