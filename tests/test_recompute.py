"""The page on how to compute a number again, run as it stands, against a report on the digits."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reportgen.analyses import records
from reportgen.analyses.feature_maps.census_arrays import COLUMNS
from reportgen.analyses.loss_landscape import planes

PAGE = (Path(__file__).resolve().parents[1] / "docs/recompute.md").read_text("utf-8")
CODE = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
NUMBER = re.compile(r"-?\d[\d,]*\.?\d*(?:e[+-]?\d+)?")
# float32 has seven digits; sums over samples in another order lose one or two of them.
FLOAT32 = 1e-5


@pytest.fixture(scope="module")
def found(digits: Path, samples: Path, tmp_path_factory) -> dict[str, Any]:
    """What the code of the page leaves behind, run in a folder as a reader has it."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "report").symlink_to(digits)
    (folder / "samples").symlink_to(samples)
    names: dict[str, Any] = {}
    with contextlib.chdir(folder):
        exec(compile(CODE, "recompute.md", "exec"), names)
    return names


@pytest.fixture(scope="module")
def blocks(digits: Path) -> dict[str, Any]:
    report = json.loads((digits / "report.json").read_text("utf-8"))
    return {block["id"]: block for section in report["sections"] for block in section["blocks"]}


def facts(block: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in block["rows"]}


def row(block: dict[str, Any], first: str) -> dict[str, Any]:
    """The first row of a table that begins with ``first``, under its header."""
    cells = next(cells for cells in block["rows"] if cells[0] == first)
    return dict(zip(block["header"], cells, strict=True))


def as_printed(text: str, which: int = 0) -> Any:
    """A number of a sentence, as exact as its last digit says."""
    number = NUMBER.findall(text)[which].replace(",", "")
    digits = len(number.partition(".")[2])
    # Rounded to the nearest, and the rounding may fall to either side.
    return pytest.approx(float(number), abs=0.501 * 10**-digits, rel=0)


def test_the_page_needs_nothing_of_the_house():
    assert "reportgen" not in CODE


def test_accuracy_and_log_loss(found, blocks):
    scores = facts(blocks["predictions-summary"])
    assert 100 * found["accuracy"] == as_printed(scores["Accuracy"])
    assert found["log_loss"] == as_printed(scores["Log loss"])
    kept = found["kept"]["predictions"]
    assert kept["record_targets"].tolist() == found["y"].tolist()
    np.testing.assert_allclose(kept["record_outputs"], found["answers"], atol=FLOAT32)


def test_calibration_error(found, blocks):
    said = facts(blocks["predictions-summary"])["Calibration error"]
    assert found["calibration_error"] == as_printed(said, 1)
    (points,) = (s for s in blocks["predictions-reliability"]["series"] if s["name"] == "measured")
    assert len(points["x"]) == len(found["bins"])
    off = np.abs(np.subtract(points["x"], points["y"])).mean()  # bins of one size: a plain mean
    assert found["calibration_error"] == pytest.approx(off, rel=FLOAT32)


def test_mean_spread_and_dead_channels(found, blocks):
    units = row(blocks["feature_maps-units"], "shapes")
    assert units["Mean"] == pytest.approx(found["mean"].mean(), rel=FLOAT32)
    assert units["Spread"] == pytest.approx(found["spread"].mean(), rel=FLOAT32)
    assert units["Never change"] == found["never_change"]
    census = found["kept"]["feature_maps"]["census_7_shapes"]
    assert len(census) == units["Units"]
    for name in ("mean", "spread"):
        column = census[:, COLUMNS.index(name)]
        np.testing.assert_allclose(column, found[name], rtol=FLOAT32)


def test_r_of_a_unit(found, blocks):
    units = row(blocks["feature_maps-classes"], "mix")
    assert (units["Clearest"], units["Class"]) == (51, "2")
    assert units["r"] == pytest.approx(found["r"], rel=FLOAT32)


def test_a_spectral_norm(found, blocks):
    spectrum = row(blocks["weights-spectra"], "shapes")
    assert found["spectral_norm"] == as_printed(spectrum["Spectral norm (random)"])
    values = found["kept"]["weights"]["record_singular_values_3_shapes"]
    assert values.max() == pytest.approx(found["spectral_norm"], rel=1e-9)  # both in float64


def test_what_a_picture_is_worth(found, blocks):
    table = blocks["optvis-numbers"]
    rows = [dict(zip(table["header"], cells, strict=True)) for cells in table["rows"]]
    (unit,) = (one for one in rows if (one["Layer"], one["Unit"]) == ("detour", "14"))
    # Pixels were rounded to 1 of 255 levels: by up to 0.2 % of white, mostly evening out.
    assert found["picture"] == pytest.approx(unit["Picture"], rel=5e-3)
    assert found["sample"] == pytest.approx(unit["Sample"], rel=FLOAT32)
    kept = found["kept"]["optvis"]
    (place,) = np.flatnonzero(kept["record_units_1_detour"][:, 0] == 14)
    each = found["seen"].mean(axis=(1, 2))
    np.testing.assert_allclose(each, kept["record_scores_1_detour"][place], rtol=5e-3)


def test_loss_at_the_model_and_of_a_cell(found, blocks):
    assert found["loss"] == as_printed(facts(blocks["landscape-facts"])["At the model"])
    kept, place = found["landscape"], (found["down"], found["across"])
    assert found["loss"] == pytest.approx(kept["record_losses"].mean(), rel=FLOAT32)
    assert abs(found["place"][0]) + abs(found["place"][1]) > 0.1  # elsewhere than the model
    assert found["cell"] == pytest.approx(kept["random_loss"][place], rel=FLOAT32)  # as drawn
    assert found["cell"] == pytest.approx(kept["record_random_loss"][place], rel=FLOAT32)


def test_a_record_in_the_plane_of_the_path(found, blocks):
    told = row(blocks["landscape-records"], "1")
    assert told["Loss in the plane"] == pytest.approx(found["loss_in_plane"], rel=FLOAT32)
    apart = np.linalg.norm(found["ways"][1] - found["inside"][1])
    assert told["To the plane"] == pytest.approx(apart, rel=FLOAT32)
    said = facts(blocks["landscape-fidelity"])["Share of the path that the plane holds"]
    assert 100 * found["share_held"] == as_printed(said)


def test_the_largest_eigenvalue(found, blocks):
    first = row(blocks["landscape-eigenvalues"], "largest")
    # Of second derivatives in float32; an error of the vector counts by its square.
    assert first["Eigenvalue"] == pytest.approx(found["eigenvalue"], rel=1e-4)


def test_the_sum_of_all_eigenvalues(found, blocks):
    said = facts(blocks["landscape-curvature"])["Sum of all eigenvalues, by random signs"]
    low, high = found["trace"] - found["half"], found["trace"] + found["half"]
    # Three digits are printed; after the number comes "95 %".
    for value, which in ((found["trace"], 0), (low, 2), (high, 3)):
        assert value == as_printed(said, which)
    own, draws = found["own_draws"], found["draws"]
    # Means of independent draws: three standard errors of their difference, by the larger spread.
    chance = own.std(ddof=1) * np.sqrt(1 / len(own) + 1 / len(draws))
    assert own.mean() == pytest.approx(found["trace"], abs=3 * chance)


def test_the_rule_of_directions(found):
    kept = found["landscape"]["record_random_vectors"][0]
    assert np.abs(kept).max() > 0.1
    np.testing.assert_allclose(found["first_direction"], kept, atol=1e-6)  # float32 is kept


def test_what_is_not_kept_is_said():
    assert f"{planes._MOST_KEPT:,} weights" in PAGE
    assert f"{records._MOST_BYTES >> 20} MiB" in PAGE
