"""Named recipes: the default, and those of the tools and articles that the field knows.

Pixel steps and weights that a tool states for values from 0 to 255 are converted here: images
run from 0 to 1, so a step of 1 there is one of 1/255 here, and `span` says it to regularisers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import UsageError
from reportgen.optvis.colour import measure_colour
from reportgen.optvis.fourier import Fourier
from reportgen.optvis.gradients import DividedByDeviation, L2Normalized
from reportgen.optvis.maco import Maco
from reportgen.optvis.parameterizations import Pixels
from reportgen.optvis.recipe import Flatness, Optimizer, Recipe, Stage
from reportgen.optvis.regularizers import Lp, TotalVariation
from reportgen.optvis.spectra import measure_magnitude
from reportgen.optvis.transforms import (
    Blur,
    Crop,
    Jitter,
    Noise,
    Pad,
    RandomBoxes,
    Rotate,
    Scale,
)

_STEP = 1 / 255  # of values from 0 to 255
_OCTAVE = 1.15


def default(samples: NDArray[Any] | None = None, side: int = 128) -> Recipe:
    """Few steps on half the canvas, then few on the whole, until the objective is flat.

    Args:
        samples: ``(n, h, w, c)`` in [0, 1]; for other than three channels the mixture of colours
            is measured on them.
        side: the shorter one of the images; they are shifted by a sixteenth of it.
    """
    shift = side // 16
    return Recipe(
        name="default",
        source="reportgen; docs/optvis.md has the measurements that chose it",
        parameterization=Fourier(colour=_choose_colour(samples)),
        transforms=(
            Pad(shift, mode="reflect"),
            Jitter(2 * shift),
            Scale(between=(0.95, 1.05)),
            Rotate(between=(-5, 5)),
        ),
        optimizer=Optimizer("adam", 0.1),
        stages=(Stage(64, 0.5), Stage(96)),
        flatness=Flatness(),
    )


def lucid(samples: NDArray[Any] | None = None, side: int = 128) -> Recipe:
    """Lucid's defaults: ``render_vis`` with ``transform.standard_transforms``."""
    return Recipe(
        name="lucid",
        source="lucid 0.3: render_vis, transform.standard_transforms, param.image",
        parameterization=Fourier(colour=_choose_colour(samples)),
        transforms=(
            Pad(12, mode="constant", value=0.5),
            Jitter(8),
            Scale(choices=tuple(1 + (i - 5) / 50 for i in range(11))),
            Rotate(choices=(*range(-10, 11), 0, 0, 0, 0, 0)),
            Jitter(4),
        ),
        optimizer=Optimizer("adam", 0.05),
        stages=(Stage(512),),
        size=(128, 128),
    )


def distill(samples: NDArray[Any] | None = None, side: int = 128) -> Recipe:
    """The parameters of the article "Feature Visualization" (Olah et al. 2017)."""
    return Recipe(
        name="distill",
        source="Olah, Mordvintsev, Schubert 2017, Feature Visualization, Distill",
        parameterization=Fourier(colour=_choose_colour(samples)),
        transforms=(
            Pad(16, mode="constant", value=0.5),
            Jitter(16),
            Scale(choices=(1, 0.975, 1.025, 0.95, 1.05)),
            Rotate(choices=tuple(range(-5, 6))),
            Jitter(8),
            Crop(4),  # what is left of the padding: 32 - 16 - 8, from both sides
        ),
        optimizer=Optimizer("adam", 0.05),
        stages=(Stage(2560),),
        size=(128, 128),
    )


def tf_keras_vis(samples: NDArray[Any] | None = None, side: int = 128) -> Recipe:
    """Defaults of ``ActivationMaximization`` of tf-keras-vis.

    There the modifiers overwrite the image, so that turns add up; here they change what the model
    sees, and the image stays.
    """
    return Recipe(
        name="tf-keras-vis",
        source="tf-keras-vis 0.8: ActivationMaximization",
        parameterization=Pixels(origin="uniform"),
        transforms=(Jitter(4, keep=True, mode="wrap"), Rotate(between=(-1, 1))),
        regularizers=(TotalVariation(weight=1.0, span=255), Lp(weight=0.3, p=1, span=255)),
        # Gradients are 255 times as large here, and Keras adds epsilon to their square.
        optimizer=Optimizer("rmsprop", 1.0 * _STEP, {"rho": 0.999, "epsilon": 1e-7 * 255**2}),
        stages=(Stage(200),),
    )


def tf_keras_vis_classes(samples: NDArray[Any] | None = None, side: int = 128) -> Recipe:
    """What tf-keras-vis recommends for classes: wider jitter, turns and zooms, weights of 10."""
    return tf_keras_vis().but(
        name="tf-keras-vis-classes",
        source="tf-keras-vis 0.8: examples, visualize_dense_layer",
        transforms=(
            Jitter(8, keep=True, mode="wrap"),
            Rotate(between=(-3, 3)),
            Scale(between=(0.9, 1.1)),
        ),
        regularizers=(TotalVariation(weight=10.0, span=255), Lp(weight=10.0, p=1, span=255)),
    )


def keras_vis(samples: NDArray[Any] | None = None, side: int = 128) -> Recipe:
    """Defaults of ``visualize_activation`` of keras-vis."""
    return Recipe(
        name="keras-vis",
        source="keras-vis 0.5: visualize_activation, Optimizer, LPNorm, TotalVariation",
        # Even, with a deviation of .05 of the range (`_get_seed_input`).
        parameterization=Pixels(origin="uniform", spread=0.05 * math.sqrt(12)),
        regularizers=(
            Lp(weight=10.0, p=6, per="value", span=255),
            TotalVariation(weight=10.0, beta=2, span=255),
        ),
        gradients=L2Normalized(),
        optimizer=Optimizer("rmsprop", 1.0 * _STEP, {"rho": 0.95}),
        stages=(Stage(200),),
    )


def keras_vis_filters(samples: NDArray[Any] | None = None, side: int = 128) -> Recipe:
    """The article on filters of VGG16 seen by keras-vis: its defaults, with a jitter of 16."""
    return keras_vis().but(
        name="keras-vis-filters",
        source="the article on filters seen by keras-vis",
        transforms=(Jitter(16, keep=True, mode="wrap"),),
    )


def ascent(samples: NDArray[Any] | None = None, side: int = 128) -> Recipe:
    """Plain gradient ascent from mid-grey, the gradient's length made one.

    The articles on feature maps of VGG16 and on the galaxy classifier paint so; they leave out
    the border of the map: ``channel(..., trim=2)``.
    """
    return Recipe(
        name="ascent",
        source="the articles on VGG16 filters and on the galaxy classifier; Keras' example",
        parameterization=Pixels(origin="uniform", spread=0.125),
        gradients=L2Normalized(to="length"),
        optimizer=Optimizer("sgd", 10 / 2),  # 10 where values run from -1 to 1
        stages=(Stage(30),),
    )


def octaves(samples: NDArray[Any] | None = None, side: int = 128) -> Recipe:
    """The article on neuron, channel, layer and class objectives: octaves, blur, jitter.

    Gradients divided by their deviation; a Gaussian of 25 / (step + 1) pixels; each octave is
    1.15 times as large as the one before.
    """
    return Recipe(
        name="octaves",
        source="the article on objectives with blur, jitter and octaves",
        parameterization=Pixels(origin="uniform", spread=0.125),
        transforms=(Pad(16, mode="reflect"), Jitter(32), Blur(25.0)),
        gradients=DividedByDeviation(),
        optimizer=Optimizer("sgd", 0.01),
        stages=tuple(Stage(32, _OCTAVE**-octave) for octave in (3, 2, 1, 0)),
    )


def maco(samples: NDArray[Any] | None = None, side: int = 128) -> Recipe:
    """MACO: only the phases are painted, the magnitudes are those of the samples.

    Args:
        samples: ``(n, h, w, c)`` in [0, 1]; the spectrum is measured on them.
    """
    if samples is None:
        raise UsageError("The recipe maco measures the spectrum of samples. Give samples=...")
    colour = measure_colour(samples)
    return Recipe(
        name="maco",
        source="Fel et al. 2023, arXiv 2306.06805; xplique",
        parameterization=Maco(
            magnitude=measure_magnitude(samples, colour=colour),
            colour=colour,
            phases="standardized",
        ),
        transforms=(RandomBoxes(), Noise(0.08)),
        optimizer=Optimizer("nadam", 1.0),
        stages=(Stage(256),),
    )


def dream(samples: NDArray[Any] | None = None, side: int = 128) -> Recipe:
    """DeepDream on a picture: octaves from coarse to fine, each from the one before."""
    return octaves().but(
        name="dream",
        source="Mordvintsev et al. 2015, Inceptionism; octaves of the article",
        transforms=(Jitter(side // 8, keep=True, mode="wrap"),),
        optimizer=Optimizer("sgd", 0.01),
        stages=tuple(Stage(10, 1.4**-octave) for octave in (2, 1, 0)),
    )


RECIPES: dict[str, Callable[..., Recipe]] = {
    "default": default,
    "lucid": lucid,
    "distill": distill,
    "tf-keras-vis": tf_keras_vis,
    "tf-keras-vis-classes": tf_keras_vis_classes,
    "keras-vis": keras_vis,
    "keras-vis-filters": keras_vis_filters,
    "ascent": ascent,
    "octaves": octaves,
    "maco": maco,
    "dream": dream,
}


def find_recipe(
    recipe: str | Recipe, samples: NDArray[Any] | None = None, side: int = 128
) -> Recipe:
    """A recipe by name, or as it is.

    Args:
        samples: ``(n, h, w, c)`` in [0, 1], for recipes that measure them.
        side: the shorter one of the images.

    Raises:
        UsageError: no such name; or the recipe needs samples.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in RECIPES:
        raise UsageError(f"There is no recipe {recipe!r}. There are: {', '.join(RECIPES)}.")
    given = None if samples is None else np.asarray(samples, np.float32)
    return RECIPES[recipe](given, side)


def _choose_colour(samples: NDArray[Any] | None) -> Any:
    """ImageNet's mixture for three channels; for others what the samples say."""
    if samples is None or samples.shape[-1] == 3:
        return "imagenet"
    return measure_colour(samples)
