"""DeepDream: what a layer as a whole would rather see in a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reportgen.analyses.optvis.studio import Studio

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Dream:
    """One sample as a layer would have it. image: ``(h, w, c)`` in [0, 1]. gain: by how much the
    mean of squares over the layer grew, as a factor.
    """

    address: str
    image: FloatArray
    gain: float


def dream_layers(
    studio: Studio, addresses: Sequence[str], sample: FloatArray, seconds: float
) -> tuple[Dream, ...]:
    """Each layer's dream of one sample ``(h, w, c)`` in [0, 1]."""
    from reportgen.optvis import find_recipe, layer
    from reportgen.optvis.parameterizations import Pixels

    recipe = replace(
        find_recipe("dream", side=min(sample.shape[:2])), parameterization=Pixels(image=sample)
    )
    dreams = []
    for address in addresses:
        made = studio.paint(layer(address), seconds / len(addresses), recipe=recipe, variants=1)
        start, end = float(made.starts[0, 0]), float(made.scores[0, 0])
        gain = end / start if start > 0 else float("nan")
        dreams.append(Dream(address, made.images[0, 0], gain))
    return tuple(dreams)
