"""Images with the spectrum of real ones: magnitude-constrained optimisation (MACO)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from reportgen.errors import UsageError
from reportgen.optvis.canvas import Canvas
from reportgen.optvis.colour import Colour, colour_for
from reportgen.optvis.parameterizations import FloatArray, Generators, Tensor
from reportgen.optvis.spectra import Magnitude, inverse_transform

SMALLEST_DEVIATION = 1e-5  # xplique's; an image without detail is not divided by zero


@dataclass(frozen=True, kw_only=True)
class Maco:
    """The variables are phases; the magnitudes are those of real images (Fel et al. 2023).

    An image is brought to mean 0 and deviation 1 over pixels and channels, its colours are mixed,
    a sigmoid follows (arXiv 2306.06805; xplique `maco_image_parametrization`).

    magnitude: see `measure_magnitude`. colour: the one that the magnitude was measured with;
    left out where it does not fit the number of channels.
    phases: "free" takes the angles as they are. "standardized" first brings them to mean 0 and
    deviation 1, as xplique does: steps of any size stay harmless, but not every image can be
    reached (evenly spread angles have the deviation 1.81).
    """

    magnitude: Magnitude
    colour: Colour | Literal["imagenet"] | None = None
    phases: Literal["free", "standardized"] = "free"

    def start(self, rngs: Generators, canvas: Canvas) -> tuple[FloatArray, ...]:
        """One variable ``(b, c, w // 2 + 1, h)`` in radians: even, or normal if standardized."""
        shape = (canvas.channels, canvas.width // 2 + 1, canvas.height)
        return (np.stack([self._draw(rng, shape) for rng in rngs]).astype(np.float32),)

    def decode(self, variables: Sequence[Tensor], canvas: Canvas) -> Tensor:
        """Waves of the fixed magnitudes, standardised, mixed, through a sigmoid.

        Raises:
            UsageError: the magnitude was measured on another number of channels.
        """
        import tensorflow as tf

        angles = variables[0]
        if self.phases == "standardized":
            angles = _standardize(angles)
        magnitude = np.swapaxes(self._magnitude(canvas), -1, -2)
        spectrum = tf.stack([tf.cos(angles) * magnitude, tf.sin(angles) * magnitude], axis=3)
        colours = _standardize(inverse_transform(spectrum, canvas.height, canvas.width))
        colour = colour_for(self.colour, canvas.channels)
        return tf.sigmoid(colour.mix(colours) if colour else colours)

    def project(self, variables: Sequence[Tensor]) -> list[Tensor]:
        """Every angle is valid."""
        return list(variables)

    def grow(
        self, variables: Sequence[FloatArray], old: Canvas, new: Canvas, rngs: Generators
    ) -> tuple[FloatArray, ...]:
        """The known waves keep their phases; further ones are drawn anew.

        Their magnitudes are fixed, so they bring detail at once: the picture is the same only up
        to the old resolution.
        """
        known, grown = variables[0], self.start(rngs, new)[0]
        if self.phases == "standardized":
            # Angles that were optimised may lie far apart; new ones would all be zero beside them.
            known = known - known.mean(axis=(1, 2, 3), keepdims=True)
            known = known / (known.std(axis=(1, 2, 3), keepdims=True) + SMALLEST_DEVIATION)
        columns = np.arange(min(old.width, new.width) // 2 + 1)[:, None]
        low = min(old.height, new.height)
        rows = np.rint(np.fft.fftfreq(low) * low).astype(int)[None]
        grown[:, :, columns, rows % new.height] = known[:, :, columns, rows % old.height]
        return (grown,)

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        if self.phases == "standardized":
            return rng.standard_normal(shape, np.float32)
        return (rng.random(shape, np.float32) * 2 - 1) * np.float32(np.pi)

    def _magnitude(self, canvas: Canvas) -> FloatArray:
        measured = self.magnitude.canvas.channels
        if measured != canvas.channels:
            raise UsageError(
                f"magnitude: measured on {measured} channels, the model takes {canvas.channels};"
                " measure it on samples of this model"
            )
        values = self.magnitude.at(canvas)
        # Only ratios matter, the image is standardised; sums of squares stay far from overflow.
        largest = max(float(values.max()), float(np.finfo(np.float32).tiny))
        return np.asarray(values / largest * canvas.height, np.float32)


def _standardize(values: Tensor) -> Tensor:
    """Mean 0 and deviation 1 within each image."""
    import tensorflow as tf

    axes = list(range(1, len(values.shape)))
    centred = values - tf.reduce_mean(values, axes, keepdims=True)
    # The root of a sum, not of the variance: at zero detail the gradient stays finite.
    variance = tf.reduce_mean(tf.square(centred), axes, keepdims=True)
    return centred / tf.sqrt(variance + SMALLEST_DEVIATION**2)
