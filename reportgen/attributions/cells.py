"""The grid of cells that all methods are asked about alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Grid:
    """Cells of a picture of ``height`` x ``width``, as even as whole pixels allow.

    Cells are numbered row by row.
    """

    height: int
    width: int
    rows: int
    columns: int

    @property
    def count(self) -> int:
        """Number of cells."""
        return self.rows * self.columns

    @cached_property
    def cells(self) -> NDArray[np.int64]:
        """Of each pixel, the cell that it lies in, ``(height, width)``."""
        down = np.arange(self.height) * self.rows // self.height
        across = np.arange(self.width) * self.columns // self.width
        return np.asarray(down[:, None] * self.columns + across)

    def average(self, maps: FloatArray) -> FloatArray:
        """Mean of ``(n, height, width)`` over each cell, ``(n, rows, columns)``."""
        flat = self.cells.ravel()
        pixels = np.bincount(flat, minlength=self.count)
        sums = np.stack([np.bincount(flat, one.ravel(), self.count) for one in maps])
        return (sums / pixels).reshape(-1, self.rows, self.columns).astype(np.float32)

    def paint(self, patterns: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Cells ``(n, count)`` as pixels ``(n, height, width)``."""
        return np.asarray(patterns[:, self.cells])

    def box(self, cell: int) -> tuple[int, int, int, int]:
        """Top, left, bottom and right of a cell; the last two are past its end."""
        rows, columns = np.nonzero(self.cells == cell)
        return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def make_grid(height: int, width: int, most: int = 8) -> Grid:
    """A grid of ``most`` x ``most`` cells; of fewer where a side has fewer pixels."""
    return Grid(height, width, min(most, height), min(most, width))
