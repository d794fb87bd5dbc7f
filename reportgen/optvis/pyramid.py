"""Images painted in several resolutions at once: the Laplacian pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from reportgen.optvis.canvas import Canvas
from reportgen.optvis.colour import Colour, Squash, colour_for, to_unit_range
from reportgen.optvis.parameterizations import FloatArray, Generators, Tensor, resize_images


@dataclass(frozen=True, kw_only=True)
class LaplacianPyramid:
    """The variables are images of halved sizes; their enlarged sum is the picture.

    levels: how many, as far as the canvas can be halved; None: as many as it can. deviation: of
    all values at the start (lucid `laplacian_pyramid_image`). colour, squash: as in `Fourier`.
    """

    levels: int | None = 4
    deviation: float = 0.01
    colour: Colour | Literal["imagenet"] | None = "imagenet"
    squash: Squash = "sigmoid"

    def start(self, rngs: Generators, canvas: Canvas) -> tuple[FloatArray, ...]:
        """One variable ``(b, h >> level, w >> level, c)`` a level, the finest first."""
        drawn = [[self._draw(rng, size) for size in self._sizes(canvas)] for rng in rngs]
        return tuple(np.stack(level) for level in zip(*drawn, strict=True))

    def decode(self, variables: Sequence[Tensor], canvas: Canvas) -> Tensor:
        """Enlarge, add, mix the colours, squash."""
        import tensorflow as tf

        # A level of the canvas' own size passes `resize` unchanged.
        colours = tf.add_n([tf.image.resize(level, canvas.size) for level in variables])
        colour = colour_for(self.colour, canvas.channels)
        return to_unit_range(colour.mix(colours) if colour else colours, self.squash)

    def project(self, variables: Sequence[Tensor]) -> list[Tensor]:
        """Every value is valid."""
        return list(variables)

    def grow(
        self, variables: Sequence[FloatArray], old: Canvas, new: Canvas, rngs: Generators
    ) -> tuple[FloatArray, ...]:
        """The enlarged sum, taken apart into the levels of the new canvas."""
        total = np.sum([resize_images(level, old) for level in variables], axis=0)
        rest = resize_images(total, new)
        parts: list[FloatArray] = []
        for size in reversed(self._sizes(new)):
            parts.append(resize_images(rest, size))
            rest = rest - resize_images(parts[-1], new)
        return tuple(reversed(parts))

    def _sizes(self, canvas: Canvas) -> list[Canvas]:
        most = min(canvas.size).bit_length()
        count = most if self.levels is None else min(self.levels, most)
        return [
            Canvas(canvas.height >> level, canvas.width >> level, canvas.channels)
            for level in range(count)
        ]

    def _draw(self, rng: np.random.Generator, size: Canvas) -> FloatArray:
        values = rng.standard_normal((*size.size, size.channels), np.float32)
        return values * np.float32(self.deviation)
