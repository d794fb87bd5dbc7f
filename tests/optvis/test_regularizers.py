"""Regularizers against numbers by hand and, where it is installed, tf-keras-vis."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from reportgen.errors import UsageError
from reportgen.optvis.regularizers import L1, L2, Lp, TotalVariation

#   0   .3          right: .3, 0    below: .4, .1
#   .4  .4
SMALL = np.array([[0, 0.3], [0.4, 0.4]], "float32")[None, :, :, None]
CASES = [
    (TotalVariation(weight=2.0), 2 * (0.3 + 0 + 0.4 + 0.1) / 4),
    (TotalVariation(weight=2.0, span=255), 255 * 2 * 0.8 / 4),
    # only the first pixel has both neighbours: .3^2 + .4^2 = .25
    (TotalVariation(weight=2.0, beta=2), 2 * 0.25 / 4),
    (TotalVariation(weight=2.0, beta=2, span=255), 255**2 * 2 * 0.25 / 4),
    (TotalVariation(weight=2.0, beta=1), 2 * 0.5 / 4),
    (TotalVariation(weight=2.0, beta=1, span=255), 255 * 2 * 0.5 / 4),
    (L1(weight=3.0), 3 * 1.1 / 4),
    (L1(weight=3.0, around=0.4), 3 * 0.5 / 4),
    (L2(weight=3.0), 3 * (0.41 / 4) ** 0.5),
    (L2(weight=3.0, span=255), 255 * 3 * (0.41 / 4) ** 0.5),
    (Lp(weight=1.0, p=6), ((0.3**6 + 2 * 0.4**6) / 4) ** (1 / 6)),
    (Lp(weight=1.0, p=6, per="value"), (0.3**6 + 2 * 0.4**6) ** (1 / 6) / 4),
    (Lp(weight=10.0, per="value", span=255), 2550 * (0.3**6 + 2 * 0.4**6) ** (1 / 6) / 4),
]
EACH = pytest.mark.parametrize("regularizer", [case[0] for case in CASES], ids=repr)


def photographs(count: int = 3) -> np.ndarray:
    return np.random.default_rng(5).random((count, 9, 7, 3), "float32")


@pytest.mark.parametrize(("regularizer", "value"), CASES, ids=repr)
def test_by_hand(regularizer, value):
    np.testing.assert_allclose(regularizer.penalty(tf.constant(SMALL)), [value], rtol=1e-5)


@EACH
def test_each_image_pays_for_itself(regularizer):
    images = photographs()
    alone = [float(regularizer.penalty(tf.constant(image[None]))[0]) for image in images]
    # sums of float32 may be taken in another order
    np.testing.assert_allclose(regularizer.penalty(tf.constant(images)), alone, rtol=1e-5)


@EACH
def test_gradients_are_finite_on_a_flat_black_image(regularizer):
    images = tf.zeros((1, 4, 4, 1))
    with tf.GradientTape() as tape:
        tape.watch(images)
        penalty = regularizer.penalty(images)
    assert np.isfinite(tape.gradient(penalty, images)).all()


def test_the_gradient_of_the_length_of_the_slope_is_known():
    image = tf.constant(SMALL)
    with tf.GradientTape() as tape:
        tape.watch(image)
        penalty = TotalVariation(weight=4.0, beta=1).penalty(image)
    # sqrt(.3^2 + .4^2) = .5: .6 to the right, .8 below, -(.6 + .8) here
    expected = [[-1.4, 0.6], [0.8, 0]]
    np.testing.assert_allclose(tape.gradient(penalty, image)[0, :, :, 0], expected, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # its own imports
@pytest.mark.parametrize(
    ("ours", "name", "options"),
    [
        (TotalVariation(weight=1.0, span=255), "TotalVariation2D", {"weight": 1.0}),
        (L1(weight=0.3, span=255), "Norm", {"weight": 0.3, "p": 1}),
        (L2(weight=10.0, span=255), "Norm", {"weight": 10.0, "p": 2}),
        (Lp(weight=10.0, p=6, span=255), "Norm", {"weight": 10.0, "p": 6}),
    ],
)
def test_equal_to_tf_keras_vis(ours, name, options):
    pytest.importorskip("tf_keras_vis")
    from tf_keras_vis.activation_maximization import regularizers as theirs

    images = photographs()
    expected = getattr(theirs, name)(**options)(tf.constant(images * 255))
    np.testing.assert_allclose(ours.penalty(tf.constant(images)), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "build", [lambda: Lp(weight=1, p=0.5), lambda: TotalVariation(weight=1, beta=0)]
)
def test_refuses_what_is_no_norm(build):
    with pytest.raises(UsageError, match="1 or more"):
        build()
