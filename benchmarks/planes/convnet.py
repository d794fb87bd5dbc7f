"""The article's network for CIFAR-10 (122 thousand weights), 512 images, 31 x 31 cells, +-1."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.planes import Part, differences, plain_way, real_folder
from benchmarks.runner import time_once
from reportgen import landscape
from reportgen.config import AuditConfig
from reportgen.landscape.directions import draw_plane
from reportgen.landscape.grid import empty
from reportgen.landscape.parameters import find_parameters
from reportgen.subject.probe import Probe
from reportgen.subject.subject import Subject, open_subject

IMAGES, SIDE, GOAL, WORST, MEAN = 512, 31, 4.0, 5.0, 0.5
SEED = 0


def race() -> Part:
    folder = real_folder()
    if folder is None:
        return Part([("CIFAR", "left out: set REPORTGEN_REAL", "", "", "", "", "")])
    subject = open_article(folder)
    model = subject.model
    x, y = repeat_images(subject)
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    parameters = find_parameters(model, Probe(model, x.shape[1:]).calls)
    point = parameters.read()
    directions = draw_plane(parameters, point, np.random.default_rng(SEED))
    side = np.linspace(-1, 1, SIDE)
    steps = empty(side, side).steps
    way = plain_way(model, x, y, directions)
    way(steps[0])  # traced
    landscape.survey(model, x[:8], y[:8], points=19)  # SciPy imported; ours is traced every time
    made: dict[str, Any] = {}

    def plain() -> None:
        made["plain"] = np.array([way(step) for step in steps]).reshape(SIDE, SIDE)
        model.set_weights(point)

    def ours(*, refine: bool) -> None:
        found = landscape.survey(model, x, y, points=SIDE, seed=SEED, refine=refine)
        made[f"{refine}"] = found.grid

    # In turns: the machine is shared, and its pace changes.
    times = [time_once(lambda: ours(refine=True))]
    plainly = time_once(plain)
    times += [time_once(lambda: ours(refine=True)) for _ in range(2)]
    whole = time_once(lambda: ours(refine=False))
    seconds = statistics.median(times)
    refined, full = made["True"], made["False"]
    worst, mean = differences(refined.loss, made["plain"])
    cells = SIDE * SIDE
    measured = refined.count(0)
    rows = [
        ("CIFAR", "set_weights + test_on_batch", cells, plainly, 1000 * plainly / cells, "", ""),
        (
            "CIFAR",
            f"reportgen, {measured} of {cells} measured",
            cells,
            seconds,
            1000 * seconds / measured,
            worst,
            mean,
        ),
        (
            "CIFAR",
            "reportgen, every cell",
            cells,
            whole,
            1000 * whole / cells,
            *differences(full.loss, made["plain"]),
        ),
    ]
    return Part(
        rows,
        {
            "CIFAR convnet, 31 x 31, tracing included": plainly / seconds,
            "CIFAR, every cell measured": plainly / whole,
            f"CIFAR, {WORST:g} % to the worst cell": WORST / worst,
            f"CIFAR, {MEAN:g} % to the average cell": MEAN / mean,
        },
        {
            "CIFAR convnet, 31 x 31, tracing included": GOAL,
            f"CIFAR, {WORST:g} % to the worst cell": 1.0,
            f"CIFAR, {MEAN:g} % to the average cell": 1.0,
        },
    )


def open_article(folder: Path) -> Subject:
    return open_subject(
        AuditConfig(
            model=folder / "models" / "tonio73_data-science" / "CIFAR-10_CNN5.h5",
            images=folder / "images" / "cifar10_test",
            preprocessing="unit",
        )
    )


def repeat_images(subject: Subject) -> tuple[Any, Any]:
    """The collection has 200 images: they, their mirror images, and moved by two pixels."""
    x = subject.inputs(np.arange(len(subject.samples)))
    y = np.asarray(subject.labels.values)
    more = [x, x[:, :, ::-1], np.roll(x, 2, axis=2)]
    return np.concatenate(more)[:IMAGES], np.concatenate([y, y, y])[:IMAGES]
