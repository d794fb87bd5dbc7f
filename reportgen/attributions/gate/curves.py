"""What becomes of the score while cells are taken away, or brought in, in a map's order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reportgen.attributions.case import Case
from reportgen.attributions.cells import Grid
from reportgen.attributions.fills import FILLS, Fill

FloatArray = NDArray[np.float32]
Ints = NDArray[np.int64]
# Shares of the cells: close together where curves fall.
SHARES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75)
COARSE = (0.1, 0.2, 0.5)  # half the cost, for large models
FIFTH = 0.2
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Curves:
    """What one order of cells does to the answers, by one fill.

    shares: of the cells, from 0 to 1, ``(k,)``. deletion, insertion: the score that is explained
    while the first cells are replaced, and while only they are there, ``(n, k)``, in units of its
    mean fall over pictures from picture to fill. flips: whether the answer is
    another one with the first fifth replaced, ``(n,)``.
    """

    shares: FloatArray
    deletion: FloatArray
    insertion: FloatArray
    flips: NDArray[np.bool_]

    @property
    def area(self) -> FloatArray:
        """Area under insertion less area under deletion, ``(n,)``: above 0 is better than chance.

        Petsiuk et al. 2018, "RISE", section 4.2, both in one; by the trapezoid.
        """
        return np.asarray(
            np.trapezoid(self.insertion, self.shares, axis=1)
            - np.trapezoid(self.deletion, self.shares, axis=1)
        )


def order_cells(maps: FloatArray, rng: np.random.Generator) -> Ints:
    """Cells ``(n, cells)`` from the most marked to the least.

    Equal ones come in an order of chance: an order by place would favour the corner where objects
    are.
    """
    flat = maps.reshape(len(maps), -1)
    ties = rng.random(flat.shape)
    return np.stack([np.lexsort((tie, -values)) for values, tie in zip(flat, ties, strict=True)])


def draw_curves(
    case: Case,
    grid: Grid,
    orders: Mapping[str, Ints],
    fill: Fill,
    shares: tuple[float, ...] = SHARES,
) -> dict[str, Curves]:
    """Curves of several orders ``(n, cells)`` of the same pictures, all asked alike."""
    count, cells = len(case), grid.count
    steps = np.unique(np.clip(np.rint(np.array(shares) * cells), 1, cells - 1)).astype(np.int64)
    fifth = int(np.abs(steps - FIFTH * cells).argmin())
    patterns = []
    for order in orders.values():
        ranks = np.empty_like(order)
        np.put_along_axis(ranks, order, np.arange(cells)[None], axis=1)
        first = ranks[:, None, :] < steps[None, :, None]
        patterns.append(np.concatenate([first, ~first], axis=1))
    # Picture by picture, and of each all orders: equal patterns are asked once.
    asked = np.stack(patterns, axis=1).reshape(count, -1, cells)
    of = np.repeat(np.arange(count), asked.shape[1])
    flat = asked.reshape(-1, cells)
    key = np.concatenate([of[:, None].astype(np.uint8 if count < 256 else np.int64), flat], axis=1)
    _, kept, back = np.unique(key, axis=0, return_index=True, return_inverse=True)
    label = f"faithfulness, {fill}"
    logits = case.covered(fill, grid, of[kept], flat[kept], label)[back.ravel()]
    start, end = case.scores, case.empty(fill)
    # In units of the usual fall from picture to fill, so that fills and models can be compared.
    span = max(float(np.abs(start - end).mean()), _TINY)
    start, end = start / span, end / span
    values = (case.score(logits, of) / span).reshape(count, len(orders), 2, len(steps))
    answers = case.answers(logits).reshape(count, len(orders), 2, len(steps))
    changed = answers[:, :, 0, fifth] != case.answers(case.logits)[:, None]
    places = np.asarray(np.concatenate([[0], steps, [cells]]) / cells, np.float32)

    def close(a: FloatArray, inner: FloatArray, b: FloatArray) -> FloatArray:
        return np.concatenate([a[:, None], inner, b[:, None]], axis=1)

    return {
        name: Curves(
            places,
            close(start, values[:, i, 0], end),
            close(end, values[:, i, 1], start),
            changed[:, i],
        )
        for i, name in enumerate(orders)
    }


def share_of_random_flips(
    case: Case, grid: Grid, draws: int = 3, fills: tuple[Fill, ...] = FILLS
) -> dict[Fill, FloatArray]:
    """Of each picture, how often its answer changes with a random fifth replaced, ``(n,)``."""
    rng = np.random.default_rng([case.seed, 5])
    count, cells = len(case), grid.count
    some = round(FIFTH * cells)
    of = np.repeat(np.arange(count), draws)
    patterns = rng.random((len(of), cells)).argsort(axis=1).argsort(axis=1) < some
    before = case.answers(case.logits)[of]
    made = {}
    for fill in fills:
        after = case.answers(case.covered(fill, grid, of, patterns, "a random fifth"))
        made[fill] = (after != before).reshape(count, draws).mean(axis=1).astype(np.float32)
    return made
