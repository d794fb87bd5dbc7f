"""Pictures that are the same but for a resave, a resize or a little light.

Candidates are found by perceptual hashes (imagehash: the lowest frequencies of a picture, 64 bits)
and verified by their pixels, as unlike pictures may share a hash.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from reportgen.progress import track

Pictures = NDArray[np.uint8]
SMALLEST_SIDE = 16  # pixels; smaller pictures have no low frequencies to speak of
_BITS_APART = 6  # of 64: what a JPEG of quality 50 changes, measured on photographs
_FLAT = 2.0  # deviation in grey values, below which a picture has nothing to compare
_ALIKE, _APART = 0.97, 10.0  # correlation of the pixels, and mean difference in grey values
_SIDE = 64  # that pictures are averaged down to: fine texture is what resaving changes
_BLOCK = 2048


def hash_pictures(pictures: Pictures, label: str) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """A hash of each picture ``(n, h, w, 3)``, and whether it has enough in it to be compared."""
    import imagehash
    from PIL import Image

    hashes = np.zeros(len(pictures), np.uint64)
    usable = np.zeros(len(pictures), np.bool_)
    for i in track(list(range(len(pictures))), label):
        picture = pictures[i]
        if picture.std() < _FLAT:
            continue
        bits = imagehash.phash(Image.fromarray(picture)).hash.ravel()
        hashes[i] = np.packbits(bits).view(">u8")[0]
        usable[i] = True
    return hashes, usable


def find_near(
    first: tuple[Pictures, NDArray[np.uint64], NDArray[np.bool_]],
    second: tuple[Pictures, NDArray[np.uint64], NDArray[np.bool_]],
) -> Iterator[tuple[int, int]]:
    """Pairs of positions that are nearly the same picture; both may be one set.

    Args:
        first, second: pictures ``(n, h, w, 3)``, with what `hash_pictures` makes of them.
    """
    pictures, hashes, usable = first
    others, other_hashes, other_usable = second
    for start in range(0, len(hashes), _BLOCK):
        part = hashes[start : start + _BLOCK]
        apart = np.bitwise_count(part[:, None] ^ other_hashes[None])
        near = apart <= _BITS_APART
        near &= usable[start : start + _BLOCK, None] & other_usable[None]
        for i, j in np.argwhere(near).tolist():
            if is_same(pictures[start + i], others[j]):
                yield start + i, j


def is_same(one: Pictures, other: Pictures) -> bool:
    """Whether two pictures of one size are the same but for what resaving does."""
    a, b = (_average_down(picture).ravel() for picture in (one, other))
    if np.abs(a - b).mean() > _APART:
        return False
    a, b = a - a.mean(), b - b.mean()
    length = float(np.sqrt((a @ a) * (b @ b)))
    return length > 0 and float(a @ b) / length >= _ALIKE


def _average_down(picture: Pictures) -> NDArray[np.float64]:
    """Means of equal blocks, at most `_SIDE` a side; what is left over at the border is cut."""
    height, width = (max(1, side // _SIDE) for side in picture.shape[:2])
    rows, columns = picture.shape[0] // height, picture.shape[1] // width
    cut = picture[: rows * height, : columns * width].astype(np.float64)
    return np.asarray(cut.reshape(rows, height, columns, width, -1).mean(axis=(1, 3)))
