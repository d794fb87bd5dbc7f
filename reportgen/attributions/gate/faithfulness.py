"""The gate: a method is believed if its order of cells beats what knows nothing of the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reportgen.attributions.case import Case
from reportgen.attributions.cells import Grid
from reportgen.attributions.fills import FILLS, Fill
from reportgen.attributions.gate.controls import (
    draw_noise,
    find_blur,
    find_edges,
    find_partners,
)
from reportgen.attributions.gate.curves import (
    SHARES,
    Curves,
    draw_curves,
    order_cells,
    share_of_random_flips,
)
from reportgen.attributions.gate.statistics import bound_ratio, correct, p_above
from reportgen.attributions.maps import Maps

FloatArray = NDArray[np.float32]
Ints = NDArray[np.int64]
Control = Literal["another picture", "noise", "edges"]
CONTROLS: tuple[Control, ...] = ("another picture", "noise", "edges")
LEVEL = 0.05
FEWEST = 8  # pictures; of fewer nothing is said


@dataclass(frozen=True)
class Verdict:
    """What is to be held of one method.

    passes: its mean over fills beats every control, and by no fill it does worse than the map of
    another picture. p: the largest over controls, after Holm over methods. weakest: the control
    that gave it. scale, low, high: 0 the method's map of another picture, 1 the order of what each
    cell does by itself; 95 % over pictures, NaN where these two do not differ. area: mean of
    insertion less deletion; control_areas: of the controls. by_fill: mean lead over the map of
    another picture. depends: it leads by one fill and falls behind by the other. flips: pictures
    whose answer changes with the marked fifth replaced, by fill.
    blur: of its controls, in cells.
    """

    method: str
    passes: bool
    p: float
    weakest: Control
    scale: float
    low: float
    high: float
    area: float
    control_areas: dict[Control, float]
    by_fill: dict[Fill, float]
    depends: bool
    flips: dict[Fill, int]
    blur: float


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """verdicts: in the order of the methods. pictures: that were asked. random: pictures whose
    answer changes with a random fifth replaced, by fill, as a mean over draws. empty: by fill, the
    mean score of the fill itself. curves: by fill, of the methods and the best order."""

    verdicts: tuple[Verdict, ...]
    pictures: int
    random: dict[Fill, float]
    empty: dict[Fill, float]
    curves: dict[Fill, dict[str, Curves]]
    grid: Grid


BEST = "each cell alone"


def examine(
    case: Case, made: Sequence[Maps], grid: Grid, shares: tuple[float, ...] = SHARES
) -> Faithfulness:
    """Hold every method against its controls, on the same cells, by two fills."""
    partners = find_partners(case)
    on_cells = {maps.method: maps.on(grid) for maps in made}
    blurs = {name: find_blur(values) for name, values in on_cells.items()}
    maps: dict[str, FloatArray] = dict(on_cells)
    for name, values in on_cells.items():
        maps[f"another picture {name}"] = values[partners]
    for blur in sorted(set(blurs.values())):
        rng = np.random.default_rng([case.seed, 6, round(100 * blur)])
        maps[f"noise {blur}"] = draw_noise(len(case), grid, blur, rng)
        maps[f"edges {blur}"] = find_edges(case.pictures, grid, blur)
    curves: dict[Fill, dict[str, Curves]] = {}
    for fill in FILLS:
        # The same ties for all: what is equal is ordered alike.
        orders = {
            name: order_cells(values, np.random.default_rng([case.seed, 7]))
            for name, values in {**maps, BEST: case.falls(fill, grid)}.items()
        }
        curves[fill] = draw_curves(case, grid, orders, fill, shares)
    verdicts = [_judge(case, name, curves, blurs[name]) for name in on_cells]
    corrected = correct([one.p for one in verdicts])
    shown = {*on_cells, BEST}
    return Faithfulness(
        tuple(_decide(one, p) for one, p in zip(verdicts, corrected, strict=True)),
        len(case),
        {
            fill: float(v.sum())
            for fill, v in share_of_random_flips(case, grid, fills=FILLS).items()
        },
        {fill: float(case.empty(fill).mean()) for fill in FILLS},
        {fill: {n: c for n, c in found.items() if n in shown} for fill, found in curves.items()},
        grid,
    )


def _judge(case: Case, name: str, curves: dict[Fill, dict[str, Curves]], blur: float) -> Verdict:
    def area(which: str) -> NDArray[np.float64]:
        return np.asarray(
            np.mean([found[which].area for found in curves.values()], axis=0), np.float64
        )

    controls: dict[Control, str] = {
        "another picture": f"another picture {name}",
        "noise": f"noise {blur}",
        "edges": f"edges {blur}",
    }
    own, best = area(name), area(BEST)
    others = {control: area(which) for control, which in controls.items()}
    rng = np.random.default_rng([case.seed, 8])
    chances = {control: p_above(own - values, rng) for control, values in others.items()}
    weakest = max(chances, key=lambda control: chances[control])
    another = others["another picture"]
    scale, low, high = bound_ratio(own - another, best - another, rng)
    other = controls["another picture"]
    leads = {
        fill: float((found[name].area - found[other].area).mean()) for fill, found in curves.items()
    }
    return Verdict(
        method=name,
        passes=False,
        p=chances[weakest],
        weakest=weakest,
        scale=scale,
        low=low,
        high=high,
        area=float(own.mean()),
        control_areas={control: float(values.mean()) for control, values in others.items()},
        by_fill=leads,
        depends=min(leads.values()) < 0 < max(leads.values()),
        flips={fill: int(curves[fill][name].flips.sum()) for fill in FILLS},
        blur=blur,
    )


def _decide(one: Verdict, p: float) -> Verdict:
    return replace(one, p=p, passes=p < LEVEL and not one.depends)
