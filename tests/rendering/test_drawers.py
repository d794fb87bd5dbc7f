"""A block kind is a class, a module and a line of the table; no template knows its name."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pytest

from reportgen.figures.drawers import DRAWERS, Drawer
from reportgen.figures.drawing import Drawing, Find
from reportgen.rendering.html import render_html
from reportgen.rendering.view import LAYOUTS
from reportgen.report.blocks import ArrayKey, Block, PictureBlock
from reportgen.report.report import Report
from reportgen.resources import template_folder

from .house import copy_house, insert, run
from .page import Page


class Dial(PictureBlock):
    """A kind of block that the package does not have."""

    kind: Literal["dial"] = "dial"
    values: ArrayKey


def draw(block: Dial, find: Find) -> Drawing | None:
    values = find(block.values)
    if values is None:
        return None
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><desc>{values.sum():.0f}</desc></svg>'
    return Drawing(svg.encode(), 300, 200)


def thumbnail(block: Dial, find: Find) -> Drawing | None:
    made = draw(block, find)
    return made and Drawing(made.svg.replace(b"desc", b"title"), 60, 40)


def with_block(report: Report, block: Any, arrays: dict[str, Any]) -> Report:
    section = report.sections[0].model_copy(update={"blocks": (block,), "findings": ()})
    return report.model_copy(update={"sections": (section,)}).with_arrays(arrays)


def sources(page: Page) -> list[tuple[dict[str, str | None], str]]:
    start = "data:image/svg+xml;base64,"
    return [
        (attrs, base64.b64decode((attrs["src"] or "").removeprefix(start)).decode())
        for tag, attrs in page.elements
        if tag == "img" and (attrs.get("src") or "").startswith(start)
    ]


def test_every_kind_of_block_is_drawn_or_laid_out() -> None:
    kinds = set(get_args(get_args(Block)[0]))
    assert set(DRAWERS) | set(LAYOUTS) == kinds
    assert not set(DRAWERS) & set(LAYOUTS)


def test_templates_are_there_for_words_and_one_for_all_pictures() -> None:
    names = {kind.model_fields["kind"].default for kind in LAYOUTS} | {"picture"}
    files = (template_folder() / "blocks").glob("*.jinja")
    assert {file.name.removesuffix(".html.jinja") for file in files} == names


@pytest.mark.parametrize("look", ["chart", "map"])
def test_a_new_kind_is_a_class_a_module_and_a_line(
    report: Report, monkeypatch: pytest.MonkeyPatch, look: Any
) -> None:
    monkeypatch.setitem(DRAWERS, Dial, Drawer(draw, thumbnail, look))
    block = Dial(id="overview-dial", title="A dial", caption="Look.", alt="Half.", values="a/v")
    page = Page(render_html(with_block(report, block, {"a/v": np.full(3, 14.0)})))
    (small, small_svg), (whole, svg) = sources(page)
    # Its thumbnail stands on the front page, the whole in its section.
    assert "<title>42</title>" in small_svg
    assert "<desc>42</desc>" in svg
    assert (whole["class"], small["class"]) == (look, look)
    assert (whole["width"], whole["height"], whole["alt"]) == ("300", "200", "Half.")
    assert "overview-dial" in page.ids
    assert "A dial" in page.text
    assert page.problems() == []


def test_a_new_kind_without_its_numbers_says_so(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DRAWERS, Dial, Drawer(draw, thumbnail, "chart"))
    block = Dial(id="overview-dial", caption="Look.", alt="Half.", values="a/v")
    page = Page(render_html(with_block(report, block, {})))
    assert sources(page) == []
    assert "The numbers of this picture are missing" in page.text


CLASS = """class Dial(PictureBlock):
    kind: Literal["dial"] = "dial"
    share: float


"""
MODULE = """from reportgen.figures import charts
from reportgen.figures.drawing import THUMBNAIL, Drawing, Find
from reportgen.report.blocks import Dial


def plot(block, figure):
    figure.subplots().pie([block.share, 1])


def draw(block: Dial, find: Find) -> Drawing:
    return charts.paint((300, 200), lambda figure: plot(block, figure))


def thumbnail(block: Dial, find: Find) -> Drawing:
    return charts.paint(THUMBNAIL, lambda figure: plot(block, figure), bare=True)
"""
RENDER = """
import pathlib, sys
from reportgen.rendering.html import render_html
from reportgen.report.report import Report

report = Report.model_validate_json(pathlib.Path(sys.argv[1]).read_bytes())
print(render_html(report))
"""


def test_a_new_kind_changes_three_files(report: Report, tmp_path: Path) -> None:
    package = copy_house(tmp_path)
    insert(package / "report" / "blocks.py", "class Graph(", CLASS)
    insert(package / "report" / "blocks.py", "Text\n    | KeyValues", "Dial | ")
    (package / "figures" / "dial.py").write_text(MODULE)
    table = package / "figures" / "drawers.py"
    insert(table, "    Graph: Drawer(", '    Dial: Drawer(dial.draw, dial.thumbnail, "chart"),\n')
    insert(table, "graph, lines", "dial, ")
    insert(table, "Graph, HeatMap", "Dial, ")

    dial = {"kind": "dial", "id": "overview-dial", "caption": "Look.", "alt": "Half.", "share": 0.5}
    section = report.sections[0].model_dump() | {"blocks": [dial], "findings": []}
    given = tmp_path / "report.json"
    given.write_text(json.dumps(report.model_dump(mode="json") | {"sections": [section]}))
    pictures = sources(Page(run(tmp_path, RENDER, str(given))))
    assert [attrs["alt"] for attrs, _ in pictures] == ["Half.", "Half."]
    assert [attrs["width"] for attrs, _ in pictures] == ["120", "300"]
