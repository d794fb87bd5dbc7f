"""Pictures, and of each the score that is explained."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reportgen.attributions.cells import Grid
from reportgen.attributions.fills import Fill, make_fill
from reportgen.errors import UsageError
from reportgen.subject.outputs import Task

if TYPE_CHECKING:
    from reportgen.attributions.network import Network
    from reportgen.subject.layers import LayerCall

FloatArray = NDArray[np.float32]
Ints = NDArray[np.int64]
_KEPT_BYTES = 2**28
_TWO_FROM_ONE = ("binary", "binary_logit")


@dataclass(frozen=True, eq=False)
class Case:
    """What a method explains.

    pictures: ``(n, h, w, c)`` scaled, channels last. directions: ``(n, units)``, see `Network`.
    reference: pictures that the mean is of, ``(m, h, w, c)``; baselines are drawn from them.
    layer: that class activation maps are read from; None: there is none, and ``no_layer`` says why.
    seed: of everything that is drawn. What is drawn does not depend on which pictures stand
    together.
    """

    network: Network
    pictures: FloatArray
    directions: FloatArray
    reference: FloatArray
    layer: LayerCall | None
    no_layer: str = ""
    seed: int = 0

    def __len__(self) -> int:
        return len(self.pictures)

    @cached_property
    def logits(self) -> FloatArray:
        """Of the pictures as they are, ``(n, units)``."""
        return self.network.logits(self.pictures)

    @cached_property
    def scores(self) -> FloatArray:
        """What is explained, ``(n,)``."""
        return self.score(self.logits, np.arange(len(self)))

    def score(self, logits: FloatArray, of: Ints) -> FloatArray:
        """Scores ``(items,)`` of logits ``(items, units)``, by the directions of their pictures."""
        return np.asarray((logits * self.directions[of]).sum(axis=1), np.float32)

    def answers(self, logits: FloatArray) -> Ints:
        """The class that each row of logits names, ``(items,)``."""
        return answer_of(self.network.reading.task, logits)

    def fill(self, which: Fill) -> FloatArray:
        """What stands in place of each picture's pixels, ``(n, h, w, c)``; computed once."""
        if which not in self._fills:
            self._fills[which] = make_fill(which, self.pictures, self.reference)
        return self._fills[which]

    @cached_property
    def _fills(self) -> dict[Fill, FloatArray]:
        return {}

    @cached_property
    def derived(self) -> dict[Hashable, object]:
        """What methods keep of these scores for each other."""
        return {}

    def empty(self, which: Fill) -> FloatArray:
        """Scores of what stands in place of the pictures, ``(n,)``."""
        if which not in self._empty:
            logits = self.network.logits(self.fill(which))
            self._empty[which] = self.score(logits, np.arange(len(self)))
        return self._empty[which]

    @cached_property
    def _empty(self) -> dict[Fill, FloatArray]:
        return {}

    def falls(self, which: Fill, grid: Grid) -> FloatArray:
        """The score less the score with one cell replaced, ``(n, rows, columns)``; asked once."""
        of = np.repeat(np.arange(len(self)), grid.count)

        def ask() -> FloatArray:
            patterns = np.tile(np.eye(grid.count, dtype=bool), (len(self), 1))
            return self.covered(which, grid, of, patterns, "covering cells")

        falls = self.scores[of] - self.score(self.ask_once((which, grid), ask), of)
        return falls.reshape(len(self), grid.rows, grid.columns)

    @cached_property
    def _asked(self) -> dict[Hashable, FloatArray]:
        """Logits of changed pictures, by who changed them: scores of the same pictures share it."""
        return {}

    def ask_once(self, key: Hashable, ask: Callable[[], FloatArray]) -> FloatArray:
        """Logits of changed pictures; kept for other scores, until they are very many.

        key: everything that they depend on but the pictures, the layer and the seed.
        """
        if key in self._asked:
            return self._asked[key]
        logits = ask()
        if sum(kept.nbytes for kept in self._asked.values()) + logits.nbytes <= _KEPT_BYTES:
            self._asked[key] = logits
        return logits

    def covered(
        self, which: Fill, grid: Grid, of: Ints, patterns: NDArray[np.bool_], label: str
    ) -> FloatArray:
        """Logits ``(items, units)`` with cells ``(items, cells)`` of pictures ``of`` replaced."""
        fills = self.fill(which)
        return self.network.covered(self.pictures, fills, of, grid, patterns, label)

    def take(self, rows: Ints) -> Case:
        """Some of the pictures."""
        pictures, directions = self.pictures[rows], self.directions[rows]
        return replace(self, pictures=pictures, directions=directions)

    def of(self, directions: FloatArray) -> Case:
        """The same pictures, other scores."""
        other = replace(self, directions=directions)
        other.__dict__.update(logits=self.logits, _fills=self._fills, _asked=self._asked)
        return other

    def on(self, network: Network) -> Case:
        """The same of another network."""
        return replace(self, network=network)


def make_directions(task: Task, units: int, classes: Ints) -> FloatArray:
    """``(n, units)``: the logit of each class, of a sigmoid's only unit its negative for class 0.

    Raises:
        UsageError: there is no such class.
    """
    known = 2 if task in _TWO_FROM_ONE else units
    if len(classes) and not (classes.min() >= 0 and classes.max() < known):
        raise UsageError(f"Classes are numbered from 0 to {known - 1}, got {classes.tolist()}.")
    if task in _TWO_FROM_ONE:
        return np.where(classes == 1, 1.0, -1.0).astype(np.float32)[:, None]
    return np.eye(units, dtype=np.float32)[classes]


def answer_of(task: Task, logits: FloatArray) -> Ints:
    """The class that each row of logits names, ``(n,)``; 0 of a number."""
    if task in _TWO_FROM_ONE:
        return np.asarray(logits[:, 0] > 0, np.int64)
    if task in ("regression", "other"):
        return np.zeros(len(logits), np.int64)
    return np.asarray(logits.argmax(axis=1), np.int64)
