"""What a method gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

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
    pictures: what is explained, to be looked at, ``(n, h, w, 3)``; `explain` puts them there.
    """

    method: str
    values: FloatArray
    side: tuple[int, int]
    signed: bool
    channels: FloatArray | None = None
    checks: Mapping[str, FloatArray] = field(default_factory=dict)
    pictures: NDArray[np.uint8] | None = None

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

    def __repr__(self) -> str:
        return f"Maps({self.method}, {len(self)} of {self.side[0]} x {self.side[1]})"

    def sheet(self) -> NDArray[np.uint8]:
        """Each picture beside its map, ``(h, w, 3)``: red speaks for the score, blue against."""
        from reportgen.attributions.overlay import enlarge_pictures, lay_over

        grey = np.full((len(self), *self.side, 3), 255, np.uint8)
        pictures = grey if self.pictures is None else self.pictures
        pairs = np.stack([enlarge_pictures(pictures), lay_over(self.values, pictures)], axis=1)
        rows = pairs.transpose(0, 2, 1, 3, 4)
        return np.asarray(rows.reshape(-1, rows.shape[2] * rows.shape[3], 3))

    def to_file(self, path: str | Path) -> None:
        """Write the sheet as a picture; the suffix says which kind."""
        from PIL import Image

        Image.fromarray(self.sheet()).save(path)

    def _repr_png_(self) -> bytes:
        import io

        from PIL import Image

        stream = io.BytesIO()
        Image.fromarray(self.sheet()).save(stream, format="png")
        return stream.getvalue()
