"""Each check speaks where it must, and only there."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.analyses.loss_landscape.findings import judge
from reportgen.analyses.loss_landscape.results import Lower
from reportgen.subject.history import HistoryWriter, weight_names

from .conftest import line_points


def record(folder, model, moments):
    """A history of these lists of weights."""
    writer = HistoryWriter(folder)
    names = weight_names(weight.path for weight in model.weights)
    for epoch, weights in enumerate(moments):
        writer.append(epoch, dict(zip(names, weights, strict=True)), {})
    return folder


def way_to(model, steps=5):
    """From somewhere straight to the model."""
    end = model.get_weights()
    rng = np.random.default_rng(3)
    start = [w + rng.normal(size=w.shape).astype(w.dtype) for w in end]
    return [
        [s + (e - s) * np.float32(t) for s, e in zip(start, end, strict=True)]
        for t in np.linspace(0, 1, steps)
    ]


def test_a_minimum_passes(landscape, solved, points):
    found = landscape(solved, *points, split="train")
    assert found.levels["landscape.not_a_minimum"] == "pass"
    assert found.levels["landscape.negative_curvature"] == "pass"
    # At the least-squares solution the gradient is zero but for rounding.
    assert found.result.descent.gradient < 1e-5


@pytest.mark.parametrize(("split", "level"), [("train", "warn"), ("test", "note"), (None, "note")])
def test_no_minimum_is_said_by_whose_samples_they_are(landscape, unsolved, points, split, level):
    found = landscape(unsolved, *points, split=split)
    finding = found.findings["landscape.not_a_minimum"]
    assert finding.level == level
    assert "gradient lowers the loss" in finding.message
    assert ("--train" in finding.message) == (level == "note")
    assert finding.value > 0.5  # most of the loss can be got rid of


def test_a_lower_place_by_chance_does_not_contradict_its_verdict(landscape, unsolved, points):
    result = landscape(unsolved, *points, split="train").result
    loss = result.facts.loss
    for errors, level in [(2.0, "pass"), (5.0, "warn")]:
        lower = (Lower("random", 0.1, 0.2, loss / 2, loss / 2 / errors, 441),)
        finding = judge(replace(result, lower=lower, descent=None))[0]
        assert finding.level == level
        assert finding.value == pytest.approx(0 if level == "pass" else 0.5)
        assert ("of 441 cells" in finding.message) == (level == "pass")
        assert "50" in finding.message  # what the table shows is said in both cases


def test_a_fall_that_changes_no_answer_is_no_finding(landscape, unsolved, points):
    """A third less of a loss of 1e-5, where guessing costs 2.3."""
    result = landscape(unsolved, *points, split="train").result
    lower = (Lower("random", 0.1, 0.2, 3e-6, 1e-7, 441),)
    for chance, level in [(2.3, "pass"), (None, "warn")]:
        facts = replace(result.facts, loss=1e-5, chance=chance)
        finding = judge(replace(result, facts=facts, lower=lower, descent=None))[0]
        assert finding.level == level
        assert "30.0% lower" in finding.message
        assert ("no answer hangs on it" in finding.message) == (level == "pass")


def test_training_samples_decide_where_they_are_given(subject_of, analyse, points):
    """The minimum of other samples is no minimum of the audited ones, and that is no fault."""
    from reportgen.config import AuditConfig
    from reportgen.subject.subject import LiveInput, open_subject

    from .conftest import QUICK, linear_model

    x, y = points
    model = linear_model(x, y, solved=True)
    away = y + 2 * x[:, 0]  # the audited samples follow another law
    subject = open_subject(AuditConfig(preprocessing="none"), LiveInput(model, x, away, (x, y)))
    found = analyse("loss_landscape", subject, **QUICK)
    assert found.result.lower  # on the audited samples there is a lower place
    assert found.levels["landscape.not_a_minimum"] == "pass"
    assert found.result.profile.train_losses.argmin() == 15  # the model, in the middle
    message = found.findings["landscape.not_a_minimum"].message
    assert "of the training samples" in message
    assert "along the gradient" in message
    assert found.result.train_descent.gradient < 1e-5 < found.result.descent.gradient
    (plane,) = [plane for plane in found.result.planes if plane.id == "train"]
    assert plane.grid.lowest == plane.grid.centre  # the least-squares solution of these samples
    values = model.predict(x, verbose=0)[:, 0]
    assert plane.grid.loss[plane.grid.centre] == pytest.approx(((values - y) ** 2).mean(), rel=1e-5)
    assert "landscape-train" in {block.id for block in found.body.blocks}
    names = [s.name for b in found.body.blocks if b.id == "landscape-profile" for s in b.series]
    assert names == ["audited samples", "training samples"]


def test_a_fall_on_training_samples_is_a_part_of_their_loss(landscape, unsolved, points):
    """Of 0.04 it is a lot, of the audited 2.7 it would be nothing."""
    result = landscape(unsolved, *points).result
    lower = (Lower("random", 0.1, 0.2, 0.024, 0.001, 441, on_training=True),)
    facts = replace(result.facts, loss=2.7)
    result = replace(result, facts=facts, lower=lower, train_loss=0.04, train_descent=None)
    finding = judge(result)[0]
    assert finding.level == "warn"
    assert finding.value == pytest.approx(0.6)
    assert "60.0% lower" in finding.message


def test_higher_places_and_missing_gradients_are_not_told(landscape, unsolved, points):
    result = landscape(unsolved, *points).result
    higher = (Lower("random", 0.1, 0.2, -0.02, 0.004, 441, on_training=True),)
    finding = judge(replace(result, lower=higher, train_loss=0.04, train_descent=None))[0]
    assert finding.level == "pass"
    assert "chance" not in finding.message
    assert "along the gradient" not in finding.message


@pytest.mark.parametrize(
    ("value", "bends_down", "level"),
    [(-2.0, True, "note"), (-2.0, None, "note"), (-2.0, False, "pass"), (-0.4, True, "pass")],
)
def test_a_rough_eigenvalue_bounds_the_smallest_one(
    landscape, unsolved, points, value, bends_down, level
):
    """v H v is never below it, so a residual is no excuse; a corner of the loss is one."""
    result = landscape(unsolved, *points).result
    bends = replace(
        result.bends, top=((10.0, 0.01),), bottom=((value, 0.8),), bends_down=bends_down
    )
    finding = judge(replace(result, bends=bends))[1]
    assert finding.level == level
    assert ("one side of each corner" in finding.message) == (bends_down is False)


def test_a_claim_of_negative_curvature_is_checked_by_the_loss_itself(subject_of, points):
    """Least squares bends up along every direction, whatever an eigenvalue says."""
    from reportgen.analyses.loss_landscape.curvature import _bends_down
    from reportgen.analyses.loss_landscape.options import Options
    from reportgen.analyses.loss_landscape.setting import settle
    from reportgen.landscape.spectrum import Eigenpair, Extremes

    from .conftest import linear_model

    subject = subject_of(linear_model(*points, solved=False), *points, preprocessing="none")
    setting = settle(subject, Options(), np.random.default_rng(0))
    vector = np.ones(setting.parameters.size) / np.sqrt(setting.parameters.size)
    for value, found in [(-1.0, False), (0.5, None)]:
        pair = Eigenpair(value, vector, 0.1)
        assert _bends_down(setting, Extremes((), (pair,), True, 1)) is found


def test_a_saddle_is_noted(landscape):
    """y = w2 w1 x at w = (0, 0): the Hessian is [[0, c], [c, 0]] with eigenvalues c and -c."""
    model = keras.Sequential(
        [keras.Input((1,)), layers.Dense(1, use_bias=False), layers.Dense(1, use_bias=False)]
    )
    model.compile(loss="mean_squared_error")
    model.set_weights([np.zeros((1, 1)), np.zeros((1, 1))])
    x = np.linspace(-1, 1, 41, dtype=np.float32)[:, None]
    found = landscape(model, x, 3 * x[:, 0])
    finding = found.findings["landscape.negative_curvature"]
    assert finding.level == "note"
    expected = 2 * 3 * float((x**2).mean())  # |d2 L / dw1 dw2| = 2 mean(x y)
    assert finding.value == pytest.approx(-expected, rel=1e-4)
    assert found.result.bends.top[0][0] == pytest.approx(expected, rel=1e-4)


def test_without_a_history_nothing_is_said_of_a_path(landscape, solved, points):
    found = landscape(solved, *points)
    for id_ in ("landscape.plane_fidelity", "landscape.history_mismatch"):
        assert found.levels[id_] == "not_applicable"
        assert "--history" in found.findings[id_].message


def test_the_history_of_this_model(landscape, solved, points, tmp_path):
    history = record(tmp_path / "h", solved, way_to(solved))
    found = landscape(solved, *points, history=history)
    assert found.levels["landscape.history_mismatch"] == "pass"
    assert found.levels["landscape.plane_fidelity"] == "pass"
    assert found.result.training.held == pytest.approx(1, abs=1e-6)  # a straight line


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("restored", "is the record of epoch 2"),
        ("other", "differ from the model by"),
        ("network", "other shapes"),
    ],
)
def test_another_history_is_warned_of(landscape, solved, points, tmp_path, change, words):
    moments = way_to(solved)
    if change == "restored":  # the best epoch was put back at the end
        moments[2], moments[4] = moments[4], moments[2]
    elif change == "other":
        moments = [[w + 1 for w in weights] for weights in moments]
    else:
        moments = [[np.zeros((2, 2), np.float32), weights[1]] for weights in moments]
    found = landscape(solved, *points, history=record(tmp_path / "h", solved, moments))
    finding = found.findings["landscape.history_mismatch"]
    assert finding.level == "warn"
    assert words in finding.message
    drawn = any(block.id == "landscape-path" for block in found.body.blocks)
    assert drawn == (change != "network")


def test_a_random_walk_is_called_one(landscape, points, tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(300), layers.Dense(1)])
    model.compile(loss="mean_squared_error")
    rng = np.random.default_rng(0)
    moments = [model.get_weights()]
    for _ in range(30):  # backwards, so that the last one is the model
        step = [w + rng.normal(0, 0.05, w.shape).astype(w.dtype) for w in moments[0]]
        moments.insert(0, step)
    found = landscape(model, *points, history=record(tmp_path / "h", model, moments))
    training = found.result.training
    np.testing.assert_allclose(training.shares[:3], training.null[:3], atol=0.06)
    assert found.levels["landscape.plane_fidelity"] == "note"


def with_weight(points, value):
    from .conftest import linear_model

    model = linear_model(*points, solved=True)
    weights = model.get_weights()
    weights[0][0] = value
    model.set_weights(weights)
    return model


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_no_number_leaves_nothing_to_measure(landscape, points, value):
    from reportgen.errors import NothingToCheckError

    with pytest.raises(NothingToCheckError, match=r"weights\.non_finite"):
        landscape(with_weight(points, value), *points)


def test_a_loss_that_is_no_number_is_said_once(landscape, points):
    model = with_weight(points, 1e30)  # its square is beyond float32
    found = landscape(model, *points)
    assert found.levels["landscape.not_a_minimum"] == "not_applicable"
    assert found.levels["landscape.negative_curvature"] == "not_applicable"
    assert "not a number" in found.findings["landscape.not_a_minimum"].message
    assert [block.id for block in found.body.blocks] == ["landscape-facts"]


def test_a_plane_without_time_is_no_proof_that_nothing_lies_lower(landscape, points):
    from dataclasses import replace

    from reportgen.analyses.loss_landscape.findings import judge
    from reportgen.analyses.loss_landscape.present import present
    from reportgen.landscape.grid import MEASURED, MISSING

    from .conftest import linear_model

    found = landscape(linear_model(*points, solved=True), *points).result
    planes = []
    for plane in found.planes:
        state = np.full_like(plane.grid.state, MISSING)
        state[plane.grid.centre] = MEASURED
        planes.append(replace(plane, grid=replace(plane.grid, state=state)))
    late = replace(found, planes=tuple(planes), lower=())
    said = {finding.id: finding for finding in judge(late)}["landscape.not_a_minimum"]
    assert "no time for the planes" in said.message
    nothing = {f.id: f for f in judge(replace(late, descent=None))}["landscape.not_a_minimum"]
    assert nothing.level == "not_applicable"
    block = next(b for b in present(late).blocks if b.id == "landscape-random")
    assert block.kind == "text"
    assert "there was time for 1 of" in block.caption


def test_nothing_trainable_says_what_to_name(landscape, points):
    from reportgen.errors import NothingToCheckError

    from .conftest import linear_model

    model = linear_model(*points, solved=True)
    model.trainable = False
    with pytest.raises(NothingToCheckError, match=r"loss_landscape\.layers"):
        landscape(model, *points)
    found = landscape(model, *points, {"layers": ("*",)})
    assert found.result.facts.parameters == 5


def test_layers_without_filters_say_how_they_can_move(landscape):
    from reportgen.errors import UsageError

    model = keras.Sequential(
        [keras.Input((4,)), layers.BatchNormalization(name="norm"), layers.Dense(1)]
    )
    model.compile(loss="mean_squared_error")
    x, y = line_points()
    with pytest.raises(UsageError, match=r"vectors=keep"):
        landscape(model, x, y, {"layers": ("norm",)})
    found = landscape(model, x, y, {"layers": ("norm",), "vectors": "keep"})
    assert np.ptp(found.result.planes[0].grid.loss) > 0


def test_few_samples_do_not_break_it(landscape, solved):
    x, y = line_points(5)
    found = landscape(solved, x, y)
    assert found.result.descent is None  # too few for two halves
    assert found.levels["landscape.not_a_minimum"] in ("pass", "note")


def test_training_samples_without_a_finite_loss_are_left_out(subject_of, analyse, points):
    from reportgen.config import AuditConfig
    from reportgen.subject.subject import LiveInput, open_subject

    from .conftest import QUICK, linear_model

    x, y = points
    huge = np.where(np.arange(len(x)) == 3, np.float32(3e38), x[:, 0])[:, None]
    train = (np.concatenate([huge, x[:, 1:]], axis=1), y)
    config = AuditConfig(preprocessing="none")
    model = linear_model(x, y, solved=True)
    found = analyse("loss_landscape", open_subject(config, LiveInput(model, x, y, train)), **QUICK)
    assert found.result.train_loss is None
    assert found.levels["landscape.not_a_minimum"] == "pass"
