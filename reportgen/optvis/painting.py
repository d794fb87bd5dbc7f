"""The one call: what does this unit want to see?"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from reportgen.errors import NothingToCheckError, UsageError
from reportgen.optvis.batches import paint_batches
from reportgen.optvis.calls import check_call
from reportgen.optvis.canvas import Canvas
from reportgen.optvis.cut import Cut
from reportgen.optvis.engine import Engine, size_batch
from reportgen.optvis.images import OptimizedImages
from reportgen.optvis.objective import Objective
from reportgen.optvis.recipe import Recipe
from reportgen.optvis.recipes import find_recipe
from reportgen.optvis.run import Painted
from reportgen.optvis.scaling import Scaling, read_scaling
from reportgen.subject.inputs import InputSpec, read_input
from reportgen.subject.open_call import read_small_weights
from reportgen.subject.preprocessing import (
    Preprocessing,
    check_channels,
    find_preprocessing,
)

_DEFAULT_SIDE = 128  # for models that take any size
_FOREVER = 10.0**9


@dataclass(frozen=True, eq=False)
class Settings:
    """What `visualize` was asked, apart from the model and the objective."""

    recipe: Recipe
    size: tuple[int, int] | None
    variants: int
    seed: int
    batch: int | None
    precision: str
    position: int
    held: Mapping[int, NDArray[Any]]


def visualize(
    model: keras.Model,
    objective: Objective,
    *,
    recipe: str | Recipe = "default",
    size: tuple[int, int] | None = None,
    variants: int = 1,
    seed: int = 0,
    preprocessing: str | Preprocessing | None = "unit",
    scaling: Scaling | None = None,
    samples: NDArray[Any] | None = None,
    seconds: float | None = None,
    batch: int | None = None,
    precision: str = "auto",
    position: int = 0,
    held: Mapping[int, Any] | None = None,
) -> OptimizedImages:
    """Paint the images that an objective is largest for.

    ``preprocessing`` and ``samples`` are those of `reportgen.audit`: samples as you have them,
    before scaling, and what makes of them what the model takes. Pixels run from 0 to 255; a model
    that was trained on pixels from 0 to 1 is one with ``preprocessing="unit"``.

    Args:
        objective: such as ``channel("conv", range(8))``; one image a unit and variant.
        recipe: a name of `recipes.RECIPES`, or a `Recipe`.
        size: height and width; by default the recipe's where the model allows it, else the
            model's. Convolutions take any size, layers behind a flattening only their own.
        variants: images of each unit, from different first values.
        seed: the same seed gives the same images, whatever the batch, as long as neither
            ``seconds`` nor the choice of a precision makes a difference.
        preprocessing: how pixels from 0 to 255 become inputs: ``"unit"`` (x / 255) or another
            name of `reportgen.audit`, ``module:function``, or a function from an array to one of
            the same shape, such as ``keras.applications.vgg16.preprocess_input``; it works on a
            copy. None, as ``"none"``: pixels as they are, where the model scales them itself.
        scaling: instead of ``preprocessing``, see `scaling.read_scaling`.
        samples: ``(n, h, w, c)`` from 0 to 255, before scaling, for recipes that measure them.
            Floats from 0 to 1, as were asked for earlier, are read as x / 255, with a warning.
        seconds: stop after about so long; every image gets at least a few steps.
        batch: images at once; by default as many as memory allows.
        precision: "float32", "bfloat16", or "auto": whichever is faster and true enough.
        position, held: for models with several inputs: which one is painted, and a sample for
            each of the others.

    Raises:
        UsageError: no such layer, unit, recipe or size; what there is stands in the message.
        ConfigurationError: no such preprocessing, or it fails on pictures.
    """
    engine = open_engine(
        model,
        objective,
        recipe=recipe,
        size=size,
        variants=variants,
        seed=seed,
        preprocessing=preprocessing,
        scaling=scaling,
        samples=None if samples is None else _as_pictures(samples),
        batch=batch,
        precision=precision,
        position=position,
        held=held,
    )
    return paint(engine, seconds)


def _as_pictures(samples: Any) -> NDArray[np.float32]:
    """Samples from 0 to 255 as pictures ``(n, h, w, c)`` from 0 to 1."""
    pixels = np.asarray(samples)
    pixels = pixels[..., None] if pixels.ndim == 3 else pixels
    if pixels.dtype.kind not in "uif" or pixels.ndim != 4 or not pixels.size:
        raise UsageError(
            f"samples: pictures (n, h, w, c) are needed, got {pixels.dtype} of shape "
            f"{pixels.shape}."
        )
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= 0 and high <= 255):
        raise UsageError(
            f"samples: values from {low:g} to {high:g}. Samples are taken before scaling, from 0 "
            "to 255; preprocessing= says what the model takes."
        )
    if pixels.dtype.kind == "f" and high <= 1:
        warnings.warn(
            "visualize: samples run from 0 to 1 and are read as pixels / 255. Samples are taken "
            "before scaling, as by reportgen.audit: give them from 0 to 255.",
            FutureWarning,
            stacklevel=3,
        )
        return pixels.astype(np.float32)
    return (pixels / 255).astype(np.float32)


def open_engine(
    model: keras.Model,
    objective: Objective,
    *,
    recipe: str | Recipe = "default",
    size: tuple[int, int] | None = None,
    variants: int = 1,
    seed: int = 0,
    preprocessing: str | Preprocessing | None = "unit",
    scaling: Scaling | None = None,
    samples: NDArray[Any] | None = None,
    batch: int | None = None,
    precision: str = "auto",
    position: int = 0,
    held: Mapping[int, Any] | None = None,
) -> Engine:
    """An engine for objectives that differ in their units only; the arguments of `visualize`.

    Only ``samples`` are pictures ``(n, h, w, c)`` from 0 to 1 here, as the engine paints them. It
    traces each canvas once, whatever it is set to paint next by `Engine.take_up`.
    """
    check_call(model, objective, size, variants, seed, batch, held or {}, position)
    spec = read_painted_input(model, position, size)
    settings = Settings(
        recipe=find_recipe(recipe, samples, min(size or spec.pixels[:2])),
        size=size,
        variants=variants,
        seed=seed,
        batch=batch,
        precision=precision,
        position=position,
        held={place: np.asarray(sample) for place, sample in (held or {}).items()},
    )
    if scaling is None:
        scaling = _find_scaling(preprocessing or "none", spec, samples)
    return _prepare(model, objective, settings, spec, scaling)


def _find_scaling(
    asked: str | Preprocessing, spec: InputSpec, samples: NDArray[Any] | None
) -> Scaling:
    name, function, _ = find_preprocessing(asked)
    check_channels(name, spec.channels)
    scaled = None if samples is None else function(np.asarray(samples, np.float32) * 255)
    scaling = read_scaling(
        function,
        spec.channels,
        layout=spec.layout,
        name=name,
        sides=(spec.pixels[0], spec.pixels[1]),
        scaled_samples=scaled,
    )
    if not scaling.exact and scaled is None:
        raise UsageError(
            f"preprocessing: {name} is no formula of one pixel. Give samples=, (n, h, w, c) from 0 "
            "to 255: images then stay within the range that it makes of them."
        )
    return scaling


def read_painted_input(
    model: keras.Model, position: int, size: tuple[int, int] | None
) -> InputSpec:
    """What the painted input of the model looks like.

    Raises:
        NothingToCheckError: it is no picture. UsageError: it is not known.
    """
    inputs = getattr(model, "inputs", None) or ()
    if not inputs:
        raise UsageError(
            "The model does not say what it takes. Wrap it: image = keras.Input(shape), then "
            "keras.Model(image, model(image)); addresses begin with the name of your model."
        )
    if not 0 <= position < len(inputs):
        raise UsageError(f"The model has {len(inputs)} inputs, there is no input {position}.")
    one = _OneInput(model, inputs[position])
    declared = tuple(inputs[position].shape[1:])
    free = None in declared
    wanted = (size or (_DEFAULT_SIDE, _DEFAULT_SIDE)) if free else None
    flat = any("2D" in type(part).__name__ for part in model._flatten_layers())
    spec = read_input(one, wanted, from_images=flat)
    if spec.kind != "image":
        raise NothingToCheckError(
            f"The model takes {spec.shape} and has no layer for pictures, so it is not known how "
            "one would be read: there is nothing to paint."
        )
    return spec


class _OneInput:
    """A model seen through one of its inputs."""

    def __init__(self, model: keras.Model, tensor: Any) -> None:
        self.inputs = [tensor]
        self.layers = model.layers
        self._flatten_layers = model._flatten_layers


def paint(engine: Engine, seconds: float | None = None) -> OptimizedImages:
    """Paint what the engine is set up for, within about so many seconds. See `visualize`."""
    started = time.monotonic()
    deadline = started + (_FOREVER if seconds is None else seconds)
    label = f"painting {engine.objective.labels[0].split(',')[0]}"
    parts = [painted for _, painted in paint_batches(engine, deadline, label)]
    return _assemble(parts, engine, time.monotonic() - started)


def _prepare(
    model: keras.Model, objective: Objective, settings: Settings, spec: InputSpec, scaling: Scaling
) -> Engine:
    make_cut = partial(
        Cut,
        model,
        sorted(objective.places, key=repr),
        position=settings.position,
        held=dict(settings.held),
        weights=read_small_weights(model),
    )
    height, width = spec.pixels[:2]
    declared = Canvas(height, width, spec.channels)
    wanted = settings.size or settings.recipe.size
    canvas = Canvas(*wanted, spec.channels) if wanted else declared
    engine = Engine(
        cut=make_cut,
        objective=objective,
        recipe=settings.recipe,
        scaling=scaling,
        canvas=canvas,
        variants=settings.variants,
        seed=settings.seed,
        batch=settings.variants if objective.paired else 1,
        precision=settings.precision,
        static_batch=model.inputs[settings.position].shape[0],
    )
    if settings.size is None and canvas != declared and not engine.reaches(canvas):
        engine.canvas = declared
    engine.batch = _choose_batch(engine, settings)
    engine.forget()
    return engine


def _choose_batch(engine: Engine, settings: Settings) -> int:
    """Batches of one size, units whole where their images look at each other."""
    total = len(engine.objective) * settings.variants
    static = engine.static_batch
    most = static or settings.batch or size_batch(engine.look().bytes_an_image)
    group = settings.variants if engine.objective.paired else 1
    if group > most:
        raise UsageError(
            f"{settings.variants} variants that are compared with each other do not fit in a "
            f"batch of {most}. Give fewer."
        )
    if static and static % group:
        raise UsageError(
            f"{settings.variants} variants that are compared with each other do not fill the "
            f"model's batch of {static}. Give a number that divides it."
        )
    if static:
        return static
    batches = math.ceil(total / max(most // group * group, group))
    return math.ceil(total / batches / group) * group


def _assemble(parts: list[Painted], engine: Engine, seconds: float) -> OptimizedImages:
    shape = (len(engine.objective), engine.variants)
    total = shape[0] * shape[1]
    steps = max(part.history.shape[1] for part in parts)
    history = np.full((total, steps), np.nan, np.float32)
    start = 0
    for part in parts:
        history[start : start + len(part.scores), : part.history.shape[1]] = part.history
        start += len(part.scores)

    def gather(name: str) -> NDArray[Any]:
        values = np.concatenate([getattr(part, name) for part in parts])
        return values.reshape(*shape, *values.shape[1:])

    return OptimizedImages(
        images=gather("images"),
        scores=gather("scores"),
        starts=gather("starts"),
        history=history.reshape(*shape, steps),
        first_gradients=gather("lengths"),
        helped_gradients=gather("helped"),
        woken=gather("woken"),
        settled=gather("settled"),
        hurried=any(part.hurried for part in parts),
        labels=engine.objective.labels,
        recipe=engine.recipe.name,
        seed=engine.seed,
        precision=parts[0].policy.name,
        precision_reason=parts[0].policy.reason,
        batch=engine.batch,
        seconds=seconds,
    )
