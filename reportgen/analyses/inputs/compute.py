"""All that is asked to find out whether the model is fed as it was trained, and with what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reportgen.analyses.inputs.asking import gives_classes, start_asking
from reportgen.analyses.inputs.batchnorm import StoredStatistics, compare_statistics
from reportgen.analyses.inputs.blanks import Blanks, ask_blanks
from reportgen.analyses.inputs.class_order import ClassOrder, find_order
from reportgen.analyses.inputs.copies import Copies, find_copies
from reportgen.analyses.inputs.doubted_labels import DoubtedLabels, doubt_labels
from reportgen.analyses.inputs.options import Options
from reportgen.analyses.inputs.resizing import Resizings, list_rules, read_declared, try_resizings
from reportgen.analyses.inputs.scaling import (
    Scalings,
    compare_scalings,
    list_names,
    try_scalings,
)
from reportgen.analyses.inputs.stability import Stability, try_changes

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

_CHANGES = 30
_NO_CLASSES = "The model does not answer with one class a sample."


@dataclass(frozen=True)
class InputsResult:
    """classes: names in the declared order. samples: that were asked; of: how many there are.
    unlabelled: why no answer can be called right; empty where it can. of_training: the samples are
    said to be those of the training."""

    classes: tuple[str, ...]
    samples: int
    of: int
    unlabelled: str
    scalings: Scalings
    order: ClassOrder
    resizings: Resizings
    statistics: StoredStatistics
    labels: DoubtedLabels
    stability: Stability
    blanks: Blanks
    copies: Copies
    of_training: bool
    options: Options


def compute(subject: Subject, options: Options, rng: np.random.Generator) -> InputsResult:
    """Ask one draw of the samples in all ways; compare all samples with each other."""
    asked = _ask(subject, options, rng) if gives_classes(subject) else _leave(subject)
    samples, unlabelled, scalings, order, resizings, statistics, labels, stability, blanks = asked
    return InputsResult(
        subject.labels.classes,
        samples,
        len(subject.samples),
        unlabelled,
        scalings,
        order,
        resizings,
        statistics,
        labels,
        stability,
        blanks,
        find_copies(subject, options.seconds),
        subject.config.split == "train",
        options,
    )


Asked = tuple[
    int, str, Scalings, ClassOrder, Resizings, StoredStatistics, DoubtedLabels, Stability, Blanks
]


def _ask(subject: Subject, options: Options, rng: np.random.Generator) -> Asked:
    asking = start_asking(
        subject,
        options.samples,
        options.work,
        _count_passes(subject, options),
        options.seconds,
        rng,
    )
    tried = try_scalings(asking)
    order = find_order(asking, tried.answers, rng)
    return (
        len(asking.rows),
        asking.unlabelled,
        compare_scalings(asking, tried, order),
        order,
        try_resizings(asking),
        compare_statistics(asking, rng),
        doubt_labels(asking, options, rng),
        try_changes(asking, options, int(rng.integers(2**31))),
        ask_blanks(subject, rng),
    )


def _leave(subject: Subject) -> Asked:
    """Nothing that takes classes."""
    return (
        0,
        _NO_CLASSES,
        Scalings(subject.scaling.words, missing=_NO_CLASSES),
        ClassOrder(missing=_NO_CLASSES),
        Resizings(read_declared(subject), missing=_NO_CLASSES),
        StoredStatistics(missing=_NO_CLASSES),
        DoubtedLabels(missing=_NO_CLASSES),
        Stability(missing=_NO_CLASSES),
        Blanks(missing=_NO_CLASSES),
    )


def _count_passes(subject: Subject, options: Options) -> int:
    """About how often the drawn samples are asked; changes are asked of a part of them."""
    ways = len(list_names(subject.input.channels))
    rules = len(list_rules(read_declared(subject))) if subject.samples.paths else 0
    drawn = min(options.samples, len(subject.samples))
    changed = min(options.changed_samples, drawn) / max(drawn, 1)
    return ways + rules + 2 + round(_CHANGES * changed)
