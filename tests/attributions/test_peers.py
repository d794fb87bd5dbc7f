"""Faults that other tools have: each test fails on their formula."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen import theme
from reportgen.attributions import METHODS, explain, open_case
from reportgen.attributions.case import answer_of
from reportgen.attributions.cells import make_grid
from reportgen.attributions.gate.curves import draw_curves, order_cells
from reportgen.attributions.gate.randomising import randomise
from reportgen.attributions.maps import Maps
from reportgen.attributions.methods.class_maps import GradCAM, ScoreCAM
from reportgen.attributions.methods.covering import RISE, Occlusion, draw_masks
from reportgen.attributions.methods.paths import IntegratedGradients
from reportgen.attributions.methods.rollout import find_grid, roll_out
from reportgen.attributions.overlay import lay_over

from .conftest import convnet, linear


def test_score_cam_weighs_by_logits(rng):
    """Softmax of probabilities lets no weight be more than e times another (tf-keras-vis)."""
    model = convnet()
    head = model.get_layer("head")
    kernel = np.zeros(head.kernel.shape)
    kernel[0, 1], kernel[1, 1] = 60.0, 1.0
    head.set_weights([kernel, np.zeros(4)])
    x = rng.uniform(0, 1, (3, 16, 16, 3)).astype(np.float32)
    case = open_case(model, x, classes=1)
    found = case.network.maps(x, case.directions, case.layer)[0]
    made = ScoreCAM(fill=None)(case).values
    # Least squares over the channels tells the weights of the map again.
    flat = found.reshape(3, -1, found.shape[-1])
    weights = np.stack(
        [np.linalg.lstsq(f, m.ravel(), rcond=None)[0] for f, m in zip(flat, made, strict=True)]
    )
    live = np.ptp(flat, axis=1) > 1e-6
    sizes = [np.sort(np.abs(w[on])) for w, on in zip(weights, live, strict=True)]
    assert min(one[-1] / one[0] for one in sizes) > 2 * np.e
    chances = model.predict(x, verbose=0)
    theirs = tf.nn.softmax(chances, axis=-1).numpy()
    assert theirs.max() / theirs.min() <= np.e + 1e-6


def test_score_cam_of_one_sigmoid_tells_channels_apart(rng):
    """Over one output a softmax is 1, so all weights would be alike."""
    model = convnet(classes=1, activation="sigmoid")
    x = rng.uniform(0, 1, (2, 16, 16, 3)).astype(np.float32)
    one, other = (explain(model, x, "score_cam", classes=c).values for c in (1, 0))
    np.testing.assert_allclose(one, -other, atol=1e-5)
    assert np.abs(one).max() > 1e-4


BATCHED = [name for name in METHODS if name != "rollout"]


@pytest.mark.parametrize("method", BATCHED)
def test_a_batch_never_changes_a_map(rng, method):
    """Faster Score-CAM takes the union of channels over the batch; others share a normalisation."""
    model = convnet(head="flatten")
    x = rng.uniform(0, 1, (5, 16, 16, 3)).astype(np.float32)
    together = explain(model, x, method, reference=x, classes=[0, 1, 2, 3, 0])
    alone = explain(model, x[3:4], method, reference=x, classes=3)
    scale = np.abs(together.values[3]).max()
    np.testing.assert_allclose(together.values[3], alone.values[0], atol=1e-4 * max(scale, 1e-6))


def residual(depthwise: bool = False):
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, padding="same", name="stem")(image)
    y = (layers.SeparableConv2D if depthwise else layers.Conv2D)(8, 3, padding="same", name="c")(x)
    y = layers.BatchNormalization(name="norm")(y)
    x = layers.ReLU(name="out")(layers.Add(name="sum")([x, y]))
    x = layers.Dropout(0.5, name="drop")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(3, activation="softmax")(x))


@pytest.mark.parametrize("depthwise", [False, True])
def test_the_layer_is_what_the_head_is_given(depthwise):
    """The last convolution of a residual block lies before BatchNormalization, sum and ReLU."""
    case = open_case(residual(depthwise), np.zeros((1, 16, 16, 3)))
    assert case.layer.address == "out"


def test_a_map_of_one_position_is_refused_in_words():
    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 8, name="all")(image)
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))
    case = open_case(model, np.zeros((1, 8, 8, 1)))
    assert case.layer is None
    assert "1 x 1 positions" in case.no_layer
    with pytest.raises(Exception, match="nothing to map"):
        GradCAM()(case)


@pytest.mark.parametrize("head", ["activation", "layer", "nested", "operation"])
def test_logits_are_found_whatever_makes_the_probabilities(rng, head):
    """ReplaceToLinear does nothing, without a word, to a Softmax layer or a nested head."""
    weights = rng.normal(size=(64, 3)).astype(np.float32)
    image = keras.Input((8, 8, 1))
    flat = layers.Flatten()(image)
    dense = layers.Dense(3, activation="softmax" if head in ("activation", "nested") else None)
    if head == "nested":
        inner = keras.Input((64,))
        out = keras.Model(inner, dense(inner))(flat)
    else:
        out = dense(flat)
        out = layers.Softmax()(out) if head == "layer" else out
        out = keras.ops.softmax(out) if head == "operation" else out
    model = keras.Model(image, out)
    dense.set_weights([weights, np.zeros(3)])
    x = rng.normal(size=(2, 8, 8, 1)).astype(np.float32)
    made = explain(model, x, "gradient", classes=2)
    np.testing.assert_allclose(made.channels[0, ..., 0], weights[:, 2].reshape(8, 8), atol=1e-6)


def test_a_map_without_positive_evidence_says_so_and_is_blue():
    """After a ReLU it would be zero, and stretched NaN or red (grad-cam #42, keras-vis #35)."""
    made = Maps("m", -np.ones((1, 4, 4), np.float32), (8, 8), signed=True)
    assert made.without_evidence.all()
    tile = lay_over(made.values, np.full((1, 8, 8, 3), 200, np.uint8))
    blue = np.array(list(bytes.fromhex(theme.AGAINST[1:])))
    assert np.abs(tile.reshape(-1, 3).astype(int) - blue).max() < 30
    nothing = Maps("m", np.zeros((1, 4, 4), np.float32), (8, 8), signed=True)
    assert np.ptp(lay_over(nothing.values, np.full((1, 8, 8, 3), 200, np.uint8))) == 0


@pytest.mark.parametrize("steps", [2, 50])
def test_weights_of_the_integral_sum_to_one(rng, pictures, steps):
    """captum's trapezoid sums to 1 - 1 / n: .98 at 50 steps."""
    weights = rng.normal(size=(8, 8, 2, 2)).astype(np.float32)
    method = IntegratedGradients(steps=steps, baselines=(np.float32(0),))
    made = explain(linear(weights), pictures, method, classes=0)
    np.testing.assert_allclose(
        made.values.sum(axis=(1, 2)), (weights[..., 0] * pictures).sum(axis=(1, 2, 3)), rtol=1e-4
    )


def test_every_mask_of_rise_has_a_place_of_its_own():
    """One crop for a whole batch of masks leaves the lines of the grid in the map (xplique)."""
    masks = draw_masks(np.random.default_rng(0), 400, (28, 28), 7, 0.5)
    assert masks.shape == (400, 28, 28)
    # Were all cut at one place, the variance of a pixel would follow the grid.
    varies = masks.var(axis=0)
    columns = varies[7:21, 4:-4].mean(axis=0)
    assert np.ptp(columns) / columns.mean() < 0.15


def test_a_wrong_order_does_not_pass_for_a_perfect_deletion(rng):
    weights = np.linspace(1, 0, 64).reshape(8, 8, 1, 1).astype(np.float32)
    x = np.ones((1, 8, 8, 1), np.float32)
    case = open_case(linear(weights), x, reference=np.zeros_like(x))
    right = order_cells(weights[None, ..., 0, 0], rng)
    grid = make_grid(8, 8)
    found = draw_curves(case, grid, {"right": right, "wrong": right[:, ::-1]}, "mean")
    assert found["right"].area[0] > 0.2
    assert found["wrong"].area[0] < -0.2


def test_convolutions_of_one_pixel_forget_too(rng):
    """Shuffled along the first axis only, a kernel (1, 1, in, out) keeps its weights (Quantus)."""
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 1, name="one")(image)
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    case = open_case(model, rng.normal(size=(4, 8, 8, 3)))
    other = randomise(case, "all", 0).network._weights
    kernel = model.get_layer("one").kernel.numpy()
    assert (other[0] != kernel).mean() > 0.8
    assert other[0].std() == pytest.approx(kernel.std())


def test_pictures_that_are_no_squares(rng):
    """tf-explain's occlusion crashes off square, and covers with 127.5 at any scaling."""
    weights = rng.normal(size=(6, 20, 1, 2)).astype(np.float32)
    x = rng.normal(size=(2, 6, 20, 1)).astype(np.float32)
    made = explain(linear(weights), x, Occlusion(fills=("mean",)), classes=0)
    assert made.values.shape == (2, 6, 8)
    whole = (weights[..., 0] * (x - x.mean())).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(made.values.sum(axis=(1, 2)), whole, rtol=1e-4)
    assert made.enlarged.shape == (2, 6, 20)


def test_rows_of_a_rollout_add_up_to_one(rng):
    """vit-explain divides columns by the sums of rows."""
    layers_ = [rng.dirichlet(np.ones(5), (2, 5)).astype(np.float32) for _ in range(3)]
    made = roll_out(layers_)
    np.testing.assert_allclose(made.sum(axis=-1), 1, atol=1e-5)
    by_hand = np.eye(5)
    for one in layers_:
        by_hand = (0.5 * one[0] + 0.5 * np.eye(5)) @ by_hand
    np.testing.assert_allclose(made[0], by_hand, atol=1e-5)


def test_tokens_find_their_grid():
    assert find_grid(17, 1.0) == ((4, 4), 1)
    assert find_grid(16, 1.0) == ((4, 4), 0)
    assert find_grid(32, 0.5) == ((4, 8), 0)
    with pytest.raises(Exception, match="no self-attention"):
        find_grid(7, 1.0)


def test_the_scaling_of_the_pixels_does_not_change_what_is_covered(rng):
    """Zero is black, grey or the mean, by the scaling; the mean of the samples is the mean."""
    weights = rng.normal(size=(8, 8, 1, 2)).astype(np.float32)
    x = rng.uniform(0, 1, (3, 8, 8, 1)).astype(np.float32)
    plain = linear(weights)
    moved = linear(weights / 2)
    for method in (Occlusion(), IntegratedGradients(), RISE(masks=50)):
        a = explain(plain, x, method, classes=1).values
        b = explain(moved, 2 * x - 1, method, classes=1).values
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_ties_in_the_answer_are_the_first_class():
    assert answer_of("softmax", np.zeros((2, 3), np.float32)).tolist() == [0, 0]
