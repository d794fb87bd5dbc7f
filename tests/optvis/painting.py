"""What the tests of painted images share: generators, a photograph, a fit by Adam."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_sample_image

from reportgen.optvis.canvas import Canvas
from reportgen.optvis.parameterizations import Parameterization, resize_images


def generators(*seeds: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in seeds]


@lru_cache
def photograph(side: int = 64) -> np.ndarray:
    """scikit-learn's temple, square, (1, side, side, 3) in [0, 1]."""
    image = load_sample_image("china.jpg")[:, :427].astype(np.float32)[None] / 255
    return np.clip(resize_images(image, Canvas(side, side, 3)), 0.0, 1.0)


def paint(image: Parameterization, variables: tuple[np.ndarray, ...], canvas: Canvas) -> np.ndarray:
    decoded = image.decode([tf.constant(variable) for variable in variables], canvas)
    return np.asarray(decoded)


def fitter(
    image: Parameterization, variables: tuple[np.ndarray, ...], target: np.ndarray, rate: float
) -> Callable[[int], float]:
    """Adam towards the target; a call makes so many steps and tells the mean absolute error."""
    canvas = Canvas(*target.shape[1:])
    held = [tf.Variable(variable) for variable in variables]
    adam = tf.keras.optimizers.Adam(rate)
    adam.build(held)

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            gap = image.decode(held, canvas) - target
            loss = tf.reduce_sum(tf.square(gap))
        adam.apply_gradients(zip(tape.gradient(loss, held), held, strict=True))
        for variable, projected in zip(held, image.project(held), strict=True):
            variable.assign(projected)
        return tf.reduce_mean(tf.abs(gap))

    def run(steps: int) -> float:
        for _ in range(steps):
            error = float(step())
        return error

    return run
