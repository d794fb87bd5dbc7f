"""Small models with known answers, and their optimised images before and after judging."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pytest

if TYPE_CHECKING:  # what is presented here is tested without TensorFlow
    import keras

    from reportgen.analyses.optvis.natural import Responses


def read_pictures(subject: Any, inputs: Any, addresses: Any, peaks: Any = ()) -> Responses:
    """What given inputs do to layers, as `read_natural` reads it of samples."""
    from reportgen.analyses.optvis.natural import Responses, read_responses

    means, highs = read_responses(
        subject, lambda part: inputs[part], len(inputs), addresses, peaks, "pictures"
    )
    return Responses(means, highs, np.arange(len(inputs)), np.ones(len(inputs), np.bool_))


SMALL = {"classes": 0, "dreams": 0}


@pytest.fixture(scope="session")
def paint(subject_of: Any, analyse: Any) -> Callable[..., SimpleNamespace]:
    """``paint(model, x, y, settings, **options)``: what `analyse` gives, and what was judged.

    subject; layers, classes: as painted, with their images in [0, 1].
    """
    module = import_module("reportgen.analyses.optvis.compute")

    def run(
        model: keras.Model, x: Any, y: Any = None, settings: Any = None, **options: Any
    ) -> SimpleNamespace:
        seed = options.pop("seed", 0)
        given = {"preprocessing": "unit", **(settings or {})}
        subject = subject_of(model, x, y, **given)
        with mock.patch.object(module, "judge", wraps=module.judge) as judge:
            found = analyse("optvis", subject, seed=seed, tiny=True, **{**SMALL, **options})
        _, found.layers, found.classes, *_ = judge.call_args.args
        found.subject = subject
        return found

    return run


@pytest.fixture(scope="session")
def noisy() -> Callable[..., np.ndarray]:
    """``noisy(shape, n, most)``: dark noise, uint8 from 0 to ``most``."""

    def draw(shape: tuple[int, ...] = (10, 10, 3), n: int = 40, most: int = 120) -> np.ndarray:
        return np.random.default_rng(5).integers(0, most, (n, *shape)).astype(np.uint8)

    return draw


def build(*parts: Any, shape: tuple[int, ...] = (10, 10, 3), seed: int = 1) -> keras.Model:
    """A stack of layers. The layers were made before this call: a seed set here comes too late."""
    import keras

    inputs = keras.Input(shape)
    values = inputs
    for part in parts:
        values = part(values)
    model = keras.Model(inputs, values)
    rng = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        if len(weight.shape) > 1:  # Glorot and Bengio 2010
            fans = np.prod(weight.shape[:-2]) * (weight.shape[-2] + weight.shape[-1])
            weight.assign(rng.uniform(-1, 1, weight.shape) * np.sqrt(6 / fans))
    return model


@pytest.fixture(scope="session")
def stack() -> Callable[..., keras.Model]:
    """``stack(*layers, shape, seed)``: a model."""
    return build


@pytest.fixture(scope="session")
def head() -> Callable[..., list[Any]]:
    """``head(units, activation)``: average over the map, then a dense layer 'out'."""
    from keras import layers

    def make(units: int = 3, activation: str | None = "softmax") -> list[Any]:
        return [
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(units, activation=activation, name="out"),
        ]

    return make


@pytest.fixture(scope="session")
def sound(paint: Any, stack: Any, head: Any, noisy: Any) -> SimpleNamespace:
    """Two convolutions and three classes; nothing is wrong with them. All kinds of pictures."""
    from keras import layers

    model = stack(
        layers.Conv2D(8, 3, activation="relu", name="c1"),
        layers.Conv2D(12, 3, activation="relu", name="c2"),
        *head(),
    )
    return paint(
        model,
        noisy(),
        np.arange(40) % 3,
        layers=2,
        classes=3,
        dreams=2,
        negative=True,
    )


def set_units(layer: Any, units: Any, kernel: Any, bias: float) -> None:
    """Give some units of a layer this kernel and bias."""
    weights, biases = layer.get_weights()
    weights[..., units] = kernel
    biases[units] = bias
    layer.set_weights([weights, biases])


@pytest.fixture(scope="session")
def planted() -> Callable[..., None]:
    """``planted(layer, units, kernel, bias)``: overwrite units of a layer."""
    return set_units
