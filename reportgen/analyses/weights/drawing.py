"""Which kernels are drawn, and as what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.weights.kernels import is_depthwise, main_kernel

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall
    from reportgen.subject.subject import Subject

Look = Literal["colour", "mosaic", "matrix"]
_MAX_MATRIX = 128  # a picture cell for each weight; beyond, units are drawn one by one
_MAX_INPUTS = 128**2
_NUMBERED_SIDE = 7


@dataclass(frozen=True)
class DrawnKernel:
    """A kernel ready to be drawn.

    look: ``colour`` has tiles ``(filters, h, w, 3)``, signed, one colour a channel;
        ``mosaic`` has ``(rows * columns, h, w)``, a row a filter, a column an input channel;
        ``matrix`` has ``(1, inputs, outputs)``.
    numbers: small first-layer kernels again, ``(channels, filters, h, w)``, to be written out.
    filters_left, channels_left: how many were left out.
    """

    address: str
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


def draw_kernels(
    subject: Subject, calls: list[LayerCall], *,
    layers: int, filters: int, channels: int, numbered: int, always: frozenset[str],
) -> tuple[tuple[DrawnKernel, ...], int]:  # fmt: skip
    """Kernels of ``layers`` layers spread over the depth, the first and last always, and those
    whose address is in ``always``; the rest is counted."""
    candidates = []
    for call in calls:
        kernel = main_kernel(call.layer)
        if kernel is not None and kernel.ndim >= 2:
            candidates.append((call, kernel))
    flagged = {i for i, (call, _) in enumerate(candidates) if call.address in always}
    chosen = sorted(flagged.union(_spread(len(candidates), layers)))
    drawn = [
        _draw(subject, *candidates[i], first=i == 0, most=(filters, channels), numbered=numbered)
        for i in chosen
    ]
    kept = [kernel for kernel in drawn if kernel is not None]
    return tuple(kept), len(candidates) - len(kept)


def _spread(count: int, most: int) -> list[int]:
    if count <= most:
        return list(range(count))
    return sorted({round(i) for i in np.linspace(0, count - 1, max(most, 1))}) if most else []


def _draw(
    subject: Subject, call: LayerCall, kernel: NDArray[Any], *,
    first: bool, most: tuple[int, int], numbered: int,
) -> DrawnKernel | None:  # fmt: skip
    values = np.nan_to_num(kernel.astype(np.float32), posinf=0, neginf=0)
    if values.ndim == 2:
        return _draw_dense(subject, call, values, most[0])
    window = _as_windows(call.class_name, values)
    if first and window.shape[2] == 3 and subject.input.kind == "image":
        return _draw_colour(call, window, numbered)
    return _draw_mosaic(call, window, most, numbered if first else 0)


def _as_windows(class_name: str, kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Any convolution kernel as ``(h, w, channels, filters)``."""
    if kernel.ndim == 3:  # Conv1D (k, in, out): a filter is a picture of k rows and `in` columns
        return kernel[:, :, None, :]
    if kernel.ndim == 5:  # Conv3D: the slice in the middle of the depth
        kernel = kernel[kernel.shape[0] // 2]
    if is_depthwise(class_name):
        return kernel.reshape(*kernel.shape[:2], 1, -1)
    return kernel.swapaxes(2, 3) if "Transpose" in class_name else kernel


def _draw_colour(call: LayerCall, window: NDArray[np.float32], numbered: int) -> DrawnKernel:
    tiles = window.transpose(3, 0, 1, 2)
    shown = min(len(tiles), 256)
    numbers, left = _numbers(window, numbered)
    return DrawnKernel(
        address=call.address, class_name=call.class_name, look="colour",
        shape=tuple(call.layer.kernel.shape), tiles=tiles[:shown],
        columns=min(shown, 16 if shown > 32 else 8), largest=_largest(window),
        filters_left=len(tiles) - shown, channels_left=0,
        what="a tile is a filter; its red, green and blue are the weights of the three channels",
        numbers=numbers, numbers_left=left,
    )  # fmt: skip


def _draw_mosaic(
    call: LayerCall, window: NDArray[np.float32], most: tuple[int, int], numbered: int
) -> DrawnKernel:
    h, w, channels, filters = window.shape
    single = channels == 1
    shown_filters = min(filters, most[0] * most[1] if single else most[0])
    shown_channels = min(channels, most[1])
    part = window[:, :, :shown_channels, :shown_filters]
    tiles = part.transpose(3, 2, 0, 1).reshape(-1, h, w)
    numbers, left = _numbers(window, numbered)
    one_pixel = h == 1 and w == 1
    if one_pixel:  # 1x1 kernels are a matrix: filters down, channels across
        tiles = part[0, 0].T[None]
    sliced = " (the middle slice of the depth)" if len(call.layer.kernel_size) == 3 else ""
    what = (
        f"a tile is a filter{sliced}" if single
        else "a row is a filter, a column an input channel"
        if one_pixel else f"a row of tiles is a filter{sliced}, a column an input channel"
    )  # fmt: skip
    return DrawnKernel(
        address=call.address, class_name=call.class_name, look="matrix" if one_pixel else "mosaic",
        shape=(h, w, channels, filters), tiles=np.ascontiguousarray(tiles),
        columns=16 if single else shown_channels, largest=_largest(part),
        filters_left=filters - shown_filters, channels_left=channels - shown_channels,
        what=what, numbers=numbers, numbers_left=left,
    )  # fmt: skip


def _draw_dense(
    subject: Subject, call: LayerCall, kernel: NDArray[np.float32], most: int
) -> DrawnKernel | None:
    picture = subject.input.pixels if subject.input.kind == "image" else ()
    if picture and kernel.shape[0] == int(np.prod(picture)) and picture[2] in (1, 3):
        # Weights straight from the pixels: each unit's weights are a picture.
        units = min(kernel.shape[1], most * 4)
        tiles = kernel.T.reshape(-1, *picture)[:units]
        colour = picture[2] == 3
        return DrawnKernel(
            address=call.address, class_name=call.class_name,
            look="colour" if colour else "mosaic", shape=kernel.shape,
            tiles=tiles if colour else tiles[..., 0], columns=8, largest=_largest(kernel),
            filters_left=kernel.shape[1] - units, channels_left=0,
            what="a tile is a unit; its pixels are the weights of the input's pixels",
        )  # fmt: skip
    if max(kernel.shape) > _MAX_MATRIX or min(kernel.shape) == 1:
        return _draw_units(call, kernel, most * 4)
    tall = kernel if kernel.shape[0] <= kernel.shape[1] else kernel.T
    what = "a row is an input, a column a unit"
    if tall is not kernel:
        what = "a row is a unit, a column an input"
    return DrawnKernel(
        address=call.address, class_name=call.class_name, look="matrix", shape=kernel.shape,
        tiles=np.ascontiguousarray(tall[None]), columns=1, largest=_largest(kernel),
        filters_left=0, channels_left=0, what=what,
    )  # fmt: skip


def _draw_units(call: LayerCall, kernel: NDArray[np.float32], most: int) -> DrawnKernel | None:
    """Each unit's weights folded into a picture, in the order of its inputs; never averaged."""
    inputs, units = kernel.shape
    if inputs > _MAX_INPUTS:
        return None
    single = inputs == 1  # one input: the units themselves make the picture
    rows = kernel if single else kernel.T[:most]
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
        address=call.address, class_name=call.class_name, look="mosaic", shape=kernel.shape,
        tiles=folded.reshape(len(rows), -1, side), columns=8, largest=_largest(kernel),
        filters_left=units - shown, channels_left=0, what=what,
    )  # fmt: skip


def _numbers(window: NDArray[np.float32], numbered: int) -> tuple[NDArray[np.float32] | None, int]:
    h, w, channels, filters = window.shape
    if not numbered or max(h, w) > _NUMBERED_SIDE or channels > 4 or h * w < 2:
        return None, 0
    shown = min(filters, numbered)
    return np.ascontiguousarray(window[..., :shown].transpose(2, 3, 0, 1)), filters - shown


def _largest(values: NDArray[np.float32]) -> float:
    return float(np.abs(values).max()) or 1.0
