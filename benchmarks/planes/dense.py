"""The network of the article, 1-64-64-64-1 on 256 points of a noisy parabola, 30 x 30 cells."""

from __future__ import annotations

import keras
import numpy as np

from benchmarks.planes import Part, differences, plain_way
from benchmarks.runner import measure, time_once
from reportgen.landscape.directions import draw_plane
from reportgen.landscape.evaluator import Evaluator
from reportgen.landscape.grid import empty
from reportgen.landscape.losses import choose_loss
from reportgen.landscape.model import Model
from reportgen.landscape.parameters import find_parameters
from reportgen.landscape.samples import Samples
from reportgen.subject.outputs import list_outputs, read_output
from reportgen.subject.probe import Probe

POINTS, SIDE, GOAL = 256, 30, 40.0


def race() -> Part:
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (POINTS, 1)).astype(np.float32)
    y = (x**2 + rng.normal(0, 0.05, x.shape)).astype(np.float32)
    model = keras.Sequential(
        [
            keras.Input((1,)),
            *[keras.layers.Dense(64, activation="relu") for _ in range(3)],
            keras.layers.Dense(1),
        ]
    )
    model.compile(optimizer="adam", loss="mean_squared_error")
    model.fit(x, y, epochs=30, verbose=0)
    probe = Probe(model, (1,))
    parameters = find_parameters(model, probe.calls)
    loss = choose_loss(read_output(list_outputs(probe), y, None), model.loss)
    network = Model(model, parameters, loss)
    samples = Samples(lambda rows: x[rows], loss.encode(y), 1024)
    point = parameters.read()
    directions = draw_plane(parameters, point, rng, normalisation="tensor")
    side = np.linspace(-1, 1, SIDE)
    steps = empty(side, side).steps
    made: dict[str, np.ndarray] = {}

    def ours(evaluator: Evaluator, name: str) -> None:
        groups = evaluator.points(point, directions, steps)
        made[name] = np.concatenate([group.losses.mean(axis=1) for group in groups])

    way = plain_way(model, x, y, directions)

    def plain() -> None:
        made["plain"] = np.array([way(step) for step in steps])

    compiled, traced = Evaluator(network, samples, compiled=True), Evaluator(network, samples)
    first = {
        "reportgen, XLA": time_once(lambda: ours(compiled, "reportgen, XLA")),
        "reportgen": time_once(lambda: ours(traced, "reportgen")),
    }
    plain()
    seconds = measure(
        {
            "set_weights + test_on_batch": plain,
            "reportgen, XLA": lambda: ours(compiled, "reportgen, XLA"),
            "reportgen": lambda: ours(traced, "reportgen"),
        },
        5,
    )
    model.set_weights(point)
    cells = len(steps)
    rows = [
        (
            "dense",
            name,
            cells,
            took,
            1000 * took / cells,
            *(differences(made[name], made["plain"]) if name in made else ("", "")),
        )
        for name, took in seconds.items()
    ]
    rows += [
        ("dense", f"{name}, first call", cells, took, 1000 * took / cells, "", "")
        for name, took in first.items()
    ]
    base = seconds["set_weights + test_on_batch"]
    ratio = "dense 1-64-64-64-1, 30 x 30, XLA"
    return Part(
        rows,
        {
            ratio: base / seconds["reportgen, XLA"],
            "dense, without XLA": base / seconds["reportgen"],
            "dense, XLA, compiling included": base / first["reportgen, XLA"],
        },
        {ratio: GOAL},
    )
