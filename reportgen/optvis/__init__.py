"""Feature visualisation by optimisation: what does a unit want to see?

    from reportgen import optvis
    images = optvis.visualize(model, optvis.channel("block4_conv1", range(32)))
    images  # a notebook shows them; images.to_file("units.png") keeps them

Objectives compose: ``channel("a", 3) + 0.5 * neuron("b", 7) + diversity("a")``. Everything else
is a `Recipe`: `recipes` names the default and those of the known tools and articles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = [
    "RECIPES",
    "Objective",
    "OptimizedImages",
    "Optimizer",
    "Recipe",
    "Stage",
    "channel",
    "direction",
    "diversity",
    "find_recipe",
    "layer",
    "logit",
    "neuron",
    "softmax",
    "visualize",
]

if TYPE_CHECKING:
    from reportgen.optvis.images import OptimizedImages
    from reportgen.optvis.objective import Objective
    from reportgen.optvis.objectives import (
        channel,
        direction,
        diversity,
        layer,
        logit,
        neuron,
        softmax,
    )
    from reportgen.optvis.painting import visualize
    from reportgen.optvis.recipe import Optimizer, Recipe, Stage
    from reportgen.optvis.recipes import RECIPES, find_recipe

_HOMES = {
    "Objective": "objective",
    "OptimizedImages": "images",
    "Optimizer": "recipe",
    "RECIPES": "recipes",
    "Recipe": "recipe",
    "Stage": "recipe",
    "find_recipe": "recipes",
    "visualize": "painting",
}


def __getattr__(name: str) -> Any:
    # Lazy, as in the package above: TensorFlow takes seconds to import.
    if name not in __all__:
        raise AttributeError(f"module 'reportgen.optvis' has no attribute {name!r}")
    from importlib import import_module

    home = import_module(f"reportgen.optvis.{_HOMES.get(name, 'objectives')}")
    return getattr(home, name)


def __dir__() -> list[str]:
    """What there is; not what this module needed to say so."""
    return list(__all__)
