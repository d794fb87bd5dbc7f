"""The landscape as blocks."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from reportgen.analyses.loss_landscape.check_blocks import check_table
from reportgen.analyses.loss_landscape.curvature_blocks import curvature_blocks
from reportgen.analyses.loss_landscape.findings import judge
from reportgen.analyses.loss_landscape.method import describe_method
from reportgen.analyses.loss_landscape.path_blocks import path_blocks
from reportgen.analyses.loss_landscape.plane_blocks import Painter, main_blocks
from reportgen.analyses.loss_landscape.records import keep_numbers
from reportgen.analyses.loss_landscape.results import Facts, LandscapeResult
from reportgen.analyses.loss_landscape.spread_blocks import spread_blocks
from reportgen.analyses.loss_landscape.wording import loss_meaning
from reportgen.analyses.records import SAID
from reportgen.report.blocks import Block, KeyValues
from reportgen.report.sections import SectionBody


def present(result: LandscapeResult) -> SectionBody:
    """What was measured where, the planes, the path, the curvature, the checks."""
    arrays: dict[str, NDArray[Any]] = {}
    painter = Painter(result, arrays)
    blocks: list[Block] = [_facts(result)]
    blocks += main_blocks(result, painter)
    blocks += path_blocks(result, painter)
    blocks += curvature_blocks(result, painter)
    blocks += spread_blocks(result, arrays)
    if result.finite:
        blocks.append(check_table(result))
    arrays |= keep_numbers(result)
    method = (*describe_method(result), SAID.format(section="loss_landscape"))
    return SectionBody(judge(result), tuple(blocks), method, arrays)


def _say_part(facts: Facts) -> str:
    """Why the share is not that of the section on predictions."""
    if facts.samples == facts.available:
        return ""
    return f" of these {facts.samples:,} samples; the section on predictions counts all"


def _facts(result: LandscapeResult) -> KeyValues:
    facts = result.facts
    value = f"{facts.loss:.5g} ± {facts.error:.2g} (standard error)"
    rows = [("Loss", f"{facts.loss_name}: {facts.loss_reason}")]
    if meaning := loss_meaning(facts.loss_name):
        rows.append(("What it measures", meaning))
    rows.append(("At the model", value if result.finite else "not a number"))
    if facts.accuracy is not None:
        rows.append(("Right answers", f"{facts.accuracy:.1%}{_say_part(facts)}"))
    if facts.chance is not None:
        rows.append(("Knowing nothing would cost", f"{facts.chance:.4g}"))
    if facts.penalty:
        rows.append(("Penalties beside it", f"{facts.penalty:.4g} (regularisation; not drawn)"))
    left = f"; {facts.left} arrays stay (frozen, or not named)" if facts.left else ""
    rows += [
        (
            "Samples",
            f"{facts.samples:,} of {facts.available:,}, the same in every cell; {facts.split}",
        ),
        ("Weights that move", f"{facts.parameters:,}{left}"),
    ]
    return KeyValues(
        id="landscape-facts",
        title="What is drawn",
        caption="Everything below is about this loss, these samples and these weights.",
        rows=tuple(rows),
    )
