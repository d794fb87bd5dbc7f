"""What painting for a subject takes, whatever is painted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reportgen.optvis.engine import Engine
    from reportgen.optvis.images import OptimizedImages
    from reportgen.optvis.objective import Objective
    from reportgen.optvis.recipe import Recipe
    from reportgen.optvis.scaling import Scaling
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float32]
# A canvas of two windows a side, rounded up, if that is clearly smaller than the samples.
_WINDOWS, _ROUND, _SMALLEST_CANVAS, _WORTH_IT = 2, 32, 96, 0.75


@dataclass(frozen=True)
class Studio:
    """What painting for a subject takes, whatever is painted."""

    subject: Subject
    scaling: Scaling
    recipe: Recipe
    samples: FloatArray
    variants: int
    seed: int
    precision: str

    @property
    def size(self) -> tuple[int, int]:
        """Of the samples, height and width."""
        return self.subject.input.pixels[0], self.subject.input.pixels[1]

    def open(
        self,
        objective: Objective,
        *,
        variants: int = 0,
        recipe: Recipe | None = None,
        size: tuple[int, int] | None = None,
    ) -> Engine:
        """An engine that paints, by default at the size of the samples."""
        from reportgen.optvis.painting import open_engine

        return open_engine(
            self.subject.model,
            objective,
            recipe=recipe or self.recipe,
            size=size or self.size,
            variants=variants or self.variants,
            seed=self.seed,
            scaling=self.scaling,
            precision=self.precision,
        )

    def paint(
        self,
        objective: Objective,
        seconds: float,
        *,
        recipe: Recipe | None = None,
        variants: int = 0,
    ) -> OptimizedImages:
        """Images of an objective."""
        from reportgen.optvis.painting import paint

        return paint(self.open(objective, variants=variants, recipe=recipe), seconds)

    def open_small(
        self,
        objective: Objective,
        window: tuple[int, ...] | None,
        *,
        variants: int = 0,
        recipe: Recipe | None = None,
        smallest: int = _SMALLEST_CANVAS,
    ) -> Engine:
        """An engine with a canvas a few times as large as what a unit sees: the rest is repeats.

        Not where a layer brings every picture to one size: a smaller one would reach the network
        enlarged, and nothing fine could be painted.
        """
        from reportgen.errors import UsageError
        from reportgen.subject.layer_kinds import kind_of

        resized = any(kind_of(call.layer) == "resizing" for call in self.subject.probe.calls)
        size = self.size if resized else choose_size(window, self.size, smallest)
        try:
            return self.open(objective, variants=variants, recipe=recipe, size=size)
        except UsageError:
            if size == self.size:
                raise
            return self.open(objective, variants=variants, recipe=recipe)


def choose_size(
    window: tuple[int, ...] | None, size: tuple[int, int], smallest: int = _SMALLEST_CANVAS
) -> tuple[int, int]:
    """Height and width to paint at, for units that see ``window``; None: everything."""
    if window is None or len(window) != 2:
        return size
    wanted = [max(smallest, -(-_WINDOWS * side // _ROUND) * _ROUND) for side in window]
    if any(small > _WORTH_IT * side for small, side in zip(wanted, size, strict=True)):
        return size
    return wanted[0], wanted[1]
