"""Weights: each planted defect gives its finding with layer and filter; the sound twin none."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.analyses.weights.drawing import _draw_units
from reportgen.analyses.weights.initialisers import looks_initial
from reportgen.subject.history import HistoryWriter
from reportgen.subject.zero_filters import dead_filters

from .lone_kernels import kernel_of, set_kernel


def flagged(found) -> set[str]:
    return {id_ for id_, level in found.levels.items() if level not in ("pass", "not_applicable")}


def test_the_sound_twin_is_silent(trained, weigh):
    found = weigh(trained)
    assert set(found.levels.values()) == {"pass"}
    assert found.result.judged_untrained == 3  # c1, c2 and d1; the head is too small
    assert found.result.filters == 8 + 16 + 16 + 3


def test_statistics_of_a_tensor_by_hand(weigh):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="d", use_bias=False)])
    model.layers[0].kernel.assign([[3, 0], [0, -4], [0, 0], [0, 1e-3]])
    found = weigh(model, np.zeros((5, 4), np.uint8))
    (row,) = found.result.tensors
    values = np.array([3, -4, 1e-3, 0, 0, 0, 0, 0])
    assert (row.address, row.name, row.shape) == ("d", "kernel", (4, 2))
    assert row.norm == pytest.approx(5.0, rel=1e-6)
    assert (row.mean, row.deviation) == pytest.approx((values.mean(), values.std()), rel=1e-6)
    assert (row.low, row.high) == (-4, 3)
    assert row.near_zero_share == 6 / 8  # the deviation is 1.8: 0.001 is below a hundredth
    assert sum(row.histogram) == 8


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_a_number_in_one_kernel(twin, weigh, value):
    set_kernel(twin.get_layer("c2"), lambda k: k.__setitem__((0, 0, 0, 5), value))
    found = weigh(twin)
    assert flagged(found) == {"weights.non_finite"}
    assert found.levels["weights.non_finite"] == "fail"
    assert found.findings["weights.non_finite"].value == 1
    assert "c2 [5]" in found.findings["weights.non_finite"].message
    assert found.result.non_finite[0].remark == "kernel: 1 values"
    assert found.result.non_finite[0].filters == (5,)


@pytest.mark.parametrize(("wide", "zero", "level"), [(300, 1, "note"), (300, 4, "warn")])
def test_a_few_dead_filters_of_many_are_a_note(weigh, wide, zero, level):
    """One of 305 is .3 %; four are 1.3 % of all; of the five outputs one would be a fifth."""
    model = keras.Sequential(
        [keras.Input((9,)), layers.Dense(wide, "relu", name="d"), layers.Dense(5, name="out")]
    )
    set_kernel(model.get_layer("d"), lambda k: k.__setitem__((..., slice(0, zero)), 0))
    finding = weigh(model, np.zeros((5, 9), np.uint8)).findings["weights.dead_filters"]
    assert (finding.level, finding.value) == (level, zero)
    assert finding.threshold == pytest.approx(3.05)
    assert ("So few are no alarm" in finding.message) == (level == "note")


def test_a_zeroed_filter(twin, weigh):
    set_kernel(twin.get_layer("c1"), lambda k: k.__setitem__((..., 3), 0))
    found = weigh(twin)
    assert flagged(found) == {"weights.dead_filters"}
    assert "c1 [3]" in found.findings["weights.dead_filters"].message


def test_a_filter_killed_by_its_batchnorm(twin, weigh):
    gamma = twin.get_layer("bn").gamma.numpy()
    gamma[[2, 7]] = 0
    twin.get_layer("bn").gamma.assign(gamma)
    found = weigh(twin)
    assert flagged(found) == {"weights.dead_filters"}
    assert "c2 [2, 7]" in found.findings["weights.dead_filters"].message
    assert found.findings["weights.dead_filters"].value == 2


@pytest.mark.parametrize("factor", [1.0, 2.5])
def test_a_duplicated_filter(twin, weigh, factor):
    set_kernel(twin.get_layer("c2"), lambda k: k.__setitem__((..., 9), factor * k[..., 4]))
    found = weigh(twin)
    assert flagged(found) == {"weights.duplicate_filters"}
    message = found.findings["weights.duplicate_filters"].message
    assert "c2 [4, 9]" in message
    flag = found.result.duplicates[0]
    assert (flag.filters, flag.which) == ((4, 9), "4 = 9")
    assert flag.remark.startswith(f"cosine {np.sign(factor):+.3f}; ")


@pytest.mark.parametrize(
    "initializer",
    [
        "glorot_uniform",
        "he_normal",
        "lecun_uniform",
        keras.initializers.RandomNormal(stddev=0.05, seed=5),
    ],
)
def test_a_layer_left_at_its_initialiser(trained, weigh, initializer):
    keras.utils.set_random_seed(11)
    model = keras.models.clone_model(
        trained,
        clone_function=lambda layer: (
            layers.Conv2D(16, 3, use_bias=False, name="c2", kernel_initializer=initializer)
            if layer.name == "c2"
            else type(layer).from_config(layer.get_config())
        ),
    )
    for layer in model.layers:
        if layer.weights and layer.name != "c2":
            layer.set_weights(trained.get_layer(layer.name).get_weights())
    found = weigh(model)
    assert flagged(found) == {"weights.untrained_layers"}
    finding = found.findings["weights.untrained_layers"]
    assert finding.value == 1
    assert finding.message.startswith("1 of 3 layers still look like their initialiser")
    assert "c2" in finding.message


@pytest.mark.parametrize(("bias", "most_missed"), [(True, 1), (False, 15)])
def test_how_many_untouched_layers_are_missed(bias, most_missed):
    """A fit is refused by chance with p: 5 % without a bias, 0.1 % where one never moved."""
    missed = 0
    for seed in range(100):
        layer = layers.Dense(
            20, use_bias=bias, kernel_initializer=keras.initializers.GlorotUniform(seed)
        )
        missed += not looks_initial(kernel_of(layer, (20,)), min_p=0.05)
    assert missed <= most_missed  # three times what is expected without a bias


def test_a_bias_that_moved_speaks_against_an_initial_layer():
    keras.utils.set_random_seed(0)
    layer = layers.Dense(30)
    assert looks_initial(kernel_of(layer, (30,)), min_p=0.05)
    layer.bias.assign(np.full(30, 0.01))
    assert looks_initial(kernel_of(layer, (30,)), min_p=0.05) is False


def test_batchnorm_never_updated(twin, weigh):
    norm = twin.get_layer("bn")
    norm.moving_mean.assign(np.zeros(16))
    norm.moving_variance.assign(np.ones(16))
    found = weigh(twin)
    assert flagged(found) == {"weights.batchnorm_degenerate"}
    assert "bn" in found.findings["weights.batchnorm_degenerate"].message
    assert "never updated" in found.result.batchnorm[0].remark


def test_batchnorm_with_a_variance_of_zero(twin, weigh):
    variance = twin.get_layer("bn").moving_variance.numpy()
    variance[3] = 0
    twin.get_layer("bn").moving_variance.assign(variance)
    found = weigh(twin)
    assert flagged(found) == {"weights.batchnorm_degenerate"}
    assert "1 of 16 channels (3)" in found.result.batchnorm[0].remark
    assert "bn [3]" in found.findings["weights.batchnorm_degenerate"].message


def test_filters_of_a_transposed_convolution_lie_along_its_outputs(weigh):
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [keras.Input((8, 8, 6)), layers.Conv2DTranspose(5, 3, name="t"), layers.Flatten()]
    )
    kernel = model.layers[0].kernel.numpy()  # (3, 3, outputs, inputs)
    kernel[:, :, 2] = 0
    model.layers[0].kernel.assign(kernel)
    found = weigh(model, np.zeros((4, 8, 8, 6), np.uint8))
    assert [(flag.address, flag.filters) for flag in found.result.dead] == [("t", (2,))]


def test_zero_is_judged_beside_the_layer():
    filters = np.array([[1e-9, 0], [0, 2e-9], [0, 0]])
    assert dead_filters(filters, None).tolist() == [2]
    assert dead_filters(filters * 1e9, np.array([1, 1e-9, 1])).tolist() == [1, 2]


def test_a_history_is_matched_by_order(trained, twin, weigh, tmp_path):
    writer = HistoryWriter(tmp_path / "h")
    start = {f"other/{i}": np.array(w) for i, w in enumerate(twin.get_weights())}
    changed = {k: v + 0.1 for k, v in start.items()}
    kept = f"other/{[w.path for w in twin.weights].index('c2/kernel')}"
    changed[kept] = start[kept]
    writer.append(0, start, {})
    writer.append(1, changed, {})
    twin.set_weights(list(changed.values()))
    found = weigh(twin, history=tmp_path / "h")
    assert found.result.by_history
    assert [flag.address for flag in found.result.untrained] == ["c2"]
    assert found.result.judged_untrained == 4  # with a history, size does not matter
    assert "did not move" in found.findings["weights.untrained_layers"].message


def test_a_model_too_small_to_judge_says_so(weigh):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, name="d")])
    model.layers[0].kernel.assign([[1.0, 2.0], [0.5, -1.0]])
    found = weigh(model, np.zeros((4, 2), np.uint8))
    assert found.levels["weights.untrained_layers"] == "not_applicable"
    assert flagged(found) == set()


def test_a_shared_layer_is_read_once(weigh):
    shared = layers.Dense(4, name="s")
    x = keras.Input((4,))
    found = weigh(keras.Model(x, shared(shared(x))), np.zeros((4, 4), np.uint8))
    assert [row.name for row in found.result.tensors] == ["kernel", "bias"]


def test_dense_units_are_folded_and_never_averaged():
    """A unit of 200 inputs becomes a tile of its own; its weights stand in reading order."""
    kernel = np.arange(200 * 3, dtype=np.float32).reshape(200, 3)
    call = SimpleNamespace(address="d", label="d", class_name="Dense")
    drawn = _draw_units(call, kernel, 64)
    assert drawn.tiles.shape == (3, 14, 15)  # 15 is the root of 200, rounded up
    np.testing.assert_array_equal(drawn.tiles[1].ravel()[:200], kernel[:, 1])
    assert np.isnan(drawn.tiles[1].ravel()[200:]).all()
    assert drawn.filters_left == 0
    assert _draw_units(call, kernel, 2).filters_left == 1
    single = _draw_units(call, kernel.T[:1], 64)  # one input: the units make one picture
    np.testing.assert_array_equal(single.tiles[0].ravel()[:200], kernel.T[0])
    assert _draw_units(call, np.zeros((20_000, 4), np.float32), 64) is None


def test_a_table_of_batchnorm_statistics(twin, weigh):
    norm = twin.get_layer("bn")
    norm.gamma.assign(np.linspace(-1, 2, 16))
    norm.moving_mean.assign([0] * 4 + [3] * 12)
    norm.moving_variance.assign([1] * 8 + [2] * 8)
    found = weigh(twin)
    (row,) = found.result.norms
    assert (row.address, row.channels, row.at_start) == ("bn", 16, 4)
    assert (row.gamma, row.mean, row.variance) == ((-1, 2), (0, 3), (1, 2))
    table = next(block for block in found.body.blocks if block.id == "weights-batchnorm")
    assert table.rows[0][2] == "-1 to 2"
    assert table.rows[0][-1] == 25


def test_weights_that_prediction_does_not_use_are_read_too(weigh):
    @keras.saving.register_keras_serializable("weights_test")
    class Holding(keras.Model):
        def __init__(self, **settings):
            super().__init__(**settings)
            self.dense = layers.Dense(2)
            self.aside = layers.Dense(3, name="aside")
            self.aside.build((None, 4))
            self.own = self.add_weight(shape=(2,), name="own", initializer="ones")

        def call(self, x):
            return self.dense(x) + self.own

    x = keras.Input((4,))
    holding = Holding(name="holding")
    model = keras.Model(x, holding(x))
    holding.aside.kernel.assign(np.full((4, 3), np.nan))
    found = weigh(model, np.zeros((4, 4), np.uint8))
    (flag,) = found.result.non_finite
    assert "aside" in flag.address
    assert flag.silence is None
    assert "own" in [row.name for row in found.result.tensors]
