"""The census of all units against plain prediction, and its memory as samples grow.

The model is ResNet-8 as MLPerf Tiny has it (78 thousand parameters, 32 x 32 x 3), weights at
random.

- `census`: `take_census`: mean, spread, extremes and zeros of every channel of every layer;
  class selectivity with shuffled labels, correlation of all pairs of channels, and the most and
  least exciting samples of every unit. Tracing is included: it is new each time.
- `predict`: ``model.predict`` on the same samples with Keras' default batch of 32, warm.

Memory is the most that a process of its own ever had resident, and how much of it came after
TensorFlow and the model were there; medians of three. Samples are made when they are asked for, so
that they do not count. More batches find a little more at once of what the threads of TensorFlow
hold; from 10,000 samples on it stays.
"""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks.runner import Outcome, measure

_SHAPE = (32, 32, 3)
_SAMPLES, _REPEATS = 10_000, 5
_SIZES = (1_000, 10_000, 20_000)
_HEADER = ("contestant", "seconds", "peak MB", "of it after the start")


def run() -> Outcome:
    import keras

    from reportgen.subject.census import take_census

    keras.utils.set_random_seed(0)
    model = build_resnet8()
    subject = _subject(model, _SAMPLES)
    x = subject.inputs(np.arange(_SAMPLES))
    subject.inputs = lambda rows: x[rows]
    contestants = {
        "predict": lambda: model.predict(x, verbose=0),
        "census": lambda: take_census(subject),
    }
    for work in contestants.values():
        work()
    seconds = measure(contestants, _REPEATS)
    peaks = {size: sorted(_peak_in_own_process(size) for _ in range(3))[1] for size in _SIZES}
    rows: list[tuple[str | float, ...]] = [
        (f"{name}, {_SAMPLES:,}", took, "", "") for name, took in seconds.items()
    ]
    rows += [(f"census, {size:,}", "", *peak) for size, peak in peaks.items()]
    ratios = {
        "time, census to predict (at most)": seconds["census"] / seconds["predict"],
        "memory, 10,000 to 1,000 samples (at most)": peaks[10_000][0] / peaks[1_000][0],
    }
    goals = dict(zip(ratios, (1.3, 1.05), strict=True))
    return Outcome(_HEADER, rows, ratios, goals)


def build_resnet8() -> Any:
    """Three stacks of two convolutions with a way around, 16, 32 and 64 channels."""
    import keras
    from keras import layers

    def convolve(x: Any, channels: int, stride: int = 1, size: int = 3) -> Any:
        return layers.Conv2D(channels, size, strides=stride, padding="same")(x)

    inputs = keras.Input(_SHAPE)
    x = layers.ReLU()(layers.BatchNormalization()(convolve(inputs, 16)))
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        short = x if stride == 1 else convolve(x, channels, stride, 1)
        x = layers.ReLU()(layers.BatchNormalization()(convolve(x, channels, stride)))
        x = layers.BatchNormalization()(convolve(x, channels))
        x = layers.ReLU()(layers.Add()([x, short]))
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def _subject(model: Any, count: int) -> Any:
    """As much of a subject as the census reads; samples are drawn by position."""
    from reportgen.subject.probe import Probe

    def draw(rows: np.ndarray) -> np.ndarray:
        seeded = np.random.default_rng(int(rows[0]))
        return seeded.uniform(size=(len(rows), *_SHAPE)).astype(np.float32)

    labels = SimpleNamespace(values=np.random.default_rng(0).integers(0, 10, count))
    return SimpleNamespace(
        probe=Probe(model, _SHAPE),
        samples=range(count),
        inputs=draw,
        labels=labels,
        config=SimpleNamespace(seed=0),
    )


def _peak_in_own_process(count: int) -> tuple[float, float]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure_peak, (count,))


def _measure_peak(count: int) -> tuple[float, float]:
    """MB at the most in a census of ``count`` samples, and how many of them it added."""
    from reportgen.subject.census import take_census

    subject = _subject(build_resnet8(), count)
    before = _peak_kilobytes()
    take_census(subject)
    return _peak_kilobytes() / 1024, (_peak_kilobytes() - before) / 1024


def _peak_kilobytes() -> int:
    """The kernel's own mark; that of `getrusage` is inherited from the parent process."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
