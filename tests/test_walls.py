"""The walls of the house: which room may import which, read from the source without running it.

Every import counts, also one inside a function or under ``TYPE_CHECKING``: whoever reads a module
has to know what it leans on, whenever that is loaded.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "reportgen"

# From the ground up, as docs/architecture.md has them. A module imports from its own room and from
# those that stand before it. Rooms of one row do not import each other.
ROOMS: tuple[tuple[str, ...], ...] = (
    ("text", "version"),
    ("errors",),
    ("files", "memory", "npz"),
    ("progress", "suggest"),
    ("invalid",),
    ("theme",),
    ("resources",),
    ("report",),
    ("audit_toml",),
    ("config",),
    ("subject",),
    ("optvis", "landscape", "attributions"),
    ("analyses",),
    ("battery",),
    ("worker",),
    ("figures",),
    ("rendering",),
    ("formats",),
    ("output",),
    ("catalogue", "pipeline"),
    ("api",),
    ("",),  # the package itself: the Python face
    ("cli",),
)

Graph = Mapping[str, frozenset[str]]


def read_imports(package: Path) -> Graph:
    """By module, the modules of the package that it imports; packages by their own name."""
    files = {_name(path, package): path for path in package.rglob("*.py")}
    return {
        name: frozenset(found for found in _imports(name, path, files) if found != name)
        for name, path in files.items()
    }


def _name(path: Path, package: Path) -> str:
    parts = [package.name, *path.relative_to(package).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(name: str, path: Path, files: Mapping[str, Path]) -> Iterator[str]:
    around = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (found for alias in node.names if (found := _home(alias.name, files)))
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = around.split(".")[: len(around.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                found = _home(f"{base}.{alias.name}", files)
                if found:
                    yield found


def _home(dotted: str, files: Mapping[str, Path]) -> str | None:
    """The module that an imported name stands in; None if it is none of the package's."""
    while dotted:
        if dotted in files:
            return dotted
        dotted = dotted.rpartition(".")[0]
    return None


def find_circles(graph: Graph) -> list[list[str]]:
    """Groups of modules that need each other (strongly connected, Tarjan 1972)."""
    numbers: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    circles: list[list[str]] = []

    def visit(module: str) -> None:
        numbers[module] = lowest[module] = len(numbers)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in numbers:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in stack:
                lowest[module] = min(lowest[module], numbers[other])
        if lowest[module] == numbers[module]:
            place = stack.index(module)
            circle = sorted(stack[place:])
            del stack[place:]
            if len(circle) > 1:
                circles.append(circle)

    for module in sorted(graph):
        if module not in numbers:
            visit(module)
    return circles


def find_sideways(graph: Graph) -> list[str]:
    """Imports of one analysis by another."""
    return [
        f"{module} imports {other}"
        for module, others in sorted(graph.items())
        for other in sorted(others)
        if (own := _analysis(module, graph))
        and (theirs := _analysis(other, graph))
        and own != theirs
    ]


def _analysis(module: str, graph: Graph) -> str | None:
    """The folder of an analysis that a module stands in; None for what they all share."""
    parts = module.split(".")
    if len(parts) < 3 or parts[1] != "analyses":
        return None
    folder = ".".join(parts[:3])
    return folder if any(name.startswith(f"{folder}.") for name in graph) else None


def find_upward(graph: Graph) -> list[str]:
    """Imports of a room that stands above, or beside in the same row."""
    ranks = {room: rank for rank, row in enumerate(ROOMS) for room in row}
    found = []
    for module, others in sorted(graph.items()):
        for other in sorted(others):
            here, there = _room(module), _room(other)
            if here != there and ranks[there] >= ranks[here]:
                found.append(f"{module} imports {other}")
    return found


def _room(module: str) -> str:
    return module.partition(".")[2].partition(".")[0]


@pytest.fixture(scope="module")
def graph() -> Graph:
    return read_imports(PACKAGE)


def test_every_module_stands_in_a_room_of_the_plan(graph: Graph) -> None:
    rooms = [room for row in ROOMS for room in row]
    assert len(rooms) == len(set(rooms))
    assert {_room(module) for module in graph} == set(rooms)  # and no room is only planned
    assert len(graph) > 200  # the folder was really read


def test_the_page_on_the_house_has_the_same_rooms_in_the_same_order() -> None:
    page = (PACKAGE.parent / "docs/architecture.md").read_text("utf-8")
    table = page.partition("## The rooms")[2].partition("## How one")[0]
    rows = re.findall(r"^\| ((?:`[^`]+` ?)+)\|", table, re.MULTILINE)
    named = [tuple(re.findall(r"`([^`]+?)(?:\.py|/)`", row)) for row in rows]
    assert named == [tuple(room or "__init__" for room in row) for row in ROOMS]


def test_no_modules_import_each_other_in_a_circle(graph: Graph) -> None:
    assert find_circles(graph) == []


def test_no_analysis_imports_another(graph: Graph) -> None:
    assert find_sideways(graph) == []


def test_no_import_goes_up_the_list_of_rooms(graph: Graph) -> None:
    assert find_upward(graph) == []


def build(folder: Path, modules: Mapping[str, str]) -> Graph:
    """The imports of a package made of these modules; folders get an empty ``__init__``."""
    for name, text in modules.items():
        path = folder / "reportgen" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        for parent in path.relative_to(folder).parents:
            if parent.parts and not (folder / parent / "__init__.py").exists():
                (folder / parent / "__init__.py").write_text("", "utf-8")
    return read_imports(folder / "reportgen")


LAZY = "def look():\n    from reportgen.subject.two import two\n    return two\n"
TYPED = (
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from reportgen.subject import one\n"
)


@pytest.mark.parametrize(
    "first",
    [
        "from reportgen.subject.two import two\n",
        "import reportgen.subject.two\n",
        "from reportgen.subject import two\n",
        "from .two import two\n",
        "from . import two\n",
        LAZY,
    ],
    ids=["name", "module", "from package", "relative name", "relative module", "lazy"],
)
def test_a_planted_circle_is_found(tmp_path: Path, first: str) -> None:
    planted = build(tmp_path, {"subject/one.py": first, "subject/two.py": TYPED})
    assert find_circles(planted) == [["reportgen.subject.one", "reportgen.subject.two"]]
    assert find_upward(planted) == []


def test_a_circle_through_a_package_is_found(tmp_path: Path) -> None:
    """Whoever asks a package runs its ``__init__``, and all that it imports."""
    planted = build(
        tmp_path,
        {
            "subject/one.py": "from reportgen.subject.inner import deep\n",
            "subject/inner/__init__.py": "from reportgen.subject.inner.leaf import deep\n",
            "subject/inner/leaf.py": TYPED,
        },
    )
    (circle,) = find_circles(planted)
    assert circle == [
        "reportgen.subject.inner",
        "reportgen.subject.inner.leaf",
        "reportgen.subject.one",
    ]


def test_a_planted_sideways_import_is_found(tmp_path: Path) -> None:
    planted = build(
        tmp_path,
        {
            "analyses/contract.py": "",
            "analyses/weights/checks.py": "from reportgen.analyses.contract import Analysis\n",
            "analyses/overview/compute.py": "from reportgen.analyses.weights.checks import see\n",
        },
    )
    assert find_sideways(planted) == [
        "reportgen.analyses.overview.compute imports reportgen.analyses.weights.checks"
    ]
    assert find_circles(planted) == find_upward(planted) == []


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ("config.py", "analyses.weights"),
        ("report/report.py", "rendering.html"),
        ("subject/network.py", "worker.isolation"),
        ("optvis/engine.py", "landscape.evaluator"),
        ("text.py", "errors"),
        ("pipeline.py", "api"),
    ],
)
def test_a_planted_upward_import_is_found(tmp_path: Path, low: str, high: str) -> None:
    planted = build(
        tmp_path,
        {
            low: f"def look():\n    import reportgen.{high}\n",
            f"{high.replace('.', '/')}.py": "",
        },
    )
    name = low.removesuffix(".py").replace("/", ".")
    assert find_upward(planted) == [f"reportgen.{name} imports reportgen.{high}"]


def test_an_import_that_goes_down_is_none_of_these(tmp_path: Path) -> None:
    planted = build(
        tmp_path,
        {
            "errors.py": "import json\nfrom pathlib import Path\n",
            "analyses/weights/compute.py": "from reportgen.errors import UsageError\n",
            "cli/main.py": "from reportgen import audit\nfrom reportgen.battery import weights\n",
        },
    )
    assert find_circles(planted) == find_sideways(planted) == find_upward(planted) == []


def test_a_room_that_the_plan_does_not_have_is_found(tmp_path: Path) -> None:
    planted = build(tmp_path, {"helpers.py": ""})
    assert "helpers" not in {room for row in ROOMS for room in row}
    assert {_room(module) for module in planted} == {"", "helpers"}
