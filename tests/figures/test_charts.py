import re
import warnings

import numpy as np
import pytest

from reportgen.figures import bars, charts, fonts, lines, matrix
from reportgen.figures.drawing import THUMBNAIL, Drawing
from reportgen.figures.frame import thinned
from reportgen.report.blocks import Bars, ColourScale, HeatMap, Lines, Series

LINES = Lines(
    id="a-lines",
    caption="c",
    alt="a",
    x_label="x",
    y_label="y",
    series=(Series(name="one", x=(0, 1, 2), y=(1, None, 3), low=(0, None, 2), high=(2, None, 4)),),
)


def heat_map(count: int, **changes: object) -> HeatMap:
    names = tuple(f"class {i}" for i in range(count))
    block = HeatMap(
        id="a-map",
        caption="c",
        alt="a",
        values="a/v",
        row_title="Label",
        scale=ColourScale(low=0, high=count),
        column_title="Predicted",
        row_labels=names,
        column_labels=names,
    )
    return block.model_copy(update=changes)


def draw(made: HeatMap, values: np.ndarray) -> Drawing:
    picture = matrix.draw(made, {"a/v": values}.get)
    assert picture is not None
    return picture


def test_pyplot_is_never_imported() -> None:
    source = "".join(
        (charts_file.read_text())
        for charts_file in __import__("pathlib").Path(charts.__file__).parent.glob("*.py")
    )
    assert "import matplotlib.pyplot" not in source
    assert "from matplotlib import pyplot" not in source


def test_the_same_block_gives_the_same_bytes_without_a_date() -> None:
    first, second = lines.draw(LINES), lines.draw(LINES)
    assert first.svg == second.svg
    assert b"dc:date" not in first.svg


def test_tex_in_a_name_is_printed_literally() -> None:
    # As mathematics, the dollar signs would be eaten and the text set in another font.
    named = LINES.model_copy(update={"x_label": r"$\frac{1}$"})
    broken = LINES.model_copy(update={"x_label": r"$\frac{"})
    plain = LINES.model_copy(update={"x_label": "x"})

    def glyphs(block: Lines) -> int:
        return lines.draw(block).svg.count(b'<use xlink:href="#Inter') or lines.draw(
            block
        ).svg.count(b"<use")

    assert glyphs(named) - glyphs(plain) == len(r"$\frac{1}$") - 1
    assert lines.draw(broken).svg


def test_logarithmic_ticks_hold_no_tex() -> None:
    log = LINES.model_copy(update={"y_log": True})
    assert b"mathdefault" not in lines.draw(log).svg


def test_glyphs_that_no_font_has_raise_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lines.draw(LINES.model_copy(update={"x_label": "猫 \u202e \ud800 \x00 Ω"}))
    assert fonts.drawable("猫Ω") == "□Ω"


@pytest.mark.parametrize("count", [1, 10, 26, 1000])
def test_heat_maps_of_many_classes_stay_small(count: int) -> None:
    values = np.random.default_rng(0).random((count, count))
    made = draw(heat_map(count), values)
    assert made.width <= 680
    assert made.height <= 680
    assert len(made.svg) < 600_000


def test_cells_are_numbered_only_up_to_25_classes() -> None:
    values = np.full((26, 26), 7.0)
    with_numbers = draw(heat_map(26), values).svg
    without = draw(heat_map(26, numbers=False), values).svg
    assert with_numbers == without
    few = np.full((3, 3), 7.0)
    assert draw(heat_map(3), few).svg != draw(heat_map(3, numbers=False), few).svg


def test_a_thousand_bars_have_few_names() -> None:
    names = tuple(f"class {i}" for i in range(1000))
    block = Bars(
        id="a-bars",
        caption="c",
        alt="a",
        names=names,
        series=("s",),
        values=(tuple(float(i) for i in range(1000)),),
        value_label="v",
    )
    assert len(thinned(1000, bars.MOST_TICKS)) <= bars.MOST_TICKS
    assert bars.draw(block).height == 320


def test_thumbnails_hold_no_text() -> None:
    small = lines.thumbnail(LINES)
    assert (small.width, small.height) == THUMBNAIL
    assert not re.search(rb"<use [^>]*#Inter", small.svg)
