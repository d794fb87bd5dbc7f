"""Which kernels are drawn, and as what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.kernels import Kernel, as_filters

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

Look = Literal["colour", "mosaic", "matrix"]
_MAX_MATRIX = 128  # a picture cell for each weight; beyond, units are drawn one by one
_MAX_INPUTS = 128**2
_NUMBERED_SIDE = 7
_MOST_LISTED = 24  # numbers of filters in a caption


@dataclass(frozen=True)
class DrawnKernel:
    """A kernel ready to be drawn.

    look: ``colour`` has tiles ``(filters, h, w, 3)``, signed, one colour a channel;
        ``mosaic`` has ``(rows * columns, h, w)``, a row a filter, a column an input channel;
        ``matrix`` has ``(1, inputs, outputs)``.
    numbers: small first-layer kernels again, ``(channels, filters, h, w)``, to be written out.
    filters_left, channels_left: how many were left out.
    initial: the first recorded values, like ``tiles``; ``largest`` is of both.
    """

    address: str
    label: str
    class_name: str
    look: Look
    shape: tuple[int, ...]
    tiles: NDArray[np.float32]
    columns: int
    largest: float
    filters_left: int
    channels_left: int
    what: str
    numbers: NDArray[np.float32] | None = None
    numbers_left: int = 0
    initial: NDArray[np.float32] | None = None


def draw_kernels(
    subject: Subject,
    kernels: Sequence[Kernel],
    first: Mapping[int, NDArray[Any]],
    ranks: Mapping[str, NDArray[np.int64]],
    *,
    layers: int,
    filters: int,
    channels: int,
    numbered: int,
    always: frozenset[str],
) -> tuple[tuple[DrawnKernel, ...], int]:
    """So many kernels spread over the depth, the first and last always, and those whose address
    is in ``always``; the rest is counted.

    Args:
        first: initial values by the identity of the variable; the first kernel is drawn so, too.
        ranks: filters by layer, those first that are drawn where there is no room for all.
    """
    flagged = {i for i, kernel in enumerate(kernels) if kernel.address in always}
    chosen = sorted(flagged.union(_spread(len(kernels), layers)))
    most = (filters, channels)
    drawn = [
        _draw_beside(subject, kernels[0], first.get(id(kernels[0].variable)), most, numbered)
        if i == 0
        else _draw(subject, kernels[i], kernels[i].values, most, 0, rank=_rank(kernels[i], ranks))
        for i in chosen
    ]
    kept = [kernel for kernel in drawn if kernel is not None]
    return tuple(kept), len(kernels) - len(kept)


def _rank(kernel: Kernel, ranks: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64] | None:
    rank = ranks.get(kernel.address) if kernel.main else None
    return rank if rank is not None and len(rank) == len(kernel.filters) else None


def _draw_beside(
    subject: Subject,
    kernel: Kernel,
    start: NDArray[Any] | None,
    most: tuple[int, int],
    numbered: int,
) -> DrawnKernel | None:
    """The first kernel, with its initial values on the same scale if they are known."""
    now = _draw(subject, kernel, kernel.values, most, numbered, first=True)
    then = None if start is None else _draw(subject, kernel, start, most, 0, first=True)
    if now is None or then is None:
        return now
    return replace(now, initial=then.tiles, largest=max(now.largest, then.largest))


def _spread(count: int, most: int) -> list[int]:
    if count <= most:
        return list(range(count))
    return sorted({round(i) for i in np.linspace(0, count - 1, max(most, 1))}) if most else []


def _draw(
    subject: Subject,
    kernel: Kernel,
    stored: NDArray[Any],
    most: tuple[int, int],
    numbered: int,
    *,
    first: bool = False,
    rank: NDArray[np.int64] | None = None,
) -> DrawnKernel | None:
    values = np.nan_to_num(stored.astype(np.float32), posinf=0, neginf=0)
    if not kernel.windowed:
        return _draw_dense(subject, kernel, as_filters(values, kernel.axes).T, most[0])
    window = _as_windows(kernel, values)
    if first and window.shape[2] == 3 and subject.input.kind == "image":
        return _draw_colour(kernel, window, numbered)
    return _draw_mosaic(kernel, window, most, numbered, rank)


def _as_windows(kernel: Kernel, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Any convolution kernel as ``(h, w, channels, filters)``."""
    if kernel.depthwise:
        flat = values.reshape(*values.shape[:-2], 1, -1)
        return flat[:, None] if flat.ndim == 3 else flat
    if values.ndim == 5:  # Conv3D: the slice in the middle of the depth
        values = values[values.shape[0] // 2]
    if kernel.axes[0] == kernel.values.ndim - 2:  # transposed
        values = values.swapaxes(-1, -2)
    if values.ndim == 3:  # Conv1D (k, in, out): a filter is a picture of k rows and `in` columns
        return values[:, :, None, :]
    return values


def _draw_colour(kernel: Kernel, window: NDArray[np.float32], numbered: int) -> DrawnKernel:
    tiles = window.transpose(3, 0, 1, 2)
    shown = min(len(tiles), 256)
    numbers, left = _numbers(window, numbered)
    return DrawnKernel(
        address=kernel.address,
        label=kernel.label,
        class_name=kernel.class_name,
        look="colour",
        shape=tuple(kernel.values.shape),
        tiles=tiles[:shown],
        columns=min(shown, 16 if shown > 32 else 8),
        largest=_largest(window),
        filters_left=len(tiles) - shown,
        channels_left=0,
        what="a tile is a filter; its red, green and blue are the weights of the three channels",
        numbers=numbers,
        numbers_left=left,
    )


def _draw_mosaic(
    kernel: Kernel,
    window: NDArray[np.float32],
    most: tuple[int, int],
    numbered: int,
    rank: NDArray[np.int64] | None = None,
) -> DrawnKernel:
    h, w, channels, filters = window.shape
    single = channels == 1
    shown_filters = min(filters, most[0] * most[1] if single else most[0])
    shown_channels = min(channels, most[1])
    chosen = np.arange(filters) if rank is None else rank
    chosen = np.sort(chosen[:shown_filters])
    part = window[:, :, :shown_channels, chosen]
    tiles = part.transpose(3, 2, 0, 1).reshape(-1, h, w)
    numbers, left = _numbers(window, numbered)
    one_pixel = h == 1 and w == 1
    if one_pixel:  # 1x1 kernels are a matrix: filters down, channels across
        tiles = part[0, 0].T[None]
    sliced = " (the middle slice of the depth)" if kernel.values.ndim == 5 else ""
    what = (
        f"a tile is a filter{sliced}"
        if single
        else "a row is a filter, a column an input channel"
        if one_pixel
        else f"a row of tiles is a filter{sliced}, a column an input channel"
    )
    if rank is not None and shown_filters < filters and shown_filters <= _MOST_LISTED:
        what += f"; filters {', '.join(map(str, chosen))}: flagged ones, and those that vary most"
    return DrawnKernel(
        address=kernel.address,
        label=kernel.label,
        class_name=kernel.class_name,
        look="matrix" if one_pixel else "mosaic",
        shape=(h, w, channels, filters),
        tiles=np.ascontiguousarray(tiles),
        columns=16 if single else shown_channels,
        largest=_largest(part),
        filters_left=filters - shown_filters,
        channels_left=channels - shown_channels,
        what=what,
        numbers=numbers,
        numbers_left=left,
    )


def _draw_dense(
    subject: Subject, kernel: Kernel, matrix: NDArray[np.float32], most: int
) -> DrawnKernel | None:
    picture = subject.input.pixels if subject.input.kind == "image" else ()
    if picture and matrix.shape[0] == int(np.prod(picture)) and picture[2] in (1, 3):
        # Weights straight from the pixels: each unit's weights are a picture.
        units = min(matrix.shape[1], most * 4)
        tiles = matrix.T.reshape(-1, *picture)[:units]
        colour = picture[2] == 3
        return DrawnKernel(
            address=kernel.address,
            label=kernel.label,
            class_name=kernel.class_name,
            look="colour" if colour else "mosaic",
            shape=matrix.shape,
            tiles=tiles if colour else tiles[..., 0],
            columns=8,
            largest=_largest(matrix),
            filters_left=matrix.shape[1] - units,
            channels_left=0,
            what="a tile is a unit; its pixels are the weights of the input's pixels",
        )
    if max(matrix.shape) > _MAX_MATRIX or min(matrix.shape) == 1:
        return _draw_units(kernel, matrix, most * 4)
    tall = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    what = "a row is an input, a column a unit"
    if tall is not matrix:
        what = "a row is a unit, a column an input"
    return DrawnKernel(
        address=kernel.address,
        label=kernel.label,
        class_name=kernel.class_name,
        look="matrix",
        shape=matrix.shape,
        tiles=np.ascontiguousarray(tall[None]),
        columns=1,
        largest=_largest(matrix),
        filters_left=0,
        channels_left=0,
        what=what,
    )


def _draw_units(kernel: Kernel, matrix: NDArray[np.float32], most: int) -> DrawnKernel | None:
    """Each unit's weights folded into a picture, in the order of its inputs; never averaged."""
    inputs, units = matrix.shape
    if inputs > _MAX_INPUTS:
        return None
    single = inputs == 1  # one input: the units themselves make the picture
    rows = matrix if single else matrix.T[:most]
    side = int(np.ceil(np.sqrt(rows.shape[1])))
    folded = np.full((len(rows), -(-rows.shape[1] // side) * side), np.nan, np.float32)
    folded[:, : rows.shape[1]] = rows
    shown = units if single else len(rows)
    what = (
        "a cell is a unit, in reading order"
        if single
        else "a tile is a unit; its cells are the weights of the inputs, in reading order"
    )
    return DrawnKernel(
        address=kernel.address,
        label=kernel.label,
        class_name=kernel.class_name,
        look="mosaic",
        shape=matrix.shape,
        tiles=folded.reshape(len(rows), -1, side),
        columns=8,
        largest=_largest(matrix),
        filters_left=units - shown,
        channels_left=0,
        what=what,
    )


def _numbers(window: NDArray[np.float32], numbered: int) -> tuple[NDArray[np.float32] | None, int]:
    h, w, channels, filters = window.shape
    if not numbered or max(h, w) > _NUMBERED_SIDE or channels > 4 or h * w < 2:
        return None, 0
    shown = min(filters, numbered)
    return np.ascontiguousarray(window[..., :shown].transpose(2, 3, 0, 1)), filters - shown


def _largest(values: NDArray[np.float32]) -> float:
    return float(np.abs(values).max()) or 1.0
