"""All that is asked of the model to find out whether it is fed as it was trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reportgen.analyses.inputs.asking import gives_classes, start_asking
from reportgen.analyses.inputs.batchnorm import StoredStatistics, compare_statistics
from reportgen.analyses.inputs.class_order import ClassOrder, find_order
from reportgen.analyses.inputs.doubted_labels import DoubtedLabels, doubt_labels
from reportgen.analyses.inputs.options import Options
from reportgen.analyses.inputs.resizing import Resizings, list_rules, read_declared, try_resizings
from reportgen.analyses.inputs.scaling import Scalings, list_names, try_scalings
from reportgen.analyses.inputs.stability import Stability, try_changes

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

_CHANGES = 30


@dataclass(frozen=True)
class InputsResult:
    """classes: names in the declared order. samples: that were asked; of: how many there are.
    unlabelled: why no answer can be called right; empty where it can."""

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
    options: Options


def compute(subject: Subject, options: Options, rng: np.random.Generator) -> InputsResult:
    """Ask one draw of the samples in all ways."""
    if not gives_classes(subject):
        missing = "The model does not answer with one class a sample."
        return InputsResult(
            subject.labels.classes,
            0,
            len(subject.samples),
            missing,
            Scalings(subject.scaling.words, missing=missing),
            ClassOrder(missing=missing),
            Resizings(read_declared(subject), missing=missing),
            StoredStatistics(missing=missing),
            DoubtedLabels(missing=missing),
            Stability(missing=missing),
            options,
        )
    resizings = len(list_rules(read_declared(subject)))
    # Resizing is tried with files only; statistics of the samples take two passes; there are about
    # thirty changes of a part of the samples.
    passes = len(list_names(subject.input.channels)) + resizings * bool(subject.samples.paths) + 2
    part = min(options.changed_samples, len(subject.samples)) / max(
        min(options.samples, len(subject.samples)), 1
    )
    passes += round(_CHANGES * part)
    asking = start_asking(subject, options.samples, options.work, passes, options.seconds, rng)
    scalings = try_scalings(asking)
    promising = {one.name: one.answers for one in scalings.perhaps}
    return InputsResult(
        subject.labels.classes,
        len(asking.rows),
        len(subject.samples),
        asking.unlabelled,
        scalings,
        find_order(asking, promising, rng),
        try_resizings(asking),
        compare_statistics(asking, rng),
        doubt_labels(asking, options, rng),
        try_changes(asking, options, int(rng.integers(2**31))),
        options,
    )
