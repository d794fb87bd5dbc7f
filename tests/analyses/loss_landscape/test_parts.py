"""The section beside plain NumPy and Keras: records, budgets, tiles, checks of itself."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.analyses.loss_landscape.present import present
from reportgen.battery import find_analysis
from reportgen.landscape.grid import INTERPOLATED, MEASURED, MISSING
from reportgen.subject.history import read_history

from .conftest import QUICK


@pytest.fixture(scope="module")
def parabola(samples, subject_of, analyse):
    """The article's network and its history, audited as `reportgen audit` does it."""
    from reportgen.config import load_config
    from reportgen.subject.subject import open_subject

    config = load_config(samples / "parabola", {})
    subject = open_subject(config)
    options = {**QUICK, "points": 31, "path_points": 25, "normalisation": "tensor"}
    return subject, analyse("loss_landscape", subject, **options)


def forward(weights, x):
    """The network 1-64-64-64-1 in NumPy."""
    for i in range(0, 6, 2):
        x = np.maximum(x @ weights[i] + weights[i + 1], 0)
    return x @ weights[6] + weights[7]


def test_the_article_random_slice_pca_slice_and_path(parabola):
    _, found = parabola
    blocks = {block.id: block for block in found.body.blocks}
    assert {"landscape-random", "landscape-path", "landscape-records"} <= set(blocks)
    path = blocks["landscape-path"].paths[0]
    assert len(path.x) == len(path.labels) == 25
    assert (path.x[-1], path.y[-1]) == pytest.approx((0, 0), abs=2e-3)  # recorded in float16
    assert blocks["landscape-random"].levels


def test_every_record_is_printed_beside_the_plane(parabola):
    """Both columns against NumPy: the record as it was, and its projection into the plane."""
    subject, found = parabola
    history = read_history(subject.config.history, subject.model)
    x, y = subject.samples.pixels.astype(np.float64), subject.labels.values
    final = [w.astype(np.float64) for w in subject.model.get_weights()]
    (table,) = [b for b in found.body.blocks if b.id == "landscape-records"]
    flat = [
        np.concatenate([(a - f).ravel() for a, f in zip(history.arrays(i), final, strict=True)])
        for i in range(len(history.steps))
    ]
    _, _, right = np.linalg.svd(np.stack(flat), full_matrices=False)
    for index, row in enumerate(table.rows):
        weights = [a.astype(np.float64) for a in history.arrays(index)]
        loss = float(((forward(weights, x) - y) ** 2).mean())
        assert row[3] == pytest.approx(loss, rel=1e-4, abs=1e-7)
        shadow = right[:2].T @ (right[:2] @ flat[index])
        cuts = np.split(shadow, np.cumsum([f.size for f in final])[:-1])
        moved = [f + c.reshape(f.shape) for f, c in zip(final, cuts, strict=True)]
        shown = float(((forward(moved, x) - y) ** 2).mean())
        assert row[4] == pytest.approx(shown, rel=1e-3, abs=1e-6)
        assert row[2] == pytest.approx(float(np.linalg.norm(flat[index] - shadow)), abs=2e-3)


def test_contours_and_path_agree(parabola):
    """The grid, interpolated where the path passes, says what was measured there."""
    from scipy.interpolate import RegularGridInterpolator

    _, found = parabola
    training = found.result.training
    grid = training.plane.grid
    field = RegularGridInterpolator((grid.y, grid.x), np.log(grid.loss), method="cubic")
    there = np.exp(field(training.coordinates[:, ::-1]))
    # Between cells of a valley one has to interpolate: a tenth, where the range is a factor 100.
    np.testing.assert_allclose(there, training.shown, rtol=0.1)


def test_it_checks_itself(parabola):
    _, found = parabola
    (table,) = [b for b in found.body.blocks if b.id == "landscape-checks"]
    answers = {row[0]: row[3] for row in table.rows}
    assert set(answers.values()) <= {"yes", "-"}
    assert list(answers.values()).count("yes") >= 4
    assert max(cell.off for cell in found.result.recomputed) < 1e-5
    assert found.result.invariance.off < 1e-3


def test_time_that_is_up_leaves_a_marked_grid(landscape, points):
    from .conftest import linear_model

    found = landscape(linear_model(*points, solved=False), *points, {"seconds": 1e-6})
    grid = found.result.planes[0].grid
    assert grid.count(MISSING) > 0
    assert grid.count(MEASURED) >= 1
    assert np.isfinite(grid.loss[grid.state == MEASURED]).all()
    assert np.isnan(grid.loss[grid.state == MISSING]).all()
    assert found.levels["landscape.negative_curvature"] == "not_applicable"
    assert "seconds" in found.findings["landscape.negative_curvature"].message


def test_interpolated_cells_are_marked(parabola):
    _, found = parabola
    grid = found.result.planes[0].grid
    assert 0 < grid.count(INTERPOLATED) < grid.state.size
    (block,) = [b for b in found.body.blocks if b.id == "landscape-random"]
    states = found.body.arrays[block.states.split("/")[1]]
    assert (states == INTERPOLATED).sum() == grid.count(INTERPOLATED)


@pytest.mark.parametrize(
    ("off", "said"), [(0.03, None), (1.4, "140% off"), (np.nan, "too few to tell")]
)
def test_a_plane_that_is_mostly_guessed_is_called_a_sketch(parabola, off, said):
    _, found = parabola
    first, *others = found.result.planes
    guessed = replace(first, grid=replace(first.grid, off=off))
    body = present(replace(found.result, planes=(guessed, *others)))
    (block,) = [b for b in body.blocks if b.id == "landscape-random"]
    assert ("sketch" in block.caption) == (said is not None)
    assert said is None or said in block.caption


def test_tiles_make_the_same_plane(subject_of, solved, points):
    analysis = find_analysis("loss_landscape")
    subject = subject_of(solved, *points, preprocessing="none")

    def compute(**options):
        chosen = analysis.choose_options("standard", {**QUICK, "refine": False, **options})
        parts = analysis.split(chosen, subject.card)
        results = [analysis.compute(subject, p, np.random.default_rng(0)) for p in parts]
        return analysis.join(results), results

    whole, _ = compute()
    joined, parts = compute(tiles=3)
    assert len(parts) == 3
    assert all(part.planes[0].grid.count(MISSING) for part in parts)
    np.testing.assert_array_equal(joined.planes[0].grid.loss, whole.planes[0].grid.loss)
    assert joined.bends is not None
    assert analysis.present(joined).findings == analysis.present(whole).findings


def test_fixed_batch_and_half_precision_say_so(landscape):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 6)).astype(np.float32), rng.integers(0, 3, 50)
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6,), batch_size=32),
            layers.Dense(8, "relu", dtype="mixed_bfloat16"),
            layers.Dense(3, "softmax"),
        ]
    )
    found = landscape(model, x, y)
    assert found.result.facts.precision == "bfloat16"
    assert found.result.facts.samples == 32  # whole batches
    assert len(found.result.recomputed) == 5
    assert any("bfloat16" in line for line in found.body.method)
    (table,) = [b for b in found.body.blocks if b.id == "landscape-checks"]
    assert [row for row in table.rows if row[3] == "no"] == []


def test_penalties_stay_apart(landscape, points):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, kernel_regularizer="l2")])
    model.compile(loss="mae")
    x, y = points
    found = landscape(model, x, y)
    kernel, bias = model.get_weights()
    assert found.result.facts.loss == pytest.approx(
        float(np.abs(x @ kernel[:, 0] + bias - y).mean()), rel=1e-5
    )
    assert found.result.facts.penalty == pytest.approx(0.01 * float((kernel**2).sum()), rel=1e-5)
    assert max(cell.off for cell in found.result.recomputed) < 1e-5  # Keras' value has both


def test_loss_by_name(landscape, points, solved):
    from reportgen.errors import ConfigurationError

    found = landscape(solved, *points, loss="mean_absolute_error")
    assert found.result.facts.loss_name == "mean absolute error"
    assert "--loss" in found.result.facts.loss_reason
    with pytest.raises(ConfigurationError, match="no loss of Keras"):
        landscape(solved, *points, loss="no_such_loss")
