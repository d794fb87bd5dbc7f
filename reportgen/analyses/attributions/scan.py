"""Places whose colour goes with a class: what a network could have learnt in place of the thing.

It looks at the samples only; `covering` proposes by the model's answers. What they propose is no
finding: the shape of a thing has places and colours, too. `transplant` asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Source = Literal["colour", "covering", "frame"]
CELLS = 8  # along each side
_LEVELS = 6  # of each colour channel
_OFFSETS = (0.0, 0.5)
_DRAWS = 99
_MOST_CELLS = 4  # of one candidate: more are a shape


@dataclass(frozen=True)
class Region:
    """pixels: where it is, ``(h, w)``; all of them: the colour of the whole picture. words: where
    that is, for people."""

    pixels: Bools
    words: str

    @property
    def whole(self) -> bool:
        """Whether it is the colour of the whole picture, which is no place."""
        return bool(self.pixels.all())


@dataclass(frozen=True)
class Colour:
    """A colour at a region: its number, in steps that begin at ``offset``."""

    region: Region
    number: int
    offset: float

    def __call__(self, pictures: FloatArray) -> Bools:
        """Which pictures ``(n, h, w, c)`` from 0 to 1 have that colour there, ``(n,)``."""
        colours = _average(pictures, [self.region])
        return np.asarray(_quantise(colours, self.offset)[:, 0] == self.number)


@dataclass(frozen=True)
class Candidate:
    """A region that goes with a class.

    which: the class. region: where it is clearest, and what touches it. by: what proposed it; a
    frame is always asked about. share, others: by colour, of the class and of all other samples,
    how many have that colour; by covering, how much of the lead of the class is gone when the
    region is covered, and when any other is. colour: what many samples of the class have there.
    """

    which: int
    region: Region
    by: Source
    share: float | None = None
    others: float | None = None
    colour: Colour | None = None


def make_frame(height: int, width: int) -> Region | None:
    """The outermost sixteenth; None of small pictures: half of what there is would be a frame."""
    thick = min(height, width) // 16
    if not thick:
        return None
    pixels = np.ones((height, width), bool)
    pixels[thick:-thick, thick:-thick] = False
    return Region(pixels, f"the frame, {thick} pixel{'s' if thick > 1 else ''} wide")


def list_windows(height: int, width: int) -> list[Region]:
    """Two by two neighbouring cells, all that there are: a mark may lie on the edge of cells.

    None of pictures so small that it would be all of them.
    """
    rows, columns = min(CELLS, height), min(CELLS, width)
    down = np.arange(height) * rows // height
    across = np.arange(width) * columns // width
    found = []
    for i in range(max(rows - 1, 1)):
        for j in range(max(columns - 1, 1)):
            high, wide = np.isin(down, (i, i + 1)), np.isin(across, (j, j + 1))
            name = _name(2 * i + 1, 2 * j + 1, 2 * rows, 2 * columns)
            place = f"from row {i + 1}, column {j + 1} of {rows} x {columns}, two by two"
            found.append(Region(high[:, None] & wide[None], f"{name} ({place})"))
    return [one for one in found if not one.whole]


def _list_cells(height: int, width: int) -> tuple[list[Region], tuple[int, int]]:
    """Cells row by row; and their rows and columns."""
    rows, columns = min(CELLS, height), min(CELLS, width)
    down = np.arange(height) * rows // height
    across = np.arange(width) * columns // width
    found = []
    for i in range(rows):
        for j in range(columns):
            pixels = (down == i)[:, None] & (across == j)[None]
            place = f"row {i + 1}, column {j + 1} of {rows} x {columns}"
            found.append(Region(pixels, f"{_name(i, j, rows, columns)} ({place})"))
    return found, (rows, columns)


def list_regions(height: int, width: int) -> tuple[list[Region], tuple[int, int]]:
    """Cells row by row, the frame, the whole; and rows and columns of the cells."""
    found, shape = _list_cells(height, width)
    frame = make_frame(height, width)
    if frame is not None:
        found.append(frame)
    found.append(Region(np.ones((height, width), bool), "the colour of the whole picture"))
    return found, shape


def _name(i: int, j: int, rows: int, columns: int) -> str:
    """A place in words, by thirds."""
    down = ("upper", "", "lower")[i * 3 // rows]
    across = ("left", "", "right")[j * 3 // columns]
    return f"the {down or across or 'middle'}{f' {across}' if down and across else ''}".strip()


def scan(
    pictures: FloatArray, classes: Ints, count: int, rng: np.random.Generator
) -> list[Candidate]:
    """Candidates beyond what shuffled classes give anywhere, the clearest first.

    Args:
        pictures: ``(n, h, w, c)`` from 0 to 1. classes: ``(n,)``, 0 to ``count`` - 1.

    The measure: of the samples of a class, the share that has a colour at a region, less the share
    of all others. Colours are told by the mean over the region, in steps of a sixth of the range;
    two grids of steps, so that no colour lies on an edge of both. A candidate is above the largest
    value over all classes, regions and colours in each of 99 shuffles of the classes (p = .01 for
    all together).
    """
    regions, shape = list_regions(pictures.shape[1], pictures.shape[2])
    colours = _average(pictures, regions)
    bins = [_quantise(colours, offset) for offset in _OFFSETS]
    held = [_hold(one) for one in bins]
    highest = max(
        (float(max(_measure(one, rng.permutation(classes), count)[0].max() for one in held)))
        for _ in range(_DRAWS)
    )
    found: dict[tuple[int, int], tuple[float, int, int]] = {}
    for grid, one in enumerate(held):
        values, best = _measure(one, classes, count)
        for which, place in np.argwhere(values > highest).tolist():
            key = (which, place)
            if key not in found or values[which, place] > found[key][0]:
                found[key] = (float(values[which, place]), grid, int(best[which, place]))
    return _describe(found, bins, classes, regions, shape)


def _average(pictures: FloatArray, regions: Sequence[Region]) -> FloatArray:
    """Mean colour of each region, ``(n, regions, c)``."""
    weights = np.stack([region.pixels.ravel() / region.pixels.sum() for region in regions], axis=1)
    flat = pictures.reshape(len(pictures), -1, pictures.shape[-1])
    made = np.einsum("npc,pr->nrc", flat, weights.astype(np.float32), optimize=True)
    return np.asarray(made, np.float32)


def _quantise(colours: FloatArray, offset: float) -> Ints:
    """One number for each colour, ``(n, regions)``."""
    levels = _LEVELS + 1
    steps = np.clip((colours * _LEVELS + offset).astype(np.int64), 0, levels - 1)
    powers = levels ** np.arange(colours.shape[-1])
    return np.asarray((steps * powers).sum(axis=-1))


@dataclass(frozen=True)
class _Held:
    """Which sample has which colour where. Only what some sample has is numbered: of many channels
    there are more colours than memory holds.

    pairs: of each sample at each region, the number of the pair of region and colour,
    ``(n, regions)``. region, colour, holders: of each pair; holders: samples that have it.
    """

    pairs: Ints
    region: Ints
    colour: Ints
    holders: Ints


def _hold(bins: Ints) -> _Held:
    """Of colours ``(n, regions)``."""
    regions = np.broadcast_to(np.arange(bins.shape[1]), bins.shape)
    both = np.stack([regions.ravel(), bins.ravel()])
    kinds, pairs, holders = np.unique(both, axis=1, return_inverse=True, return_counts=True)
    return _Held(pairs.reshape(bins.shape), kinds[0], kinds[1], holders)


def _measure(held: _Held, classes: Ints, count: int) -> tuple[NDArray[np.float64], Ints]:
    """Largest lead of each class at each region, ``(count, regions)``, and by which colour."""
    size = len(held.holders)
    own = np.bincount(classes, minlength=count)
    codes, holders = np.unique(classes[:, None] * size + held.pairs, return_counts=True)
    which, pair = np.divmod(codes, size)
    others = np.maximum(len(classes) - own[which], 1)
    lead = holders / own[which] - (held.holders[pair] - holders) / others
    values = np.zeros((count, held.pairs.shape[1]))
    best = np.zeros(values.shape, np.int64)
    order = np.argsort(lead, kind="stable")  # the largest is written last
    where = which[order], held.region[pair[order]]
    values[where], best[where] = lead[order], held.colour[pair[order]]
    return values, best


def _describe(
    found: dict[tuple[int, int], tuple[float, int, int]],
    bins: list[Ints],
    classes: Ints,
    regions: Sequence[Region],
    shape: tuple[int, int],
) -> list[Candidate]:
    """The clearest region of each class first; neighbouring cells of it belong to it."""
    rows, columns = shape
    made = []
    left = dict(sorted(found.items(), key=lambda item: -item[1][0]))
    while left:
        (which, place), (_, grid, colour) = next(iter(left.items()))
        holders = bins[grid][:, place] == colour
        del left[which, place]
        members = [place]
        if place < rows * columns:
            near = [p for w, p in left if w == which and _touches(p, place, rows, columns)]
            members += near[: _MOST_CELLS - 1]
            for p in near:
                del left[which, p]
        pixels = np.any([regions[p].pixels for p in members], axis=0)
        own = classes == which
        made.append(
            Candidate(
                which,
                Region(pixels, regions[place].words),
                "colour",
                float(holders[own].mean()),
                float(holders[~own].mean()) if (~own).any() else 0.0,
                Colour(regions[place], colour, _OFFSETS[grid]),
            )
        )
    return made


def _touches(place: int, other: int, rows: int, columns: int) -> bool:
    """Whether two cells of a grid do; what is no cell touches nothing."""
    if place >= rows * columns:
        return False
    (a, b), (c, d) = divmod(place, columns), divmod(other, columns)
    return max(abs(a - c), abs(b - d)) <= 1
