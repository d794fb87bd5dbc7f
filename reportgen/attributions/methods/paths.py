"""Gradients along the way from a baseline to the picture: maps that add up to the score."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from reportgen.attributions.case import Case
from reportgen.attributions.fills import FILLS, Fill
from reportgen.attributions.maps import Maps
from reportgen.attributions.methods.counts import require_counts
from reportgen.attributions.methods.gradients import add_by_picture

FloatArray = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class IntegratedGradients:
    """``(x - b)`` times the mean gradient on the line from baseline b to x, over baselines.

    Sundararajan et al. 2017, "Axiomatic attribution for deep networks", equation 1; integrated by
    Gauss-Legendre. The sum is the score less the mean score of the baselines: how far it is from
    that is the completeness error.

    baselines: names of fills, or arrays that broadcast to a picture ``(h, w, c)``.
    """

    steps: int = 32
    baselines: tuple[Fill | FloatArray, ...] = FILLS
    name: ClassVar[str] = "integrated_gradients"
    title: ClassVar[str] = "Integrated gradients"

    def __post_init__(self) -> None:
        """Raise UsageError of a count that is too small."""
        require_counts(steps=self.steps)

    @property
    def light(self) -> IntegratedGradients:
        """See `Method`."""
        return replace(self, steps=min(self.steps, 8), baselines=self.baselines[:1])

    def __call__(self, case: Case) -> Maps:
        """Maps of pixels, signed.

        Checks: "completeness", the error as a share of the larger of the sum that should be and 1;
        "baseline 0", ..., scores of the baselines.
        """
        nodes, weights = np.polynomial.legendre.leggauss(self.steps)
        nodes, weights = (nodes + 1) / 2, weights / 2
        count = len(case)
        of = np.repeat(np.arange(count), self.steps)
        total = np.zeros(case.pictures.shape, np.float64)
        starts = []
        for baseline in self.baselines:
            begin = self._make(baseline, case)
            way = case.pictures - begin
            mean = np.zeros(case.pictures.shape, np.float64)

            def make(items: Ints, begin: FloatArray = begin, way: FloatArray = way) -> FloatArray:
                places = nodes[items % self.steps].astype(np.float32)[:, None, None, None]
                return np.asarray(begin[of[items]] + places * way[of[items]], np.float32)

            run = case.network.gradients(make, case.directions, of, "integrating gradients")
            for items, _, gradients in run:
                weighted = gradients * weights[items % self.steps][:, None, None, None]
                add_by_picture(mean, of[items], weighted)
            total += way * mean
            starts.append(self._ask(baseline, begin, case))
        total /= len(self.baselines)
        should = case.scores - np.mean(starts, axis=0)
        error = np.abs(total.sum(axis=(1, 2, 3)) - should) / np.maximum(np.abs(should), 1.0)
        checks = {f"baseline {i}": values for i, values in enumerate(starts)}
        made = total.astype(np.float32)
        return Maps(
            self.name,
            made.sum(axis=-1),
            case.pictures.shape[1:3],
            signed=True,
            channels=made,
            checks={"completeness": error.astype(np.float32), **checks},
        )

    def _ask(self, baseline: Fill | FloatArray, begin: FloatArray, case: Case) -> FloatArray:
        if isinstance(baseline, str):
            return case.empty(baseline)
        return case.score(case.network.logits(begin), np.arange(len(case)))

    def _make(self, baseline: Fill | FloatArray, case: Case) -> FloatArray:
        if isinstance(baseline, str):
            return case.fill(baseline)
        return np.broadcast_to(np.asarray(baseline, np.float32), case.pictures.shape).copy()


@dataclass(frozen=True, kw_only=True)
class ExpectedGradients:
    """Integrated gradients from pictures of the reference, one at each step.

    Erion et al. 2021, "Improving performance of deep learning models with axiomatic attribution
    priors and expected gradients", equation 3: the mean over baselines b from data and over places
    on the line of ``(x - b) g``. Places are stratified: one in each of ``steps`` equal parts. The
    sum is the score less the mean score of the reference, up to the error of sampling.
    """

    steps: int = 64
    name: ClassVar[str] = "expected_gradients"
    title: ClassVar[str] = "Expected gradients"

    def __post_init__(self) -> None:
        """Raise UsageError of a count that is too small."""
        require_counts(steps=self.steps)

    @property
    def light(self) -> ExpectedGradients:
        """See `Method`."""
        return replace(self, steps=min(self.steps, 8))

    def __call__(self, case: Case) -> Maps:
        """Maps of pixels, signed. Checks: "completeness", as of integrated gradients."""
        rng = np.random.default_rng([case.seed, 2])
        chosen = rng.integers(0, len(case.reference), self.steps)
        places = ((rng.permutation(self.steps) + rng.random(self.steps)) / self.steps).astype(
            np.float32
        )
        of = np.repeat(np.arange(len(case)), self.steps)

        def make(items: Ints) -> FloatArray:
            step = items % self.steps
            begin, at = case.reference[chosen[step]], places[step][:, None, None, None]
            return np.asarray(begin + at * (case.pictures[of[items]] - begin), np.float32)

        total = np.zeros(case.pictures.shape, np.float64)
        for items, _, gradients in case.network.gradients(
            make, case.directions, of, "expected gradients"
        ):
            way = case.pictures[of[items]] - case.reference[chosen[items % self.steps]]
            add_by_picture(total, of[items], way * gradients)
        total /= self.steps
        begins = case.network.logits(case.reference[np.unique(chosen)])
        counts = np.bincount(np.unique(chosen, return_inverse=True)[1])
        mean = (begins * counts[:, None]).sum(axis=0) / counts.sum()
        should = case.scores - case.directions @ mean
        error = np.abs(total.sum(axis=(1, 2, 3)) - should) / np.maximum(np.abs(should), 1.0)
        made = total.astype(np.float32)
        return Maps(
            self.name,
            made.sum(axis=-1),
            case.pictures.shape[1:3],
            signed=True,
            channels=made,
            checks={"completeness": error.astype(np.float32)},
        )
