"""Maps that can be worked out by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen.attributions import explain, open_case
from reportgen.attributions.methods.class_maps import GradCAM, HiResCAM, LayerCAM
from reportgen.attributions.methods.covering import RISE, KernelSHAP, Occlusion
from reportgen.attributions.methods.gradients import SmoothGrad
from reportgen.attributions.methods.paths import ExpectedGradients, IntegratedGradients

from .conftest import convnet, function, linear

FIRST = np.float32(0)


@pytest.fixture
def weights(rng):
    return rng.normal(size=(8, 8, 2, 3)).astype(np.float32)


def cells_of(values):
    """Pixels of 8 x 8 are the cells."""
    return values.sum(axis=-1)


def test_1_the_gradient_of_a_linear_model_is_its_weights(weights, pictures):
    model = linear(weights)
    for method in ("gradient", SmoothGrad()):
        made = explain(model, pictures, method, classes=1)
        np.testing.assert_allclose(
            made.values, np.abs(weights[..., 1]).max(-1)[None].repeat(3, 0), atol=1e-5
        )
    squares = explain(model, pictures, "smoothgrad_squared", classes=1)
    np.testing.assert_allclose(squares.channels[0], weights[..., 1] ** 2, atol=1e-4)
    varied = explain(model, pictures, "vargrad", classes=1)
    np.testing.assert_allclose(varied.values, 0, atol=1e-10)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_2_integrated_gradients_of_a_linear_model(weights, pictures, steps):
    base = np.full((8, 8, 2), 0.3, np.float32)
    method = IntegratedGradients(steps=steps, baselines=(base,))
    made = explain(linear(weights, bias=2.0), pictures, method, classes=2)
    np.testing.assert_allclose(made.channels, weights[..., 2] * (pictures - base), atol=1e-6)
    assert made.checks["completeness"].max() < 1e-5


def test_2_expected_gradients_of_a_linear_model_take_the_mean_of_the_reference(weights, pictures):
    reference = pictures[:1] + 0.5
    made = explain(
        linear(weights), pictures, ExpectedGradients(steps=4), classes=0, reference=reference
    )
    np.testing.assert_allclose(
        made.channels, weights[..., 0] * (pictures - reference), rtol=1e-5, atol=1e-5
    )


def test_3_a_quadratic_form(rng, pictures):
    symmetric = rng.normal(size=(128, 128)).astype(np.float32)
    symmetric = (symmetric + symmetric.T) / 2

    def half(x):
        flat = tf.reshape(x, [-1, 128])
        return tf.reduce_sum(flat * tf.linalg.matmul(flat, symmetric), 1, keepdims=True) / 2

    method = IntegratedGradients(steps=2, baselines=(FIRST,))
    made = explain(function((8, 8, 2), half), pictures, method)
    flat = pictures.reshape(3, -1)
    expected = flat * (flat @ symmetric) / 2
    np.testing.assert_allclose(made.channels.reshape(3, -1), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("steps", [2, 5])
def test_3_a_cube_is_exact_where_the_trapezoid_is_not(pictures, steps):
    """The trapezoid on n places is off by .5 / (n - 1)^2 of x^3; two places of Gauss are exact."""
    cubes = function((8, 8, 2), lambda x: tf.reduce_sum(x**3, [1, 2, 3])[:, None])
    method = IntegratedGradients(steps=steps, baselines=(FIRST,))
    made = explain(cubes, pictures, method).channels
    np.testing.assert_allclose(made, pictures**3, rtol=1e-4, atol=1e-5)
    places = np.linspace(0, 1, steps)
    by_trapezoid = np.trapezoid(3 * places**2, places)
    assert by_trapezoid - 1 == pytest.approx(0.5 / (steps - 1) ** 2)


def product_of_two(x):
    return x[:, 0, 0] * x[:, 0, 1]


def test_4_a_product_is_shared_or_counted_twice():
    model = function((1, 2, 1), product_of_two)
    x = np.array([[[[2.0], [3.0]]]], np.float32)
    reference = np.zeros((1, 1, 2, 1), np.float32)
    halves = [
        explain(model, x, IntegratedGradients(baselines=(FIRST,)), reference=reference),
        explain(model, x, KernelSHAP(samples=8), reference=reference),
    ]
    for made in halves:
        np.testing.assert_allclose(made.values, 3.0, rtol=1e-5)
    whole = explain(model, x, Occlusion(fills=("mean",)), reference=reference)
    np.testing.assert_allclose(whole.values, 6.0, rtol=1e-6)


@pytest.mark.parametrize("cells", [8, 4, 3])
def test_5_occlusion_of_a_linear_model(weights, pictures, cells):
    method = Occlusion(cells=cells, fills=("mean",))
    made = explain(linear(weights), pictures, method, classes=0)
    falls = cells_of(weights[..., 0] * (pictures - pictures.mean(axis=(0, 1, 2))))
    place = np.arange(8) * cells // 8
    expected = np.zeros((3, cells, cells))
    for i in range(8):
        for j in range(8):
            expected[:, place[i], place[j]] += falls[:, i, j]
    np.testing.assert_allclose(made.values, expected, atol=2e-5)


def test_6_rise_of_a_linear_model(weights, pictures):
    """Masks as fine as pixels are bilinear between bits; where bits are pixels they are binary."""
    method = RISE(masks=6000, cells=8)
    case = open_case(linear(weights), pictures, classes=0)
    made = method(case)
    expected = 0.5 * cells_of(weights[..., 0] * (pictures - pictures.mean(axis=(0, 1, 2))))
    off = (made.values - expected) / made.checks["error"][:, None, None]
    assert np.abs(off.mean()) < 0.3
    assert 0.8 < off.std() < 1.2


def test_7_kernel_shap_of_a_sum_is_exact(weights, pictures):
    made = explain(linear(weights, bias=1.0), pictures, KernelSHAP(samples=200), classes=1)
    expected = cells_of(weights[..., 1] * (pictures - pictures.mean(axis=(0, 1, 2))))
    np.testing.assert_allclose(made.values, expected, atol=2e-4)
    assert made.checks["fit"].min() > 1 - 1e-6


def test_8_pooling_and_one_dense_layer(rng):
    model, x = convnet(), rng.normal(size=(4, 16, 16, 3)).astype(np.float32)
    case = open_case(model, x, classes=[0, 1, 2, 3])
    found, kernel = case.network.maps(x, case.directions, case.layer)[0], model.get_layer("head")
    w, bias = (v.numpy() for v in kernel.weights)
    by_hand = np.einsum("nhwk,kn->nhw", found, w) / np.prod(found.shape[1:3])
    for method in (GradCAM(), HiResCAM()):
        made = method(case)
        np.testing.assert_allclose(made.values, by_hand, atol=1e-6)
        np.testing.assert_allclose(made.values.sum(axis=(1, 2)), case.scores - bias, atol=1e-5)
    assert HiResCAM()(case).checks["residual"].max() < 1e-5
    assert HiResCAM()(case).checks["grad_cam"].min() > 1 - 1e-6


def test_8_flattening_and_one_dense_layer_only_hirescam_adds_up(rng):
    model, x = convnet(head="flatten"), rng.normal(size=(4, 16, 16, 3)).astype(np.float32)
    case = open_case(model, x, classes=[0, 1, 2, 3])
    bias = model.get_layer("head").bias.numpy()
    made = HiResCAM()(case)
    np.testing.assert_allclose(made.values.sum(axis=(1, 2)), case.scores - bias, atol=1e-5)
    assert made.checks["residual"].max() < 1e-5
    averaged = GradCAM()(case).values.sum(axis=(1, 2))
    assert np.abs(averaged - (case.scores - bias)).max() > 0.01
    assert made.checks["grad_cam"].max() < 0.999


def test_9_a_constant_positive_gradient(rng):
    model = convnet()
    head = model.get_layer("head")
    head.set_weights([np.abs(head.kernel.numpy()), head.bias.numpy()])
    x = rng.normal(size=(2, 16, 16, 3)).astype(np.float32)
    case = open_case(model, x, classes=0)
    np.testing.assert_allclose(LayerCAM()(case).values, GradCAM()(case).values, atol=1e-6)


def test_probabilities_are_explained_by_what_is_behind_them(weights, pictures):
    """Softmax saturates: its gradient is zero where its logits' is not."""
    sure = linear(weights * 100, activation="softmax")
    made = explain(sure, pictures, "gradient", classes=1)
    np.testing.assert_allclose(made.channels[0], 100 * weights[..., 1], rtol=1e-5)
    with tf.GradientTape() as tape:
        x = tf.constant(pictures)
        tape.watch(x)
        probability = sure(x)[:, 1]
    assert np.abs(tape.gradient(probability, x)).max() < 1e-6  # what a tool of softmax would show


def test_one_sigmoid_has_two_sides(rng, pictures):
    model = linear(rng.normal(size=(8, 8, 2, 1)), activation="sigmoid")
    one = explain(model, pictures, "gradient_times_input", classes=1)
    other = explain(model, pictures, "gradient_times_input", classes=0)
    np.testing.assert_array_equal(one.values, -other.values)
    said = (model.predict(pictures, verbose=0)[:, 0] > 0.5).astype(int)
    own = explain(model, pictures, "gradient_times_input")
    sides = np.where(said[:, None, None] == 1, one.values, other.values)
    np.testing.assert_array_equal(own.values, sides)


def test_one_class_against_another(weights, pictures):
    made = explain(linear(weights), pictures, "gradient", classes=2, against=0)
    np.testing.assert_allclose(made.channels[0], weights[..., 2] - weights[..., 0], atol=1e-6)


def test_a_network_that_ignores_its_picture_has_an_empty_map(pictures):
    image = keras.Input((8, 8, 2))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(image * 0.0)))
    made = explain(model, pictures, "integrated_gradients")
    np.testing.assert_array_equal(made.values, 0)
    assert made.without_evidence.all()
