import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from pydantic import TypeAdapter, ValidationError

from reportgen.figures import colour, contour, hatching, isolines, keys, plane, svg
from reportgen.figures.drawing import THUMBNAIL, Drawing
from reportgen.figures.frame import Box, Places, around, beside
from reportgen.report.blocks import Block, ColourScale, Contour, PlaneMark, PlanePath

HOSTILE = '<script>alert(1)</script> --> $\\frac{ \u202e\x00"'


def block(columns: int = 4, rows: int = 3, **changes: object) -> Contour:
    made = Contour(
        id="a-plane",
        caption="c",
        alt="a",
        values="a/v",
        x=tuple(float(i) for i in range(columns)),
        y=tuple(float(i) for i in range(rows)),
        scale=ColourScale(low=1, high=100),
        x_label="x",
        y_label="y",
    )
    return made.model_copy(update=changes)


def drawn(made: Contour, values: np.ndarray, states: np.ndarray | None = None) -> Figure:
    """The figure, for looking at what is in it."""
    field = plane.make(made, values, states)
    layout = contour.lay_out(made, field)
    figure = Figure(figsize=(layout.width / 96, layout.height / 96))
    contour.paint(figure, made, field, layout)
    return figure


def draw(made: Contour, values: np.ndarray, *, small: bool = False) -> Drawing:
    picture = (contour.thumbnail if small else contour.draw)(made, {"a/v": values}.get)
    assert picture is not None
    return picture


def slope(rows: int, columns: int) -> np.ndarray:
    return np.linspace(1, 100, rows * columns).reshape(rows, columns)


def test_the_extent_is_half_a_cell_around_the_outer_coordinates() -> None:
    made = block(x=(-1.0, 0.0, 1.0), y=(0.0, 1.0, 5.0))
    assert plane.make(made, slope(3, 3), None).extent == (-1.5, 1.5, -0.5, 7.0)
    axes = drawn(made, slope(3, 3)).axes[0]
    assert tuple(axes.images[0].get_extent()) == (-1.5, 1.5, -0.5, 7.0)
    assert (axes.get_xlim(), axes.get_ylim()) == ((-1.5, 1.5), (-0.5, 7.0))


def test_edges_of_uneven_cells_are_midway() -> None:
    assert plane.edges(np.array([0.0, 1.0, 5.0])).tolist() == [-0.5, 0.5, 3.0, 7.0]
    assert plane.edges(np.array([2.0])).tolist() == [1.5, 2.5]


def test_even_cells_are_enlarged_by_a_whole_number() -> None:
    cells = plane.cells_of(np.linspace(-1, 1, 7), plane.raster_side(np.linspace(-1, 1, 7)))
    assert np.bincount(cells).tolist() == [plane.SIDE // 7] * 7


def test_uneven_cells_are_as_wide_as_their_share() -> None:
    centres = np.linspace(-1, 1, 9) ** 3
    borders = plane.edges(centres)
    counts = np.bincount(plane.cells_of(centres, plane.UNEVEN_SIDE), minlength=9)
    shares = np.diff(borders) / (borders[-1] - borders[0]) * plane.UNEVEN_SIDE
    np.testing.assert_allclose(counts, shares, atol=1)


def test_a_peak_at_the_last_column_and_first_row_is_at_the_bottom_right() -> None:
    values = np.ones((3, 5))
    values[0, -1] = 100
    image = drawn(block(5, 3), values).axes[0].images[0]
    pixels = np.asarray(image.get_array())
    assert image.origin == "lower"
    low, high = colour.table("viridis")[[0, colour.STEPS - 1]]
    assert pixels[0, -1, :3].tolist() == high.tolist()
    for row, column in ((0, 0), (-1, 0), (-1, -1)):
        assert pixels[row, column, :3].tolist() == low.tolist()


def test_the_logarithm_puts_the_geometric_mean_in_the_middle_of_the_map() -> None:
    made = block(1, 1, log=True)
    middle = plane.colours(plane.make(made, np.array([[10.0]]), None))[0, 0, :3]
    assert middle.tolist() == colour.table("viridis")[colour.ZERO].tolist()
    assert not plane.make(
        made.model_copy(update={"scale": ColourScale(low=0, high=9)}), np.ones((1, 1)), None
    ).log


def test_states_become_colours() -> None:
    values = np.array([[50.0, 50.0, np.nan, 7.0, np.inf]])
    states = np.array([[0, 1, 2, 3, 4]], np.uint8)
    painted = plane.colours(plane.make(block(5, 1), values, states))[0]
    table = colour.table("viridis")
    assert painted[0].tolist() == painted[1].tolist()
    assert painted[2, :3].tolist() == table[colour.MISSING].tolist()
    assert painted[3, :3].tolist() == table[colour.STEPS - 1].tolist()
    assert painted[:, 3].tolist() == [255, 255, 255, 255, 0]


def test_nan_without_a_state_is_not_finite() -> None:
    field = plane.make(block(2, 1), np.array([[1.0, np.nan]]), None)
    assert field.states.tolist() == [[plane.MEASURED, plane.NOT_FINITE]]


@pytest.mark.parametrize("state", range(5))
def test_only_states_that_occur_are_named(state: int) -> None:
    states = np.full((3, 4), state, np.uint8)
    states[0, 0] = plane.MEASURED
    figure = drawn(block(), slope(3, 4), states)
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    expected = {keys.NAMES[state], keys.NAMES[plane.MEASURED]}
    assert set(words) & set(keys.NAMES.values()) == expected


def test_a_thousand_measured_cells_have_dots_and_more_have_none() -> None:
    few = plane.make(block(40, 25), slope(25, 40), None)
    many = plane.make(block(40, 26), slope(26, 40), None)
    partly = plane.make(block(40, 26), slope(26, 40), np.eye(26, 40).astype(np.uint8))
    assert [keys.dotted(field) for field in (few, many, partly)] == [True, False, True]


def test_dots_stand_on_the_measured_coordinates() -> None:
    states = np.ones((3, 4), np.uint8)
    states[0, 3] = 0
    dots = plane.dots(plane.make(block(), slope(3, 4), states), 80, 60)
    rows, columns = np.nonzero(dots[..., 3])
    # The middle of the last of four cells of 20 pixels, in the lowest row.
    assert (rows.mean() + 0.5, columns.mean() + 0.5) == (10, 70)


def test_hatches_lie_inside_their_cells() -> None:
    mask = np.zeros((40, 60), bool)
    mask[10:20, 30:50] = True
    ends = hatching.segments(mask, 4)
    assert len(ends) > 3
    assert ends[..., 0].min() >= 30
    assert ends[..., 0].max() <= 50
    assert ends[..., 1].min() >= 10
    assert ends[..., 1].max() <= 20
    np.testing.assert_array_equal(np.ptp(ends, axis=1)[:, 0], np.ptp(ends, axis=1)[:, 1])


@pytest.mark.parametrize("log", [False, True])
def test_levels_are_exactly_those_given(log: bool) -> None:
    field = plane.make(block(log=log), slope(3, 4), None)
    assert isolines.drawn_levels(field, (70.0, 12.5, 1e9, -3.0, 12.5)) == [12.5, 70.0]
    figure = drawn(block(log=log, levels=(70.0, 12.5)), slope(3, 4))
    (lines,) = [c for c in figure.axes[0].collections if hasattr(c, "levels")]
    assert lines.levels.tolist() == [field.height(12.5), field.height(70.0)]


def test_a_level_lies_where_the_field_crosses_it() -> None:
    values = np.tile(np.array([1.0, 10.0, 100.0]), (3, 1))
    figure = drawn(block(3, 3, log=True, levels=(10**0.5,)), values)
    (lines,) = [c for c in figure.axes[0].collections if hasattr(c, "levels")]
    np.testing.assert_allclose(lines.get_paths()[0].vertices[:, 0], 0.5)


def test_no_line_enters_cells_without_a_number() -> None:
    values = np.tile(np.linspace(1, 100, 5), (5, 1))
    states = np.zeros((5, 5), np.uint8)
    states[3:] = plane.CENSORED
    figure = drawn(block(5, 5, levels=(40.0,)), values, states)
    (lines,) = [c for c in figure.axes[0].collections if hasattr(c, "levels")]
    assert lines.get_paths()[0].vertices[:, 1].max() <= 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (2, 2), (9, 9)])
@pytest.mark.parametrize("fill", [np.nan, np.inf, 5.0, 0.0, -1.0])
@pytest.mark.parametrize("log", [False, True])
def test_empty_flat_and_thin_fields_are_drawn(
    shape: tuple[int, int], fill: float, log: bool
) -> None:
    made = block(shape[1], shape[0], log=log, levels=(1.0, 5.0), equal=True)
    ElementTree.fromstring(draw(made, np.full(shape, fill)).svg)
    ElementTree.fromstring(draw(made, np.full(shape, fill), small=True).svg)


def test_hostile_words_leave_no_trace() -> None:
    path = PlanePath(name=HOSTILE, x=(0, 1), y=(0, 1), labels=(HOSTILE, HOSTILE))
    made = block(
        paths=(path, PlanePath(name="", x=(), y=())),
        marks=(PlaneMark(x=1, y=1, text=HOSTILE), PlaneMark(x=1e300, y=-1e300, text="far")),
        x_label=HOSTILE,
        y_label=HOSTILE,
        scale=ColourScale(low=0, high=1, unit=HOSTILE),
    )
    source = draw(made, slope(3, 4)).svg
    ElementTree.fromstring(source)
    assert b"script" not in source
    assert b"<!--" not in source


def test_the_same_plane_gives_the_same_bytes() -> None:
    made = block(levels=(20.0, 60.0), paths=(PlanePath(name="p", x=(0, 2), y=(0, 1)),))
    assert draw(made, slope(3, 4)).svg == draw(made, slope(3, 4)).svg


def test_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \(3, 4\), got \(4, 3\)"):
        plane.make(block(), slope(4, 3), None)
    assert contour.draw(block(), {"a/v": slope(4, 3)}.get) is None
    assert contour.draw(block(), {}.get) is None


def test_a_large_plane_is_a_small_picture() -> None:
    x = np.linspace(-1, 1, 51)
    values = 1 + 99 * (x**2 + x[:, None] ** 2) / 2
    made = block(51, 51, log=True, levels=(2.0, 5.0, 10.0, 20.0, 50.0))
    assert len(draw(made, values).svg) < 60_000


def test_thumbnails_hold_no_words_and_keep_equal_units() -> None:
    path = PlanePath(name="p", x=(0, 2), y=(0, 1), labels=("first", "last"))
    small = draw(block(paths=(path,), levels=(20.0,)), slope(3, 4), small=True)
    assert (small.width, small.height) == THUMBNAIL
    assert b"#Inter" not in small.svg
    square = draw(block(3, 3, equal=True), slope(3, 3), small=True)
    assert square.width == square.height == THUMBNAIL[1]


def test_words_keep_apart() -> None:
    places = Places(Box(0, 0, 100, 50), [around(62, 25, 20, 10)])
    free = [box for box in beside(50, 25, 20, 10) if places.free(box)]
    assert free
    assert all(box.shared(places.taken[0]) == 0 for box in free)
    assert places.best([Box(90, 0, 20, 10)]) is None


@pytest.mark.parametrize(("low", "high", "log"), [(0.8, 147, True), (0, 1, False), (-3, 2, False)])
def test_the_ends_of_the_scale_are_named(low: float, high: float, log: bool) -> None:
    field = plane.make(block(1, 1, scale=ColourScale(low=low, high=high), log=log), [[1.0]], None)
    marked = plane.ticks(field, 400)
    assert [words.replace("\u2212", "-") for _, words in (marked[0], marked[-1])] == [
        f"{low:g}",
        f"{high:g}",
    ]
    heights = [height for height, _ in marked]
    assert heights == sorted(heights)
    assert 4 <= len(marked) <= 24
    assert all("$" not in words for _, words in marked)


def test_falling_coordinates_and_paths_of_two_lengths_are_refused() -> None:
    falling = block().model_dump() | {"x": (0, 2, 1, 3)}
    with pytest.raises(ValidationError, match="must rise"):
        Contour.model_validate(falling)
    with pytest.raises(ValidationError, match="2 x, 1 y, 0 labels"):
        PlanePath(name="p", x=(0, 1), y=(0,))


def test_blocks_survive_json() -> None:
    made = block(paths=(PlanePath(name="p", x=(0,), y=(1,)),), states="a/s", levels=(3.0,))
    adapter: TypeAdapter[Block] = TypeAdapter(Block)
    assert adapter.validate_json(made.model_dump_json()) == made


def test_svg_is_made_shorter_without_losing_a_pixel() -> None:
    source = b'<g>\n <!-- a -->\n <path d="M 1.23456 2.5\nL 3 4" transform="scale(0.015625)"/></g>'
    assert svg.compact(source) == (
        b'<g><path d="M 1.23 2.5 L 3 4" transform="scale(0.015625)"/></g>'
    )
    before = draw(block(), slope(3, 4)).svg
    assert re.search(rb"data:image/png;base64,", before)
