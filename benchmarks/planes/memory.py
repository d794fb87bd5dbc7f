"""Peak memory of processes of their own: as a grid grows, and as a training has more records."""

from __future__ import annotations

import multiprocessing
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.census import _peak_kilobytes
from benchmarks.planes import Part

SIDES, RECORDS = (15, 61), (8, 64)
MOST = 1.1


def race() -> Part:
    grids = {side: _middle(_grid_peak, side) for side in SIDES}
    paths = {count: _middle(_path_peak, count) for count in RECORDS}
    rows = [
        ("memory", f"grid of {side} x {side}", side * side, f"{mb:.0f} MB", "", "", "")
        for side, mb in grids.items()
    ]
    rows += [
        ("memory", f"path of {count} records", count, f"{mb:.0f} MB", "", "", "")
        for count, mb in paths.items()
    ]
    ratios = {
        f"memory, {SIDES[1]} x {SIDES[1]} to {SIDES[0]} x {SIDES[0]} cells (at most)": grids[
            SIDES[1]
        ]
        / grids[SIDES[0]],
        f"memory, {RECORDS[1]} to {RECORDS[0]} records (at most)": paths[RECORDS[1]]
        / paths[RECORDS[0]],
    }
    return Part(rows, ratios, dict.fromkeys(ratios, MOST))


def _middle(work: object, argument: int) -> float:
    def once() -> float:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return float(pool.apply(work, (argument,)))  # type: ignore[arg-type]

    return sorted(once() for _ in range(3))[1]


def _network() -> object:
    """1.2 million weights: 64 records of them are 300 MB."""
    import keras

    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Dense(1024, activation="relu"),
            keras.layers.Dense(384, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def _grid_peak(side: int) -> float:
    from reportgen import landscape

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(256, 784)).astype(np.float32), rng.integers(0, 10, 256)
    landscape.survey(_network(), x, y, points=side, refine=False)
    return _peak_kilobytes() / 1024


def _path_peak(records: int) -> float:
    from reportgen.landscape.parameters import find_parameters
    from reportgen.landscape.path import find_path_plane
    from reportgen.subject.history import HistoryWriter, read_history, weight_names
    from reportgen.subject.probe import Probe

    model, rng = _network(), np.random.default_rng(0)
    weights = [w.numpy() for w in model.weights]
    names = weight_names(w.path for w in model.weights)
    with tempfile.TemporaryDirectory() as folder:
        writer = HistoryWriter(Path(folder) / "history")
        for epoch in range(records):
            moved = [w + rng.normal(0, 0.01, w.shape).astype(np.float32) for w in weights]
            writer.append(epoch, dict(zip(names, moved, strict=True)), {})
        history = read_history(Path(folder) / "history")
        parameters = find_parameters(model, Probe(model, (784,)).calls)
        find_path_plane(parameters, history.arrays, records, parameters.read())
    return _peak_kilobytes() / 1024
