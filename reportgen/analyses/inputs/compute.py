"""All that is asked of the model to find out whether it is fed as it was trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reportgen.analyses.inputs.asking import gives_classes, start_asking
from reportgen.analyses.inputs.class_order import ClassOrder, find_order
from reportgen.analyses.inputs.options import Options
from reportgen.analyses.inputs.scaling import Scalings, list_names, try_scalings

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject


@dataclass(frozen=True)
class InputsResult:
    """classes: names in the declared order. samples: that were asked; of: how many there are."""

    classes: tuple[str, ...]
    samples: int
    of: int
    scalings: Scalings
    order: ClassOrder
    options: Options


def compute(subject: Subject, options: Options, rng: np.random.Generator) -> InputsResult:
    """Ask one draw of the samples in all ways."""
    if not gives_classes(subject):
        missing = "The model does not answer with one class a sample."
        return InputsResult(
            subject.labels.classes,
            0,
            len(subject.samples),
            Scalings(subject.scaling.words, missing=missing),
            ClassOrder(missing=missing),
            options,
        )
    passes = len(list_names(subject.input.channels))
    asking = start_asking(subject, options.samples, options.work, passes, options.seconds, rng)
    scalings = try_scalings(asking)
    promising = {one.name: one.answers for one in scalings.perhaps}
    return InputsResult(
        subject.labels.classes,
        len(asking.rows),
        len(subject.samples),
        scalings,
        find_order(asking, promising, rng),
        options,
    )
