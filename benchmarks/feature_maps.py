"""All layers in one pass against one prediction a layer; one picture against many axes.

Reading. The model is the six-layer CIFAR convnet of the usual articles about feature maps; six
images of 32 x 32 x 3.

- `reportgen`: `Probe.activations` with a tap at each layer.
- `one model a layer`: ``keras.Model(model.input, layer.output).predict(images)`` for each layer in
  turn, as those articles do. "First" builds the models; "warm" keeps them.
- `one model, all outputs`: what a careful user writes: one ``keras.Model`` with all layers as
  outputs, one `predict`; and the same called directly, the cheapest way that Keras has.

Drawing. All channels of a layer, each map 32 x 32, on one colour scale: a convolution with
random weights and a ReLU, on a picture of smooth blobs.

- `reportgen`: `figures.tiles.picture`, to WebP (the page) and to PNG (paper).
- `one axes a channel`: a Matplotlib ``Figure`` on Agg without pyplot: `subplots`, `imshow`
  with the same limits, axes off, `savefig` as PNG with at least one pixel a value. "First"
  and "warm" are the same: a figure is made for every picture.

Medians of repeats that take turns. "First" is a new model object each time, tracing included;
TensorFlow itself is warm.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.runner import Outcome, measure
from reportgen.figures.tiles import Encoding, picture
from reportgen.report.blocks import ColourScale
from reportgen.subject.probe import Probe, Tap

_IMAGES = 6
_FIRST, _WARM, _DRAWN = 5, 30, 3
_HEADER = ("contest", "contestant", "first ms", "warm ms")


def run() -> Outcome:
    reading, ratios = _race_reading()
    rows: list[tuple[str | float, ...]] = list(reading)
    for channels in (64, 512):
        drawn, ratio = _race_drawing(channels)
        rows += drawn
        ratios |= ratio
    goals = {"reading first": 3.0, "reading warm": 3.0}
    goals |= {f"drawing {n}, {kind}": 100.0 for n in (64, 512) for kind in ("WebP", "PNG")}
    return Outcome(_HEADER, rows, ratios, goals)


def build_convnet() -> keras.Model:
    """Convolution, pooling, twice; two dense layers: six that compute, and a flattening."""
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(32, 3, activation="relu", padding="same")(inputs)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(64, 3, activation="relu", padding="same")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Dense(64, activation="relu")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def _by_probe(model: keras.Model, images: np.ndarray) -> Callable[[], object]:
    probe = Probe(model, model.inputs[0].shape[1:])
    taps = [Tap(layer.name) for layer in model.layers[1:]]
    return lambda: probe.activations(images, taps)


def _by_layer(model: keras.Model, images: np.ndarray) -> Callable[[], object]:
    parts = [keras.Model(model.input, layer.output) for layer in model.layers[1:]]
    return lambda: [part.predict(images, verbose=0) for part in parts]


def _by_outputs(model: keras.Model, images: np.ndarray) -> Callable[[], object]:
    whole = keras.Model(model.input, [layer.output for layer in model.layers[1:]])
    return lambda: whole.predict(images, verbose=0)


def _by_call(model: keras.Model, images: np.ndarray) -> Callable[[], object]:
    whole = keras.Model(model.input, [layer.output for layer in model.layers[1:]])
    return lambda: [np.asarray(values) for values in whole(images, training=False)]


_READERS = {
    "reportgen": _by_probe,
    "one model a layer": _by_layer,
    "one model, all outputs": _by_outputs,
    "the same, called directly": _by_call,
}


def _race_reading() -> tuple[list[tuple[str | float, ...]], dict[str, float]]:
    images = np.random.default_rng(0).uniform(size=(_IMAGES, 32, 32, 3)).astype(np.float32)
    model = build_convnet()
    ready = {name: make(model, images) for name, make in _READERS.items()}
    _check_equal(ready)

    def from_scratch(make: Callable[..., Callable[[], object]]) -> Callable[[], object]:
        return lambda: make(build_convnet(), images)()

    first = measure({name: from_scratch(make) for name, make in _READERS.items()}, _FIRST)
    warm = measure(ready, _WARM)
    rows = [("reading", name, 1e3 * first[name], 1e3 * warm[name]) for name in _READERS]
    peer = "one model a layer"
    ratios = {
        "reading first": first[peer] / first["reportgen"],
        "reading warm": warm[peer] / warm["reportgen"],
    }
    return rows, ratios


def _check_equal(ready: dict[str, Callable[[], object]]) -> None:
    """Faster at something else would be no comparison. Also warms everything up."""
    _, seen = ready["reportgen"]()  # type: ignore[misc]
    for name in list(_READERS)[1:]:
        for ours, theirs in zip(seen.values(), ready[name](), strict=True):  # type: ignore[call-overload]
            np.testing.assert_allclose(ours, theirs, atol=1e-5)


def _race_drawing(channels: int) -> tuple[list[tuple[str | float, ...]], dict[str, float]]:
    maps = _make_maps(channels)
    low, high = float(maps.min()), float(maps.max())
    scale = ColourScale(low=low, high=high, map="magma")
    columns = 8 if channels <= 64 else 32
    contestants: dict[str, Callable[[], object]] = {
        "reportgen, WebP": lambda: picture(maps, columns, scale, Encoding("screen")).data,
        "reportgen, PNG": lambda: picture(maps, columns, scale, Encoding("paper")).data,
        "one axes a channel": lambda: _draw_axes(maps, columns, low, high),
    }
    for name in list(contestants)[:2]:
        contestants[name]()  # fonts and colour tables are read once
    seconds = measure(contestants, _DRAWN)
    contest = f"drawing {channels}"
    rows = [(contest, name, 1e3 * took, 1e3 * took) for name, took in seconds.items()]
    peer = seconds["one axes a channel"]
    return rows, {
        f"drawing {channels}, {kind}": peer / seconds[f"reportgen, {kind}"]
        for kind in ("WebP", "PNG")
    }


def _make_maps(channels: int) -> np.ndarray:
    """Feature maps ``(channels, 32, 32)``."""
    rng = np.random.default_rng(1)
    across = np.linspace(0, 1, 34)
    centres = rng.uniform(size=(3, 8, 2))
    blobs = np.exp(
        -30
        * (
            (across[:, None] - centres[..., 0, None, None]) ** 2
            + (across - centres[..., 1, None, None]) ** 2
        )
    ).sum(axis=1)
    kernels = rng.normal(size=(channels, 3, 3, 3))
    windows = np.lib.stride_tricks.sliding_window_view(blobs, (3, 3), axis=(1, 2))
    sums = np.einsum("nabc,aijbc->nij", kernels, windows)
    return np.maximum(sums, 0).astype(np.float32)


def _draw_axes(maps: np.ndarray, columns: int, low: float, high: float) -> bytes:
    rows = -(-len(maps) // columns)
    figure = Figure(figsize=(columns * 0.4, rows * 0.4), dpi=100)
    FigureCanvasAgg(figure)
    figure.subplots_adjust(0, 0, 1, 1, wspace=0.05, hspace=0.05)  # 38 pixels an axes
    for axes, values in zip(figure.subplots(rows, columns).flat, maps, strict=False):
        axes.imshow(values, cmap="magma", vmin=low, vmax=high, interpolation="nearest")
        axes.set_axis_off()
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()
