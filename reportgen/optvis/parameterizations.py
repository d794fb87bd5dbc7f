"""What an optimiser moves when it paints an image, and the simplest answer: its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import UsageError
from reportgen.optvis.canvas import Canvas

Tensor = Any  # of TensorFlow, which has no types to check
FloatArray = NDArray[np.float32]
Generators = Sequence[np.random.Generator]


class Parameterization(Protocol):
    """Variables that stand for a batch of images, and the way from them to the images.

    Axis 0 of every variable counts the images. An image depends on its own slices and its own
    generator only, so that no result depends on how images are split into batches.
    """

    def start(self, rngs: Generators, canvas: Canvas) -> tuple[FloatArray, ...]:
        """First values of the variables, one generator an image."""
        ...

    def decode(self, variables: Sequence[Tensor], canvas: Canvas) -> Tensor:
        """The images ``(b, h, w, c)`` in [0, 1]; differentiable, b may be unknown."""
        ...

    def project(self, variables: Sequence[Tensor]) -> list[Tensor]:
        """The variables put back into their valid set after an optimiser's step."""
        ...

    def grow(
        self, variables: Sequence[FloatArray], old: Canvas, new: Canvas, rngs: Generators
    ) -> tuple[FloatArray, ...]:
        """Variables of the same images on another canvas, for coarse to fine."""
        ...


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """The variables are the pixels, in [0, 1]; `project` clips them after each step.

    origin: "uniform" draws evenly over ``spread`` around ``centre`` (1.0 by default: black to
        white, as tf-keras-vis; 0.125 is what the Keras examples use; ``0.05 * sqrt(12)`` has the
        deviation of keras-vis); "normal" draws with the standard deviation ``spread`` (0.05 by
        default); "grey" is ``centre`` everywhere.
    image: start from this picture ``(h, w, c)`` in [0, 1] in place of ``origin``, resized to the
        canvas. Of several, ``(n, h, w, c)``, each image's own generator draws one.

    Raises:
        UsageError: the picture has another shape or values out of range.
    """

    origin: Literal["uniform", "normal", "grey"] = "uniform"
    spread: float | None = None
    centre: float = 0.5
    image: FloatArray | None = field(default=None, compare=False, repr=False)
    # Arrays have no hash: two parameterisations are equal only if they hold the same object.
    _image_id: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_image_id", id(self.image))
        if self.image is not None:
            _check_picture(self.image)

    def start(self, rngs: Generators, canvas: Canvas) -> tuple[FloatArray, ...]:
        """One variable ``(b, h, w, c)``."""
        if self.image is not None:
            return (self._pictures(self.image, rngs, canvas),)
        drawn = np.stack([self._draw(rng, canvas) for rng in rngs])
        return (np.clip(drawn, 0.0, 1.0).astype(np.float32),)

    def decode(self, variables: Sequence[Tensor], canvas: Canvas) -> Tensor:
        """The variable itself: no gradient is lost at black and white."""
        return variables[0]

    def project(self, variables: Sequence[Tensor]) -> list[Tensor]:
        """Clip to [0, 1]."""
        import tensorflow as tf

        return [tf.clip_by_value(variable, 0.0, 1.0) for variable in variables]

    def grow(
        self, variables: Sequence[FloatArray], old: Canvas, new: Canvas, rngs: Generators
    ) -> tuple[FloatArray, ...]:
        """Bilinear interpolation."""
        return (resize_images(variables[0], new),)

    def _draw(self, rng: np.random.Generator, canvas: Canvas) -> NDArray[np.float64]:
        shape = (canvas.height, canvas.width, canvas.channels)
        if self.origin == "grey":
            return np.full(shape, self.centre)
        if self.origin == "normal":
            spread = 0.05 if self.spread is None else self.spread
            return self.centre + spread * rng.standard_normal(shape)
        spread = 1.0 if self.spread is None else self.spread
        return self.centre + spread * (rng.random(shape) - 0.5)

    def _pictures(self, image: FloatArray, rngs: Generators, canvas: Canvas) -> FloatArray:
        if image.shape[-1] != canvas.channels:
            raise UsageError(
                f"image: has {image.shape[-1]} channels, the model takes {canvas.channels}"
            )
        choices = resize_images(image.reshape(-1, *image.shape[-3:]), canvas)
        return choices[[int(rng.integers(len(choices))) for rng in rngs]]


def resize_images(images: FloatArray, canvas: Canvas) -> FloatArray:
    """Bilinear, ``(n, h, w, c)``; what becomes smaller is smoothed first."""
    import tensorflow as tf

    resized = tf.image.resize(images, canvas.size, antialias=True)
    return np.asarray(resized.numpy(), np.float32)


def _check_picture(image: FloatArray) -> None:
    if image.ndim not in (3, 4) or 0 in image.shape:
        raise UsageError(
            f"image: expected (h, w, c) or (n, h, w, c) in [0, 1], received shape {image.shape}"
        )
    if not (image.min() >= 0.0 and image.max() <= 1.0):
        raise UsageError(
            f"image: expected values in [0, 1], received {image.min():g} to {image.max():g};"
            " divide by 255 if they are bytes"
        )
