"""Copies among the samples and of the training, and answers to nothing, as tables and pictures."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from reportgen import text
from reportgen.analyses.inputs.blanks import Blanks
from reportgen.analyses.inputs.copies import Copies
from reportgen.analyses.inputs.tables import write_table
from reportgen.analyses.inputs.wording import COPIES_FILE
from reportgen.report.blocks import Attachment, Block, ImageGrid, Panel, Table, Text, TileLabel

_ROWS = 40
_TITLE = "Copies of samples"
_HEADER = ("number", "copies", "set", "sample", "label")


def show_copies(found: Copies, arrays: dict[str, NDArray[Any]]) -> list[Block]:
    """The groups and leaks as a table, the first ones as pictures."""
    if found.missing:
        return []
    if not found.groups and not found.leaks:
        against = f" or with {found.training:,} of the training" if found.training else ""
        how = " and nearly identical pictures" if found.near else ""
        said = f"{found.samples:,} samples were compared{against}: identical ones{how}. None."
        return [Text(id="inputs-copies", title=_TITLE, caption=said)]
    blocks: list[Block] = [_list(found), _attach(found)]
    if found.pictures is not None:
        arrays["copies"] = found.pictures
        blocks.append(_draw(found))
    return blocks


def _list(found: Copies) -> Table:
    rows: list[tuple[str, int, str, str]] = [
        (
            "identical" if group.identical else "nearly",
            len(group.names),
            ", ".join(sorted(set(group.labels))),
            ", ".join(group.names[:6]),
        )
        for group in found.groups
    ]
    rows += [
        (
            "of the training" if leak.identical else "nearly of the training",
            2,
            ", ".join(sorted({leak.label, leak.training_label} - {""})),
            f"{leak.name} is {leak.training}",
        )
        for leak in found.leaks
    ]
    left = len(rows) - _ROWS
    more = f" {left:,} more stand in data/{COPIES_FILE}." if left > 0 else ""
    looked = (
        " Nearly: by perceptual hash (imagehash), verified by the pixels of the input's size."
        if found.near
        else " Nearly identical pictures were not looked for: too small, too many, or no pictures."
    )
    return Table(
        id="inputs-copies",
        title=_TITLE,
        caption=f"Those with different labels first.{looked}{more}",
        header=("Copies", "Samples", "Labels", "Names"),
        rows=tuple(rows[:_ROWS]),
    )


def _attach(found: Copies) -> Attachment:
    rows = [
        (str(number), "identical" if group.identical else "nearly", "audited", name, label)
        for number, group in enumerate(found.groups, 1)
        for name, label in zip(group.names, group.labels, strict=True)
    ]
    for number, leak in enumerate(found.leaks, len(found.groups) + 1):
        how = "identical" if leak.identical else "nearly"
        rows.append((str(number), how, "audited", leak.name, leak.label))
        rows.append((str(number), how, "training", leak.training, leak.training_label))
    return Attachment(
        id="inputs-copies-file",
        title="All copies as a table",
        caption="One sample a line; samples of one number are copies of each other.",
        name=COPIES_FILE,
        text=write_table(_HEADER, rows),
    )


def _draw(found: Copies) -> ImageGrid:
    groups, leaks = found.shown
    labels: list[TileLabel] = []
    for group in found.groups[:groups]:
        labels += [
            TileLabel(
                text=label or "no label",
                detail=text.name(name, 40),
                tone="bad" if group.conflicting else "plain",
            )
            for name, label in zip(group.names[:2], group.labels[:2], strict=True)
        ]
    for leak in found.leaks[:leaks]:
        labels += [
            TileLabel(text="audited", detail=text.name(leak.name, 40)),
            TileLabel(text="training", detail=text.name(leak.training, 40)),
        ]
    return ImageGrid(
        id="inputs-copies-pictures",
        title="Copies, side by side",
        caption="In pairs: two of each group with their labels, then samples beside their twins "
        "of the training."
        if leaks
        else "In pairs: two of each group, with their labels.",
        alt=f"{groups + leaks} pairs of samples that are the same picture.",
        panels=(Panel(tiles="inputs/copies", columns=6, labels=tuple(labels)),),
    )


def list_blanks(found: Blanks) -> Table:
    """What is answered to nothing."""
    return Table(
        id="inputs-blanks",
        title="Answers to nothing",
        caption=(
            "Empty pictures and noise, scaled as samples are. A model has no word for nothing, so "
            "it names a class; sure: the probability of that class (of several pictures: the "
            "median). Later sections measure from such pictures."
        ),
        header=("Picture", "Answer", "Sure"),
        rows=tuple((blank.name, blank.answer, f"{blank.confidence:.0%}") for blank in found.asked),
    )
