"""The architecture as boxes and arrows: layers by depth, flowing down, wrapped into columns."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reportgen import theme
from reportgen.figures.drawing import Drawing, Find, nothing
from reportgen.report.blocks import Graph, GraphNode
from reportgen.resources import render
from reportgen.text import name, printable

BOX_WIDTH, BOX_HEIGHT = 148, 34
ROW_GAP, SIDE_GAP = 16, 10
MARGIN, GUTTER = 14, 46
# Columns are added until the picture is at least this much wider than it is high.
ASPECT = 1.25


@dataclass(frozen=True)
class Box:
    """A node in its place, in pixels."""

    x: float
    y: float
    width: float
    height: float
    title: str
    detail: str
    full: str
    fill: str
    line: str


@dataclass(frozen=True)
class Edge:
    """An arrow as SVG path data. ``skip``: it passes by at least one layer."""

    path: str
    skip: bool


@dataclass(frozen=True)
class Place:
    """Where a node stands: its column, its row in the column, its slot in the row."""

    column: int
    row: int
    slot: int
    depth: int


def draw(block: Graph, find: Find = nothing) -> Drawing:
    """Draw the boxes with their names, and the arrows."""
    return _draw_graph(block, labels=True)


def thumbnail(block: Graph, find: Find = nothing) -> Drawing:
    """Draw the boxes and the arrows alone. It is as large as the whole: the page shrinks it."""
    return _draw_graph(block, labels=False)


def _draw_graph(block: Graph, *, labels: bool) -> Drawing:
    edges = [e for e in block.edges if max(e) < len(block.nodes) and e[0] != e[1]]
    depths = longest_paths(len(block.nodes), edges)
    places = arrange(depths, edges)
    lefts, widths = _column_lefts(places)
    boxes = [
        _box(node, place, lefts[place.column])
        for node, place in zip(block.nodes, places, strict=True)
    ]
    arrows = _arrows(edges, boxes, places, lefts, widths)
    width = math.ceil(lefts[-1] + widths[-1] + GUTTER) if boxes else 2 * MARGIN
    height = math.ceil(max((box.y + box.height for box in boxes), default=0) + MARGIN)
    svg = render(
        "figures/graph.svg.jinja",
        boxes=boxes,
        edges=arrows,
        labels=labels,
        width=width,
        height=height,
    )
    return Drawing(svg.encode(), width, height)


def longest_paths(count: int, edges: list[tuple[int, int]]) -> list[int]:
    """Depth of each node: the number of edges on the longest path that leads to it.

    Nodes are in data-flow order; an edge against it would close a circle and is left out.
    """
    depths = [0] * count
    for source, target in sorted(edges, key=lambda edge: edge[1]):
        if source < target:
            depths[target] = max(depths[target], depths[source] + 1)
    return depths


def arrange(depths: list[int], edges: list[tuple[int, int]]) -> list[Place]:
    """Give every depth a row, and break the rows into columns."""
    rows = max(depths, default=-1) + 1
    slots = [0] * rows
    taken = []
    for depth in depths:
        taken.append(slots[depth])
        slots[depth] += 1
    starts = _column_starts(rows, max(slots, default=1), depths, edges)
    column_of = [sum(start <= row for start in starts) - 1 for row in range(rows)]
    return [
        Place(column_of[depth], depth - starts[column_of[depth]], slot, depth)
        for depth, slot in zip(depths, taken, strict=True)
    ]


def _column_starts(
    rows: int, widest: int, depths: list[int], edges: list[tuple[int, int]]
) -> list[int]:
    columns = 1
    across = widest * (BOX_WIDTH + SIDE_GAP) + GUTTER
    while columns < rows and (
        columns * across < ASPECT * math.ceil(rows / columns) * (BOX_HEIGHT + ROW_GAP)
    ):
        columns += 1
    length = math.ceil(rows / columns)
    # A column had better end where few edges cross: between residual blocks, not inside one.
    crossing = [0] * (rows + 1)
    for source, target in edges:
        for row in range(depths[source] + 1, depths[target] + 1):
            crossing[row] += 1
    starts = [0]
    slack = max(1, length // 5)
    while rows - starts[-1] > length + slack:
        ideal = starts[-1] + length
        choices = range(ideal - slack, min(ideal + slack, rows - 1) + 1)
        starts.append(min(choices, key=lambda row: (crossing[row], abs(row - ideal))))
    return starts


def _column_lefts(places: list[Place]) -> tuple[list[float], list[float]]:
    columns = max((place.column for place in places), default=0) + 1
    most = [1] * columns
    for place in places:
        most[place.column] = max(most[place.column], place.slot + 1)
    widths = [count * (BOX_WIDTH + SIDE_GAP) - SIDE_GAP for count in most]
    lefts, x = [], float(MARGIN)
    for width in widths:
        lefts.append(x)
        x += width + GUTTER
    return lefts, [float(width) for width in widths]


def _box(node: GraphNode, place: Place, left: float) -> Box:
    fill, line = theme.LAYERS[node.group]
    return Box(
        x=left + place.slot * (BOX_WIDTH + SIDE_GAP),
        y=MARGIN + place.row * (BOX_HEIGHT + ROW_GAP),
        width=BOX_WIDTH,
        height=BOX_HEIGHT,
        title=name(node.title, 20),
        detail=name(node.detail, 25),
        full=printable(f"{node.title} {node.detail}".strip(), 200),
        fill=fill,
        line=line,
    )


def _arrows(
    edges: list[tuple[int, int]],
    boxes: list[Box],
    places: list[Place],
    lefts: list[float],
    widths: list[float],
) -> list[Edge]:
    arrows = []
    for source, target in edges:
        start, end = places[source], places[target]
        skip = end.depth - start.depth != 1
        right = lefts[start.column] + widths[start.column]
        if start.column != end.column:
            path = _across(boxes[source], boxes[target], skip, right)
        elif skip:
            path = _around(boxes[source], boxes[target], end.row - start.row, right)
        else:
            path = _down(boxes[source], boxes[target])
        arrows.append(Edge(path, skip))
    return arrows


def _down(source: Box, target: Box) -> str:
    x1, y1 = source.x + source.width / 2, source.y + source.height
    x2, y2 = target.x + target.width / 2, target.y
    middle = (y1 + y2) / 2
    return f"M{x1:.0f} {y1:.0f}C{x1:.0f} {middle:.0f} {x2:.0f} {middle:.0f} {x2:.0f} {y2:.0f}"


def _around(source: Box, target: Box, rows: int, right: float) -> str:
    # Out to the right of the column and back in: a long skip reaches further than a short one.
    x1, y1 = source.x + source.width, source.y + source.height / 2
    x2, y2 = target.x + target.width, target.y + target.height / 2
    bulge = right + min(8 + 4 * abs(rows), GUTTER - 10)
    return (
        f"M{x1:.0f} {y1:.0f}C{bulge + 6:.0f} {y1:.0f} {bulge:.0f} {y1 + 14:.0f} "
        f"{bulge:.0f} {(y1 + y2) / 2:.0f}S{bulge + 6:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    )


def _across(source: Box, target: Box, skip: bool, right: float) -> str:
    x2, y2 = target.x, target.y + target.height / 2
    if skip:
        x1, y1 = source.x + source.width, source.y + source.height / 2
        bend = max(30.0, (x2 - x1) / 2)
        return (
            f"M{x1:.0f} {y1:.0f}C{x1 + bend:.0f} {y1:.0f} "
            f"{x2 - bend:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
        )
    # The main flow leaves at the foot of a column and rises in the gutter to the next head.
    x1, y1 = source.x + source.width / 2, source.y + source.height
    lane, foot = right + GUTTER - 14, y1 + 8
    return (
        f"M{x1:.0f} {y1:.0f}V{foot - 4:.0f}Q{x1:.0f} {foot:.0f} {x1 + 4:.0f} {foot:.0f}"
        f"H{lane - 4:.0f}Q{lane:.0f} {foot:.0f} {lane:.0f} {foot - 4:.0f}"
        f"V{y2 + 4:.0f}Q{lane:.0f} {y2:.0f} {lane + 4:.0f} {y2:.0f}H{x2:.0f}"
    )
