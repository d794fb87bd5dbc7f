"""Painting all images of an engine: batches, stages from coarse to fine, less memory if need be."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from reportgen.optvis.canvas import Canvas
from reportgen.optvis.engine import Engine
from reportgen.optvis.recipe import Stage
from reportgen.optvis.run import Painted, Run
from reportgen.progress import tell

_SMALLEST_SIDE = 80  # of a coarse stage: below, what it saves is less than its tracing costs


def paint_batches(
    engine: Engine, deadline: float, label: str
) -> Iterator[tuple[NDArray[np.int64], Painted]]:
    """Batches of images, as their positions and what came of them; units stay together.

    When memory does not suffice, half as many are painted at once.
    """
    total = len(engine.objective) * engine.variants
    start = 0
    while start < total:
        batches = math.ceil((total - start) / engine.batch)
        rows = np.arange(start, min(total, start + engine.batch))
        share = (deadline - time.monotonic()) / batches
        tell(start, total, label)
        try:
            painted = _paint_batch(engine, rows, time.monotonic() + share)
        except tf.errors.ResourceExhaustedError:
            least = engine.variants if engine.objective.paired else 1
            smaller = engine.batch // 2 // least * least
            if smaller < least:
                raise
            engine.batch = smaller
            engine.forget()
            continue
        yield rows, painted
        start += len(rows)
    tell(total, total, label)


def _paint_batch(engine: Engine, rows: NDArray[np.int64], deadline: float) -> Painted:
    # The last batch may be smaller; traced functions have one size: repeat its first images.
    filled = np.resize(rows, engine.batch)
    parameters = [p[filled // engine.variants] for p in engine.objective.parameters]
    rngs = [_rng(engine, int(row)) for row in filled]
    run = Run(engine, parameters, rngs, deadline)
    return run.go(_plan_stages(engine)).first(len(rows))


def _rng(engine: Engine, row: int) -> np.random.Generator:
    """Of one image: neither the batch nor the other units change what it becomes."""
    label = engine.objective.labels[row // engine.variants].encode()
    return np.random.default_rng([engine.seed, zlib.crc32(label), row % engine.variants])


def _plan_stages(engine: Engine) -> list[tuple[Canvas, Stage]]:
    planned = []
    stages = engine.stages or engine.recipe.stages
    for stage in stages:
        canvas = _scale(engine.canvas, stage.scale)
        small = min(canvas.size) < _SMALLEST_SIDE and stage.scale < 1
        if not small and (stage.scale == 1 or engine.reaches(canvas)):
            planned.append((canvas, stage))
    wanted = sum(stage.steps for stage in stages)
    if not planned:
        return [(engine.canvas, Stage(wanted))]
    skipped = wanted - sum(stage.steps for _, stage in planned)
    if skipped:  # the steps are not lost with the stage
        canvas, last = planned[-1]
        planned[-1] = canvas, Stage(last.steps + skipped, last.scale)
    return planned


def _scale(canvas: Canvas, scale: float) -> Canvas:
    height, width = (max(1, round(side * scale)) for side in canvas.size)
    return Canvas(height, width, canvas.channels)
