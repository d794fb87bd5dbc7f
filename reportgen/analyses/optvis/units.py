"""Pictures of chosen units, layer by layer, beside the samples that excite them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.optvis.causes import Cause
from reportgen.analyses.optvis.silent import search_silent
from reportgen.analyses.optvis.studio import Studio
from reportgen.errors import UsageError
from reportgen.subject.top_activating import ExcitedLayer

if TYPE_CHECKING:
    from reportgen.optvis.images import OptimizedImages

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Painting:
    """How the pictures of one layer, or of the classes, were made.

    steps: of each picture, ``(n, v)``. settled: whether its objective had become flat.
    """

    recipe: str
    precision: str
    precision_reason: str
    steps: NDArray[np.int64]
    settled: NDArray[np.bool_]
    hurried: bool
    progress: FloatArray


@dataclass(frozen=True)
class RawLayer:
    """Images of the units of a layer, before they are judged.

    excited: the units, why they were chosen, their samples. width: channels of the layer. images:
    ``(n, v, h, w, c)`` in [0, 1]. negative: of the opposite, ``(n, 1, h, w, c)``. silent: channels
    that no sample changes and that were tried; causes: of those, None where a picture excites it;
    silent_count: of all channels that no sample changes. hurried: time ran out for some picture
    of its units.
    """

    excited: ExcitedLayer
    shape: tuple[int | None, ...]
    width: int
    activation: str | None
    images: FloatArray
    optimised: OptimizedImages
    negative: FloatArray | None
    silent: tuple[int, ...]
    silent_count: int
    causes: tuple[Cause | None, ...]
    hurried: bool

    @property
    def channels(self) -> tuple[int, ...]:
        """The units that are shown."""
        return tuple(unit.pick.channel for unit in self.excited.units)

    @property
    def painting(self) -> Painting:
        """How its pictures were made."""
        return summarise(self.optimised)

    def lighten(self) -> RawLayer:
        """Without the images, which are large."""
        none = np.empty((0, 0, 0, 0, 0), np.float32)
        return replace(
            self, images=none, negative=None, optimised=replace(self.optimised, images=none)
        )


def paint_layer(
    studio: Studio, excited: ExcitedLayer, seconds: float, *, negative: bool
) -> RawLayer:
    """Paint the units of one layer. Its silent channels are counted, and not yet tried."""
    from reportgen.optvis import channel
    from reportgen.optvis.painting import paint

    subject, address = studio.subject, excited.address
    call = subject.probe.call(address)
    channels = [unit.pick.channel for unit in excited.units]
    # What is painted beside the pictures comes out of the same share of time.
    beside = 0.25 * seconds * negative
    opposite = None
    if negative:
        opposite = studio.paint(-channel(address, channels), beside, variants=1)
    engine = studio.open_small(channel(address, channels), excited.window)
    optimised = paint(engine, seconds - beside)
    return RawLayer(
        excited=excited,
        shape=tuple(call.output_shape[1:]),
        width=int(call.output_shape[call.channel_axis] or 1),
        activation=call.activation,
        images=optimised.images,
        optimised=optimised,
        negative=None if opposite is None else opposite.images,
        silent=(),
        silent_count=int(subject.census.by_address[address].constant.sum()),
        causes=(),
        hurried=optimised.hurried or (opposite is not None and opposite.hurried),
    )


def search_layers(
    studio: Studio, layers: Sequence[RawLayer], most: int, seconds: float
) -> list[RawLayer]:
    """Try at most so many silent channels of each layer, all within ``seconds``."""
    until = time.monotonic() + seconds
    waiting = sum(bool(raw.silent_count) for raw in layers)
    searched = []
    for raw in layers:
        if raw.silent_count and most:
            share = max(until - time.monotonic(), 0.0) / waiting
            raw = _search_layer(studio, raw, most, share)
            waiting -= 1
        searched.append(raw)
    return searched


def _search_layer(studio: Studio, raw: RawLayer, most: int, seconds: float) -> RawLayer:
    census = studio.subject.census.by_address[raw.excited.address]
    constant = np.flatnonzero(census.constant)
    # Those that are shown first: of them the report says why their pictures mean nothing.
    shown_first = np.argsort(~np.isin(constant, raw.channels), kind="stable")
    tried = tuple(int(i) for i in constant[shown_first][:most])
    call = studio.subject.probe.call(raw.excited.address)
    always = census.low[list(tried)]
    try:
        causes = search_silent(studio, call, tried, always, raw.excited.window, seconds)
    except UsageError:  # no picture reaches it by itself: then it cannot be told
        causes = tuple("stuck" for _ in tried)
    return replace(raw, silent=tried, causes=causes)


def summarise(optimised: OptimizedImages) -> Painting:
    """How images were made. progress: mean objective over all, step by step, ``(steps,)``."""
    return Painting(
        optimised.recipe,
        optimised.precision,
        optimised.precision_reason,
        optimised.steps,
        optimised.settled,
        optimised.hurried,
        _mean_progress(optimised.history),
    )


def _mean_progress(history: FloatArray) -> FloatArray:
    """Mean over the images still painted; each divided by its best, so that units weigh alike."""
    flat = history.reshape(-1, history.shape[-1]).astype(np.float64)
    alive = np.isfinite(flat).all(axis=1)
    flat = flat[alive] if alive.any() else flat
    best = np.nanmax(np.abs(flat), axis=1, keepdims=True, initial=1e-12)
    known = np.isfinite(flat)
    count = np.maximum(known.sum(axis=0), 1)
    return np.asarray(np.where(known, flat / best, 0).sum(axis=0) / count, np.float32)


def list_addresses(layers: Sequence[ExcitedLayer]) -> dict[str, list[int]]:
    """Chosen channels by address."""
    return {layer.address: [unit.pick.channel for unit in layer.units] for layer in layers}
