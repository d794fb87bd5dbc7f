"""What the tests of the landscape share: small models, and the engine opened on one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen.landscape.curvature import Hessian
from reportgen.landscape.evaluator import Evaluator
from reportgen.landscape.losses import choose_loss
from reportgen.landscape.model import Model
from reportgen.landscape.parameters import Parameters, Point, find_parameters
from reportgen.landscape.reuse import Reuse, plan_reuse
from reportgen.landscape.samples import Samples
from reportgen.subject.outputs import Reading, list_outputs, read_output
from reportgen.subject.probe import Probe

Array = np.ndarray


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Every test sees the same initial weights, whatever ran before."""
    keras.utils.set_random_seed(7)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@contextmanager
def precision(policy: str) -> Iterator[None]:
    """Layers and inputs that are made within are of this dtype (or policy of mixed precision)."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    if not policy.startswith("mixed"):
        keras.config.set_floatx(policy)
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


@pytest.fixture
def double() -> Iterator[None]:
    """Models of this test are in float64, so that closed forms hold to rounding."""
    with precision("float64"):
        yield


@dataclass
class Bench:
    """The engine on one model and its samples. Made by `open_bench`."""

    network: keras.Model
    probe: Probe
    reading: Reading
    model: Model
    samples: Samples
    point: Point

    @property
    def parameters(self) -> Parameters:
        return self.model.parameters

    def reuse(self) -> Reuse | None:
        return plan_reuse(self.model, self.probe.calls, self.samples.count)

    def evaluator(self, **options: Any) -> Evaluator:
        return Evaluator(self.model, self.samples, **options)

    def hessian(self, **options: Any) -> Hessian:
        return Hessian(self.model, self.samples, self.point, **options)

    def losses(self, directions: Sequence[Point], steps: Any, **options: Any) -> Array:
        """Mean loss at each step, by the engine."""
        evaluator = self.evaluator(**options)
        groups = evaluator.points(self.point, directions, np.asarray(steps, float))
        return np.concatenate([group.losses.mean(axis=1) for group in groups])


def open_bench(
    network: keras.Model,
    x: Array,
    y: Array,
    *,
    moved: Sequence[str] = (),
    wanted: str | None = None,
    compiled: Any = None,
    output: str | None = None,
    chunk: int = 64,
    fixed: bool = False,
    with_loss: Callable[[Any], Any] | None = None,
) -> Bench:
    """moved: layers, see `find_parameters`. with_loss: changes the chosen loss."""
    probe = Probe(network, x.shape[1:])
    reading = read_output(list_outputs(probe), y, output)
    parameters = find_parameters(network, probe.calls, moved)
    loss = choose_loss(reading, compiled, wanted)
    loss = with_loss(loss) if with_loss else loss
    model = Model(network, parameters, loss, reading.output.index)
    samples = Samples(lambda rows: x[rows], loss.encode(y), chunk, fixed)
    return Bench(network, probe, reading, model, samples, parameters.read())


def dense_net(inputs: int = 4, hidden: int = 5, classes: int = 3) -> keras.Model:
    """A tanh layer and softmax; smooth, not convex."""
    head = layers.Dense(classes, activation="softmax", name="head")
    first = layers.Dense(hidden, activation="tanh", name="first")
    model = keras.Sequential([keras.Input((inputs,)), first, head])
    fill(model)
    return model


def convnet(shape: tuple[int, ...] = (6, 6, 2), classes: int = 3) -> keras.Model:
    """Convolution, BatchNorm with statistics of its own, ReLU, pooling, softmax."""
    image = keras.Input(shape)
    maps = layers.Conv2D(4, 3, use_bias=False, name="conv")(image)
    maps = layers.BatchNormalization(name="norm")(maps)
    pooled = layers.GlobalAveragePooling2D()(layers.ReLU()(maps))
    model = keras.Model(image, layers.Dense(classes, activation="softmax", name="head")(pooled))
    fill(model)
    return model


def fill(model: keras.Model, seed: int = 5) -> None:
    """Weights without any zero, biases and moving statistics too."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.dtype not in ("float32", "float64"):
            continue  # state of a random generator
        drawn = rng.normal(size=tuple(weight.shape)) / np.sqrt(max(1, weight.shape[0]))
        weight.assign(np.abs(drawn) + 0.5 if "variance" in weight.path else drawn + 0.05)


def data(shape: tuple[int, ...], classes: int = 3, count: int = 40, seed: int = 3) -> Any:
    """Gaussian inputs and a class each."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, *shape)), rng.integers(0, classes, count)


def plain_loss(bench: Bench, x: Array, targets: Any, loss: Callable[..., Any]) -> Any:
    """Mean of a Keras loss by a plain call of the model: the other route to the same number."""
    inputs = tf.cast(x, bench.model.input_dtype)
    outputs = keras.tree.flatten(bench.network(inputs, training=False))
    return tf.reduce_mean(loss(targets, outputs[bench.model.output]))


def plain_gradient(
    bench: Bench, point: Point, x: Array, targets: Any, loss: Callable[..., Any]
) -> Array:
    """Of `plain_loss` at a point, flat; weights are set as a user would, and put back."""
    variables = bench.parameters.variables
    kept = [variable.numpy() for variable in variables]
    try:
        for variable, array in zip(variables, point, strict=True):
            variable.assign(array)
        with tf.GradientTape() as tape:
            value = plain_loss(bench, x, targets, loss)
        parts = tape.gradient(value, [variable.value for variable in variables])
    finally:
        for variable, array in zip(variables, kept, strict=True):
            variable.assign(array)
    arrays = [
        np.zeros(tuple(v.shape)) if part is None else np.asarray(tf.convert_to_tensor(part))
        for part, v in zip(parts, variables, strict=True)
    ]
    return np.concatenate([a.astype(float).ravel() for a in arrays])


def finite_product(
    bench: Bench,
    vector: Array,
    x: Array,
    targets: Any,
    loss: Callable[..., Any],
    step: float = 1e-5,
) -> Array:
    """H v by central differences of `plain_gradient`, at the model's weights."""
    parts = bench.parameters.unpack(vector)
    up, down = (
        plain_gradient(
            bench,
            tuple(w + sign * step * d for w, d in zip(bench.point, parts, strict=True)),
            x,
            targets,
            loss,
        )
        for sign in (1, -1)
    )
    return (up - down) / (2 * step)


def flat(point: Point) -> Array:
    return np.concatenate([np.asarray(array, float).ravel() for array in point])


def hash_weights(model: keras.Model) -> tuple[bytes, ...]:
    return tuple(weight.numpy().tobytes() for weight in model.weights)


class MatrixHessian:
    """Stands in for `Hessian` where the matrix is known; counts products alike."""

    def __init__(self, matrix: Array) -> None:
        self.matrix, self.size, self.products = matrix, len(matrix), 0
        self.deadline = np.inf

    def product(self, vector: Array) -> Array:
        self.products += 1
        return self.matrix @ np.asarray(vector).reshape(-1)
