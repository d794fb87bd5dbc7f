"""Feature maps: planted defects are named once where they begin; the maps are the probe's."""

import keras
import numpy as np
import pytest
from keras import layers

import reportgen
from reportgen.analyses.feature_maps.layers import (
    _average,
    _fold,
    _is_signed,
    _reach,
    _share_beyond,
)
from reportgen.analyses.feature_maps.selection import choose_layers, choose_samples
from reportgen.subject.probe import Tap


@pytest.fixture
def look(subject_of, analyse, pictures):
    def run(model, x=None, y=None, **options):
        x = pictures[0] if x is None else x
        subject = subject_of(model, x, y, preprocessing="unit" if x.dtype == np.uint8 else None)
        return analyse("feature_maps", subject, **options)

    return run


def named(problems) -> list:
    return [(problem.address, problem.channels) for problem in problems]


def test_the_sound_model_is_silent(trained, look, pictures):
    found = look(trained, *pictures)
    assert set(found.levels.values()) == {"pass"}
    assert found.result.problems.bounded == 1  # d1 has tanh; the softmax is no bounded layer


def test_a_dead_relu_is_named_where_it_begins(twin, look):
    bias, beta = twin.get_layer("c1").bias.numpy(), twin.get_layer("bn").beta.numpy()
    bias[5], beta[[1, 2]] = -1e3, -1e3
    twin.get_layer("c1").bias.assign(bias)
    twin.get_layer("bn").beta.assign(beta)
    found = look(twin)
    # bn itself still varies around -1000; pooling and flattening repeat what act gave them.
    assert named(found.result.problems.dead) == [("c1", (5,)), ("act", (1, 2))]
    finding = found.findings["features.dead_channels"]
    # One of 8 in c1, two of 16 in act: a few are no alarm.
    assert finding.level == "note"
    assert (finding.value, finding.threshold) == (pytest.approx(1 / 8), 0.5)
    assert "c1 [5], act [1, 2]" in finding.message
    assert "The most of one layer: 1 of 8 (12%), in c1." in finding.message
    assert finding.evidence == "feature_maps-dead"
    assert "zero on all of these samples, no answer to them changes without them" in finding.message
    assert all(problem.effect == "" for problem in found.result.problems.dead)


def test_channels_without_a_filter_are_left_to_the_weights(twin, look):
    kernel, gamma = twin.get_layer("c2").kernel.numpy(), twin.get_layer("bn").gamma.numpy()
    kernel[..., 4], gamma[7] = 0, 0
    twin.get_layer("c2").kernel.assign(kernel)
    twin.get_layer("bn").gamma.assign(gamma)
    found = look(twin)
    # bn repeats channel 4 of c2; channel 7 begins in bn.
    assert (found.result.problems.dead, found.result.problems.by_weights) == ([], 2)
    finding = found.findings["features.dead_channels"]
    assert (finding.level, finding.cause) == ("note", "weights.dead_filters")
    assert "weights.dead_filters" in finding.message


def test_a_layer_that_is_all_dead_silences_what_follows(twin, look):
    twin.get_layer("act").activation = keras.ops.zeros_like
    found = look(twin)
    assert [p.address for p in found.result.problems.dead] == ["act"]


def test_a_depthwise_convolution_repeats_its_dead_channels(look):
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.ReLU(name="r"),
            layers.DepthwiseConv2D(2, depth_multiplier=2, name="dw"),
            layers.Flatten(),
            layers.Dense(2, name="out"),
        ]
    )
    x = np.random.default_rng(0).uniform(-1, 1, (40, 6, 6, 2)).astype(np.float32)
    x[..., 1] = -np.abs(x[..., 1])
    assert named(look(model, x).result.problems.dead) == [("r", (1,))]


def test_not_a_number_is_named_at_its_first_layer_and_is_not_dead(twin, look):
    kernel = twin.get_layer("c2").kernel.numpy()
    kernel[0, 0, 0, 3] = np.nan
    twin.get_layer("c2").kernel.assign(kernel)
    found = look(twin)
    assert [p.address for p in found.result.problems.non_finite] == ["c2"]
    assert found.result.problems.non_finite[0].remark == "2,160 values"  # 60 samples of 6 x 6
    assert found.levels["features.non_finite"] == "fail"
    assert found.levels["features.dead_channels"] == "not_applicable"
    assert "behind c2 are not judged" in found.findings["features.dead_channels"].message


@pytest.mark.parametrize("function", ["tanh", "sigmoid"])
def test_a_saturated_hidden_layer(look, function):
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(8, function, name="h"), layers.Dense(1, name="out")]
    )
    x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    calm = look(model, x)
    assert calm.levels["features.saturated"] == "pass"
    model.layers[0].kernel.assign(1e4 * model.layers[0].kernel)
    found = look(model, x)
    assert found.levels["features.saturated"] == "warn"
    assert named(found.result.problems.saturated) == [("h", tuple(range(8)))]


def test_a_sure_output_is_no_fault(look):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, "sigmoid", name="out")])
    model.layers[0].kernel.assign(np.full((4, 1), 1e4))
    x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    found = look(model, x)
    assert found.levels["features.saturated"] == "not_applicable"
    assert found.result.problems.bounded == 0


def test_few_samples_prove_nothing(trained, look, pictures):
    found = look(trained, pictures[0][:20])
    assert found.levels["features.dead_channels"] == "not_applicable"


def test_mosaics_and_paths_are_the_probes_values(trained, subject_of, analyse, pictures):
    subject = subject_of(trained, *pictures, preprocessing="unit")
    result = analyse("feature_maps", subject).result
    assert [layer.address for layer in result.layers] == ["c1", "c2", "act", "pool", "d1"]
    rows = np.array([sample.row for sample in result.samples])
    x = pictures[0][rows].astype(np.float32) / 255
    taps = [Tap("c1", "before"), Tap("c1"), Tap("d1")]
    _, seen = subject.probe.activations(x, taps)
    c1, d1 = result.layers[0], result.layers[-1]
    # 300 pixels divided by 255 in another order of operations.
    before, after = (seen[tap].transpose(0, 3, 1, 2) for tap in taps[:2])
    np.testing.assert_allclose(c1.before, before[:1], atol=1e-5)
    np.testing.assert_allclose(c1.after, after[:1], atol=1e-5)
    np.testing.assert_allclose(c1.path, after[:, list(c1.path_channels)], atol=1e-5)
    np.testing.assert_allclose(d1.after[0].ravel(), seen[taps[2]][0], atol=1e-5)
    assert (c1.channels, c1.channels_left, c1.signed) == (8, 0, True)


def test_averaging_by_hand():
    maps = np.arange(20, dtype=np.float32).reshape(1, 1, 4, 5)
    # Rows 0 1 | 5 6 -> 3; the fifth column is cut off.
    assert _average(maps, 2).tolist() == [[[[3, 5], [13, 15]]]]
    assert _average(maps, 1).tolist() == maps.tolist()


def test_folding_units_in_reading_order():
    folded = _fold(np.arange(18, dtype=np.float32)[None])
    assert folded.shape == (1, 1, 2, 16)
    assert folded[0, 0, 1, :2].tolist() == [16, 17]
    assert np.isnan(folded[0, 0, 1, 2:]).all()


def test_the_scale_of_a_layer():
    after = np.linspace(0, 2, 2001, dtype=np.float32)
    assert _reach(after, None) == pytest.approx(2.0, rel=0.01)  # the 99.9 % quantile
    before = np.array([-50.0, 1.0, 2.0, -3.0], np.float32)
    assert _reach(after, before) == _reach(after, None)  # what is cut away does not count
    assert _share_beyond(before, 2.5) == 0.5
    assert _reach(np.zeros(4, np.float32), before) == pytest.approx(50, rel=0.01)
    assert _reach(np.array([np.nan], np.float32), None) == 1
    assert _is_signed(before)
    assert not _is_signed(after)


def test_one_sample_a_class_and_the_most_confident_mistake(trained, subject_of, pictures):
    x, y = pictures
    wrong = y.copy()
    wrong[7] = (y[7] + 1) % 3
    subject = subject_of(trained, x, wrong, preprocessing="unit")
    chosen, left = choose_samples(subject, 10, np.random.default_rng(0))
    said = subject.probabilities
    mistakes = np.flatnonzero(said.argmax(axis=1) != wrong)
    assert chosen[0].row == mistakes[said[mistakes].max(axis=1).argmax()]
    assert chosen[0].right is False
    labels = [subject.labels.values[sample.row] for sample in chosen if "class" in sample.why]
    assert labels == sorted(set(labels))
    assert (len(labels) >= 2, left) == (True, 0)
    few, left = choose_samples(subject, 1, np.random.default_rng(0))
    assert len([s for s in few if "class" in s.why]) <= 1
    assert left == 2


def test_layers_are_spread_over_the_depth(trained, subject_of, pictures):
    subject = subject_of(trained, pictures[0], preprocessing="unit")
    calls, left = choose_layers(subject, 3)
    assert ([call.address for call in calls], left) == (["c1", "act", "d1"], 2)


def test_vector_models_show_units_by_sample(look, analyse):
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(20, "relu", name="h"), layers.Dense(1, name="out")]
    )
    x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    found = look(model, x, x.sum(axis=1))
    (block,) = [b for b in found.body.blocks if b.kind == "image_grid"]
    before, after = (found.body.arrays[p.tiles.split("/")[1]][0] for p in block.panels)
    rows = [sample.row for sample in found.result.samples]
    by_hand = x[rows] @ model.layers[0].kernel.numpy()
    np.testing.assert_allclose(before, by_hand, atol=1e-5)
    np.testing.assert_allclose(after, np.maximum(by_hand, 0), atol=1e-5)
    assert (len(rows), found.result.pictures) == (50, None)


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_maps_of_any_size_keep_their_values(twin, look, factor):
    layer = twin.get_layer("c1")
    layer.kernel.assign(factor * layer.kernel)
    layer.bias.assign(factor * layer.bias)
    found = look(twin)
    (key,) = [k for k in found.body.arrays if k.startswith("maps_") and k.endswith("c1_after")]
    # Half precision has eleven bits, at least 14 below the largest value.
    stored, exact = found.body.arrays[key].astype(np.float64), found.result.layers[0].after[0]
    np.testing.assert_allclose(stored, exact, rtol=2**-11, atol=exact.max() * 2**-14)


def test_nan_behind_a_fused_relu_is_seen():
    """TensorFlow's fused kernel makes zeros of NaN, so the values after ReLU look fine."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, activation="relu", name="broken"),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    kernel, bias = model.layers[0].get_weights()
    kernel[0, 0, 0, 1] = np.nan
    model.layers[0].set_weights([kernel, bias])
    x = np.random.default_rng(0).random((40, 8, 8, 1), np.float32)
    report = reportgen.audit(model, x, only=("feature_maps",), preset="quick")
    finding = next(f for f in report.findings if f.id == "features.non_finite")
    assert finding.level == "fail"
    assert "broken" in finding.message


def test_most_of_a_layer_dead_warns(twin, look):
    bias = twin.get_layer("c1").bias.numpy()
    bias[:5] = -1e3
    twin.get_layer("c1").bias.assign(bias)
    assert look(twin).findings["features.dead_channels"].level == "note"  # of 60 samples only
    finding = look(twin, alarm_samples=60).findings["features.dead_channels"]
    assert (finding.level, finding.unit, finding.threshold) == ("warn", "share of a layer", 0.5)
    assert finding.value == pytest.approx(5 / 8)
    assert "learning rate" in finding.message


def test_a_quarter_of_all_channels_dead_warns_though_no_layer_is_mostly_dead(twin, look):
    for shift in (twin.get_layer("c1").bias, twin.get_layer("bn").beta):
        values = shift.numpy()
        values[: len(values) // 3] = -1e3
        shift.assign(values)
    found = look(twin, dead_share=0.05, alarm_samples=60)
    finding = found.findings["features.dead_channels"]
    count = sum(len(problem.channels) for problem in found.result.problems.dead)
    assert (finding.level, finding.unit) == ("warn", "share of all channels")
    assert finding.value == pytest.approx(count / found.result.problems.channels)
    assert finding.threshold == 0.05
    assert look(twin).findings["features.dead_channels"].level == "note"
