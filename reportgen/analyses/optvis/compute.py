"""Optimised images of units, classes and layers, and whether they may be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.optvis.alone import (
    reduce_options,
    stand_in,
    strip_judged,
    strip_layer,
)
from reportgen.analyses.optvis.budget import Budget, weigh_layers
from reportgen.analyses.optvis.classes import RawClasses, choose_classes, paint_classes
from reportgen.analyses.optvis.dreams import Dream, dream_layers
from reportgen.analyses.optvis.judging import Judged, judge
from reportgen.analyses.optvis.options import Options
from reportgen.analyses.optvis.pictures import as_tiles, scaling_of, unit_samples
from reportgen.analyses.optvis.studio import Studio
from reportgen.analyses.optvis.units import (
    Painting,
    RawLayer,
    paint_layer,
    search_layers,
    summarise,
)
from reportgen.subject.finite import require_finite_weights
from reportgen.subject.top_activating import Request

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float32]
_SAMPLES_FOR_RECIPE = 200
_A_DREAM = 0.3  # of the work of a class' pictures


@dataclass(frozen=True)
class PaintedLayer:
    """A layer and the pictures of its units.

    tiles: ``(n, v, side, side, 3)`` uint8; negative: ``(n, side, side, 3)``. judged: one a unit.
    """

    raw: RawLayer
    tiles: NDArray[np.uint8]
    negative: NDArray[np.uint8] | None
    judged: tuple[Judged, ...]


@dataclass(frozen=True)
class PaintedClasses:
    """Pictures of classes. answers: probability of the class on each of its pictures ``(n, v)``.

    samples: the strongest samples of each, ``(n, k, side, side, 3)`` uint8.
    """

    chosen: tuple[int, ...]
    left: int
    names: tuple[str, ...]
    painting: Painting
    tiles: NDArray[np.uint8]
    samples: NDArray[np.uint8]
    answers: FloatArray
    judged: tuple[Judged, ...]


@dataclass(frozen=True)
class OptvisResult:
    """samples: that pictures were compared with; rows: which, by number. dreamt: the sample that
    layers dream of, as a tile; dreams: their tiles, in that order."""

    layers: tuple[PaintedLayer, ...]
    classes: PaintedClasses | None
    dreamt: NDArray[np.uint8] | None
    dream_tiles: NDArray[np.uint8] | None
    dreams: tuple[Dream, ...]
    absences: tuple[str, ...]
    channels: int
    exact_scaling: bool
    has_classes: bool
    samples: int
    source: str
    options: Options
    rows: NDArray[np.int64]

    @property
    def alone(self) -> bool:
        """Whether there were no samples to compare with."""
        return not self.samples

    @property
    def hurried(self) -> bool:
        """Whether time ran out for some pictures."""
        in_layers = any(layer.raw.hurried for layer in self.layers)
        return in_layers or (self.classes is not None and self.classes.painting.hurried)


def compute(subject: Subject, options: Options, rng: np.random.Generator) -> OptvisResult:
    """Paint units, classes and dreams within the time budget, then judge every picture."""
    require_finite_weights(subject.model, "no gradient leads to a picture")
    alone = not len(subject.samples)
    if alone:
        subject, options = stand_in(subject, rng.spawn(1)[0]), reduce_options(options)
    studio = _open_studio(subject, options, rng)
    excited = subject.find_top_activating(
        Request(
            layers=options.layers,
            units=options.units,
            most=options.most_exciting,
            least=options.least_exciting,
            side=options.side,
        )
    )
    dreamers = _spread([layer.address for layer in excited], options.dreams)
    budget = Budget(
        options.seconds,
        [
            *weigh_layers(studio, list(excited)),
            max(len(choose_classes(subject, options.classes)[0]), 0.1),
            max(_A_DREAM * len(dreamers), 0.1),
            _weigh_search(subject, excited, options),
        ],
    )
    layers, absences = _paint_layers(studio, excited, options, budget)
    classes = paint_classes(studio, options.classes, budget.allow())
    painted = {raw.excited.address for raw in layers}
    dreamt, dreams = _dream(studio, [d for d in dreamers if d in painted], budget.allow())
    # Last, with what time the pictures left: an early end of these would cost more.
    layers = search_layers(studio, layers, options.silent_units, budget.allow())
    verdicts, class_verdicts, extras = judge(studio, layers, classes, options, rng)
    if alone:
        layers = [replace(raw, excited=strip_layer(raw.excited), silent_count=0) for raw in layers]
        verdicts = [tuple(map(strip_judged, group)) for group in verdicts]
        class_verdicts = tuple(map(strip_judged, class_verdicts))
        none = np.empty(0, np.int64)
        extras = replace(extras, rows=none, class_samples=extras.class_samples[:, :0])
    return OptvisResult(
        layers=tuple(
            _finish_layer(raw, judged, options.side)
            for raw, judged in zip(layers, verdicts, strict=True)
        ),
        classes=_finish_classes(subject, classes, class_verdicts, extras, options),
        dreamt=None if dreamt is None else as_tiles(dreamt[None], options.side, None)[0],
        dream_tiles=_tile_dreams(dreams, options.side),
        dreams=dreams,
        absences=tuple(absences),
        channels=subject.input.channels,
        exact_scaling=studio.scaling.exact,
        has_classes=bool(subject.reading.classes),
        samples=len(extras.rows),
        source=studio.recipe.source,
        options=options,
        rows=extras.rows,
    )


def _weigh_search(subject: Subject, excited: Sequence[Any], options: Options) -> float:
    """As much work as painting the silent channels that are tried would be, about."""
    silent = [int(subject.census.by_address[layer.address].constant.sum()) for layer in excited]
    return max(0.5 * sum(min(count, options.silent_units) for count in silent), 0.01)


def _open_studio(subject: Subject, options: Options, rng: np.random.Generator) -> Studio:
    from reportgen.optvis import find_recipe

    rows = np.sort(rng.permutation(len(subject.samples))[:_SAMPLES_FOR_RECIPE])
    samples = unit_samples(subject, rows)
    return Studio(
        subject=subject,
        scaling=scaling_of(subject),
        recipe=find_recipe(options.recipe, samples, min(samples.shape[1:3])),
        samples=samples,
        variants=options.variants,
        seed=int(rng.integers(2**31)),
        precision=options.precision,
    )


def _paint_layers(
    studio: Studio, excited: Sequence[Any], options: Options, budget: Budget
) -> tuple[list[RawLayer], list[str]]:
    from reportgen.errors import UsageError

    painted, absences = [], []
    for layer in excited:
        seconds = budget.allow()
        try:
            painted.append(paint_layer(studio, layer, seconds, negative=options.negative))
        except UsageError as error:
            absences.append(f"{layer.address}: {error}")
    return painted, absences


def _dream(
    studio: Studio, addresses: Sequence[str], seconds: float
) -> tuple[FloatArray | None, tuple[Dream, ...]]:
    if not addresses:
        return None, ()
    sample = studio.samples[0]
    return sample, dream_layers(studio, addresses, sample, seconds)


def _spread(values: Sequence[str], most: int) -> list[str]:
    """At most so many, ends kept."""
    if len(values) <= most:
        return list(values)
    return [values[i] for i in sorted({round(i) for i in np.linspace(0, len(values) - 1, most)})]


def _finish_layer(raw: RawLayer, judged: tuple[Judged, ...], side: int) -> PaintedLayer:
    window = raw.excited.window
    flat = raw.images.reshape(-1, *raw.images.shape[2:])
    tiles = as_tiles(flat, side, window).reshape(*raw.images.shape[:2], side, side, 3)
    negative = None
    if raw.negative is not None:
        negative = as_tiles(raw.negative[:, 0], side, window)
    return PaintedLayer(raw.lighten(), tiles, negative, judged)


def _finish_classes(
    subject: Subject,
    raw: RawClasses | None,
    judged: tuple[Judged, ...],
    extras: Any,
    options: Options,
) -> PaintedClasses | None:
    if raw is None:
        return None
    images = raw.optimised.images
    flat = images.reshape(-1, *images.shape[2:])
    names = subject.labels.classes or tuple(
        f"output {i}" for i in range(subject.reading.output.units)
    )
    return PaintedClasses(
        chosen=raw.chosen,
        left=raw.left,
        names=tuple(names[i] for i in raw.chosen),
        painting=summarise(raw.optimised),
        tiles=as_tiles(flat, options.side, None).reshape(
            *images.shape[:2], options.side, options.side, 3
        ),
        samples=extras.class_samples,
        answers=extras.answers,
        judged=judged,
    )


def _tile_dreams(dreams: Sequence[Dream], side: int) -> NDArray[np.uint8] | None:
    if not dreams:
        return None
    return as_tiles(np.stack([dream.image for dream in dreams]), side, None)
