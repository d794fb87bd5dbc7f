"""Blocks of a loss landscape for the synthetic report."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.report.blocks import Block, ColourScale, Contour, PlaneMark, PlanePath, Surface
from reportgen.report.sections import Section

Array = NDArray[Any]

SIDE = np.linspace(-1, 1, 31)
SCALE = ColourScale(low=0.8, high=147, map="viridis", unit="Loss")


def bowl(x: Array, y: Array) -> Array:
    """Losses from 0.8 in the middle to more than 147 in the corners."""
    height: Array = 0.8 * 10 ** (1.4 * (0.7 * x**2 + 1.3 * y**2 + 0.25 * np.sin(3 * x) * x * y))
    return height


def landscape_arrays() -> dict[str, Array]:
    """The arrays of the blocks."""
    values = bowl(*np.meshgrid(SIDE, SIDE))
    states = np.zeros(values.shape, np.uint8)
    states[1::2, :9] = 1
    states[values > SCALE.high] = 3
    states[24:27, 26:29] = 2
    states[-2:] = 4
    values[states >= 2] = np.nan
    return {
        "curvature/plane": values,
        "curvature/states": states,
        "curvature/whole": bowl(*np.meshgrid(SIDE, SIDE)),
    }


def landscape_section() -> Section:
    """A section with a plane from above and in perspective."""
    rest = np.linspace(1, 0, 25) ** 1.5
    x, y = 0.9 * np.cos(2 - 2 * rest) * rest, 0.8 * np.sin(2.8 - 2.6 * rest) * rest
    path = PlanePath(
        name="training, by epoch",
        x=tuple(x.tolist()),
        y=tuple(y.tolist()),
        labels=tuple(str(epoch) for epoch in range(25)),
    )
    side = tuple(SIDE.tolist())
    words = {"x_label": "First direction (81 % of the movement)", "y_label": "Second direction"}
    blocks: tuple[Block, ...] = (
        Contour(
            id="curvature-plane",
            title="The loss around this model",
            caption="Each cell is the loss of the weights at its place. Narrow rings are steep.",
            alt="A bowl, twice as steep along the second direction; training comes from the right.",
            values="curvature/plane",
            states="curvature/states",
            x=side,
            y=side,
            scale=SCALE,
            log=True,
            levels=(1, 2, 5, 10, 20, 50, 100),
            paths=(path,),
            marks=(PlaneMark(x=-0.3, y=-0.2, text="lowest"),),
            equal=True,
            **words,
        ),
        Surface(
            id="curvature-surface",
            title="The same in perspective",
            caption="The height is the logarithm of the loss.",
            alt="A bowl with its minimum in the middle.",
            values="curvature/whole",
            x=side,
            y=side,
            scale=SCALE,
            log=True,
            path=path,
            z=tuple(bowl(x, y).tolist()),
            z_label="Loss",
            **words,
        ),
    )
    return Section(
        id="curvature",
        title="Around the minimum",
        status="done",
        findings=(),
        why="How steep the loss is around the trained weights.",
        blocks=blocks,
        method=("31 x 31 losses over all samples.",),
    )
