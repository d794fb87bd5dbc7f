"""Where products with the Hessian come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# How far a product may be from differences of gradients, as a part of its length, in single
# precision.
PRODUCT_TOLERANCE = 1e-2


@dataclass(frozen=True)
class Source:
    """How products are made.

    kind: by differentiating twice, by differences of gradients, or not at all. error: how far the
    product that was checked is from such a difference, as a part of its length; of differences, how
    far those of two steps are apart. step: of the differences. layers: which are to blame where
    differentiating failed; empty where that cannot be told. why: what happened, in words.
    """

    kind: Literal["derivatives", "differences", "none"]
    error: float
    step: float = 0.0
    layers: tuple[str, ...] = ()
    why: str = ""
