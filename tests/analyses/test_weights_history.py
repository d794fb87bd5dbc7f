"""Initial weights beside trained ones."""

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.analyses.weights.movement import measure_movement
from reportgen.subject.history import HistoryWriter
from reportgen.subject.kernels import list_kernels
from reportgen.subject.probe import Probe


def dense(values):
    values = np.asarray(values, np.float32)
    layer = layers.Dense(values.shape[1], use_bias=False, name="d")
    model = keras.Sequential([keras.Input((values.shape[0],)), layer])
    layer.kernel.assign(values)
    return list_kernels(Probe(model, (values.shape[0],)).calls[-1])[0]


def test_distance_and_cosine_by_hand():
    found = measure_movement(dense([[3.0, 4.0]]), np.array([[0.0, 5.0]]))
    # |(3, -1)| / 5, and (3*0 + 4*5) / 25.
    assert found.distance == pytest.approx(np.sqrt(10) / 5)
    assert found.cosine == pytest.approx(0.8)
    assert found.first.sum() == found.now.sum() == 2
    assert (found.edges[0], found.edges[-1]) == (0, 5)


def test_a_zero_start_has_no_distance():
    found = measure_movement(dense([[3.0, 4.0]]), np.zeros((1, 2)))
    assert (found.distance, found.cosine) == (None, None)
    still = measure_movement(dense(np.ones((2, 2))), np.ones((2, 2)))
    assert (still.distance, still.cosine) == (0, pytest.approx(1))
    assert still.first.sum() == 4  # a histogram without width


def test_a_still_kernel_is_still_in_half_precision():
    values = np.random.default_rng(0).normal(size=(30, 30)).astype(np.float32)
    start = values.astype(np.float16).astype(np.float32)
    assert measure_movement(dense(values), start).distance == 0
    assert measure_movement(dense(values * 1.01), start).distance == pytest.approx(0.01, rel=0.1)


@pytest.fixture
def recorded(tmp_path):
    def record(start, now):
        writer = HistoryWriter(tmp_path / "h")
        for epoch, arrays in enumerate((start, now)):
            writer.append(epoch, {f"w{i}": np.array(a) for i, a in enumerate(arrays)}, {})
        return tmp_path / "h"

    return record


def test_the_report_shows_both(twin, recorded, subject_of, analyse, pictures):
    start = [w + 0.05 for w in twin.get_weights()]
    history = recorded(start, twin.get_weights())
    found = analyse("weights", subject_of(twin, *pictures, preprocessing="unit", history=history))
    assert [m.label for m in found.result.movements] == ["c1", "c2", "d1", "out"]
    first = found.result.movements[0]
    expected = 0.05 * np.sqrt(start[0].size) / np.linalg.norm(start[0])
    assert first.distance == pytest.approx(expected, rel=1e-4)
    blocks = {block.id: block for block in found.body.blocks}
    grid = blocks["weights-kernel-0_c1"]
    assert [panel.title for panel in grid.panels] == ["trained", "initial"]
    pair = [found.body.arrays[panel.tiles.split("/")[1]] for panel in grid.panels]
    assert pair[0].shape == pair[1].shape == (8, 3, 3, 3)
    assert (pair[1].astype(int) >= pair[0]).all()  # one scale: the start is brighter everywhere
    assert grid.panels[0].note == grid.panels[1].note
    assert len(blocks["weights-movement"].rows) == 4
    assert [s.name for s in blocks["weights-movement-0"].series] == ["initial", "trained"]
    assert sum(blocks["weights-movement-0"].series[0].y) == pytest.approx(100)


def test_a_history_of_another_model_is_not_used(twin, recorded, subject_of, analyse, pictures):
    weights = twin.get_weights()[:-1]
    history = recorded(weights, weights)
    found = analyse("weights", subject_of(twin, *pictures, preprocessing="unit", history=history))
    assert found.result.movements == ()
    assert not found.result.by_history


def test_a_frozen_pretrained_layer_is_no_untrained_layer(
    twin, recorded, subject_of, analyse, pictures
):
    """Transfer learning: c2 came trained and was frozen."""
    start = [w + 0.1 for w in twin.get_weights()]
    place = [w.path for w in twin.weights].index("c2/kernel")
    start[place] = twin.get_weights()[place]
    history = recorded(start, twin.get_weights())
    settings = {"preprocessing": "unit", "history": history}
    found = analyse("weights", subject_of(twin, *pictures, **settings))
    assert [flag.address for flag in found.result.untrained] == ["c2"]
    twin.get_layer("c2").trainable = False
    # Weights are told apart by order, and freezing a layer puts its weights last in none of ours.
    found = analyse("weights", subject_of(twin, *pictures, **settings))
    assert found.result.untrained == ()


@pytest.mark.parametrize("name", ["digits", "parabola"])
def test_the_shipped_samples_moved(samples, name):
    from reportgen.config import load_config
    from reportgen.pipeline import run_audit
    from reportgen.worker.process import InlineExecutor

    config = load_config(samples / name, {"only": ("weights",)})
    report, _ = run_audit(config, executor=InlineExecutor())
    section = next(section for section in report.sections if section.id == "weights")
    table = next(block for block in section.blocks if block.id == "weights-movement")
    assert all(row[2] > 0.01 and 0 < row[3] < 1 for row in table.rows)
    assert {finding.level for finding in section.findings} <= {"pass", "not_applicable"}
