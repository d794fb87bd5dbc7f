"""What a notebook shows of a plane or a line, and what its words say."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from reportgen.landscape.grid import MEASURED, MISSING, Grid, axis, empty
from reportgen.landscape.surveying import Survey

SIDE = axis(1.0, 5)
BOWL = 0.5 + SIDE[:, None] ** 2 + (SIDE[None] - 0.5) ** 2  # lowest where x is 0.5 and y is 0


def make(loss, y=SIDE):
    state = np.where(np.isfinite(loss), MEASURED, MISSING).astype(np.uint8)
    zeros = np.zeros(loss.shape)
    return Grid(SIDE, y, loss, zeros, zeros, zeros + 0.01, state)


def survey(grid):
    return Survey(grid, "mean_squared_error", "it fits", 0.75, 0.0125, 0.0)


def test_words():
    loss = BOWL.copy()
    loss[0, :2] = np.nan
    assert repr(make(loss)) == "Grid(5 x 5: 23 measured, 2 not computed; loss 0.5 to 3.75)"
    assert repr(empty(SIDE, SIDE)) == "Grid(5 x 5: 25 not computed; loss unknown)"
    assert repr(survey(make(loss))) == (
        "Survey(5 x 5, mean_squared_error 0.75 ± 0.01 at the model, lowest 0.5 at (0.5, 0), "
        "2 cells missing)"
    )
    assert "no cell was measured, 25 cells missing" in repr(survey(empty(SIDE, SIDE)))


def lines_of(axes):
    return {line.get_label(): np.array(line.get_xydata())[0] for line in axes.lines}


def test_a_plane_marks_the_model_and_the_lowest_loss():
    axes = survey(make(BOWL)).plot().axes[0]
    marks = lines_of(axes)
    np.testing.assert_array_equal(marks["the model"], [0, 0])
    np.testing.assert_array_equal(marks["lowest"], [0.5, 0])
    assert axes.get_title() == "mean squared error: 0.75 at the model"


def test_a_line_is_a_curve_with_its_error():
    from matplotlib.figure import Figure

    own = Figure().add_subplot()
    figure = survey(make(BOWL[2:3], np.zeros(1))).plot(own)
    assert figure is own.figure
    np.testing.assert_allclose(own.lines[0].get_ydata(), BOWL[2])
    band = own.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(BOWL[2].max() + 0.01)
    np.testing.assert_array_equal(lines_of(own)["lowest"], [0.5, 0.5])


@pytest.mark.parametrize(
    "loss",
    [
        BOWL,
        np.full((5, 5), np.nan),
        np.ones((5, 5)),
        np.exp(20 * BOWL),
        np.where(BOWL > 1, np.nan, BOWL),
    ],
    ids=["bowl", "nothing", "flat", "steep", "holes"],
)
def test_every_plane_is_a_picture(loss):
    shown = survey(make(loss))._repr_png_(), make(loss)._repr_png_()
    for png in shown:
        picture = np.asarray(Image.open(io.BytesIO(png)))
        assert picture.shape[0] > 200
        assert picture.std() > 10  # not blank
