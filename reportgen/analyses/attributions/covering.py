"""Places without which a class is gone: marks that the scan of colours cannot see.

A pattern whose mean colour is like any other's, say, or writing in changing colours.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.attributions.scan import Candidate, Region, list_windows

Ints = NDArray[np.int64]
FloatArray = NDArray[np.float32]
WINDOWS = 49  # at most, of a picture
FEWEST, MOST = 6, 12  # samples of a class that are covered
_DRAWS = 99
_SMALLEST = 1e-30


def propose(
    ask: Callable[[NDArray[np.float32]], FloatArray],
    pixels: NDArray[np.generic],
    rows: Ints,
    classes: Ints,
    rng: np.random.Generator,
) -> list[Candidate]:
    """Places that take more from a class than any does when the places of each sample are shuffled.

    Args:
        ask: scores of the classes of pictures, before the softmax or sigmoid, ``(n, classes)``.
            pixels: of all samples, ``(n, h, w, c)``. rows: samples that are covered, see `draw`.
            classes: of all samples.

    Each two by two cells of the grid are covered with the mean colour of the samples. The measure:
    how much of the lead of the class (its score less the largest other) is gone, 0 to 1, mean over
    samples of the class, in standard errors above its mean over all places. It must be above the
    largest value over all places and classes in each of 99 shuffles of the places of every sample
    (p = .01 for all together).
    """
    windows = list_windows(pixels.shape[1], pixels.shape[2])
    if not len(rows) or not windows:
        return []
    chosen = {int(which): rows[classes[rows] == which] for which in np.unique(classes[rows])}
    colour = pixels[rows].mean(axis=(0, 1, 2), dtype=np.float64).astype(np.float32)
    masks = np.stack([np.zeros_like(windows[0].pixels), *(one.pixels for one in windows)])
    lost = {
        which: np.stack(
            [
                _measure_loss(ask(np.where(masks[..., None], colour, pixels[row])), which)
                for row in some.tolist()
            ]
        )
        for which, some in chosen.items()
    }
    highest = max(
        float(_stand_out(rng.permuted(one, axis=1)).max())
        for _ in range(_DRAWS)
        for one in lost.values()
    )
    found = []
    for which, one in lost.items():
        shares, above = one.mean(axis=0), _stand_out(one)
        kept: list[int] = []
        for place in np.argsort(-above).tolist():
            if above[place] > highest and not any(
                overlap(windows[place], windows[other]) for other in kept
            ):
                kept.append(place)
        found += [
            Candidate(
                which,
                windows[place],
                "covering",
                float(shares[place]),
                float(np.delete(one, place, axis=1).mean()),
            )
            for place in kept
        ]
    return sorted(found, key=lambda one: (one.others or 0) - (one.share or 0))


def _stand_out(lost: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of samples by places, how far each place lies above all, in standard errors."""
    errors = np.sqrt(lost.var(axis=1).mean() / len(lost))
    return np.asarray((lost.mean(axis=0) - lost.mean()) / max(float(errors), _SMALLEST))


def _measure_loss(scores: FloatArray, which: int) -> NDArray[np.float64]:
    """Share of the lead that each of the covered pictures has lost; the first is not covered."""
    if scores.shape[1] < 2 or not np.isfinite(scores).all():
        return np.zeros(len(scores) - 1)  # no lead, or none that can be told
    values = scores.astype(np.float64)
    leads = values[:, which] - np.delete(values, which, axis=1).max(axis=1)
    return np.asarray(np.clip(1 - leads[1:] / max(leads[0], _SMALLEST), 0, 1))


def overlap(one: Region, other: Region) -> bool:
    """Whether they have a pixel in common."""
    return bool((one.pixels & other.pixels).any())


def draw(rows: Ints, classes: Ints, most: int, rng: np.random.Generator) -> Ints:
    """Samples to be covered, each 49 times: as many of each class; where that would be too few, of
    some classes; none where no class has enough.

    Args:
        rows: samples that are answered rightly. classes: of all samples. most: to be covered.
    """
    by_class = {int(which): rows[classes[rows] == which] for which in np.unique(classes[rows])}
    enough = [which for which, some in by_class.items() if len(some) >= FEWEST]
    asked = rng.permutation(enough)[: most // FEWEST].tolist()
    each = min(MOST, most // max(len(asked), 1))
    drawn = [np.sort(rng.permutation(by_class[which])[:each]) for which in sorted(asked)]
    return np.concatenate(drawn) if drawn else np.zeros(0, np.int64)
