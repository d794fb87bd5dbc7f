"""Labels that the model contradicts, as pictures, a table and a file."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from reportgen import text
from reportgen.analyses.inputs.doubted_labels import Doubted, DoubtedLabels
from reportgen.analyses.inputs.tables import write_table
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
        caption=(f"Most contradicted first.{_explain_neighbours(found)}{more}"),
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


def _explain_neighbours(found: DoubtedLabels) -> str:
    if all(one.votes_for is None for one in found.found):
        return ""
    return (
        f" Neighbours: of the {found.neighbours} samples that the layer before the output finds "
        "most alike, how many are labelled as suggested, and as given; where these speak for the "
        "given label, the model is more likely wrong than the label."
    )


def _attach(found: DoubtedLabels) -> Attachment:
    return Attachment(
        id="inputs-suspects-file",
        title="All of them as a table",
        caption="One sample a line, most contradicted first.",
        name=SUSPECTS_FILE,
        text=write_table(_HEADER, map(_write, found.found)),
    )


def _write(one: Doubted) -> tuple[str, ...]:
    return (
        one.name,
        one.given,
        one.suggested,
        f"{one.sure:.4f}",
        f"{one.allowed:.4f}",
        "" if one.votes_for is None else str(one.votes_for),
        "" if one.votes_against is None else str(one.votes_against),
    )
