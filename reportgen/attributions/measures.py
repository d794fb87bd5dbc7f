"""Measures of maps that the literature knows, for who wants them beside the gate.

None of them has a threshold that a paper supports, and each can be won by maps that are wrong: see
`gate` for what is held against controls.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reportgen.attributions.case import Case
from reportgen.attributions.cells import Grid
from reportgen.attributions.fills import Fill

FloatArray = NDArray[np.float32]
_SUBSETS, _SHARE = 200, 0.2
# Weights of the neighbours that a removed pixel is made of: beside it, and across.
_BESIDE, _ACROSS = 1 / 6, 1 / 12
_BINS = 100


def mu_fidelity(case: Case, cells: FloatArray, grid: Grid, fill: Fill = "mean") -> FloatArray:
    """Pearson's correlation of what random cells sum to and what replacing them costs, ``(n,)``.

    Bhatt et al. 2020, "Evaluating and aggregating feature-based model explanations", equation 2;
    200 draws of a fifth of the cells. 0 where one of them does not vary.

    Args:
        cells: maps ``(n, rows, columns)`` that are sums over cells.
    """
    rng = np.random.default_rng([case.seed, 10])
    some = max(1, round(_SHARE * grid.count))
    chosen = rng.random((_SUBSETS, grid.count)).argsort(axis=1).argsort(axis=1) < some
    count = len(case)
    of = np.repeat(np.arange(count), _SUBSETS)
    logits = case.covered(fill, grid, of, np.tile(chosen, (count, 1)), "mu-fidelity")
    falls = (case.scores[of] - case.score(logits, of)).reshape(count, _SUBSETS)
    sums = cells.reshape(count, -1).astype(np.float64) @ chosen.T
    return np.asarray([_correlate(a, b) for a, b in zip(sums, falls, strict=True)], np.float32)


def infidelity(case: Case, channels: FloatArray, deviation: float = 0.1) -> FloatArray:
    """Mean of ``(I . map - (f(x) - f(x - I)))^2`` over noise I, ``(n,)``.

    Yeh et al. 2019, "On the (in)fidelity and sensitivity of explanations", definition 2.1.

    Args:
        channels: maps that keep the channels, ``(n, h, w, c)``: of ``x`` times a gradient they are
            divided by ``x`` before. deviation: of the noise, in the range of each picture.
    """
    rng = np.random.default_rng([case.seed, 11])
    count, shape = len(case), case.pictures.shape[1:]
    noise = rng.standard_normal((_SUBSETS // 4, *shape), np.float32)
    ranges = np.ptp(case.pictures.reshape(count, -1), axis=1) * np.float32(deviation)
    made = np.zeros(count)
    for one in noise:
        moved = ranges[:, None, None, None] * one
        falls = case.scores - case.score(
            case.network.logits(case.pictures - moved), np.arange(count)
        )
        made += ((moved * channels).sum(axis=(1, 2, 3)) - falls) ** 2
    return np.asarray(made / len(noise), np.float32)


def gini(maps: FloatArray) -> FloatArray:
    """How unevenly sizes are spread, ``(n,)``: 0 even, ``1 - 1 / k`` all in one of k places.

    Chalasani et al. 2020, "Concise explanations of neural networks using adversarial training".
    """
    sizes = np.sort(np.abs(maps.reshape(len(maps), -1)).astype(np.float64), axis=1)
    count = sizes.shape[1]
    ranks = np.arange(1, count + 1)
    total = np.maximum(sizes.sum(axis=1), 1e-300)
    return np.asarray(((2 * ranks - count - 1) * sizes).sum(axis=1) / (count * total), np.float32)


def entropy(maps: FloatArray) -> FloatArray:
    """Of sizes as shares of their sum, in nats, ``(n,)``: ``ln k`` where k places are even.

    Bhatt et al. 2020, definition 3 ("complexity").
    """
    sizes = np.abs(maps.reshape(len(maps), -1)).astype(np.float64)
    shares = sizes / np.maximum(sizes.sum(axis=1, keepdims=True), 1e-300)
    logs = np.log(np.where(shares > 0, shares, 1))
    return np.asarray(-(shares * logs).sum(axis=1), np.float32)


def impute(
    pictures: FloatArray, removed: NDArray[np.bool_], noise: float = 0.01, seed: int = 0
) -> FloatArray:
    """Removed pixels as weighted means of their neighbours, all at once, with a little noise.

    Rong et al. 2022, "A consistent and efficient evaluation strategy for attribution methods"
    (ROAD), section 4.3: neighbours beside count 1/6, across 1/12; at the border those that there
    are, to a sum of 1. A sparse linear system.

    Args:
        removed: ``(n, h, w)``.
    """
    from scipy.sparse import coo_array, csr_array
    from scipy.sparse.linalg import spsolve

    rng = np.random.default_rng(seed)
    height, width = removed.shape[1:]
    made = pictures.astype(np.float64)
    steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    for picture, gone in zip(made, removed, strict=True):
        rows, columns = np.nonzero(gone)
        if not len(rows) or gone.all():
            continue
        number = np.full((height, width), -1)
        number[rows, columns] = np.arange(len(rows))
        known = np.zeros((len(rows), picture.shape[-1]))
        total = np.zeros(len(rows))
        links: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = []
        for i, j in steps:
            weight = _BESIDE if not i or not j else _ACROSS
            y, x = rows + i, columns + j
            inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
            mine = np.flatnonzero(inside)
            other = number[y[mine], x[mine]]
            total[mine] += weight
            there = other < 0
            known[mine[there]] += weight * picture[y[mine[there]], x[mine[there]]]
            links.append((mine[~there], other[~there], np.full((~there).sum(), -weight)))
        a, b, values = (np.concatenate(part) for part in zip(*links, strict=True))
        diagonal = np.arange(len(rows))
        matrix = coo_array(
            (
                np.concatenate([values, total]),
                (np.concatenate([a, diagonal]), np.concatenate([b, diagonal])),
            ),
            shape=(len(rows), len(rows)),
        )
        solved = spsolve(csr_array(matrix), known).reshape(len(rows), -1)
        picture[rows, columns] = solved + noise * rng.standard_normal(solved.shape)
    return np.asarray(made, np.float32)


def road(case: Case, cells: FloatArray, grid: Grid) -> FloatArray:
    """Half of the score with the least marked cells imputed, less with the most, ``(n,)``.

    Mean over 10 to 90 % of the cells; above 0 is better than chance.
    """
    from reportgen.attributions.gate.curves import order_cells

    order = order_cells(cells, np.random.default_rng([case.seed, 12]))
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(grid.count)[None], axis=1)
    total, count = np.zeros(len(case)), len(case)
    shares = np.linspace(0.1, 0.9, 9)
    for share in shares:
        some = round(share * grid.count)
        for sign, gone in ((1, ranks >= grid.count - some), (-1, ranks < some)):
            pictures = impute(case.pictures, grid.paint(gone), seed=case.seed)
            total += sign * case.score(case.network.logits(pictures), np.arange(count))
    return np.asarray(total / (2 * len(shares)), np.float32)


def _correlate(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    a, b = a - a.mean(), b - b.mean()
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if length > 1e-12 else 0.0
