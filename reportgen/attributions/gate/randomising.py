"""Whether maps change when the network forgets what it learnt.

Adebayo et al. 2018, "Sanity checks for saliency maps". It is an alarm, never a ranking: maps
without information pass it, and how far a map changes says little about which is better (Binder et
al. 2023, arXiv 2211.12486).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reportgen.attributions.case import Case
from reportgen.attributions.cells import Grid
from reportgen.attributions.methods.table import Method

FloatArray = NDArray[np.float32]
Stage = Literal["head", "upper half", "all"]
STAGES: tuple[Stage, ...] = ("head", "upper half", "all")
SEEDS = 3
# Of the rank correlations between maps of different pictures, what all but so many stay below.
_UNUSUAL = 0.05
_NORM = "BatchNormalization"


@dataclass(frozen=True)
class Sanity:
    """One method.

    alike: by stage, the mean over pictures and seeds of Spearman's correlation between the map and
    the map with random weights. usual: what 95 % of the correlations between maps of different
    pictures stay below. alarm: with all weights random, maps are more alike than that.
    pictures: that were asked.
    """

    method: str
    alike: dict[Stage, float]
    usual: float
    alarm: bool
    pictures: int


def randomise(case: Case, stage: Stage, seed: int) -> Case:
    """The case with the weights of a part of the network shuffled, within each of its arrays.

    head: of the last layer that has a kernel. upper half: of the later half of the layers that
    have weights. What BatchNormalization has stored is made anew for the network that comes of it,
    on the pictures of the reference: with the old statistics activations would die or explode, and
    every map with them.
    """
    network = case.network
    own = [call for call in network.calls if getattr(call.layer, "weights", None)]
    layers = list(dict.fromkeys(id(call.layer) for call in own))
    by_id = {id(call.layer): call.layer for call in own}
    with_kernel = [i for i in layers if any(len(w.shape) > 1 for w in by_id[i].weights)]
    chosen = {
        "head": with_kernel[-1:],
        "upper half": layers[len(layers) // 2 :],
        "all": layers,
    }[stage]
    variables = network.model.weights
    place = {id(variable): i for i, variable in enumerate(variables)}
    weights = [variable.numpy() for variable in variables]
    rng = np.random.default_rng([seed, STAGES.index(stage)])
    for layer in chosen:
        for variable in by_id[layer].trainable_variables or by_id[layer].weights:
            i = place.get(id(variable))
            if i is not None:
                flat = weights[i].reshape(-1)
                weights[i] = rng.permutation(flat).reshape(weights[i].shape)
    shuffled = network.with_weights(weights)
    for layer, (mean, variance) in shuffled.statistics(case.reference).items():
        weights[place[id(layer.moving_mean)]] = mean
        weights[place[id(layer.moving_variance)]] = variance
    return case.on(network.with_weights(weights))


def check_randomised(case: Case, methods: Sequence[Method], grid: Grid) -> tuple[Sanity, ...]:
    """Maps of the methods, with few steps, against those by shuffled networks.

    Raises:
        ValueError: fewer than two pictures: there would be nothing to be more alike than.
    """
    if len(case) < 2:
        raise ValueError("two pictures or more")
    methods = [method.light for method in methods]
    similar: dict[str, dict[Stage, list[FloatArray]]] = {
        method.name: {stage: [] for stage in STAGES} for method in methods
    }

    def ask(method: Method, asked: Case) -> FloatArray:
        return method(asked).on(grid).reshape(len(asked), -1)

    own = {method.name: ask(method, case) for method in methods}
    for stage in STAGES:
        for seed in range(SEEDS):
            other = randomise(case, stage, case.seed + seed)
            for method in methods:
                alike = correlate(own[method.name], ask(method, other))
                similar[method.name][stage].append(alike)
    return tuple(_judge(name, own[name], by_stage) for name, by_stage in similar.items())


def _judge(name: str, own: FloatArray, by_stage: dict[Stage, list[FloatArray]]) -> Sanity:
    alike = {stage: float(np.mean(values)) for stage, values in by_stage.items()}
    first, second = np.triu_indices(len(own), 1)
    between = correlate(own[first], own[second])
    usual = float(np.quantile(between, 1 - _UNUSUAL))
    return Sanity(name, alike, usual, alike["all"] > usual, len(own))


def correlate(first: FloatArray, second: FloatArray) -> FloatArray:
    """Spearman's correlation of each row ``(n, k)`` with its partner, ``(n,)``.

    0 where one of them is even: it is like nothing.
    """
    from scipy.stats import rankdata

    def scale(values: FloatArray) -> NDArray[np.float64]:
        ranks = rankdata(np.where(np.isfinite(values), values, 0), axis=1)
        ranks = ranks - ranks.mean(axis=1, keepdims=True)
        return np.asarray(ranks / np.maximum(np.linalg.norm(ranks, axis=1, keepdims=True), 1e-12))

    return np.asarray((scale(first) * scale(second)).sum(axis=1), np.float32)
