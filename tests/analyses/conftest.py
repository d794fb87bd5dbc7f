"""Live models and their audits, shared by the tests of the analyses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from reportgen.battery import find_analysis
from reportgen.config import AuditConfig

from ..kept import keep

if TYPE_CHECKING:  # the verdicts here are tested without TensorFlow
    import keras

    from reportgen.subject.subject import Subject


@pytest.fixture(scope="session")
def subject_of() -> Callable[..., Subject]:
    """``subject_of(model, x, y, **settings)``: the subject of a live model."""
    from reportgen.subject.subject import LiveInput, open_subject

    def build(model: keras.Model, x: Any, y: Any = None, **settings: Any) -> Subject:
        return open_subject(AuditConfig(**settings), LiveInput(model, x, y))

    return build


@pytest.fixture(scope="session")
def analyse() -> Callable[..., SimpleNamespace]:
    """``analyse(id, subject, **options)``: the result, the section, the findings by id.

    tiny: over the analysis' own tiny preset instead of the standard one.
    """

    def run(
        id_: str, subject: Subject, *, seed: int = 0, tiny: bool = False, **options: Any
    ) -> SimpleNamespace:
        analysis = find_analysis(id_)
        given = {**analysis.options.tiny, **options} if tiny else options
        chosen = analysis.choose_options("standard", given)
        result = analysis.compute(subject, chosen, np.random.default_rng(seed))
        body = analysis.present(result)
        findings = {finding.id: finding for finding in body.findings}
        levels = {id_: finding.level for id_, finding in findings.items()}
        return SimpleNamespace(result=result, body=body, findings=findings, levels=levels)

    return run


def bars(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy pictures with a bright bar: class 0 upright, class 1 lying, class 2 none."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 100, (n, 10, 10, 3))
    y = rng.integers(0, 3, n)
    for picture, label, place in zip(x, y, rng.integers(1, 9, n), strict=True):
        if label == 0:
            picture[:, place] += 120
        elif label == 1:
            picture[place] += 120
    return x.clip(0, 255).astype(np.uint8), y


def build_net() -> keras.Model:
    """Two convolutions, BatchNorm, pooling, two dense layers; kernels above 200 weights."""
    import keras
    from keras import layers

    inputs = keras.Input((10, 10, 3))
    x = layers.Conv2D(8, 3, activation="relu", name="c1")(inputs)
    x = layers.Conv2D(16, 3, use_bias=False, name="c2")(x)
    x = layers.BatchNormalization(name="bn", momentum=0.8)(x)
    x = layers.Activation("relu", name="act")(x)
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(16, activation="tanh", name="d1")(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(x), name="net")


@pytest.fixture(scope="session")
def trained(shelf: Path) -> keras.Model:
    """A small net that has learned the bars. Take a `twin` to change it."""
    import keras

    def train(folder: Path) -> None:
        keras.utils.set_random_seed(1)
        model = build_net()
        x, y = bars(600, 1)
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x / 255, y, epochs=8, batch_size=32, verbose=0)
        model.save(folder / "net.keras")

    return keras.saving.load_model(keep(shelf, "trained", train, Path(__file__)) / "net.keras")


@pytest.fixture
def twin(trained: keras.Model) -> keras.Model:
    """A copy of the trained net that a test may damage."""
    copy = build_net()
    copy.set_weights(trained.get_weights())
    return copy


@pytest.fixture(scope="session")
def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Sixty samples that the trained net has not seen: x uint8, y int."""
    return bars(60, 2)


@pytest.fixture
def weigh(subject_of: Any, analyse: Any, pictures: Any) -> Callable[..., SimpleNamespace]:
    """``weigh(model, x, y, **settings)``: the weights section of a live model."""

    def run(model: keras.Model, x: Any = None, y: Any = None, **settings: Any) -> SimpleNamespace:
        x = pictures[0] if x is None else x
        return analyse("weights", subject_of(model, x, y, preprocessing="unit", **settings))

    return run
