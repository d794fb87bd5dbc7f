"""SmoothGrad and Score-CAM beside tf-keras-vis, and how far simple maps agree with its.

ResNet-8 with 32 pictures of 32 x 32 and MobileNet 0.25 with 16 of 224 x 224, where the collection
of real models is here (``REPORTGEN_REAL``); a network of two convolutions everywhere. 50 noisy
pictures each; all channels of the last layer with positions. The classes are those answered.

A ReLU whose input lies within rounding of its corner is open in one and closed in the other: then a
gradient differs over as much of the picture as reaches it. Against double precision ours is off so
on one of four pictures of MobileNet, theirs on another, and both by less than 1e-6 elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from benchmarks.runner import Outcome, measure
from reportgen import attributions
from reportgen.attributions.methods.class_maps import GradCAM, LayerCAM, ScoreCAM
from reportgen.attributions.methods.gradients import Gradient, SmoothGrad

FloatArray = NDArray[np.float32]
_ROOT = Path(__file__).resolve().parents[1]
_REPEATS, _NOISY = 3, 50
_NONE = (float("nan"),) * 3


def run() -> Outcome:
    rows: list[tuple[str | float, ...]] = []
    ratios: dict[str, float] = {}
    for name, (build, count, goal) in _list_networks().items():
        model = build()
        x = _draw(model, count)
        found, faster = _compare(model, x)
        rows += [(name, *row) for row in found]
        if goal:
            ratios |= {f"{name}, {method}": value for method, value in faster.items()}
    goals = {key: 3.0 if key.startswith("ResNet") else 2.0 for key in ratios}
    header = ("network", "method", "seconds, first call", "again", "theirs", "off")
    return Outcome(header, rows, ratios, goals)


def _compare(
    model: keras.Model, x: FloatArray
) -> tuple[list[tuple[str | float, ...]], dict[str, float]]:
    from benchmarks.peers import tf_keras_vis_maps as peer

    case = attributions.open_case(model, x)
    assert case.layer is not None
    classes = case.directions.argmax(axis=1).tolist()
    layer = case.layer.address
    rows: list[tuple[str | float, ...]] = [
        ("gradient", *_NONE, _off(Gradient()(case).values, peer.saliency(model, x, classes)))
    ]
    for method, kind in ((GradCAM(), "grad_cam"), (LayerCAM(), "layer_cam")):
        theirs = peer.class_map(model, x, classes, kind, layer)
        rows.append((kind, *_NONE, _off(np.maximum(method(case).values, 0), theirs)))
    smooth, score = SmoothGrad(pictures=_NOISY), ScoreCAM(fill=None)
    timed: dict[str, tuple[attributions.Method, Callable[[], object]]] = {
        "SmoothGrad": (smooth, lambda: peer.saliency(model, x, classes, _NOISY)),
        "Score-CAM": (score, lambda: peer.score_cam(model, x, classes, layer)),
    }
    faster = {}
    for name, (method, theirs_of) in timed.items():
        contestants = {
            "first": partial(_first, method, model, x, classes),
            "again": partial(method, case),
            "theirs": theirs_of,
        }
        seconds = measure(contestants, _REPEATS)
        rows.append((name, seconds["first"], seconds["again"], seconds["theirs"], float("nan")))
        faster[f"{name}, first call"] = seconds["theirs"] / seconds["first"]
        faster[f"{name}, again"] = seconds["theirs"] / seconds["again"]
    return rows, faster


def _first(
    method: attributions.Method, model: keras.Model, x: FloatArray, classes: list[int]
) -> object:
    """As in a notebook: everything is traced anew."""
    return method(attributions.open_case(model, x, classes=classes))


def _off(mine: FloatArray, theirs: FloatArray) -> float:
    """Largest difference, each map stretched from 0 to 1."""

    def stretch(maps: FloatArray) -> FloatArray:
        low = maps.min(axis=(1, 2), keepdims=True)
        span = maps.max(axis=(1, 2), keepdims=True) - low
        return np.asarray((maps - low) / np.maximum(span, 1e-12))

    return float(np.abs(stretch(mine) - stretch(theirs)).max())


def _draw(model: keras.Model, count: int) -> FloatArray:
    shape = model.inputs[0].shape[1:]
    return np.random.default_rng(0).uniform(0, 1, (count, *shape)).astype(np.float32)


def _small() -> keras.Model:
    keras.utils.set_random_seed(1)
    image = keras.Input((32, 32, 3))
    x = layers.MaxPooling2D()(layers.Conv2D(16, 3, activation="relu")(image))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(32, 3, activation="relu")(x))
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


def _list_networks() -> dict[str, tuple[Callable[[], keras.Model], int, bool]]:
    found: dict[str, tuple[Callable[[], keras.Model], int, bool]] = {"small": (_small, 32, False)}
    folder = Path(os.environ.get("REPORTGEN_REAL", _ROOT.parent / "shared" / "real")) / "models"
    real = {
        "ResNet-8": ("mlcommons_tiny/pretrainedResnet.h5", 32),
        "MobileNet": ("st_modelzoo_imagenet_mobilenet_v1_025/mobilenet_v1_0.25_224.h5", 16),
    }
    for name, (path, count) in real.items():
        if (folder / path).is_file():
            found[name] = (lambda path=path: _open(folder / path), count, True)
    return found


def _open(path: Path) -> keras.Model:
    from reportgen.config import load_config
    from reportgen.subject.network import open_network, screen

    config = load_config(path, {})
    return open_network(config, screen(config))[1]
