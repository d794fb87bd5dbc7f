"""Images painted with waves: lucid's parameterisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.signal import resample

from reportgen.optvis.canvas import Canvas
from reportgen.optvis.colour import Colour, Squash, colour_for, to_unit_range
from reportgen.optvis.parameterizations import FloatArray, Generators, Tensor
from reportgen.optvis.spectra import fourier_scale, inverse_transform

# lucid divides by it; without it the same learning rate would move pixels four times as far.
DIVISOR = 4.0


@dataclass(frozen=True, kw_only=True)
class Fourier:
    """The variables are scaled Fourier coefficients of independent colours (lucid `fft_image`).

    deviation: of the coefficients at the start, before the scale. decay: how fast the scale falls
    with the frequency, see `fourier_scale`. colour: how independent colours become channels;
    left out where it does not fit the number of channels. squash: the way to [0, 1].
    """

    deviation: float = 0.01
    decay: float = 1.0
    colour: Colour | Literal["imagenet"] | None = "imagenet"
    squash: Squash = "sigmoid"

    def start(self, rngs: Generators, canvas: Canvas) -> tuple[FloatArray, ...]:
        """One variable ``(b, c, w // 2 + 1, 2, h)``, see `spectra`."""
        shape = (canvas.channels, canvas.width // 2 + 1, 2, canvas.height)
        drawn = [rng.standard_normal(shape, np.float32) for rng in rngs]
        return (np.stack(drawn) * np.float32(self.deviation),)

    def decode(self, variables: Sequence[Tensor], canvas: Canvas) -> Tensor:
        """Scale, inverse transform, colours, squash."""
        spectrum = variables[0] * self._scale(canvas)
        colours = inverse_transform(spectrum, canvas.height, canvas.width)
        colour = colour_for(self.colour, canvas.channels)
        return to_unit_range(colour.mix(colours) if colour else colours, self.squash)

    def project(self, variables: Sequence[Tensor]) -> list[Tensor]:
        """Every coefficient is valid."""
        return list(variables)

    def grow(
        self, variables: Sequence[FloatArray], old: Canvas, new: Canvas, rngs: Generators
    ) -> tuple[FloatArray, ...]:
        """The same waves on a finer grid: exact before the squash; new frequencies start at 0.

        By way of the pixels, because half of the coefficients at the highest frequency of an even
        side have no influence there but would have on a larger canvas.
        """
        parts = np.moveaxis(variables[0] * self._scale(old), 3, 0)
        waves = np.swapaxes(parts[0] + 1j * parts[1], -1, -2)
        pixels = np.fft.irfft2(waves, s=old.size)
        larger = resample(resample(pixels, new.height, axis=-2), new.width, axis=-1)
        spectrum = np.swapaxes(np.fft.rfft2(larger), -1, -2)
        scaled = np.stack([spectrum.real, spectrum.imag], axis=3)
        return ((scaled / self._scale(new)).astype(np.float32),)

    def _scale(self, canvas: Canvas) -> FloatArray:
        """``(w // 2 + 1, 1, h)``, the division included."""
        scale = fourier_scale(canvas.height, canvas.width, self.decay) / DIVISOR
        return scale.T[:, None, :]
