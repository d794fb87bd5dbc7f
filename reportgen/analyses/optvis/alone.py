"""A model without samples: random pictures stand where samples would, and nothing is said of them.

Channels are chosen by how much they vary over the random pictures. What compares with samples is
left out: strength beside the strongest sample, paths, patches, dreams, channels that no sample
changes. What pictures of several seeds have in common can be said without.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from reportgen.analyses.optvis.judging import Judged
from reportgen.subject.top_activating import ExcitedLayer, ShownUnit

if TYPE_CHECKING:
    from reportgen.analyses.optvis.options import Options
    from reportgen.subject.subject import Subject

_STANDING_IN = 48


def stand_in(subject: Subject, rng: np.random.Generator) -> Subject:
    """The subject with pictures that have the spectrum of photographs and show nothing."""
    from reportgen.optvis.canvas import Canvas
    from reportgen.optvis.fourier import Fourier
    from reportgen.subject.labels import Labels

    height, width, channels = subject.input.pixels
    canvas, smooth = Canvas(height, width, channels), Fourier(deviation=1.0)
    drawn = np.asarray(smooth.decode(smooth.start(rng.spawn(_STANDING_IN), canvas), canvas))
    pixels = np.clip(np.rint(255 * drawn), 0, 255).astype(np.uint8)
    names = tuple(f"random picture {i}" for i in range(len(pixels)))
    samples = replace(subject.samples, pixels=pixels, names=names, found=len(pixels))
    labels = Labels(None, subject.labels.classes, subject.labels.order)
    return replace(subject, samples=samples, labels=labels)


def reduce_options(options: Options) -> Options:
    """Without what is about samples."""
    silenced = {"silent_units": 0, "dreams": 0, "least_exciting": 0}
    return options.model_copy(update=silenced)


def strip_layer(layer: ExcitedLayer) -> ExcitedLayer:
    """Without patches of pictures that show nothing."""
    return replace(layer, units=tuple(map(_strip_unit, layer.units)))


def _strip_unit(unit: ShownUnit) -> ShownUnit:
    pick = replace(unit.pick, why="varies most over random pictures")
    return ShownUnit(pick, (), (), 0)


def strip_judged(judged: Judged) -> Judged:
    """Without what was compared with pictures that show nothing."""
    nan = float("nan")
    trust = replace(
        judged.trust,
        mark="unclear",
        why="no samples",
        value=nan,
        low=nan,
        high=nan,
        samples=0,
        layers=(),
        departs=None,
    )
    return replace(judged, natural=nan, trust=trust)
