"""What happens to the painted image before the model sees it, so that details must be robust.

Random numbers are drawn with NumPy, once a run, by each image's own generator, whatever the batch.
Those that only move pixels (``Affine``) draw maps (see ``resampling``); ``Pipeline`` fuses them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import UsageError
from reportgen.optvis.canvas import Canvas
from reportgen.optvis.resampling import Fill, FillMode, Tensor, blur

FloatArray = NDArray[np.float64]
_Part = FloatArray | float


class Transform(Protocol):
    """A step between the painted image and the model."""

    def draw(self, rng: np.random.Generator, steps: int, canvas: Canvas) -> FloatArray:
        """Random numbers ``(steps, k)`` of one image for a whole run."""

    def output_canvas(self, canvas: Canvas) -> Canvas:
        """The canvas that comes out."""


class Affine(ABC):
    """A transform that only moves pixels: ``draw`` returns maps ``(steps, 6)``."""

    turns: ClassVar[bool] = False
    magnifies: ClassVar[bool] = False

    @property
    def fill(self) -> Fill | None:
        """What lies beyond the border; None: as the neighbours in the pipeline say."""
        return None

    def draw(self, rng: np.random.Generator, steps: int, canvas: Canvas) -> FloatArray:
        """Maps ``(steps, 6)`` of one image for a whole run."""
        return self._maps(rng, steps, canvas)

    @abstractmethod
    def _maps(self, rng: np.random.Generator, steps: int, canvas: Canvas) -> FloatArray: ...

    def output_canvas(self, canvas: Canvas) -> Canvas:
        """The canvas that comes out."""
        return canvas


@dataclass(frozen=True)
class _Border(Affine):
    """``width`` pixels at each border, added (sign 1) or cut off (-1)."""

    width: int
    sign: ClassVar[int] = 1

    def __post_init__(self) -> None:
        name = type(self).__name__
        _check(self.width >= 0, f"{name}: a width of 0 or more is needed, not {self.width}.")

    def _maps(self, rng: np.random.Generator, steps: int, canvas: Canvas) -> FloatArray:
        return _moves(np.full((steps, 2), -self.sign * self.width))

    def output_canvas(self, canvas: Canvas) -> Canvas:
        """Larger or smaller by the border."""
        return _grown(canvas, 2 * self.sign * self.width)


@dataclass(frozen=True)
class Pad(_Border):
    """A border of ``width`` pixels: of one value, or the image mirrored (see ``Fill``)."""

    mode: Literal["constant", "reflect"] = "constant"
    value: float = 0.5

    @property
    def fill(self) -> Fill | None:
        """The border's."""
        return Fill(self.mode, self.value)


@dataclass(frozen=True)
class Crop(_Border):
    """``width`` pixels cut off at each border."""

    sign: ClassVar[int] = -1


@dataclass(frozen=True)
class Jitter(Affine):
    """A random shift by whole pixels.

    keep False: a random crop, ``pixels`` fewer rows and columns (lucid). keep True: the size
    stays and the image shifts by up to ``pixels`` in each direction; mode "wrap": what leaves on
    one side enters on the other (keras-vis, tf-keras-vis), another mode: see ``Fill``.
    """

    pixels: int
    keep: bool = False
    mode: FillMode | None = None

    def __post_init__(self) -> None:
        _check(self.pixels >= 0, f"Jitter: 0 pixels or more are needed, not {self.pixels}.")
        if self.mode is not None:
            _check(self.keep, f"Jitter: mode={self.mode!r} has a meaning only with keep=True.")

    @property
    def fill(self) -> Fill | None:
        """What enters where the image shifts."""
        return None if self.mode is None else Fill(self.mode)

    def _maps(self, rng: np.random.Generator, steps: int, canvas: Canvas) -> FloatArray:
        least = -self.pixels if self.keep else 0
        return _moves(rng.integers(least, self.pixels, (steps, 2), endpoint=True))

    def output_canvas(self, canvas: Canvas) -> Canvas:
        """As large, or smaller by ``pixels``."""
        return canvas if self.keep else _grown(canvas, -self.pixels)


@dataclass(frozen=True, kw_only=True)
class _Drawn(Affine):
    """One number an image and step: one of ``choices`` (repeats weigh), or any in ``between``."""

    choices: tuple[float, ...] | None = None
    between: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        one = bool(self.choices) != bool(self.between)
        _check(one, f"{type(self).__name__}: choices or between is needed, one of the two.")
        if self.choices:
            object.__setattr__(self, "choices", tuple(self.choices))

    def numbers(self, rng: np.random.Generator, steps: int) -> FloatArray:
        """``(steps,)`` numbers."""
        if self.between is not None:
            return rng.uniform(*self.between, steps)
        drawn: FloatArray = rng.choice(np.asarray(self.choices, float), steps)
        return drawn


@dataclass(frozen=True, kw_only=True)
class Scale(_Drawn):
    """A random zoom about the centre; above 1 things grow. The canvas stays."""

    def __post_init__(self) -> None:
        super().__post_init__()
        smallest = min(self.choices or self.between or ())
        _check(smallest > 0, f"Scale: factors above 0 are needed, not {smallest}.")

    def _maps(self, rng: np.random.Generator, steps: int, canvas: Canvas) -> FloatArray:
        inverse = np.reciprocal(self.numbers(rng, steps))
        return _about_centre(inverse, 0, 0, inverse, canvas)


@dataclass(frozen=True, kw_only=True)
class Rotate(_Drawn):
    """A random turn about the centre, in degrees, anticlockwise as one sees it."""

    turns: ClassVar[bool] = True

    def _maps(self, rng: np.random.Generator, steps: int, canvas: Canvas) -> FloatArray:
        angles = np.deg2rad(self.numbers(rng, steps))
        return _about_centre(
            np.cos(angles), -np.sin(angles), np.sin(angles), np.cos(angles), canvas
        )


@dataclass(frozen=True)
class Flip(Affine):
    """Half of the images mirrored, left to right or top to bottom."""

    horizontal: bool = True

    def _maps(self, rng: np.random.Generator, steps: int, canvas: Canvas) -> FloatArray:
        sign = rng.choice([-1.0, 1.0], steps)
        columns, rows = (sign, 1) if self.horizontal else (1, sign)
        return _about_centre(columns, 0, 0, rows, canvas)


@dataclass(frozen=True, kw_only=True)
class RandomBoxes(Affine):
    """A random box of the image fills the canvas (MACO, Fel et al. 2023, arXiv 2306.06805).

    Sides are fractions of the canvas; their mean falls evenly from ``start`` to ``end``, their
    deviation is ``spread``, none is under .05 or above 1. Centres lie about the middle with
    deviation ``wander``. MACO averages over 32 boxes a step; here a step takes one.
    """

    start: float = 0.5
    end: float = 0.05
    spread: float = 0.05
    wander: float = 0.15
    magnifies: ClassVar[bool] = True

    def _maps(self, rng: np.random.Generator, steps: int, canvas: Canvas) -> FloatArray:
        sides = rng.normal(np.linspace(self.start, self.end, steps), self.spread).clip(0.05, 1)
        maps = _about_centre(sides, 0, 0, sides, canvas)
        maps[:, [2, 5]] += rng.normal(0, self.wander, (steps, 2)) * (canvas.width, canvas.height)
        return maps


class Pointwise:
    """A transform that changes values and keeps the size."""

    def output_canvas(self, canvas: Canvas) -> Canvas:
        """As large."""
        return canvas


@dataclass(frozen=True)
class Blur(Pointwise):
    """A Gaussian over what the model sees; the painted image itself stays sharp.

    The deviation, in pixels, falls from ``start``: "harmonic" as ``start / (step + 1)`` but never
    under ``end``; "linear" in equal steps to ``end`` at the last one. At 0 nothing is blurred.
    """

    start: float
    end: float = 0.0
    fall: Literal["harmonic", "linear"] = "harmonic"

    def __post_init__(self) -> None:
        right = 0 <= self.end <= self.start
        _check(right, f"Blur: 0 <= end <= start is needed, not {self.end} and {self.start}.")

    def draw(self, rng: np.random.Generator, steps: int, canvas: Canvas) -> FloatArray:
        """Deviations ``(steps, 1)``; not random."""
        if self.fall == "linear":
            return np.linspace(self.start, self.end, steps)[:, None]
        return np.maximum(self.start / np.arange(1, steps + 1), self.end)[:, None]

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """``(b, h, w, c)`` and ``(b, 1)`` -> ``(b, h, w, c)``."""
        return blur(images, drawn[:, 0])


@dataclass(frozen=True)
class Noise(Pointwise):
    """Random values added to what the model sees, of a deviation in units of white minus black."""

    deviation: float
    kind: Literal["normal", "uniform"] = "normal"

    def __post_init__(self) -> None:
        _check(self.deviation >= 0, f"Noise: 0 or more is needed, not {self.deviation}.")

    def draw(self, rng: np.random.Generator, steps: int, canvas: Canvas) -> FloatArray:
        """Seeds ``(steps, 2)``: whole numbers that float32 still holds exactly."""
        return rng.integers(0, 2**24, (steps, 2)).astype(float)

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """``(b, h, w, c)`` and ``(b, 2)`` -> ``(b, h, w, c)``."""
        import tensorflow as tf

        # A seed an image and a named algorithm: neither batches nor devices change the noise.
        def one(seed: Tensor) -> Tensor:
            shape, reach = images.shape[1:], 3**0.5  # uniform in -reach..reach: deviation 1
            if self.kind == "normal":
                return tf.random.stateless_normal(shape, seed, alg="philox")
            return tf.random.stateless_uniform(shape, seed, -reach, reach, alg="philox")

        noise = tf.map_fn(one, tf.cast(drawn, tf.int32), fn_output_signature=tf.float32)
        return images + self.deviation * noise


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise UsageError(message)


def _grown(canvas: Canvas, pixels: int) -> Canvas:
    height, width = canvas.height + pixels, canvas.width + pixels
    message = (
        f"The transforms cut {-pixels} pixels off an image of {canvas.height} x {canvas.width}, "
        "which leaves nothing. Take smaller crops and jitters, or a larger image."
    )
    _check(height > 0 and width > 0, message)
    return Canvas(height, width, canvas.channels)


def _moves(offsets: NDArray[np.generic]) -> FloatArray:
    """Maps ``(steps, 6)`` that read ``offsets`` ``(steps, 2)`` of (columns, rows) further on."""
    maps = np.tile([1.0, 0, 0, 0, 1, 0], (len(offsets), 1))
    maps[:, [2, 5]] = offsets
    return maps


def _about_centre(a: _Part, b: _Part, d: _Part, e: _Part, canvas: Canvas) -> FloatArray:
    """Maps ``(steps, 6)`` that leave the middle of the canvas where it is."""
    x, y = (canvas.width - 1) / 2, (canvas.height - 1) / 2
    parts = np.broadcast_arrays(a, b, x - a * x - b * y, d, e, y - d * x - e * y)
    return np.stack(parts, axis=1).astype(float)
