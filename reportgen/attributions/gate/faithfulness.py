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
    find_other_classes,
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
from reportgen.attributions.methods.table import Method

FloatArray = NDArray[np.float32]
Ints = NDArray[np.int64]
Control = Literal["another picture", "another class", "noise", "edges"]
LEVEL = 0.05
# Of its lead over noise, what a map has to lose when it is made for another class.
SPECIFIC = 0.5
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
    case: Case,
    methods: Sequence[Method],
    made: Sequence[Maps],
    grid: Grid,
    shares: tuple[float, ...] = SHARES,
) -> Faithfulness:
    """Hold every method against its controls, on the same cells, by two fills.

    The controls: the method's own map of another picture, and of another class where there are
    several; noise, and the edges of the picture, both as smooth as the map.

    Args:
        made: the maps of each method.
    """
    partners = find_partners(case)
    others = find_other_classes(case)
    on_cells = {maps.method: maps.on(grid) for maps in made}
    blurs = {name: find_blur(values) for name, values in on_cells.items()}
    maps: dict[str, FloatArray] = dict(on_cells)
    for name, values in on_cells.items():
        maps[f"another picture {name}"] = values[partners]
    if others is not None:
        for method in methods:
            maps[f"another class {method.name}"] = method(case.of(others)).on(grid)
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

    named: dict[Control, str] = {
        "another picture": f"another picture {name}",
        "another class": f"another class {name}",
        "noise": f"noise {blur}",
        "edges": f"edges {blur}",
    }
    controls = {c: which for c, which in named.items() if which in next(iter(curves.values()))}
    own, best = area(name), area(BEST)
    others = {control: area(which) for control, which in controls.items()}
    rng = np.random.default_rng([case.seed, 8])
    leads = {control: own - values for control, values in others.items()}
    if "another class" in leads:
        # A map that keeps most of its lead over noise for any class knows the picture, not the
        # score: guided backpropagation is such a one, and beats every other control.
        leads["another class"] -= SPECIFIC * (own - others["noise"])
    chances = {control: p_above(values, rng) for control, values in leads.items()}
    weakest = max(chances, key=lambda control: chances[control])
    another = others["another picture"]
    scale, low, high = bound_ratio(own - another, best - another, rng)
    other = controls["another picture"]
    by_fill = {
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
        by_fill=by_fill,
        depends=min(by_fill.values()) < 0 < max(by_fill.values()),
        flips={fill: int(curves[fill][name].flips.sum()) for fill in FILLS},
        blur=blur,
    )


def _decide(one: Verdict, p: float) -> Verdict:
    return replace(one, p=p, passes=p < LEVEL and not one.depends)
