"""A network that sees colours, and samples it has not seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ...kept import keep

if TYPE_CHECKING:
    import keras

CLASSES = 4


@pytest.fixture(scope="session")
def analyse(analyse: Any) -> Callable[..., SimpleNamespace]:
    """As everywhere, with few samples that are changed: thirty passes that most tests ignore."""

    def run(id_: str, subject: Any, **options: Any) -> SimpleNamespace:
        return analyse(id_, subject, **{"changed_samples": 4, **options})

    return run


def squares(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy pictures with a square: red or blue (classes 0, 1), or a frame of these (2, 3)."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 130, (n, 10, 10, 3))
    y = rng.integers(0, CLASSES, n)
    for picture, label, (top, left) in zip(x, y, rng.integers(0, 6, (n, 2)), strict=True):
        square = picture[top : top + 4, left : left + 4, 2 * (label % 2)]
        inside = square[1:3, 1:3].copy()
        square += 70
        if label > 1:
            square[1:3, 1:3] = inside
    return x.clip(0, 255).astype(np.uint8), y


@pytest.fixture(scope="session")
def colourful(shelf: Path) -> keras.Model:
    """Trained on x / 255 in RGB."""
    import keras
    from keras import layers

    def train(folder: Path) -> None:
        keras.utils.set_random_seed(3)
        model = keras.Sequential(
            [
                keras.Input((10, 10, 3)),
                layers.Conv2D(16, 3, activation="relu"),
                layers.Conv2D(16, 3, activation="relu"),
                layers.GlobalMaxPooling2D(),
                layers.Dense(CLASSES, activation="softmax"),
            ]
        )
        model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
        x, y = squares(1500, 1)
        model.fit(x / 255, y, epochs=12, batch_size=64, verbose=0)
        model.save(folder / "net.keras")

    return keras.saving.load_model(keep(shelf, "colourful", train, Path(__file__)) / "net.keras")


@pytest.fixture(scope="session")
def seen() -> tuple[np.ndarray, np.ndarray]:
    """Three hundred samples that were not trained on: x uint8, y int."""
    return squares(300, 2)
