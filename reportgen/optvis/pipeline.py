"""Transforms in a row: drawn with NumPy, and as few passes over the image as they allow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import UsageError
from reportgen.optvis.canvas import Canvas
from reportgen.optvis.resampling import Fill, Tensor, canvas_of, project, resample
from reportgen.optvis.transforms import Affine, Transform


class Stage(Transform, Protocol):
    """What is applied in one pass."""

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Images ``(b, h, w, c)`` and the numbers of one step ``(b, k)`` -> ``(b, h', w', c)``."""


@dataclass(frozen=True)
class Warp:
    """Consecutive affine transforms, as one: the image is read once, through their product.

    What an earlier one pushes over the border is therefore not lost for a later one: a crop
    followed by a turn shows what the crop cut off where separate steps would show the fill.
    """

    parts: tuple[Affine, ...]
    fill: Fill

    def draw(self, rng: np.random.Generator, steps: int, canvas: Canvas) -> NDArray[np.float64]:
        """Maps ``(steps, 6)`` from the new image to the first one."""
        product = np.tile(np.eye(3), (steps, 1, 1))
        for part in self.parts:
            product[:, :2] = product[:, :2] @ _matrices(part.draw(rng, steps, canvas))
            canvas = part.output_canvas(canvas)
        return product[:, :2].reshape(steps, 6)

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """``(b, h, w, c)`` and ``(b, 6)`` -> ``(b, h', w', c)``."""
        size = self.output_canvas(canvas_of(images)).size
        turns = any(part.turns for part in self.parts)
        return (project if turns else resample)(images, drawn, size, self.fill)

    def output_canvas(self, canvas: Canvas) -> Canvas:
        """The canvas that comes out."""
        for part in self.parts:
            canvas = part.output_canvas(canvas)
        return canvas


@dataclass(frozen=True)
class Pipeline:
    """Transforms applied one after the other to images ``(b, h, w, c)`` in [0, 1].

    Args:
        transforms: in order; none: images pass as they are.
        fill, value: what lies beyond the border where no transform says so; see ``Fill``.
    """

    transforms: Sequence[Any] = ()
    fill: Literal["constant", "reflect"] = "reflect"
    value: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "transforms", tuple(self.transforms))
        for transform in self.transforms:
            if not isinstance(transform, Affine) and not hasattr(transform, "apply"):
                raise UsageError(
                    f"{transform!r} is not a transform. Take one of reportgen.optvis.transforms."
                )

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The passes over the image."""
        default = Fill(self.fill, self.value)
        return tuple(
            entry if not isinstance(entry, list) else Warp(tuple(entry), _fill(entry) or default)
            for entry in _runs(self.transforms)
        )

    def draw(
        self, rngs: Iterable[np.random.Generator], steps: int, canvas: Canvas
    ) -> NDArray[np.float32]:
        """The numbers of a whole run, ``(steps, b, k)``: one generator for each of b images.

        They fit images of this canvas. For a run that changes its canvas on the way, draw all
        steps for each canvas, from fresh generators, and take the rows of its steps.
        """
        drawn = [self._draw_one(rng, steps, canvas) for rng in rngs]
        return np.stack(drawn, axis=1).astype(np.float32)

    def _draw_one(self, rng: np.random.Generator, steps: int, canvas: Canvas) -> NDArray[Any]:
        columns = [np.zeros((steps, 0))]
        for stage in self.stages:
            columns.append(stage.draw(rng, steps, canvas))
            canvas = stage.output_canvas(canvas)
        return np.concatenate(columns, axis=1)

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Images ``(b, h, w, c)`` through the numbers of one step ``(b, k)``: ``(b, h', w', c)``.

        Only b may be unknown when it is traced.
        """
        for stage, columns in zip(self.stages, self._columns(canvas_of(images)), strict=True):
            images = stage.apply(images, drawn[:, columns])
        return images

    def _columns(self, canvas: Canvas) -> list[slice]:
        """Which of the drawn numbers belong to which stage."""
        slices, begin = [], 0
        for stage in self.stages:
            width = stage.draw(np.random.default_rng(0), 1, canvas).shape[1]
            slices.append(slice(begin, begin + width))
            canvas, begin = stage.output_canvas(canvas), begin + width
        return slices

    def output_canvas(self, canvas: Canvas) -> Canvas:
        """The canvas that the model is given; raises ``UsageError`` where nothing is left."""
        for transform in self.transforms:
            canvas = transform.output_canvas(canvas)
        return canvas


def fit(images: Tensor, canvas: Canvas) -> Tensor:
    """Images ``(b, h, w, c)`` brought to the height and width of a canvas.

    A side that is too long loses both ends; a side that is then too short is stretched
    (bilinear), never padded, so that the model sees no made-up border.
    """
    import tensorflow as tf

    height, width = canvas_of(images).size
    if (height, width) == canvas.size:
        return images
    kept = min(height, canvas.height), min(width, canvas.width)
    corner = (0, (height - kept[0]) // 2, (width - kept[1]) // 2, 0)
    # The gradient of a strided slice takes several times as long as that of tf.slice.
    images = tf.slice(images, corner, (-1, *kept, images.shape[3]))
    if canvas_of(images).size == canvas.size:
        return images
    return tf.image.resize(images, canvas.size, method="bilinear")


def _runs(transforms: Iterable[Any]) -> list[Any]:
    """Transforms, where consecutive affine ones that can be fused are a list."""
    runs: list[Any] = []
    for transform in transforms:
        if not isinstance(transform, Affine):
            runs.append(transform)
        elif runs and isinstance(runs[-1], list) and _fuse([*runs[-1], transform]):
            runs[-1].append(transform)
        else:
            runs.append([transform])
    return runs


def _fuse(parts: Sequence[Affine]) -> bool:
    """Whether one warp can stand for these: one border, and a gradient that holds."""
    fills = {part.fill for part in parts if part.fill is not None}
    turns = any(part.turns for part in parts)
    # A turned warp has an approximate gradient, which no longer holds at a zoom of ten,
    # and TensorFlow's warp repeats images wrongly between the last and the first pixel.
    wrong = any(part.magnifies for part in parts) or any(fill.mode == "wrap" for fill in fills)
    return len(fills) <= 1 and not (turns and wrong)


def _fill(parts: Iterable[Affine]) -> Fill | None:
    return next((part.fill for part in parts if part.fill is not None), None)


def _matrices(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maps ``(steps, 6)`` -> matrices ``(steps, 3, 3)``."""
    last = np.broadcast_to([0.0, 0.0, 1.0], (len(maps), 1, 3))
    return np.concatenate([maps.reshape(-1, 2, 3), last], axis=1)
