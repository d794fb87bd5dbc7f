from xml.etree import ElementTree

import numpy as np
import pytest

from reportgen.figures import kernels
from reportgen.report.blocks import ColourScale

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1234, ".12"),
        (-1.26, "−1.3"),
        (24.4, "24"),
        (0.001, "0"),
        (0.0, "0"),
        (-0.5, "−.50"),
        (1234.0, "1e3"),
        (float("nan"), "NaN"),
        (float("-inf"), "−∞"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert kernels.short_number(value) == text


def test_every_cell_has_its_colour_and_its_number() -> None:
    tile = np.array([[[-1.0, 0.0], [0.5, 1.0]]])
    made = kernels.draw(tile, 4, ColourScale(low=-1, high=1, map="signed"), 400)
    root = ElementTree.fromstring(made.svg)
    assert [text.text for text in root.iter(f"{SVG}text")] == ["−1.0", "0", ".50", "1.0"]
    fills = [rect.get("fill") for rect in root.iter(f"{SVG}rect")]
    assert fills[0] == "#053061"
    assert fills[3] == "#67001f"
    assert (made.width, made.height) == (68, 68)
    dark, light = (text.get("fill") for text in list(root.iter(f"{SVG}text"))[:2])
    assert (dark, light) == ("#ffffff", "#000000")


def test_rows_are_balanced_where_not_all_tiles_fit() -> None:
    made = kernels.draw(np.zeros((8, 3, 3)), 8, ColourScale(low=0, high=1), 640)
    assert made.width == 4 * (3 * kernels.CELL + kernels.TILE_GAP) - kernels.TILE_GAP


def test_only_small_tiles_of_numbers_can_be_written_out() -> None:
    assert kernels.can_show(np.zeros((8, 7, 7)))
    assert not kernels.can_show(np.zeros((8, 8, 8)))
    assert not kernels.can_show(np.zeros((600, 3, 3)))
    assert not kernels.can_show(np.zeros((1, 3, 3, 3)))
