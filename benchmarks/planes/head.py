"""Only the head moves: a nested MobileNetV2 of Teachable Machine, 104 images, 31 x 31 cells.

The backbone's results are the same in every cell, so they are computed once. The plain way runs
it in every cell; a few cells are timed, and multiplied.
"""

from __future__ import annotations

import numpy as np

from benchmarks.planes import Part, differences, plain_way, real_folder
from benchmarks.runner import time_once
from reportgen import landscape
from reportgen.config import AuditConfig
from reportgen.landscape.directions import draw_plane
from reportgen.landscape.parameters import find_parameters
from reportgen.subject.probe import Probe
from reportgen.subject.subject import open_subject

SIDE, TIMED, GOAL, SEED = 31, 5, 20.0, 0


def race() -> Part:
    folder = real_folder()
    if folder is None:
        return Part([("MobileNet", "left out: set REPORTGEN_REAL", "", "", "", "", "")])
    subject = open_subject(
        AuditConfig(
            model=folder / "models" / "tm_BilalSardar_asl" / "keras_model.h5",
            images=folder / "images" / "asl_alphabet",
            preprocessing="symmetric",
        )
    )
    model = subject.model
    x = subject.inputs(np.arange(len(subject.samples)))
    y = np.asarray(subject.labels.values)
    calls = Probe(model, x.shape[1:]).calls
    head = tuple(call.address for call in calls if call.class_name == "Dense")
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    parameters = find_parameters(model, calls, head)
    point = parameters.read()
    drawn = draw_plane(parameters, point, np.random.default_rng(SEED))
    moved = {id(v): (a, b) for v, a, b in zip(parameters.variables, *drawn, strict=True)}
    directions = [
        [moved[id(w)][k] if id(w) in moved else np.float32(0) for w in model.trainable_variables]
        for k in range(2)
    ]
    way = plain_way(model, x, y, directions)
    before = model.get_weights()
    side = np.linspace(-1, 1, SIDE)
    rng = np.random.default_rng(1)
    cells = [(int(i), int(j)) for i, j in rng.integers(SIDE, size=(TIMED, 2))]
    way((0.0, 0.0))  # traced
    made: list[float] = []
    plainly = time_once(lambda: made.extend(way((side[j], side[i])) for i, j in cells))
    model.set_weights(before)
    found = []
    seconds = time_once(
        lambda: found.append(
            landscape.survey(model, x, y, layers=head, points=SIDE, seed=SEED, refine=False)
        )
    )
    grid = found[0].grid
    whole = plainly / TIMED * grid.loss.size
    off = differences([grid.loss[i, j] for i, j in cells], made)
    rows = [
        (
            "MobileNet, head",
            f"set_weights + test_on_batch, {TIMED} cells timed",
            grid.loss.size,
            whole,
            1000 * plainly / TIMED,
            "",
            "",
        ),
        (
            "MobileNet, head",
            "reportgen, every cell",
            grid.loss.size,
            seconds,
            1000 * seconds / grid.loss.size,
            *off,
        ),
    ]
    ratio = "MobileNet, head only, 31 x 31, all included"
    return Part(rows, {ratio: whole / seconds}, {ratio: GOAL})
