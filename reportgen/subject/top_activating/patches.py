"""A patch of a sample, and the map over the whole of it, as small arrays of equal size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reportgen.subject.audited_model import AuditedModel
    from reportgen.subject.receptive_field import ReceptiveField

_MARGIN = 128  # grey around what does not fill the square
_GAP = 2  # pixels between channels
_MOST_CHANNELS = 16  # in one square; of more their mean is drawn


@dataclass(frozen=True)
class Patch:
    """patch, whole: ``(side, side, 3)`` uint8. strength: the map over ``whole``, 0 to 1,
    ``(side, side)``; NaN in the margin; None where the unit has no positions along the sample.
    box: of the patch in ``whole``: top, left, bottom, right. peak: the unit's highest value on
    this sample.
    """

    patch: NDArray[np.uint8]
    whole: NDArray[np.uint8]
    strength: NDArray[np.float32] | None
    box: tuple[int, int, int, int]
    name: str
    peak: float


def as_picture(subject: AuditedModel, row: int) -> NDArray[np.uint8]:
    """A sample as ``(h, w, 3)``: the mean of its channels where they are no colours.

    A sequence has a row a channel, and its positions side by side.
    """
    if subject.input.kind != "image":
        return _as_grey(_shade(_as_rows(subject, np.asarray(subject.samples.pixels[row]))))
    if has_colours(subject.input.pixels):
        return np.asarray(subject.pictures(np.array([row]))[0])
    return _as_grey(_read_stack(subject, row).mean(axis=2))


def read_channels(subject: AuditedModel, row: int) -> NDArray[np.uint8] | None:
    """The channels of a picture that are to be drawn one by one, ``(h, w, c)``, if they are."""
    is_image = subject.input.kind == "image"
    return _read_stack(subject, row) if is_image and is_stack(subject.input.pixels) else None


def has_colours(sample: tuple[int, ...]) -> bool:
    """Whether the channels of a picture ``(h, w, c)`` are grey, colours or colours and alpha."""
    return sample[-1] in (1, 3, 4)


def is_stack(sample: tuple[int, ...]) -> bool:
    """Whether a sample of this shape is a picture whose channels are drawn one by one."""
    return len(sample) == 3 and not has_colours(sample) and sample[-1] <= _MOST_CHANNELS


def _read_stack(subject: AuditedModel, row: int) -> NDArray[np.uint8]:
    return _shade(np.asarray(subject.samples.pixels[row]).reshape(subject.input.pixels))


def _as_rows(subject: AuditedModel, values: NDArray[Any]) -> NDArray[Any]:
    from reportgen.subject.channels import find_input_axis

    # The batch counts as axis 0 there.
    return values if find_input_axis(subject.model, 3) == 1 else values.T


def _shade(values: NDArray[Any]) -> NDArray[np.uint8]:
    """From the lowest value, black, to the highest, white."""
    numbers = np.asarray(values, np.float64)
    low, high = float(numbers.min()), float(numbers.max())
    return ((numbers - low) / max(high - low, 1e-30) * 255).astype(np.uint8)


def _as_grey(values: NDArray[Any]) -> NDArray[np.uint8]:
    return np.repeat(values.astype(np.uint8)[:, :, None], 3, axis=2)


def locate_positions(field: ReceptiveField, shape: tuple[int, ...]) -> list[NDArray[np.float64]]:
    """Where each position of a map looks at: the middle of its window, axis by axis.

    A window that the border cuts has its middle elsewhere; such positions follow the spacing of
    those that are whole. Where none is, positions are spread evenly.
    """
    centres = []
    for axis, count in enumerate(shape):
        side = field.sides[axis] if axis < len(field.sides) else 1
        even = (np.arange(count) + 0.5) * side / count - 0.5
        if field.windows is None or field.size is None or field.jump is None:
            centres.append(even)
            continue
        low, high = field.windows[axis]
        whole = np.flatnonzero(high - low + 1 == field.size[axis])
        if not len(whole) or len(low) != count:
            centres.append(even)
            continue
        first = int(whole[0])
        middle = (low[first] + high[first]) / 2
        centres.append(middle + (np.arange(count) - first) * field.jump[axis])
    return centres


def cut_patch(
    picture: NDArray[np.uint8],
    crop: Sequence[slice],
    strength: NDArray[np.float32] | None,
    centres: Sequence[NDArray[np.float64]],
    side: int,
    *,
    name: str,
    peak: float,
    channels: NDArray[np.uint8] | None = None,
) -> Patch:
    """Cut ``crop`` out of ``picture`` ``(h, w, 3)`` and lay ``strength`` over all of it.

    Args:
        channels: ``(h, w, c)``, to be cut instead and drawn one by one.
    """
    height, width = picture.shape[:2]
    sequence = len(crop) == 1  # positions lie along the width, channels are rows
    rows = slice(0, height) if sequence else crop[0]
    columns = crop[-1]
    whole, (top, left, tall, wide) = _fit(picture, side, stretch=sequence)
    over = None
    if strength is not None:
        over = np.full((side, side), np.nan, np.float32)
        spread = _spread(strength, centres, height, width)
        over[top : top + tall, left : left + wide] = _resize(spread, tall, wide)
    box = (
        top + rows.start * tall // height,
        left + columns.start * wide // width,
        top + -(-rows.stop * tall // height),
        left + -(-columns.stop * wide // width),
    )
    part = (picture if channels is None else channels)[rows, columns]
    if not part.size:  # a position that sees only padding
        patch = np.full((side, side, 3), _MARGIN, np.uint8)
    elif channels is None:
        patch = _fit(part, side, stretch=sequence)[0]
    else:
        patch = _lay_out(part, side)
    return Patch(patch, whole, over, box, name, peak)


def _lay_out(channels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Channels ``(h, w, c)`` in reading order on one square."""
    columns = int(np.ceil(np.sqrt(channels.shape[2])))
    step = (side + _GAP) // columns
    canvas = np.full((side, side, 3), _MARGIN, np.uint8)
    for index in range(channels.shape[2]):
        top, left = (step * place for place in divmod(index, columns))
        tile = _fit(_as_grey(channels[:, :, index]), step - _GAP, stretch=False)[0]
        canvas[top : top + len(tile), left : left + len(tile)] = tile
    return canvas


def _spread(
    strength: NDArray[np.float32], centres: Sequence[NDArray[np.float64]], height: int, width: int
) -> NDArray[np.float32]:
    """The map at every pixel: that of the position whose middle is nearest."""
    if strength.ndim == 1:
        return np.broadcast_to(strength[_nearest(centres[0], width)], (height, width))
    return strength[_nearest(centres[0], height)][:, _nearest(centres[1], width)]


def _nearest(centres: NDArray[np.float64], side: int) -> NDArray[np.int64]:
    return np.asarray(np.abs(np.arange(side)[:, None] - centres).argmin(axis=1))


def fit_square(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A picture ``(h, w, 3)`` as large as fits a grey square, ``(side, side, 3)``."""
    return _fit(picture, side, stretch=False)[0]


def _fit(
    picture: NDArray[np.uint8], side: int, *, stretch: bool
) -> tuple[NDArray[np.uint8], tuple[int, int, int, int]]:
    """The picture in a square on grey; and where it lies in it."""
    height, width = picture.shape[:2]
    if stretch:
        tall = wide = side
    else:
        scale = side / max(height, width)
        tall, wide = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (side - tall) // 2, (side - wide) // 2
    canvas = np.full((side, side, 3), _MARGIN, np.uint8)
    canvas[top : top + tall, left : left + wide] = _resize(picture, tall, wide)
    return canvas, (top, left, tall, wide)


def _resize(values: NDArray[Any], tall: int, wide: int) -> NDArray[Any]:
    """Whole pixels where it grows, the mean of those that fall together where it shrinks."""
    down, across = _weigh(values.shape[0], tall), _weigh(values.shape[1], wide)
    resized = np.moveaxis(np.tensordot(down, values, 1), 1, 0)
    resized = np.moveaxis(np.tensordot(across, resized, 1), 0, 1)
    return np.asarray(np.rint(resized) if values.dtype == np.uint8 else resized, values.dtype)


def _weigh(old: int, new: int) -> NDArray[np.float32]:
    """How much of each old pixel is in each new one, ``(new, old)``; rows sum to one."""
    if new >= old:
        return np.eye(old, dtype=np.float32)[np.arange(new) * old // new]
    edges = np.arange(new + 1)[:, None] * (old / new)
    pixels = np.arange(old)
    shared = np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels)
    return np.asarray(shared.clip(0) * (new / old), np.float32)
