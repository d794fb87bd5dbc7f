"""A recipe: everything that decides how an image is painted, apart from what for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from reportgen.errors import UsageError
from reportgen.optvis.gradients import GradientTreatment, Raw
from reportgen.optvis.parameterizations import Parameterization
from reportgen.optvis.regularizers import Regularizer
from reportgen.optvis.transforms import Transform


@dataclass(frozen=True)
class Optimizer:
    """An optimiser of Keras by name; learning_rate may be one of Keras' schedules.

    Steps are in the units of the variables: for `Pixels`, 1 is from black to white.
    """

    name: str
    learning_rate: Any
    options: Mapping[str, Any] = field(default_factory=dict)

    def build(self) -> Any:
        """A fresh optimiser.

        Raises:
            UsageError: Keras has none of this name, or not with these options.
        """
        import keras

        config = {"learning_rate": self.learning_rate, **self.options}
        try:
            return keras.optimizers.get({"class_name": self.name, "config": config})
        except (TypeError, ValueError) as error:
            raise UsageError(f"The optimiser {self.name!r} of Keras: {error}") from None


@dataclass(frozen=True)
class Stage:
    """So many steps on a canvas of ``scale`` times the size."""

    steps: int
    scale: float = 1.0


@dataclass(frozen=True)
class Flatness:
    """When to stop: the mean objective of the last ``window`` steps gained less than ``gain``
    (as a part of its size) over the window before.
    """

    window: int = 16
    gain: float = 0.02


@dataclass(frozen=True)
class Recipe:
    """How an image is painted. Change a field with `but`.

    source: the paper, tool or article whose parameters these are. size: height and width of the
    images where the recipe has its own; None for the model's.
    """

    name: str
    source: str
    parameterization: Parameterization
    optimizer: Optimizer
    stages: tuple[Stage, ...]
    transforms: tuple[Transform, ...] = ()
    regularizers: tuple[Regularizer, ...] = ()
    gradients: GradientTreatment = field(default_factory=Raw)
    flatness: Flatness | None = None
    size: tuple[int, int] | None = None

    def but(self, **changes: Any) -> Recipe:
        """The same recipe with some fields changed; ``steps`` sets those of the last stage."""
        steps = changes.pop("steps", None)
        known = [part.name for part in fields(self)]
        wrong = ", ".join(name for name in changes if name not in known)
        if wrong:
            raise UsageError(f"A recipe has no {wrong}. It has: steps, {', '.join(known)}.")
        if steps is not None:
            stages = changes.get("stages", self.stages)
            changes["stages"] = (*stages[:-1], replace(stages[-1], steps=int(steps)))
        return replace(self, **changes)

    def __post_init__(self) -> None:
        if not self.stages or min(stage.steps for stage in self.stages) < 1:
            raise UsageError(f"{self.name}: stages of 1 step or more are needed: {self.stages}.")

    @property
    def steps(self) -> int:
        """At most so many, over all stages."""
        return sum(stage.steps for stage in self.stages)
