"""One theme: a colour stands in `reportgen/theme.py` and nowhere else, and reaches every page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from reportgen import theme
from reportgen.rendering.html import style_sheet
from reportgen.resources import render, template_folder

from .house import PACKAGE, copy_house, run

COLOUR = re.compile(r"#(?:[0-9a-f]{8}|[0-9a-f]{6}|[0-9a-f]{3,4})\b|\brgba?\(|\bhsla?\(", re.I)
NAMED = re.compile(
    r"(?:colors?|background|fill|stroke)(?:=[\"']|: ?)(?:white|black|red|green|blue|gr[ae]y)[;\"']"
)


def sources() -> Iterator[Path]:
    for folder in (PACKAGE, template_folder()):
        for suffix in ("py", "css", "jinja", "js"):
            yield from folder.rglob(f"*.{suffix}")


def test_no_colour_stands_outside_the_theme() -> None:
    found = [
        f"{file.name}:{number}: {line.strip()}"
        for file in sources()
        if file != PACKAGE / "theme.py"
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if COLOUR.search(line) or NAMED.search(line)
    ]
    assert found == []


def test_every_theme_has_every_colour() -> None:
    assert set(theme.DARK) == set(theme.LIGHT)
    for name, colour in (*theme.LIGHT.items(), *theme.DARK.items()):
        assert re.fullmatch("#[0-9a-f]{6}", colour), name


def test_every_colour_of_a_style_sheet_is_one_of_the_theme() -> None:
    sheet = style_sheet("screen")
    used = set(re.findall(r"var\(--([a-z]+)\)", sheet))
    # How the dark theme turns charts is no colour.
    assert used == {*theme.LIGHT, "chart"}
    for name, colour in theme.DARK.items():
        # As the system asks for it, and as the reader does.
        assert sheet.count(f"--{name}: {colour};") == 2 + (theme.LIGHT[name] == colour)


DRAW = """
from reportgen.figures import graph, lines
from reportgen.rendering.html import style_sheet
from reportgen.report.blocks import Graph, GraphNode, Lines, Series
from reportgen.resources import environment

words = dict(caption="c", alt="a")
line = Series(name="s", x=(0, 1), y=(0, 1))
curve = Lines(id="a-lines", x_label="x", y_label="y", series=(line,), **words)
node = GraphNode(id="n", title="n", group="other")
print(style_sheet("screen"))
print(environment().get_template("macros.html.jinja").module.icon("fail"))
print(lines.draw(curve).svg.decode())
print(graph.draw(Graph(id="a-graph", nodes=(node,), edges=(), **words)).svg.decode())
"""


def test_another_colour_is_a_change_of_one_file(tmp_path: Path) -> None:
    """Red of a failure: style sheet and icons on paper. Ink: words, charts and graphs."""
    copied = copy_house(tmp_path)
    (copied / "theme.py").write_text(
        Path(theme.__file__).read_text().replace("#b42318", "#120456").replace("#1a1f27", "#650321")
    )
    before, after = run(PACKAGE.parent, DRAW), run(tmp_path, DRAW)
    assert before.count("#b42318") >= 2
    assert before.count("#1a1f27") >= 3
    assert after == before.replace("#b42318", "#120456").replace("#1a1f27", "#650321")


def test_paper_is_light() -> None:
    sheet = render("theme.css.jinja")
    outside = re.sub(r"@media screen[^{]*\{(?:[^{}]|\{[^{}]*\})*\}", "", sheet)
    assert outside.count("--ground") == 1
    assert f"--ground: {theme.LIGHT['ground']};" in outside
