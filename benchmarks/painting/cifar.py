"""A whole layer of a small network."""

from __future__ import annotations

import keras

from benchmarks.feature_maps import build_convnet
from benchmarks.painting import Part, row
from benchmarks.runner import time_once
from reportgen import optvis

UNITS, MOST_SECONDS = 64, 30.0


def race() -> Part:
    keras.utils.set_random_seed(0)
    model = build_convnet()
    layer = [part for part in model.layers if isinstance(part, keras.layers.Conv2D)][1]
    assert layer.filters == UNITS
    made: list[optvis.OptimizedImages] = []
    seconds = time_once(
        lambda: made.append(optvis.visualize(model, optvis.channel(layer.name, range(UNITS))))
    )
    steps, score = int(made[0].steps.max()), float(made[0].scores.mean())
    line = row(
        "CIFAR 32 x 32", f"reportgen, {UNITS} units", seconds, UNITS * steps / seconds, steps, score
    )
    ratio = f"CIFAR, {MOST_SECONDS:g} seconds to the time of {UNITS} units"
    return Part([line], {ratio: MOST_SECONDS / seconds}, {ratio: 1.0})
