"""Do the outputs stand in another order than the class names?

An order is fitted on one half of the samples and held against the names on the other half, both
ways, so that no order is called better for being the best of many.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.inputs.asking import Asking
from reportgen.analyses.inputs.paired import DOUBTFUL, Paired, compare

Ints = NDArray[np.int64]
_LEAST_RECALL = 0.5  # of every class that is moved, afterwards
_STAYS = 0.5  # of an answer: what an output's own name is ahead by where samples cannot tell


@dataclass(frozen=True)
class Moved:
    """Outputs that pass their names round.

    outputs: positions, each of which is of the class whose name the next one has. paired: answers
    by the names as they are and by the moved ones, on samples that the order was not fitted on.
    recall: of each class by the moved names, in the order of ``outputs``.
    """

    outputs: tuple[int, ...]
    paired: Paired
    recall: tuple[float, ...]


@dataclass(frozen=True)
class ClassOrder:
    """The order that the samples speak for.

    names: the classes in this order; as they are where nothing is moved. places: their positions
    among the declared ones. moved: the cycles that it
    differs by. doubtful: cycles that were found, but not held on the other half or with a class
    that is still answered rightly less often than every second time. cause: what makes such an
    order, in words. paired: all answers. scaling: the one that it was found by, empty where that is
    the declared one. missing: why nothing was tried.
    """

    names: tuple[str, ...] = ()
    places: tuple[int, ...] = ()
    moved: tuple[Moved, ...] = ()
    doubtful: int = 0
    cause: str = ""
    paired: Paired | None = None
    scaling: str = ""
    missing: str = ""

    @property
    def outputs(self) -> int:
        """How many are moved."""
        return sum(len(one.outputs) for one in self.moved)

    @property
    def right(self) -> int:
        """Right answers by this order."""
        return self.paired.after if self.paired else 0


def find_order(asking: Asking, others: Mapping[str, Ints], rng: np.random.Generator) -> ClassOrder:
    """The best order of the outputs, where it is beyond chance.

    Args:
        others: answers by other scalings, looked at where the declared one shows nothing.
    """
    classes, targets = asking.subject.labels.classes, asking.targets
    if targets is None:
        return ClassOrder(missing=asking.unlabelled)
    if len(classes) < 2:
        return ClassOrder(missing="There is only one class.")
    usable = asking.answers >= 0
    if not usable.any():
        return ClassOrder(missing="No answer is a number.")
    own = judge_order(classes, targets[usable], asking.answers[usable], rng)
    if own.moved:
        return own
    # A wrong scaling can hide a wrong order: then both together do better than any scaling alone.
    # The other order of the colours is like another order of classes that differ by colour.
    best = max(
        (asking.right, *(answers == targets for answers in others.values())),
        key=lambda right: int(right.sum()),
    )
    found: list[tuple[ClassOrder, NDArray[np.bool_]]] = []
    for scaling, answers in others.items():
        usable = answers >= 0
        order = judge_order(classes, targets[usable], answers[usable], rng)
        right = np.append(np.array(order.places, np.int64), -1)[answers] == targets
        if order.moved and compare(best, right).is_better(len(others)):
            found.append((replace(order, scaling=scaling), right))
    if not found:
        return own
    most = max((right for _, right in found), key=lambda right: int(right.sum()))
    alike = [one for one, right in found if not compare(right, most).is_better(1, DOUBTFUL)]
    return min(alike, key=lambda order: (order.outputs, -order.right))


def judge_order(
    classes: Sequence[str], targets: Ints, answers: Ints, rng: np.random.Generator
) -> ClassOrder:
    """See `find_order`.

    Args:
        targets, answers: classes ``(n,)`` of samples by their labels, and as the model answers.
    """
    count = len(classes)
    half = _split(targets, rng)
    fitted = [_fit(targets[half == side], answers[half == side], count) for side in (0, 1)]
    whole = _fit(targets, answers, count)
    cycles = _list_cycles(whole)
    # What both halves say alike was, for each sample, also said by the half that it is not in.
    held = [c for c in cycles if all((fit[list(c)] == whole[list(c)]).all() for fit in fitted)]
    moved = [_move(cycle, whole, targets, answers) for cycle in held]
    moved = [one for one in moved if min(one.recall) >= _LEAST_RECALL]
    moved = [one for one in moved if one.paired.is_better(1, DOUBTFUL)]
    order = np.arange(count)
    for one in moved:
        order[list(one.outputs)] = whole[list(one.outputs)]
    # All together have to be beyond chance; many small groups may be what none of them is alone.
    if not compare(answers == targets, order[answers] == targets).is_better(1):
        moved, order = [], np.arange(count)
    names = tuple(classes[int(i)] for i in order)
    return ClassOrder(
        names,
        tuple(order.tolist()),
        tuple(moved),
        len(cycles) - len(moved),
        name_cause(classes, names) if moved else "",
        compare(answers == targets, order[answers] == targets),
    )


def _move(cycle: tuple[int, ...], whole: Ints, targets: Ints, answers: Ints) -> Moved:
    order = np.arange(len(whole))
    order[list(cycle)] = whole[list(cycle)]
    said = order[answers]
    recall = tuple(_recall(targets, said, int(whole[output])) for output in cycle)
    return Moved(cycle, compare(answers == targets, said == targets), recall)


def name_cause(classes: Sequence[str], order: Sequence[str]) -> str:
    """What made ``classes`` stand otherwise than ``order``, which is that of the outputs."""
    names, count = list(order), len(order)
    moved = [i for i in range(count) if classes[i] != names[i]]
    as_text, by_number = sorted(names), sorted(names, key=_by_number)
    given, without_case = list(classes), sorted(names, key=str.casefold)
    if as_text != without_case and (given, names) == (as_text, without_case):
        return "the training had them sorted without regard to capitals"
    if as_text != by_number and (given, names) == (by_number, as_text):
        return "the training sorted them as text, as Keras does with folders: 10 stands before 2"
    if as_text != by_number and (given, names) == (as_text, by_number):
        return (
            "the training had them in the order of their numbers, and sorted as text 10 stands "
            "before 2"
        )
    if len(moved) == 2:
        return "these two are exchanged"
    if names == given[::-1]:
        return "they are the other way round"
    for step in range(1, count):
        if names == given[step:] + given[:step]:
            by = min(step, count - step)
            return f"they are shifted by {by}"
    if names == as_text:
        numbers = ": 10 stands before 2" if as_text != by_number else ""
        return f"the training sorted them as text, as Keras does with folders{numbers}"
    if names == by_number and as_text != by_number:
        return (
            "the training had them in the order of their numbers, and sorted as text 10 stands "
            "before 2"
        )
    if names == without_case:
        return "the training had them sorted without regard to capitals"
    return ""


def _by_number(name: str) -> list[tuple[int, int, str]]:
    """A key that puts 2 before 10, and small letters beside capitals."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p]


def _split(targets: Ints, rng: np.random.Generator) -> Ints:
    """0 or 1 for each sample, half of each class."""
    half = np.zeros(len(targets), np.int64)
    for value in np.unique(targets):
        rows = rng.permutation(np.flatnonzero(targets == value))
        first = (len(rows) + int(rng.integers(2))) // 2
        half[rows[first:]] = 1
    return half


def _fit(targets: Ints, answers: Ints, count: int) -> Ints:
    """The class of each output by which most answers are right, ``(count,)``."""
    from scipy.optimize import linear_sum_assignment

    agree = np.zeros((count, count))
    np.add.at(agree, (answers, targets), 1)
    agree[np.diag_indices(count)] += _STAYS
    return np.asarray(linear_sum_assignment(agree, maximize=True)[1], np.int64)


def _list_cycles(order: Ints) -> list[tuple[int, ...]]:
    seen: set[int] = set()
    cycles = []
    for start in range(len(order)):
        cycle = []
        here = start
        while here not in seen:
            seen.add(here)
            cycle.append(here)
            here = int(order[here])
        if len(cycle) > 1:
            cycles.append(tuple(cycle))
    return cycles


def _recall(targets: Ints, answers: Ints, value: int) -> float:
    of_class = targets == value
    return float((answers[of_class] == value).mean()) if of_class.any() else 0.0
