"""tf-keras-vis' ``ActivationMaximization`` as its documentation uses it, every default in force.

As in its notebook about convolution filters: ``ExtractIntermediateLayer``, ``clone=False``,
``CategoricalScore``, and for several units at once a uniform ``seed_input``. `ReplaceToLinear`,
which that notebook adds, would only drop the last ReLU.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tf_keras_vis.activation_maximization import ActivationMaximization
from tf_keras_vis.activation_maximization.callbacks import Callback
from tf_keras_vis.utils.model_modifiers import ExtractIntermediateLayer
from tf_keras_vis.utils.scores import CategoricalScore

PIXELS = (0.0, 255.0)  # what it takes by default


class _Clock(Callback):
    """The time at the end of every step."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        self.times.append(time.perf_counter())


def maximize(
    model: keras.Model,
    layer: str,
    units: Sequence[int],
    side: int,
    *,
    steps: int = 200,
    input_range: tuple[float, float] = PIXELS,
    clock: _Clock | None = None,
) -> NDArray[np.float32]:
    """One image a unit, all at once: ``(n, side, side, 3)`` within ``input_range``."""
    # Modifiers draw from NumPy's generator; that of Rotate2D has no seed.
    np.random.seed(0)
    tf.random.set_seed(0)
    tool = ActivationMaximization(
        model, model_modifier=ExtractIntermediateLayer(layer), clone=False
    )
    images = tool(
        CategoricalScore(list(units)),
        seed_input=tf.random.uniform((len(units), side, side, 3), *input_range),
        input_range=input_range,
        steps=steps,
        callbacks=[clock] if clock else None,
    )
    return np.asarray(images, np.float32)


def time_step(model: keras.Model, layer: str, units: Sequence[int], side: int, steps: int) -> float:
    """Seconds of one step of all units together, the first step not counted."""
    clock = _Clock()
    maximize(model, layer, units, side, steps=steps + 1, clock=clock)
    return (clock.times[-1] - clock.times[0]) / steps
