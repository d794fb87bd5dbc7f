from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from reportgen.figures import plane, surface
from reportgen.figures.drawing import Drawing
from reportgen.report.blocks import ColourScale, PlanePath, Surface


def block(columns: int = 4, rows: int = 3, **changes: object) -> Surface:
    made = Surface(
        id="a-surface",
        caption="c",
        alt="a",
        values="a/v",
        x=tuple(float(i) for i in range(columns)),
        y=tuple(float(i) for i in range(rows)),
        scale=ColourScale(low=1, high=100),
        x_label="x",
        y_label="y",
        z_label="z",
    )
    return made.model_copy(update=changes)


def draw(made: Surface, values: np.ndarray, *, small: bool = False) -> Drawing:
    picture = (surface.thumbnail if small else surface.draw)(made, {"a/v": values}.get)
    assert picture is not None
    return picture


def slope(rows: int, columns: int) -> np.ndarray:
    return np.linspace(1, 100, rows * columns).reshape(rows, columns)


def test_corners_stand_on_their_coordinates() -> None:
    values = np.full((2, 3), 10.0)
    values[0, 2] = 100
    corners, heights = surface.quads(plane.make(block(3, 2, log=True), values, None))
    assert corners.shape == (2, 4, 3)
    peak = corners[corners[..., 2] == 2]
    # The last column and the first row.
    assert peak.tolist() == [[2, 0, 2]]
    np.testing.assert_allclose(heights, [1, 1.25])


def test_no_number_is_a_hole_and_what_is_beyond_the_scale_is_cut() -> None:
    values = slope(3, 4)
    values[0, 0] = np.nan
    values[2, 3] = 1e9
    corners, _ = surface.quads(plane.make(block(), values, None))
    assert len(corners) == 2 * 3 - 1
    assert corners[..., 2].max() == 100


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (2, 2)])
@pytest.mark.parametrize("fill", [np.nan, 5.0, -1.0])
@pytest.mark.parametrize("log", [False, True])
def test_empty_flat_and_thin_fields_are_drawn(
    shape: tuple[int, int], fill: float, log: bool
) -> None:
    made = block(shape[1], shape[0], log=log)
    ElementTree.fromstring(draw(made, np.full(shape, fill)).svg)
    ElementTree.fromstring(draw(made, np.full(shape, fill), small=True).svg)


def test_a_path_is_drawn_only_with_its_heights() -> None:
    path = PlanePath(name="p", x=(0, 1, 2), y=(0, 1, 2), labels=("a", "b", "c"))
    without = draw(block(), slope(3, 4)).svg
    assert draw(block(path=path), slope(3, 4)).svg == without
    with_path = draw(block(path=path, z=(5, 50, 500)), slope(3, 4)).svg
    assert len(with_path) > len(without) + 1000


def test_points_are_seen_where_matplotlib_draws_them() -> None:
    # Of three axes from one corner, the third goes straight up.
    figure = Figure(figsize=(6, 4))
    field = plane.make(block(), slope(3, 4), None)
    axes = surface.stage(figure, field, zoom=1)
    axes.set(xlim=(0, 1), ylim=(0, 1), zlim=(0, 1))
    x, y = surface.pixels(figure, axes, np.zeros(2), np.zeros(2), np.array([0.0, 1.0]))
    assert y[1] > y[0] + 50
    assert abs(x[1] - x[0]) < 40


def test_hostile_words_leave_no_trace_and_bytes_are_the_same() -> None:
    words = "<script>alert(1)</script> --> $\\frac{ \u202e\x00"
    path = PlanePath(name=words, x=(0, 1), y=(0, 1), labels=(words, words))
    made = block(path=path, z=(5, 50), x_label=words, y_label=words, z_label=words)
    source = draw(made, slope(3, 4)).svg
    ElementTree.fromstring(source)
    assert b"script" not in source
    assert draw(made, slope(3, 4)).svg == source


def test_a_large_surface_is_a_small_picture() -> None:
    x = np.linspace(-1, 1, 51)
    values = 1 + 99 * (x**2 + x[:, None] ** 2) / 2
    assert len(draw(block(51, 51, log=True), values).svg) < 120_000


def test_thumbnails_hold_no_words() -> None:
    small = draw(block(), slope(3, 4), small=True)
    assert (small.width, small.height) == surface.SMALL_SIZE
    assert b"#Inter" not in small.svg
