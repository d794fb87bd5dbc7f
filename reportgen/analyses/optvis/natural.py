"""What real samples, and pictures, do to the channels along a unit's path, in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reportgen.subject.census import Census
    from reportgen.subject.layers import LayerCall
    from reportgen.subject.probe import RowReader, Tap
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float32]
Rows = NDArray[np.int64]
_PATH_LAYERS = 6
THINNEST = 8  # channels: ranks of fewer say little


@dataclass(frozen=True)
class Responses:
    """Channels of some layers for some images.

    means: address -> mean of each channel over positions ``(images, channels)``; it is what the
    objective of a channel raises. peaks: their maximum over positions, of the layers that were
    asked for. rows: ``(images,)`` positions among the samples, rising. drawn: ``(images,)``, false
    for samples that are here only because they excite some unit; they are no fair draw.
    """

    means: Mapping[str, FloatArray]
    peaks: Mapping[str, FloatArray]
    rows: Rows
    drawn: NDArray[np.bool_]

    def strongest(self, address: str, channel: int, most: int) -> Rows:
        """Positions in this object of the images with the highest means, highest first."""
        return self._order(-self.means[address][:, channel])[:most]

    def weakest(self, address: str, channel: int, most: int) -> Rows:
        """Positions in this object of the images with the lowest means, lowest first."""
        return self._order(self.means[address][:, channel])[:most]

    @staticmethod
    def _order(values: FloatArray) -> Rows:
        # NaN is sorted last, which is where neither list looks first.
        return np.argsort(values, kind="stable").astype(np.int64)

    def largest(self, address: str, channel: int) -> tuple[float, float]:
        """Largest finite mean and largest finite peak of a channel; NaN if there is none."""
        return _largest(self.means[address][:, channel]), _largest(self.peaks[address][:, channel])


def _largest(values: FloatArray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if len(finite) else float("nan")


def choose_path(subject: Subject, address: str, most: int = _PATH_LAYERS) -> tuple[str, ...]:
    """Layers that lead from the input to ``address``, first to last, without it.

    One for each block, as the census has them, with at least `THINNEST` channels; where there are
    more than ``most``, they are spread over the depth and both ends are kept. Empty for a first
    layer, see `lies_above`, and where all layers below have fewer channels.

    Raises:
        UsageError: there is no such address.
    """
    calls = subject.probe.calls
    position = calls.index(subject.probe.call(address))
    before = [calls[i] for i in sorted(_ancestors(calls, position))]
    census: Census = subject.census
    path = [call for call in before if _is_block(census, call)]
    if len(path) > most:
        path = [path[i] for i in sorted({round(i) for i in np.linspace(0, len(path) - 1, most)})]
    return tuple(call.address for call in path)


def lies_above(subject: Subject, address: str) -> bool:
    """Whether layers with channels of their own lie between the input and ``address``."""
    calls = subject.probe.calls
    before = _ancestors(calls, calls.index(subject.probe.call(address)))
    known = (subject.census.by_address.get(calls[i].address) for i in before)
    return any(layer is not None and layer.units is not None for layer in known)


def _is_block(census: Census, call: LayerCall) -> bool:
    known = census.by_address.get(call.address)
    return known is not None and known.units is not None and len(known.mean) >= THINNEST


def _ancestors(calls: Sequence[LayerCall], position: int) -> set[int]:
    found: set[int] = set()
    waiting = [position]
    while waiting:
        new = {i for i in calls[waiting.pop()].inputs if i >= 0} - found
        found |= new
        waiting.extend(new)
    return found


def list_extremes(census: Census, chosen: Mapping[str, Sequence[int]]) -> Rows:
    """Rows of the samples that excite chosen units most and least, by the census.

    Args:
        chosen: address -> channels. Layers without units, such as outputs, add nothing.
    """
    found = [np.empty(0, np.int64)]
    for address, channels in chosen.items():
        layer = census.by_address.get(address)
        if layer is not None and layer.units is not None:
            picked = np.asarray(channels, np.int64)
            found += [layer.units.most[picked].ravel(), layer.units.least[picked].ravel()]
    rows = np.unique(np.concatenate(found))
    return rows[rows >= 0]


def read_natural(
    subject: Subject,
    addresses: Iterable[str],
    *,
    most: int,
    rng: np.random.Generator,
    always: Rows | None = None,
    peaks: Iterable[str] = (),
) -> Responses:
    """One pass over at most ``most`` samples drawn with ``rng``, and those of ``always``.

    Args:
        addresses: layers whose means are read. peaks: layers whose peaks are read too.
    """
    picked = np.sort(rng.permutation(len(subject.samples))[:most]).astype(np.int64)
    rows = np.union1d(picked, picked[:0] if always is None else always).astype(np.int64)
    means, highs = read_responses(
        subject, lambda part: subject.inputs(rows[part]), len(rows), addresses, peaks, "samples"
    )
    return Responses(means, highs, rows, np.isin(rows, picked))


def read_responses(
    subject: Subject,
    inputs: RowReader,
    count: int,
    addresses: Iterable[str],
    peaks: Iterable[str],
    label: str,
) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """Means and peaks over positions of every channel, ``(count, channels)`` by address."""
    from reportgen.subject.probe import Tap

    peaks = frozenset(peaks)
    names = list(dict.fromkeys((*addresses, *sorted(peaks))))
    if not names or not count:
        return {}, {}
    calls = [subject.probe.call(name) for name in names]
    taps = [Tap(name) for name in names]
    reducer = _Pool(tuple(call.channel_axis for call in calls), tuple(n in peaks for n in names))
    parts = list(subject.probe.reduce(inputs, count, taps, reducer, f"reading {label}"))
    means = {n: np.concatenate([part[0][i] for part in parts]) for i, n in enumerate(names)}
    highs = [name for name in names if name in peaks]
    return means, {n: np.concatenate([part[1][i] for part in parts]) for i, n in enumerate(highs)}


@dataclass(frozen=True)
class _Pool:
    """A reducer that is equal by value, so that `Probe.reduce` traces it once.

    axes: of the channels, in the order of the taps. peaked: whether peaks are read.
    """

    axes: tuple[int, ...]
    peaked: tuple[bool, ...]

    def __call__(self, values: Mapping[Tap, Any]) -> tuple[list[Any], list[Any]]:
        import tensorflow as tf

        means, peaks = [], []
        for tensor, axis, peaked in zip(values.values(), self.axes, self.peaked, strict=True):
            places = [i for i in range(1, tensor.shape.rank) if i != axis]
            means.append(tf.reduce_mean(tensor, places))
            if peaked:
                peaks.append(tf.reduce_max(tensor, places))
        return means, peaks
