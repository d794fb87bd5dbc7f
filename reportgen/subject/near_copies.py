"""Pictures that are the same but for a resave, a resize or a little light.

Candidates are found by perceptual hashes (imagehash: the lowest frequencies of a picture, 64 bits)
and verified by their pixels, as unlike pictures may share a hash. Pictures of one scene with
another thing in it are not the same: they differ much in few places, and resaving differs little
in many.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reportgen.progress import track

Pictures = NDArray[np.uint8]
BoolArray = NDArray[np.bool_]
Pairs = NDArray[np.int64]
SMALLEST_SIDE = 16  # pixels; smaller pictures have no low frequencies to speak of
_BITS_APART = 6  # of 64: what a JPEG of quality 50 changes, measured on photographs
_FLAT = 2.0  # deviation in grey values, below which a picture has nothing to compare
_ALIKE, _APART = 0.97, 10.0  # correlation of the blocks, and mean difference in grey values
# Of any block, once the mean difference is taken off: of 300 pictures of 32 to 256 pixels, stored
# as JPEG of quality 30, halved and enlarged again, or made lighter, 99 % stay below it.
_SPOT = 50.0
_SIDE = 32  # blocks a side at most, of two pixels or more: resaving changes fine texture
_BLOCK, _PAIRS = 2048, 4096


@dataclass(frozen=True, eq=False)
class Seen:
    """Pictures as they are compared.

    hashes: ``(n,)``. usable: has enough in it to be compared, and is looked at. blocks: means of
    their colours, ``(n, k)`` in grey values.
    """

    hashes: NDArray[np.uint64]
    usable: BoolArray
    blocks: NDArray[np.float32]

    def only(self, wanted: BoolArray) -> Seen:
        """The same, with only these looked at."""
        return replace(self, usable=self.usable & wanted)


def look_at(pictures: Pictures, label: str) -> Seen:
    """What is compared of pictures ``(n, h, w, 3)``, h and w at least `SMALLEST_SIDE`."""
    import imagehash
    from PIL import Image

    hashes = np.zeros(len(pictures), np.uint64)
    usable = np.zeros(len(pictures), np.bool_)
    blocks = []
    for i in track(list(range(len(pictures))), label):
        picture = pictures[i]
        blocks.append(_average_down(picture))
        if picture.std() < _FLAT:
            continue
        bits = imagehash.phash(Image.fromarray(picture)).hash.ravel()
        hashes[i] = np.packbits(bits).view(">u8")[0]
        usable[i] = True
    return Seen(hashes, usable, np.stack(blocks))


def find_near(first: Seen, second: Seen, deadline: float = np.inf) -> tuple[Pairs, bool]:
    """Positions ``(pairs, 2)`` of nearly the same pictures, and whether all were compared.

    Args:
        second: may be the first; then each pair is named once, the earlier one first.
        deadline: of `time.monotonic`; what would begin after it is left out.
    """
    found: list[Pairs] = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(first.hashes), _BLOCK):
        part = slice(start, start + _BLOCK)
        near = np.bitwise_count(first.hashes[part, None] ^ second.hashes[None]) <= _BITS_APART
        near &= first.usable[part, None] & second.usable[None]
        pairs = np.argwhere(near) + np.array([start, 0])
        if first is second:
            pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        for at in range(0, len(pairs), _PAIRS):
            if time.monotonic() > deadline:
                return np.concatenate(found), False
            some = pairs[at : at + _PAIRS]
            same = are_same(first.blocks[some[:, 0]], second.blocks[some[:, 1]])
            found.append(np.asarray(some[same], np.int64))
    return np.concatenate(found), True


def are_same(one: NDArray[np.float32], other: NDArray[np.float32]) -> BoolArray:
    """Whether pictures, as blocks ``(n, k)``, are the same but for what resaving does, ``(n,)``."""
    apart = one - other
    mean = apart.mean(axis=1, keepdims=True)
    close = (np.abs(apart).mean(axis=1) <= _APART) & (np.abs(apart - mean).max(axis=1) <= _SPOT)
    a, b = (blocks - blocks.mean(axis=1, keepdims=True) for blocks in (one, other))
    length = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return np.asarray(close & (length > 0) & ((a * b).sum(axis=1) >= _ALIKE * length))


def _average_down(picture: Pictures) -> NDArray[np.float32]:
    """Means of equal blocks, ``(k,)``; what is left over at the border is cut."""
    height, width = (max(2, side // _SIDE) for side in picture.shape[:2])
    rows, columns = picture.shape[0] // height, picture.shape[1] // width
    cut = picture[: rows * height, : columns * width].astype(np.float32)
    return np.asarray(cut.reshape(rows, height, columns, width, -1).mean(axis=(1, 3)).ravel())
