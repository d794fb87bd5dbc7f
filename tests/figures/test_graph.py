import re
from xml.etree import ElementTree

from reportgen.figures import graph
from reportgen.report.blocks import Graph, GraphNode


def chain(count: int, *skips: tuple[int, int]) -> Graph:
    nodes = tuple(
        GraphNode(id=f"n{i}", title=f"layer {i}", detail="Conv2D", group="conv")
        for i in range(count)
    )
    edges = (*((i, i + 1) for i in range(count - 1)), *skips)
    return Graph(id="a-graph", caption="c", alt="a", nodes=nodes, edges=edges)


def test_depth_is_the_longest_path() -> None:
    assert graph.longest_paths(4, [(0, 1), (1, 2), (0, 3), (2, 3)]) == [0, 1, 2, 3]


def test_parallel_branches_share_a_row() -> None:
    depths = graph.longest_paths(4, [(0, 1), (0, 2), (1, 3), (2, 3)])
    places = graph.arrange(depths, [(0, 1), (0, 2), (1, 3), (2, 3)])
    assert depths == [0, 1, 1, 2]
    assert {places[1].slot, places[2].slot} == {0, 1}


def test_a_long_chain_is_wider_than_tall() -> None:
    made = graph.draw(chain(100))
    assert made.width > made.height


def test_no_boxes_overlap_and_all_are_inside() -> None:
    made = graph.draw(chain(60, (3, 9), (10, 40)))
    root = ElementTree.fromstring(made.svg)
    rects = [r for r in root.iter("{http://www.w3.org/2000/svg}rect") if r.get("rx") == "4"]
    corners = [(float(r.get("x", 0)), float(r.get("y", 0))) for r in rects]
    assert len(set(corners)) == len(corners) == 60
    for x, y in corners:
        assert 0 <= x <= made.width - graph.BOX_WIDTH
        assert 0 <= y <= made.height - graph.BOX_HEIGHT
        near = [
            c
            for c in corners
            if abs(c[0] - x) < graph.BOX_WIDTH and abs(c[1] - y) < graph.BOX_HEIGHT
        ]
        assert len(near) == 1


def test_skips_are_drawn_in_their_own_colour() -> None:
    assert graph.draw(chain(5)).svg.count(b"url(#skip)") == 0
    assert graph.draw(chain(5, (0, 3))).svg.count(b"url(#skip)") == 1


def test_hostile_and_empty_graphs_are_drawn() -> None:
    nodes = (
        GraphNode(id="x", title="<script>alert(1)</script>" * 9, detail="\u202e", group="other"),
    )
    made = graph.draw(
        Graph(id="a-graph", caption="c", alt="a", nodes=nodes, edges=((0, 0), (0, 7)))
    )
    assert b"<script" not in made.svg
    ElementTree.fromstring(made.svg)
    assert graph.draw(Graph(id="a-graph", caption="c", alt="a", nodes=(), edges=())).svg


def test_skips_beside_the_last_column_are_inside_the_picture() -> None:
    made = graph.draw(chain(12, (0, 11), (6, 10)))
    xs = [
        float(x)
        for path in re.findall(rb'd="(M\d[^"]+C[^"]+)" fill="none"', made.svg)
        for x, _ in re.findall(rb"(\d+) (\d+)", path)
    ]
    assert xs
    assert max(xs) <= made.width
