"""How many images climb how many steps in a second: the topology of VGG16."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from benchmarks.painting import Part, row
from benchmarks.peers import bare, tf_keras_vis
from benchmarks.runner import bfloat16_flags, time_once
from reportgen import optvis
from reportgen.optvis.painting import open_engine

SIDE, LAYER, UNITS = 128, "block4_conv1", 32
TOGETHER = 8  # units that tf-keras-vis is given at once
ROUNDS, STEPS = 5, 4


def race() -> Part:
    keras.utils.set_random_seed(0)
    model = keras.applications.VGG16(weights=None, include_top=False, input_shape=(SIDE, SIDE, 3))
    ours = {"auto": Climb(model, "auto"), "float32": Climb(model, "float32")}
    bares = {
        precision: bare.convolutions(model, LAYER, climb.batch, climb.dtype, STEPS)
        for precision, climb in ours.items()
    }
    rates = _measure(_contestants(model, ours, bares))
    rows = [row("VGG16 128 x 128", name, math.nan, rate, STEPS) for name, rate in rates.items()]
    return Part(rows, *_compare(*rates.values()))


class Climb:
    """The engine as `visualize` makes it, stopped behind its first, uncounted step."""

    def __init__(self, model: keras.Model, precision: str) -> None:
        # tf-keras-vis' recipe, so that the work is the same; it takes values from 0 to 255.
        engine = open_engine(
            model,
            optvis.channel(LAYER, range(UNITS)),
            recipe="tf-keras-vis",
            size=(SIDE, SIDE),
            preprocessing="none",
            precision=precision,
        )
        rngs = [np.random.default_rng(row) for row in range(engine.batch)]
        self.parameters = [values[: engine.batch] for values in engine.objective.parameters]
        first = engine.first(rngs, engine.canvas)
        self.choice = engine.policy(engine.canvas, first, self.parameters)
        self.step = engine.step(engine.canvas, redirect=False, policy=self.choice.policy)
        self.drawn = self.step.pipeline.draw(rngs, STEPS, engine.canvas)
        self.batch, self.dtype = engine.batch, self.choice.name
        self.step.start(first)
        self()

    def __call__(self) -> None:
        """`STEPS` steps of a batch, each as the engine's loop takes it."""
        for drawn in self.drawn:
            self.step.climb(drawn, self.parameters)[0].numpy()


Contestants = dict[str, tuple[float, Callable[[], float]]]


def _contestants(model: Any, ours: dict[str, Climb], bares: dict[str, Any]) -> Contestants:
    """Name, images at once, and what gives the seconds of a step."""

    def peer(units: int) -> Callable[[], float]:
        return lambda: tf_keras_vis.time_step(model, LAYER, range(units), SIDE, STEPS)

    contestants: Contestants = {
        "tf-keras-vis, one unit at a time": (1, peer(1)),
        f"tf-keras-vis, {TOGETHER} units at once": (TOGETHER, peer(TOGETHER)),
    }
    for precision, climb in ours.items():
        at_once = f"{climb.dtype}, {climb.batch} at once"
        # The last batch is filled up with images that nobody asked for: those do not count.
        asked = UNITS / math.ceil(UNITS / climb.batch)
        name = f"reportgen, {precision} ({at_once}: {climb.choice.reason})"
        contestants[name] = asked, _time_step(climb)
        contestants[f"bare convolutions for {precision} ({at_once})"] = (
            asked,
            _time_step(bares[precision]),
        )
    return contestants


def _time_step(steps: Callable[[], object]) -> Callable[[], float]:
    return lambda: time_once(steps) / STEPS


def _measure(contestants: Contestants) -> dict[str, float]:
    """Images times steps a second: medians of rounds that take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, (_, work) in contestants.items():
            seconds[name].append(work())
    return {
        name: images / statistics.median(seconds[name]) for name, (images, _) in contestants.items()
    }


def _compare(
    one: float, together: float, auto: float, bare_auto: float, plain: float, bare_plain: float
) -> tuple[dict[str, float], dict[str, float]]:
    ratios = {
        "VGG16, auto to tf-keras-vis one at a time": auto / one,
        "VGG16, auto to tf-keras-vis batched": auto / together,
        "VGG16, float32 to tf-keras-vis one at a time": plain / one,
        "VGG16, float32 to tf-keras-vis batched": plain / together,
        "VGG16, auto, share of bare convolutions": auto / bare_auto,
        "VGG16, float32, share of bare convolutions": plain / bare_plain,
    }
    goals = dict(zip(ratios, (14.0, 8.5, 3.0, 2.0, 0.85, 0.85), strict=True))
    if "amx_bf16" not in bfloat16_flags():  # those two are promised for AMX only
        goals = dict(list(goals.items())[2:])
    return ratios, goals
