"""MobileNet 0.25 with ImageNet's weights: the time to an activation, and recipes side by side."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_sample_images

from benchmarks.painting import Part, Row, row
from benchmarks.peers import tf_keras_vis
from benchmarks.runner import time_once
from reportgen import optvis
from reportgen.config import AuditConfig
from reportgen.optvis.images import OptimizedImages
from reportgen.subject.network import open_network, screen

SIDE, LAYER, UNITS = 128, "conv_pw_6_relu", range(16)
PEER_STEPS, TIMED_ALONE, ROUNDS, MOST_STEPS = 200, 2, 3, 64
RECIPES = ("default", "lucid", "tf-keras-vis", "keras-vis", "ascent", "octaves", "maco")
TABLE_UNITS = range(4)
_FILE = "models/st_modelzoo_imagenet_mobilenet_v1_025/mobilenet_v1_0.25_224.h5"
_ROOT = Path(__file__).resolve().parents[2]
Images = NDArray[np.float32]


def find_file() -> Path | None:
    """The model, where the collection of real models is here (``REPORTGEN_REAL``)."""
    folder = Path(os.environ.get("REPORTGEN_REAL", _ROOT.parent / "shared" / "real"))
    return folder / _FILE if (folder / _FILE).is_file() else None


def open_model(file: Path) -> Any:
    """As the audit opens it, each time anew: nothing of an earlier run is kept."""
    config = AuditConfig(model=file)
    return open_network(config, screen(config))[1]


def cut_model(model: Any) -> Any:
    """From images of `SIDE`, -1 to 1, to the layer: the declared size is another."""
    part = keras.Model(model.inputs, model.get_layer(LAYER).output)
    cut = keras.models.clone_model(part, input_tensors=[keras.Input((SIDE, SIDE, 3))])
    cut.set_weights(part.get_weights())
    return cut


def put_scaling_before(cut: Any) -> Any:
    """The same for images from 0 to 255: x / 127.5 - 1 is the model's first layer."""
    inputs = keras.Input((SIDE, SIDE, 3))
    values = keras.layers.Rescaling(1 / 127.5, -1)(inputs)
    return keras.Model(inputs, keras.layers.Identity(name=LAYER)(cut([values])))


def clean_activation(cut: Any, inputs: Images) -> float:
    """The mean, over units and positions, of unit i on image i as it is. All are measured so.

    Args:
        cut: see `cut_model`. inputs: ``(n, SIDE, SIDE, 3)``, as the model takes them.

    Raises:
        ValueError: values beyond what an image can be would be no fair way up.
    """
    if np.abs(inputs).max() > 1 + 1e-6:
        raise ValueError(f"inputs run from {inputs.min()} to {inputs.max()}, not from -1 to 1")
    maps = np.asarray(cut([inputs], training=False))
    rows = np.arange(len(inputs))
    return float(maps.mean(axis=(1, 2))[rows, rows].mean())


def measure_activations(cut: Any, inputs: Images) -> tuple[float, float]:
    """`clean_activation` of the images, and of the same after a Gaussian blur of one pixel.

    What is lost by a blur was noise too fine for a person to see.
    """
    return clean_activation(cut, inputs), clean_activation(
        cut, gaussian_filter(inputs, (0, 1, 1, 0))
    )


@dataclass
class Ours:
    """`visualize`, each call on a model just opened: the part is cut and traced in the call."""

    file: Path
    cut: Any

    def paint(self, recipe: Any, units: Sequence[int] = UNITS) -> tuple[OptimizedImages, float]:
        """Images, and the seconds of the call."""
        model, made = open_model(self.file), []
        seconds = time_once(lambda: made.append(self._visualize(model, recipe, units)))
        return made[0], seconds

    def _visualize(self, model: Any, recipe: Any, units: Sequence[int]) -> OptimizedImages:
        return optvis.visualize(
            model,
            optvis.channel(LAYER, units),
            recipe=recipe,
            size=(SIDE, SIDE),
            preprocessing="symmetric",
            samples=photographs() if recipe == "maco" else None,
        )

    def measure(self, images: OptimizedImages) -> tuple[float, float]:
        """By the measure of all, see `measure_activations`."""
        return measure_activations(self.cut, images.images[:, 0] * 2 - 1)

    def shorten(self, least: float) -> Any:
        """The default recipe with as few steps, all on the whole canvas, as reach ``least``."""
        for steps in range(1, MOST_STEPS + 1):
            recipe = optvis.find_recipe("default").but(stages=(optvis.Stage(steps),))
            if self.measure(self.paint(recipe)[0])[0] >= least:
                return recipe
        raise RuntimeError(f"{least:.2f} was not reached in {MOST_STEPS} steps")


def photographs() -> Images:
    """Tiles of scikit-learn's two photographs: ``(n, SIDE, SIDE, 3)`` uint8."""
    tiles = [
        image[top : top + SIDE, left : left + SIDE]
        for image in load_sample_images().images
        for top in range(0, image.shape[0] - SIDE + 1, SIDE)
        for left in range(0, image.shape[1] - SIDE + 1, SIDE)
    ]
    return np.stack(tiles)


@dataclass(frozen=True)
class _Peer:
    """What tf-keras-vis reached in its default number of steps, all units at once."""

    way: str
    activations: tuple[float, float]
    seconds: float


def race(file: Path) -> Part:
    cut = cut_model(open_model(file))
    ours = Ours(file, cut)
    scaled = put_scaling_before(cut)
    tf_keras_vis.maximize(scaled, LAYER, UNITS, SIDE, steps=2)  # what is built once
    peers = [
        _run_peer(cut, "defaults, scaling in the model", scaled, tf_keras_vis.PIXELS),
        _run_peer(cut, "input_range=(-1, 1)", cut, (-1.0, 1.0)),
    ]
    recipes = {peer.way: ours.shorten(peer.activations[0]) for peer in peers}
    times = _take_turns(ours, {**recipes, "default": "default"}, scaled)
    return _report(peers, recipes, times, ours)


def _run_peer(cut: Any, way: str, model: Any, input_range: tuple[float, float]) -> _Peer:
    low, high = input_range
    made: list[Images] = []
    seconds = time_once(
        lambda: made.append(
            tf_keras_vis.maximize(
                model, LAYER, UNITS, SIDE, steps=PEER_STEPS, input_range=input_range
            )
        )
    )
    inputs = (made[0] - low) / (high - low) * 2 - 1
    return _Peer(way, measure_activations(cut, inputs), seconds)


def _take_turns(ours: Ours, recipes: dict[str, Any], scaled: Any) -> dict[str, float]:
    """Median seconds of our calls; between them, tf-keras-vis with one unit after the other."""
    seconds: dict[str, list[float]] = {name: [] for name in (*recipes, "alone")}
    for turn in range(ROUNDS):
        for name, recipe in recipes.items():
            seconds[name].append(ours.paint(recipe)[1])
        if turn < TIMED_ALONE:
            alone = _alone(scaled, UNITS[turn])
            seconds["alone"].append(time_once(alone))
    return {name: statistics.median(times) for name, times in seconds.items()}


def _alone(scaled: Any, unit: int) -> Callable[[], object]:
    return lambda: tf_keras_vis.maximize(scaled, LAYER, [unit], SIDE, steps=PEER_STEPS)


def _report(
    peers: list[_Peer], recipes: dict[str, Any], times: dict[str, float], ours: Ours
) -> Part:
    whole, _ = ours.paint("default")
    reached, alone = ours.measure(whole), times["alone"] * len(UNITS)
    steps = int(whole.steps.max())
    part = Part(
        [
            _row(f"tf-keras-vis, one at a time (of {TIMED_ALONE}, multiplied)", alone, PEER_STEPS),
            _row("reportgen, default", times["default"], steps, reached),
        ]
    )
    for peer in peers:
        recipe, fresh = recipes[peer.way], times[peer.way]
        short = ours.measure(ours.paint(recipe)[0])
        part.rows.extend(
            [
                _row(
                    f"tf-keras-vis, batched, {peer.way}", peer.seconds, PEER_STEPS, peer.activations
                ),
                _row("reportgen, to that activation", fresh, recipe.steps, short),
            ]
        )
        ratios = {
            "batched, time to its activation": (peer.seconds / fresh, 25.0),
            "one at a time, time to its activation": (alone / fresh, 100.0),
            "batched, time of default": (peer.seconds / times["default"], 4.0),
            "activation of default": (reached[0] / peer.activations[0], 1.7),
        }
        for name, (ratio, goal) in ratios.items():
            part.ratios[f"MobileNet, {peer.way}: {name}"] = ratio
            part.goals[f"MobileNet, {peer.way}: {name}"] = goal
    return part


def _row(
    name: str,
    seconds: float,
    steps: int,
    activations: tuple[float, ...] = (),
    count: int = len(UNITS),
) -> Row:
    contest = f"MobileNet, {count} units"
    return row(contest, name, seconds, count * steps / seconds, steps, *activations)


def compare_recipes(file: Path) -> Part:
    """Quality against time; each call traces anew."""
    ours = Ours(file, cut_model(open_model(file)))
    rows: list[Row] = []
    for name in RECIPES:
        images, seconds = ours.paint(name, TABLE_UNITS)
        steps = int(images.steps.max())
        measured = ours.measure(images)
        rows.append(_row(f"recipe {name}", seconds, steps, measured, len(TABLE_UNITS)))
    return Part(rows)
