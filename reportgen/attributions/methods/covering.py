"""What becomes of the score when parts of the picture are replaced: no gradients are needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from reportgen.attributions.case import Case
from reportgen.attributions.cells import make_grid
from reportgen.attributions.fills import FILLS, Fill
from reportgen.attributions.maps import Maps
from reportgen.attributions.methods.counts import require_counts
from reportgen.errors import UsageError

FloatArray = NDArray[np.float32]
Ints = NDArray[np.int64]
_MASK_BYTES = 64 * 2**20


@dataclass(frozen=True, kw_only=True)
class Occlusion:
    """The score less the score with one cell replaced, mean over fills.

    Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2; on
    a grid of cells that do not overlap.
    """

    cells: int = 8
    fills: tuple[Fill, ...] = FILLS
    name: ClassVar[str] = "occlusion"
    title: ClassVar[str] = "Occlusion"

    def __post_init__(self) -> None:
        """Raise UsageError of a count that is too small."""
        require_counts(cells=self.cells)

    @property
    def light(self) -> Occlusion:
        """See `Method`."""
        return replace(self, fills=self.fills[:1])

    def __call__(self, case: Case) -> Maps:
        """Maps of cells, signed."""
        side = case.pictures.shape[1:3]
        grid = make_grid(side[0], side[1], self.cells)
        made = [case.falls(fill, grid) for fill in self.fills]
        return Maps(self.name, np.mean(made, axis=0, dtype=np.float32), side, signed=True)


@dataclass(frozen=True, kw_only=True)
class RISE:
    """``sum of f(x m) m / sum of m``, less the mean score: what random masks say that let it pass.

    Petsiuk et al. 2018, "RISE", equation 6: masks of ``cells`` x ``cells`` bits, each on with
    probability ``chance``, enlarged bilinear and moved by less than a cell. The paper takes 4,000
    to 8,000. Each mask has a place of its own; the same masks are laid on every picture.
    """

    masks: int = 1000
    cells: int = 7
    chance: float = 0.5
    fill: Fill = "mean"
    name: ClassVar[str] = "rise"
    title: ClassVar[str] = "RISE"

    def __post_init__(self) -> None:
        """Raise UsageError of a count that is too small."""
        require_counts(masks=self.masks, cells=self.cells)

    @property
    def light(self) -> RISE:
        """See `Method`."""
        return replace(self, masks=min(self.masks, 100))

    def __call__(self, case: Case) -> Maps:
        """Maps of pixels, signed. Checks: "error", the standard error of a typical pixel."""
        height, width = case.pictures.shape[1:3]
        count = len(case)
        rng = np.random.default_rng([case.seed, 3])
        weighted = np.zeros((count, height * width))
        passed = np.zeros(height * width)
        scores = np.zeros((count, self.masks))
        at_once = max(1, _MASK_BYTES // (4 * height * width))
        for start in range(0, self.masks, at_once):
            some = min(at_once, self.masks - start)
            masks = draw_masks(rng, some, (height, width), self.cells, self.chance)
            of = np.repeat(np.arange(count), some)
            spread = np.tile(np.arange(some), count)
            ask = partial(
                case.network.masked,
                case.pictures,
                case.fill(self.fill),
                of,
                masks,
                spread,
                "RISE",
            )
            logits = case.ask_once((self, start), ask)
            made = case.score(logits, of).reshape(count, some).astype(np.float64)
            flat = masks.reshape(some, -1)
            weighted += made @ flat
            passed += flat.sum(axis=0)
            scores[:, start : start + some] = made
        maps = weighted / np.maximum(passed, 1e-9) - scores.mean(axis=1, keepdims=True)
        spread_of_one = np.sqrt((1 - self.chance) / self.chance / self.masks)
        error = scores.std(axis=1) * spread_of_one
        return Maps(
            self.name,
            maps.reshape(count, height, width).astype(np.float32),
            (height, width),
            signed=True,
            checks={"error": error.astype(np.float32)},
        )


def draw_masks(
    rng: np.random.Generator, count: int, side: tuple[int, int], cells: int, chance: float
) -> FloatArray:
    """Masks of RISE ``(count, *side)`` from 0 to 1, each moved on its own."""
    import tensorflow as tf

    steps = [-(-length // cells) for length in side]
    bits = (rng.random((count, cells + 1, cells + 1, 1)) < chance).astype(np.float32)
    large = tf.image.resize(bits, [(cells + 1) * step for step in steps])[..., 0].numpy()
    top, left = (rng.integers(0, step, count) for step in steps)
    down = top[:, None] + np.arange(side[0])
    across = left[:, None] + np.arange(side[1])
    return np.asarray(large[np.arange(count)[:, None, None], down[:, :, None], across[:, None, :]])


@dataclass(frozen=True, kw_only=True)
class KernelSHAP:
    """Shapley values of cells by weighted least squares on sampled coalitions.

    Lundberg and Lee 2017, "A unified approach to interpreting model predictions", theorem 2, with
    coalitions drawn in pairs with their complements (Covert and Lee 2021, "Improving KernelSHAP").
    The values add up to the score less the score of the fill, by constraint. Exact where the score
    is a sum over cells.
    """

    samples: int = 512
    cells: int = 8
    fill: Fill = "mean"
    name: ClassVar[str] = "kernel_shap"
    title: ClassVar[str] = "KernelSHAP"

    def __post_init__(self) -> None:
        """Raise UsageError of a count that is too small."""
        require_counts(samples=self.samples, cells=self.cells)

    @property
    def light(self) -> KernelSHAP:
        """See `Method`."""
        return replace(self, samples=min(self.samples, 64), cells=min(self.cells, 5))

    def __call__(self, case: Case) -> Maps:
        """Maps of cells, signed. Checks: "fit", the share of the variance that a sum explains."""
        grid = make_grid(case.pictures.shape[1], case.pictures.shape[2], self.cells)
        if grid.count < 2:
            raise UsageError("A picture of one pixel has no parts to tell apart.")
        count = len(case)
        there = draw_coalitions(np.random.default_rng([case.seed, 4]), self.samples, grid.count)
        of = np.repeat(np.arange(count), len(there))
        patterns = np.tile(~there, (count, 1))
        fills = case.fill(self.fill)
        ask = partial(case.network.covered, case.pictures, fills, of, grid, patterns, "KernelSHAP")
        logits = case.ask_once(self, ask)
        made = case.score(logits, of).reshape(count, -1).astype(np.float64)
        start = case.empty(self.fill).astype(np.float64)
        whole = case.scores.astype(np.float64) - start
        values = _solve(there, made - start[:, None], whole)
        left = made - start[:, None] - values @ there.T
        variance = np.maximum(made.var(axis=1), 1e-30)
        fit = 1 - (left**2).mean(axis=1) / variance
        return Maps(
            self.name,
            values.reshape(count, grid.rows, grid.columns).astype(np.float32),
            case.pictures.shape[1:3],
            signed=True,
            checks={"fit": fit.astype(np.float32)},
        )


def draw_coalitions(rng: np.random.Generator, count: int, players: int) -> NDArray[np.bool_]:
    """Who is there, ``(count, players)``: sizes by the weights of Shapley's kernel, in pairs."""
    sizes = np.arange(1, players)
    weights = 1.0 / (sizes * (players - sizes))
    drawn = rng.choice(sizes, -(-count // 2), p=weights / weights.sum())
    ranks = rng.random((len(drawn), players)).argsort(axis=1).argsort(axis=1)
    there = ranks < drawn[:, None]
    return np.stack([there, ~there], axis=1).reshape(-1, players)[:count]


def _solve(
    there: NDArray[np.bool_], made: NDArray[np.float64], whole: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Least squares under the constraint that values add up to ``whole``, ``(n, players)``."""
    players = there.shape[1]
    known = there.astype(np.float64)
    # The last value is what the others leave of the whole.
    design = known[:, :-1] - known[:, -1:]
    target = made - known[:, -1] * whole[:, None]
    first = np.linalg.lstsq(design, target.T, rcond=None)[0].T
    return np.concatenate([first, (whole - first.sum(axis=1))[:, None]], axis=1).reshape(
        -1, players
    )
