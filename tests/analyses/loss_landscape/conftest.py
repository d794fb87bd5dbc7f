"""Small networks whose landscape is known, and a quick audit of them."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from reportgen.battery import find_analysis

if TYPE_CHECKING:  # the verdicts here are tested without TensorFlow
    import keras

QUICK = {**find_analysis("loss_landscape").options.tiny, "samples": 512, "seconds": 150.0}


@pytest.fixture(scope="session")
def landscape(subject_of, analyse) -> Callable[..., SimpleNamespace]:
    """``landscape(model, x, y, options={...}, **settings)``: the section, computed quickly."""

    def run(
        model: keras.Model, x: Any, y: Any, options: dict[str, Any] | None = None, **settings: Any
    ) -> SimpleNamespace:
        subject = subject_of(model, x, y, **{"preprocessing": "none", **settings})
        return analyse("loss_landscape", subject, **{**QUICK, **(options or {})})

    return run


def line_points(count: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """y = x w + noise, in four dimensions: the minimum is known in closed form."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 4)).astype(np.float32)
    y = x @ np.array([1.0, -2.0, 0.5, 3.0]) + rng.normal(0, 0.1, count)
    return x, y.astype(np.float32)


def linear_model(x: np.ndarray, y: np.ndarray, *, solved: bool) -> keras.Model:
    """One dense layer; ``solved``: at the least-squares solution, else at its start."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, name="only")])
    model.compile(loss="mean_squared_error")
    if solved:
        whole = np.c_[x, np.ones(len(x))]
        best = np.linalg.lstsq(whole.astype(np.float64), y, rcond=None)[0]
        model.get_layer("only").set_weights([best[:4, None], best[4:]])
    return model


@pytest.fixture(scope="session")
def points() -> tuple[np.ndarray, np.ndarray]:
    return line_points()


@pytest.fixture(scope="session")
def solved(points) -> keras.Model:
    return linear_model(*points, solved=True)


@pytest.fixture(scope="session")
def unsolved(points) -> keras.Model:
    return linear_model(*points, solved=False)
