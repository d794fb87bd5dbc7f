"""Models that other tools stumble over."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen.attributions import METHODS, explain, open_case
from reportgen.attributions.methods.class_maps import ScoreCAM
from reportgen.attributions.methods.covering import RISE, KernelSHAP, Occlusion
from reportgen.attributions.methods.gradients import SmoothGrad
from reportgen.attributions.methods.paths import IntegratedGradients
from reportgen.attributions.network import Network
from reportgen.errors import UsageError

from .conftest import convnet

SOME = ("occlusion", "hires_cam", "integrated_gradients", "gradient", "score_cam", "rise")


def finite(model, x, methods=SOME, **options):
    made = {}
    for name in methods:
        maps = explain(model, x, name, **options)
        assert np.isfinite(maps.values).all(), name
        assert maps.enlarged.shape == (len(x), *maps.side), name
        made[name] = maps
    return made


def test_nested_backbone(rng):
    inner = convnet(classes=8, activation=None)
    body = keras.Model(inner.inputs, inner.get_layer("last").output, name="body")
    image = keras.Input((16, 16, 3))
    x = layers.GlobalAveragePooling2D()(body(image))
    model = keras.Model(image, layers.Dense(3, activation="softmax")(x))
    x = rng.uniform(0, 1, (3, 16, 16, 3)).astype(np.float32)
    case = open_case(model, x)
    assert case.layer.address == "body/last"
    assert finite(model, x)["hires_cam"].checks["residual"].max() < 1e-4


def test_the_same_network_nested_or_flat_has_the_same_maps(rng):
    flat = convnet()
    image = keras.Input((16, 16, 3))
    nested = keras.Model(image, flat(image))
    x = rng.uniform(0, 1, (2, 16, 16, 3)).astype(np.float32)
    for name in ("hires_cam", "gradient", "occlusion"):
        one, other = (explain(m, x, name, classes=1).values for m in (flat, nested))
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_grey_and_one_output(rng):
    model = convnet((16, 16, 1), classes=1, activation="sigmoid")
    finite(model, rng.uniform(0, 1, (3, 16, 16, 1)).astype(np.float32))


def test_static_batch(rng):
    image = keras.Input(batch_shape=(4, 16, 16, 3))
    x = layers.Conv2D(6, 3, activation="relu")(image)
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    free = keras.Input((16, 16, 3))
    conv = layers.Conv2D(6, 3, activation="relu")
    twin = keras.Model(free, layers.Dense(3)(layers.GlobalAveragePooling2D()(conv(free))))
    twin.set_weights(model.get_weights())
    x = rng.uniform(0, 1, (6, 16, 16, 3)).astype(np.float32)
    for name in SOME:
        one, other = (explain(m, x, name, classes=1).values for m in (model, twin))
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_bfloat16(rng):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = convnet()
    finally:
        keras.config.set_dtype_policy("float32")
    finite(model, rng.uniform(0, 1, (3, 16, 16, 3)).astype(np.float32))


def test_channels_first_by_hand(rng):
    """TensorFlow has no such convolution on a processor: a transposed one stands for it."""
    image = keras.Input((3, 16, 16))
    x = layers.Permute((2, 3, 1))(image)
    x = layers.Conv2D(6, 3, activation="relu", name="last")(x)
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    x = rng.uniform(0, 1, (2, 3, 16, 16)).astype(np.float32)
    case = open_case(model, x)
    made = METHODS["gradient"](case)
    assert made.values.shape[0] == 2


def vit():
    """Four by four patches, two layers of attention, a first token."""
    image = keras.Input((16, 16, 3))
    x = layers.Reshape((16, 24))(layers.Conv2D(24, 4, strides=4)(image))
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(2, 12)(y, y)])
        y = layers.Dense(48, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(24)(y)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(image, layers.Dense(3, activation="softmax")(x))


def test_a_small_vision_transformer(rng):
    x = rng.uniform(0, 1, (2, 16, 16, 3)).astype(np.float32)
    methods = ("occlusion", "integrated_gradients", "gradient", "kernel_shap", "rollout")
    made = finite(vit(), x, methods)
    assert made["rollout"].values.shape == (2, 4, 4)
    np.testing.assert_allclose(made["rollout"].values.sum(axis=(1, 2)), 1, atol=1e-5)


def test_two_inputs(rng):
    image, more = keras.Input((16, 16, 3)), keras.Input((2,), name="more")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, activation="relu")(image))
    x = layers.Concatenate()([x, layers.Dense(4)(more)])
    model = keras.Model([image, more], layers.Dense(3)(x))
    x = rng.uniform(0, 1, (3, 16, 16, 3)).astype(np.float32)
    held = {1: np.array([0.2, -0.4], np.float32)}
    finite(model, x, held=held)
    with pytest.raises(UsageError, match="2 inputs"):
        explain(model, x, "gradient")
    with tf.GradientTape() as tape:
        asked = tf.constant(x)
        tape.watch(asked)
        score = model([asked, tf.tile(held[1][None], (3, 1))])[:, 1]
    by_hand = np.abs(tape.gradient(score, asked)).max(axis=-1)
    made = explain(model, x, "gradient", classes=1, held=held)
    np.testing.assert_allclose(made.values, by_hand, atol=1e-6)


@pytest.mark.parametrize("name", ["occlusion", "rise", "kernel_shap", "score_cam"])
def test_another_class_asks_nothing_again_and_has_its_own_map(rng, name, monkeypatch):
    x = rng.uniform(0, 1, (3, 16, 16, 3)).astype(np.float32)
    model, method = convnet(), METHODS[name]
    case = open_case(model, x, classes=1)
    asked: list[str] = []
    for changing in ("covered", "masked"):
        ask = getattr(Network, changing)
        monkeypatch.setattr(
            Network, changing, lambda *given, ask=ask: asked.append(given[-1]) or ask(*given)
        )
    method(case)
    assert asked
    asked.clear()
    other = method(case.of(np.eye(4, dtype=np.float32)[[2, 2, 2]])).values
    assert not asked
    fresh = method(open_case(model, x, classes=2)).values
    np.testing.assert_allclose(other, fresh, atol=1e-6)


def test_every_method_has_a_title_of_its_own():
    assert len({method.title for method in METHODS.values()}) == len(METHODS)


@pytest.mark.parametrize("name", ["occlusion", "rise", "kernel_shap", "score_cam"])
@pytest.mark.parametrize("change", ["pictures", "reference", "seed"])
def test_another_case_has_its_own_answers(rng, name, change):
    x = rng.uniform(0, 1, (3, 16, 16, 3)).astype(np.float32)
    other = {"pictures": x[::-1].copy(), "reference": x[:1] * 3, "seed": 7}[change]
    case = open_case(convnet(), x, classes=1)
    METHODS[name](case)
    changed = replace(case, **{change: other})
    fresh = {"pictures": {"x": other}, "reference": {"reference": other}, "seed": {"seed": 7}}
    given = {"x": x, "reference": x, **fresh[change]}
    expected = METHODS[name](open_case(case.network.model, given.pop("x"), classes=1, **given))
    np.testing.assert_allclose(METHODS[name](changed).values, expected.values, atol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ScoreCAM(most=0),
        lambda: RISE(masks=0),
        lambda: KernelSHAP(samples=0),
        lambda: Occlusion(cells=0),
        lambda: SmoothGrad(pictures=0),
        lambda: IntegratedGradients(steps=0),
    ],
)
def test_a_count_of_nothing_is_refused(make):
    with pytest.raises(UsageError, match="1 or more, got 0"):
        make()


def test_batch_normalisation_is_at_rest(rng):
    image = keras.Input((8, 8, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(image))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    before = [w.numpy() for w in model.weights]
    x = rng.normal(5, 3, (6, 8, 8, 3)).astype(np.float32)
    finite(model, x)
    for one, other in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(one, other.numpy())


@pytest.mark.parametrize(
    "wrong", [{"classes": 9}, {"classes": [0, 1]}, {"layer": "nowhere"}, {"layer": "head"}]
)
def test_what_cannot_be_meant_is_said(rng, wrong):
    with pytest.raises(UsageError):
        explain(convnet(), rng.uniform(0, 1, (3, 16, 16, 3)), "hires_cam", **wrong)


def test_unknown_methods_name_the_nearest(rng):
    with pytest.raises(UsageError, match="grad_cam"):
        explain(convnet(), rng.uniform(0, 1, (1, 16, 16, 3)), "gradcam")


def test_pictures_of_another_size_are_refused(rng):
    with pytest.raises(Exception, match="16"):
        explain(convnet(), rng.uniform(0, 1, (1, 12, 12, 3)))


def test_maps_can_be_looked_at(rng, tmp_path):
    made = explain(convnet(), rng.uniform(-1, 1, (3, 16, 16, 3)).astype(np.float32), "hires_cam")
    assert made.sheet().shape == (3 * 192, 2 * 192, 3)
    made.to_file(tmp_path / "maps.png")
    assert (tmp_path / "maps.png").stat().st_size > 1000
    assert made._repr_png_().startswith(b"\x89PNG")
    assert repr(made) == "Maps(hires_cam, 3 of 16 x 16)"
