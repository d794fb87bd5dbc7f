"""Two ways to ask the same samples: does one answer more of them rightly than the other?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.intervals import wilson_bounds

BoolArray = NDArray[np.bool_]
# Of a sound audit that any of the ways that are tried is accused; that one is called doubtful.
IMPROBABLE, DOUBTFUL = 0.001, 0.01


@dataclass(frozen=True)
class Paired:
    """Right answers by one way and by another one, counted.

    gained: samples that only the other way answers rightly; lost: only the first way.
    """

    samples: int
    before: int
    after: int
    gained: int
    lost: int

    @property
    def p(self) -> float:
        """Probability of such a gain or a larger one by chance: McNemar's test, exact, one side."""
        from scipy.stats import binomtest

        told = self.gained + self.lost
        return float(binomtest(self.gained, told, 0.5, "greater").pvalue) if told else 1.0

    def is_better(self, tried: int, level: float = IMPROBABLE) -> bool:
        """Whether the other way is better beyond chance, as one of ``tried`` (Bonferroni)."""
        return self.p * max(tried, 1) < level

    @property
    def least_share(self) -> float:
        """The smallest gain, as a share of the samples, that is beyond chance with these lost."""
        gained = self.lost
        while not Paired(self.samples, 0, 0, gained, self.lost).is_better(1):
            gained += 1
        return (gained - self.lost) / self.samples

    def say(self, right: int) -> str:
        """A share of right answers with its interval, such as ``91.0 % (88.2 to 93.2)``."""
        low, high = wilson_bounds(np.array([float(right)]), np.array([self.samples]))
        return f"{right / self.samples:.1%} ({low[0]:.1%} to {high[0]:.1%})"


def compare(before: BoolArray, after: BoolArray) -> Paired:
    """Count; both ``(n,)``, whether each sample is answered rightly."""
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    return Paired(len(before), int(before.sum()), int(after.sum()), gained, lost)


def least_gain(tried: int) -> int:
    """The smallest gain, without any loss, that one of ``tried`` ways could be told by."""
    return math.floor(math.log2(max(tried, 1) / IMPROBABLE)) + 1
