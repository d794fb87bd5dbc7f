"""Labels that the model contradicts, as pictures, a table and a file."""

from __future__ import annotations

import csv
import io
from typing import Any

from numpy.typing import NDArray

from reportgen import text
from reportgen.analyses.inputs.doubted_labels import Doubted, DoubtedLabels
from reportgen.analyses.inputs.wording import SUSPECTS_FILE
from reportgen.report.blocks import Attachment, Block, ImageGrid, Panel, Table, Text, TileLabel

_ROWS = 40
_HEADER = (
    "sample",
    "given",
    "suggested",
    "probability of suggested",
    "probability of given",
    "neighbours labelled as suggested",
    "neighbours labelled as given",
)
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def show_suspects(found: DoubtedLabels, arrays: dict[str, NDArray[Any]]) -> list[Block]:
    """The first ones as pictures if they are pictures, a table of more, a file of all."""
    if not found.found:
        said = f"The model contradicts none of {found.samples:,} labels with confidence."
        return [Text(id="inputs-suspects", title="Labels that the model contradicts", caption=said)]
    blocks: list[Block] = []
    if found.pictures is not None:
        arrays["suspects"] = found.pictures
        blocks.append(_draw(found, len(found.pictures)))
    blocks += [_list(found), _attach(found)]
    return blocks


def _draw(found: DoubtedLabels, shown: int) -> ImageGrid:
    return ImageGrid(
        id="inputs-suspects",
        title="Labels that the model contradicts",
        caption=(
            f"The {shown} most contradicted of {len(found.found)}: the label that is given, and "
            "what the model says with which probability. Ask of each which one is right; it may "
            "be neither."
        ),
        alt=f"{shown} samples with the label that is given and the one that is suggested.",
        panels=(
            Panel(
                tiles="inputs/suspects",
                columns=5,
                labels=tuple(
                    TileLabel(
                        text=f"{one.given} → {one.suggested}?",
                        detail=f"{one.sure:.0%}, {text.name(one.name, 40)}",
                    )
                    for one in found.found[:shown]
                ),
            ),
        ),
    )


def _list(found: DoubtedLabels) -> Table:
    left = len(found.found) - _ROWS
    more = f" {left:,} more stand in data/{SUSPECTS_FILE}." if left > 0 else ""
    return Table(
        id="inputs-suspects-table" if found.pictures is not None else "inputs-suspects",
        title="Given and suggested labels",
        caption=(
            "Most contradicted first. Neighbours: of the "
            f"{found.neighbours} samples that the layer before the output finds most alike, how "
            "many are labelled as suggested, and as given; where these speak for the given label, "
            f"the model is more likely wrong than the label.{more}"
        ),
        header=("Sample", "Given", "Suggested", "Probability", "Of the given", "Neighbours"),
        rows=tuple(
            (
                one.name,
                one.given,
                one.suggested,
                f"{one.sure:.1%}",
                f"{one.allowed:.1%}",
                None if one.votes_for is None else f"{one.votes_for} to {one.votes_against}",
            )
            for one in found.found[:_ROWS]
        ),
    )


def _attach(found: DoubtedLabels) -> Attachment:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_HEADER)
    writer.writerows(map(_write, found.found))
    return Attachment(
        id="inputs-suspects-file",
        title="All of them as a table",
        caption="One sample a line, most contradicted first.",
        name=SUSPECTS_FILE,
        text=buffer.getvalue(),
    )


def _write(one: Doubted) -> tuple[str | int, ...]:
    return (
        *(_as_cell(words) for words in (one.name, one.given, one.suggested)),
        f"{one.sure:.4f}",
        f"{one.allowed:.4f}",
        "" if one.votes_for is None else one.votes_for,
        "" if one.votes_against is None else one.votes_against,
    )


def _as_cell(words: str) -> str:
    """Names are somebody else's: nothing in them is run by the program that opens the table."""
    shown = text.printable(words)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
