"""What a method gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reportgen.attributions.cells import Grid
from reportgen.attributions.enlarging import enlarge

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps of n pictures.

    values: ``(n, a, b)`` as the method makes them: of pixels, of the positions of a layer, or of
    cells. What is above zero speaks for the score. signed: zero means nothing, what is below speaks
    against; else all values are sizes. side: height and width of the pictures.
    channels: ``(n, h, w, c)`` where the method tells them apart.
    checks: by name, what can be checked of each map, ``(n,)``: see the method.
    """

    method: str
    values: FloatArray
    side: tuple[int, int]
    signed: bool
    channels: FloatArray | None = None
    checks: Mapping[str, FloatArray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def enlarged(self) -> FloatArray:
        """As large as the pictures, ``(n, h, w)``."""
        return enlarge(self.values, self.side)

    def on(self, grid: Grid) -> FloatArray:
        """Mean over the cells of a grid, ``(n, rows, columns)``."""
        if self.values.shape[1:] == (grid.rows, grid.columns):
            return self.values
        return grid.average(self.enlarged)

    @property
    def without_evidence(self) -> NDArray[np.bool_]:
        """Of each map, whether nothing in it speaks for the score, ``(n,)``."""
        return np.asarray((self.values <= 0).all(axis=(1, 2)))
