"""Attention followed from layer to layer, for networks of attention."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from reportgen.attributions.case import Case
from reportgen.attributions.maps import Maps
from reportgen.errors import UsageError

FloatArray = NDArray[np.float32]
_NO_ATTENTION = (
    "The model has no self-attention over one grid of tokens, so there is nothing to roll out."
)


@dataclass(frozen=True)
class Rollout:
    """Product over layers of ``(A + I) / 2``, A the mean over heads; rows add up to 1.

    Abnar and Zuidema 2020, "Quantifying attention flow in transformers", section 3. It shows where
    a token's information may come from; it is the same for every class, and knows nothing of what
    is done to it. Read at the first token where there is one beside the grid, else at their mean.
    """

    name: ClassVar[str] = "rollout"
    title: ClassVar[str] = "Attention rollout"

    @property
    def light(self) -> Rollout:
        """See `Method`."""
        return self

    def __call__(self, case: Case) -> Maps:
        """Maps of the grid of tokens; sizes, without a sign.

        Raises:
            UsageError: no attention, or tokens that are no grid.
        """
        layers = [scores for scores in case.network.attention(case.pictures) if scores.ndim == 4]
        sides = {scores.shape[2:] for scores in layers}
        if len(sides) != 1 or len(set(sides.copy().pop())) != 1:
            raise UsageError(_NO_ATTENTION)
        flow = roll_out([scores.mean(axis=1) for scores in layers])
        tokens = flow.shape[-1]
        grid, extra = find_grid(tokens, case.pictures.shape[1] / case.pictures.shape[2])
        read = flow[:, 0, extra:] if extra else flow.mean(axis=1)
        values = read.reshape(len(case), *grid).astype(np.float32)
        return Maps(self.name, values, case.pictures.shape[1:3], signed=False)


def roll_out(layers: list[FloatArray]) -> FloatArray:
    """From the first layer to the last, ``(n, tokens, tokens)`` each; rows add up to 1."""
    tokens = layers[0].shape[-1]
    flow = np.eye(tokens, dtype=np.float32)[None]
    for attention in layers:
        mixed = (attention + np.eye(tokens, dtype=np.float32)) / 2
        flow = (mixed / mixed.sum(axis=-1, keepdims=True)) @ flow
    return np.asarray(flow, np.float32)


def find_grid(tokens: int, aspect: float) -> tuple[tuple[int, int], int]:
    """Rows and columns of the grid, and how many tokens stand before it.

    Raises:
        UsageError: neither all tokens nor all but the first are a grid of that aspect.
    """
    for extra in (0, 1, 2):
        rows = round(math.sqrt((tokens - extra) * aspect))
        if rows and (tokens - extra) % rows == 0:
            columns = (tokens - extra) // rows
            if abs(rows / columns - aspect) < 0.01 * aspect:
                return (rows, columns), extra
    raise UsageError(_NO_ATTENTION)
