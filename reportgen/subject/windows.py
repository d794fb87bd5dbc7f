"""Windows along one axis: which input positions an output position can see, layer after layer.

Along an axis every layer with a window repeats itself: if output ``q`` reads the positions
``r``, then output ``q + period`` reads ``r + step``. A convolution has period 1 and its stride
as step, a layer that enlarges f times has period f and step 1.

Two things are followed. The exact windows, as arrays, know the borders: padding is not seen,
and a position past the end of a map in the middle does not exist. The `Line` is the same
network on an endless input, which gives the window's size before the border cuts it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
_NOTHING = 1 << 40  # far outside of every input


@dataclass(frozen=True, eq=False)
class Reads:
    """What a layer reads along one axis.

    offsets: positions that the outputs 0 .. period - 1 read, ``(period, m)``. step: how much
    further output q + period reads. clamped: beyond the border the last position is read again;
    otherwise padding is, which is nothing of the input.
    """

    offsets: IntArray
    step: int
    clamped: bool = False


@dataclass(frozen=True, eq=False)
class Line:
    """Windows on an endless input: those of q + period are those of q, moved by ``step``.

    low, high: first and last input position of the outputs 0 .. period - 1.
    """

    low: IntArray
    high: IntArray
    step: int

    @property
    def size(self) -> int:
        """The largest window."""
        return max(0, int((self.high - self.low).max()) + 1)

    @property
    def jump(self) -> float:
        """Input positions between neighbouring outputs; below 1 after enlarging."""
        return self.step / len(self.low)


@dataclass(frozen=True, eq=False)
class Axis:
    """Windows of all positions of a tensor along one axis.

    low, high: first and last input position seen, ``(positions,)``; ``low > high``: none, only
    padding. side: of the model's input. line: None where the windows follow no rule.
    """

    low: IntArray
    high: IntArray
    side: int
    line: Line | None

    @property
    def whole(self) -> bool:
        """Every position sees the input from end to end, and not because of the border."""
        covers = (self.low <= 0) & (self.high >= self.side - 1)
        return self.line is None and bool(covers.all())

    @property
    def size(self) -> int:
        """The largest window, before the border cuts it where that is known."""
        return self.line.size if self.line else max(0, int((self.high - self.low).max()) + 1)


def begin(side: int) -> Axis:
    """The input itself: every position sees itself."""
    zero = np.zeros(1, np.int64)
    return Axis(np.arange(side), np.arange(side), side, Line(zero, zero, 1))


def pass_through(axis: Axis, reads: Reads, count: int) -> Axis:
    """Windows of the ``count`` positions that a layer makes."""
    q, period = np.arange(count), len(reads.offsets)
    index = reads.offsets[q % period] + (q // period * reads.step)[:, None]
    last = len(axis.low) - 1
    if reads.clamped:
        index = index.clip(0, last)
    real = (index >= 0) & (index <= last)
    index = np.where(real, index, 0)
    # The side and -1 are the empty window, and leave a union as it is.
    low = np.where(real, axis.low[index], axis.side).min(axis=1)
    high = np.where(real, axis.high[index], -1).max(axis=1)
    return Axis(low, high, axis.side, _extend(axis.line, reads))


def _extend(line: Line | None, reads: Reads) -> Line | None:
    if line is None:
        return None
    period, known = len(reads.offsets), len(line.low)
    times = known // math.gcd(known, reads.step)
    q = np.arange(period * times)
    offsets = reads.offsets[q % period]
    position = offsets + (q // period * reads.step)[:, None]
    moved = position // known * line.step
    real = offsets != _NOTHING
    low = np.where(real, line.low[position % known] + moved, _NOTHING).min(axis=1)
    high = np.where(real, line.high[position % known] + moved, -_NOTHING).max(axis=1)
    return Line(
        np.where(low > _NOTHING // 2, _NOTHING, low),
        np.where(high < -_NOTHING // 2, -_NOTHING, high),
        line.step * reads.step * times // known,
    )


def unite(axes: list[Axis]) -> Axis | None:
    """Windows around those of branches that meet; a side of 1 is spread over the others'.

    None: the sides do not fit.
    """
    count = max(len(axis.low) for axis in axes)
    if any(len(axis.low) not in (1, count) for axis in axes):
        return None
    low = np.min([np.broadcast_to(axis.low, count) for axis in axes], axis=0)
    high = np.max([np.broadcast_to(axis.high, count) for axis in axes], axis=0)
    spread = any(len(axis.low) != count for axis in axes)
    line = None if spread else _unite_lines([axis.line for axis in axes])
    return Axis(low, high, axes[0].side, line)


def _unite_lines(lines: list[Line | None]) -> Line | None:
    known = [line for line in lines if line is not None]
    if len(known) < len(lines) or len({line.jump for line in known}) > 1:
        return None
    period = math.lcm(*(len(line.low) for line in known))
    q = np.arange(period)
    shifts = [q // len(line.low) * line.step for line in known]
    pairs = list(zip(known, shifts, strict=True))
    low = np.min([line.low[q % len(line.low)] + shift for line, shift in pairs], axis=0)
    high = np.max([line.high[q % len(line.low)] + shift for line, shift in pairs], axis=0)
    return Line(low, high, round(known[0].jump * period))


def mix(axis: Axis) -> Axis:
    """Every position sees what any of them sees."""
    low = np.full_like(axis.low, axis.low.min())
    return Axis(low, np.full_like(axis.high, axis.high.max()), axis.side, None)


def read_shift(offset: int) -> Reads:
    """Padding (negative) or cropping (positive) in front."""
    return Reads(np.array([[offset]]), 1)


def read_convolution(
    kernel: int, stride: int, dilation: int, padding: str, side: int
) -> tuple[Reads, int]:
    """A convolution or pooling, and how many positions it makes.

    "same" pads as TensorFlow does: the total that ``ceil(side / stride)`` outputs need, the
    odd one at the end.
    """
    span = (kernel - 1) * dilation + 1
    before, after = 0, 0
    if padding == "same":
        total = max((-(-side // stride) - 1) * stride + span - side, 0)
        before, after = total // 2, total - total // 2
    elif padding == "causal":
        before = span - 1
    count = (side + before + after - span) // stride + 1
    return Reads(np.arange(kernel)[None] * dilation - before, stride), count


def read_transposed(
    kernel: int, stride: int, dilation: int, padding: str, side: int, count: int
) -> Reads:
    """A transposed convolution: the reverse of the one that makes ``side`` of ``count``.

    Output q takes from p where q = p stride + i dilation - before, i the place in the kernel.
    """
    before = 0
    if padding == "same":
        before = max((side - 1) * stride + (kernel - 1) * dilation + 1 - count, 0) // 2
    total = np.arange(stride)[:, None] + before - np.arange(kernel)[None] * dilation
    return Reads(np.where(total % stride == 0, total // stride, _NOTHING), 1)


# Positions around floor(centre) that an interpolation weighs.
_AROUND = {
    "nearest": (0, 0),
    "bilinear": (0, 1),
    "bicubic": (-1, 2),
    "lanczos3": (-2, 3),
    "lanczos5": (-4, 5),
}


def read_resized(side: int, count: int, interpolation: str) -> Reads | None:
    """Resizing without antialiasing: output q lies at (q + 1/2) side / count - 1/2.

    None: an interpolation that is not known here.
    """
    if interpolation not in _AROUND:
        return None
    divisor = math.gcd(side, count)
    step, period = side // divisor, count // divisor
    twice = (2 * np.arange(period) + 1) * step  # 2 period (centre + 1/2)
    if interpolation == "nearest":
        return Reads((twice // (2 * period))[:, None], step, clamped=True)
    centre, rest = np.divmod(twice - period, 2 * period)
    first, last = _AROUND[interpolation]
    around = centre[:, None] + np.arange(first, last + 1)
    # On a position itself every interpolation returns it: its neighbours weigh nothing.
    return Reads(np.where(rest[:, None] == 0, centre[:, None], around), step, clamped=True)
