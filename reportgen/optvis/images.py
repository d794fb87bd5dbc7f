"""What comes of an optimisation: the images, and how they were reached."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
_GAP = 4


@dataclass(frozen=True, eq=False)
class OptimizedImages:
    """Images of n units in v variants. A notebook shows them by themselves.

    images: ``(n, v, h, w, c)`` in [0, 1], from black to white. scores: ``(n, v)``, the objective
    of each image as it is, without transforms; starts: of the image that it began with.
    history: ``(n, v, steps)``, the objective under transforms at each step; NaN after the last.
    first_gradients: ``(n, v)``, length of the first gradient; 0: there was nothing to follow.
    helped_gradients: the same with silent ReLUs opened for images that had none.
    woken: images that had no gradient, which was then let through silent ReLUs. settled: images
    whose objective had become flat. hurried: time ran out. seconds: for all.
    """

    images: FloatArray
    scores: FloatArray
    starts: FloatArray
    history: FloatArray
    first_gradients: FloatArray
    helped_gradients: FloatArray
    woken: NDArray[np.bool_]
    settled: NDArray[np.bool_]
    hurried: bool
    labels: tuple[str, ...]
    recipe: str
    seed: int
    precision: str
    precision_reason: str
    batch: int
    seconds: float

    @property
    def steps(self) -> NDArray[np.int64]:
        """Steps that each image took, ``(n, v)``."""
        return np.asarray(np.isfinite(self.history).sum(axis=-1))

    def __repr__(self) -> str:
        units, variants, height, width, channels = self.images.shape
        return (
            f"OptimizedImages({units} units x {variants}, {height} x {width} x {channels}, "
            f"recipe {self.recipe!r}, {self.steps.max()} steps, {self.seconds:.1f} s, "
            f"{self.precision})"
        )

    def grid(self) -> NDArray[np.uint8]:
        """All images on one sheet, ``(h, w, 3)``: a unit's variants side by side."""
        pictures = as_pictures(self.images.reshape(-1, *self.images.shape[2:]))
        variants = self.images.shape[1]
        across = max(1, round(math.sqrt(len(pictures)) / variants)) * variants
        down = -(-len(pictures) // across)
        height, width = pictures.shape[1:3]
        sheet = np.full((down * (height + _GAP), across * (width + _GAP), 3), 255, np.uint8)
        for index, picture in enumerate(pictures):
            row, column = divmod(index, across)
            top, left = row * (height + _GAP), column * (width + _GAP)
            sheet[top : top + height, left : left + width] = picture
        return sheet[:-_GAP, :-_GAP]

    def to_file(self, path: str | Path) -> None:
        """Write the sheet as a picture; the suffix says which kind."""
        from PIL import Image

        Image.fromarray(self.grid()).save(path)

    def _repr_png_(self) -> bytes:
        import io

        from PIL import Image

        stream = io.BytesIO()
        Image.fromarray(self.grid()).save(stream, format="png")
        return stream.getvalue()


def as_pictures(images: FloatArray) -> NDArray[np.uint8]:
    """Images ``(n, h, w, c)`` in [0, 1] as people see them, ``(n, h, w, 3)``.

    The range is never stretched: a unit that wants nothing stays grey. Other channels than grey,
    colours, and colours with alpha are drawn by their mean.
    """
    pixels = np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)
    if pixels.shape[-1] in (3, 4):
        return pixels[..., :3]
    mean = np.rint(pixels.mean(axis=-1, keepdims=True)).astype(np.uint8)
    return np.repeat(mean, 3, axis=-1)
