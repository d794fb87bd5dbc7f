"""Layer by layer: effective rank and separability, against closed cases."""

import numpy as np
import pytest

from reportgen.analyses.feature_maps.depth import (
    Depth,
    LayerDepth,
    count_hits,
    effective_rank,
)
from reportgen.analyses.feature_maps.depth_blocks import draw_depth


def directions(*sizes, samples=1000):
    """Samples that vary in orthogonal directions with exactly these standard deviations."""
    noise = np.random.default_rng(0).standard_normal((samples, len(sizes)))
    noise -= noise.mean(axis=0)
    q, _ = np.linalg.qr(noise)  # orthonormal columns, still centred
    return q * np.array(sizes)


@pytest.mark.parametrize("count", [1, 2, 5, 16])
def test_equal_variance_in_k_directions_gives_k(count):
    assert effective_rank(directions(*[3.0] * count)) == pytest.approx(count, rel=1e-9)


def test_unequal_variances_by_hand():
    # Variances 3 : 1, shares 0.75 and 0.25; entropy 0.5623; exp 1.7547.
    values = directions(np.sqrt(3), 1.0)
    assert effective_rank(values) == pytest.approx(1.7547654, abs=1e-6)


def test_neither_rotation_nor_offset_nor_width_changes_it():
    values = directions(3.0, 2.0, 1.0, samples=50)
    turn, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((200, 200)))
    wide = np.pad(values, ((0, 0), (0, 197))) @ turn + 100
    assert wide.shape == (50, 200)  # more features than samples
    assert effective_rank(wide) == pytest.approx(effective_rank(values), rel=1e-6)


def test_samples_that_look_alike_have_no_rank():
    assert effective_rank(np.full((10, 4), 7.0)) is None
    assert effective_rank(np.zeros((10, 4))) is None


def test_classes_far_apart_are_all_told():
    classes = np.repeat(np.arange(3), 20)
    values = np.eye(3)[classes] * 100 + np.random.default_rng(0).standard_normal((60, 3))
    assert count_hits(values, classes, 0) == 60


def test_labels_drawn_by_lot_are_told_by_chance():
    """4 classes, 400 samples of noise: 100 hits expected, deviation below 9."""
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(4), 100)
    hits = count_hits(rng.standard_normal((400, 6)), classes, 0)
    assert abs(hits - 100) < 4 * 8.7


def test_a_sample_is_not_told_by_a_centre_that_saw_it():
    """As many dimensions as samples: centres of the sample itself would tell every one."""
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(2), 10)
    hits = count_hits(rng.standard_normal((20, 500)), classes, 0)
    assert hits < 18


def test_a_constant_feature_does_no_harm():
    classes = np.repeat(np.arange(2), 10)
    values = np.stack([classes * 10.0, np.full(20, 3.0)], axis=1)
    assert count_hits(values, classes, 0) == 20


def depth(*hits, scored=100):
    layers = tuple(LayerDepth(f"layer_{i}", 8, 2.0, h) for i, h in enumerate(hits))
    return Depth(layers, scored, scored, 0.1, "", np.arange(scored), 0)


def test_the_curve_names_the_layer_after_which_nothing_is_better():
    curve = draw_depth(depth(20, 50, 90, 91, 90))[0]
    assert "From layer_2 (layer 2) on, no layer is clearly better" in curve.caption
    assert curve.series[1].y == (0.2, 0.5, 0.9, 0.91, 0.9)


def test_the_curve_names_a_last_layer_that_is_best():
    assert "The last layer (layer_2) is clearly better" in draw_depth(depth(20, 40, 90))[0].caption


def test_without_classes_there_are_ranks_and_the_reason():
    layers = (LayerDepth("a", 8, 2.0, None), LayerDepth("b", 8, None, None))
    (table,) = draw_depth(
        Depth(layers, 50, 0, 0.0, "The samples have no classes.", np.arange(50), 0)
    )
    assert "The samples have no classes." in table.caption
    assert [row[3] for row in table.rows] == ["2.0", ""]
    assert draw_depth(Depth((), 50, 0, 0.0, "", np.arange(50), 0)) == []
