"""How many answers flip when pictures change a little, and how many stay right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.inputs.scaling import find_factor
from reportgen.analyses.intervals import wilson_bounds
from reportgen.subject.corruptions import (
    CORRUPTIONS,
    SHIFTS,
    as_grey_values,
    shift,
    strengths_of,
)

if TYPE_CHECKING:
    from reportgen.analyses.inputs.asking import Asking
    from reportgen.analyses.inputs.options import Options

Ints = NDArray[np.int64]
SHIFT, MIRROR = "shift", "mirror"
# What nobody sees must not change an answer: these are held to a bar, at this strength. Noise,
# blur, contrast and the steps of the corruptions are shown only: sound networks lose half of their
# answers to some of the first. So is the mirror: a mirrored digit or sign may be of another class.
MILD: Mapping[str, float] = {SHIFT: 1.0, "brightness": 0.05, "JPEG": 80.0, "noise": 0.02}
_LEAST_SIDE = 16  # pixels; of fewer a shift by one is no mild change
_AT_RANDOM = 0.02  # of the answers; rounding in batches of another size turns fewer
_SHOWN = 6
_SMALLEST_PART = 8  # of a side that a shift may be: of pictures of 8 pixels only one by 1 is small
_WITH_ALPHA = 4
_COLOURS = (1, 3, 4)  # channels that JPEG has, beside transparency


@dataclass(frozen=True)
class Curve:
    """One kind of change.

    strengths: rising in effect, ``(k,)``: pixels of a shift, deviation of noise or blur, quality of
    a JPEG. flips: answers that differ from those to the unchanged samples, ``(k,)`` counts. right:
    right answers, ``(k,)`` counts; None without labels. judged: the first strength is held to the
    bar.
    """

    kind: str
    strengths: tuple[float, ...]
    flips: tuple[int, ...]
    right: tuple[int, ...] | None
    judged: bool = False


@dataclass(frozen=True)
class Flipped:
    """A sample whose answer flips: by which change, and both answers."""

    name: str
    kind: str
    strength: float
    before: str
    after: str


@dataclass(frozen=True)
class Stability:
    """samples: that were asked. right: of them, right answers without a change; None without
    labels. flipped: some whose answer flips under what is judged; pictures: of them before and
    after, ``(2 n, h, w, 3)``. missing: why nothing was tried. left: kinds that no time was left
    for."""

    samples: int = 0
    right: int | None = None
    curves: tuple[Curve, ...] = ()
    flipped: tuple[Flipped, ...] = ()
    pictures: NDArray[np.uint8] | None = None
    missing: str = ""
    left: int = 0

    def bound(self, count: int) -> tuple[float, float]:
        """The 95 % interval of a share (Wilson), of so many of the samples."""
        low, high = wilson_bounds(np.array([float(count)]), np.array([self.samples]))
        return float(low[0]), float(high[0])

    @property
    def worst(self) -> Curve | None:
        """Of the kinds that are judged, the one whose first strength flips most answers."""
        judged = [curve for curve in self.curves if curve.judged]
        return max(judged, key=lambda curve: curve.flips[0], default=None)


def try_changes(asking: Asking, options: Options, seed: int) -> Stability:
    """Ask a draw of the samples after each change."""
    subject = asking.subject
    factor = find_factor(subject)
    if subject.input.kind != "image" or factor is None:
        return Stability(missing="The samples are no pixels from 0 to 255, or to 1.")
    few = asking.finite.first(options.changed_samples)
    if not len(few.rows):
        return Stability(missing="No answer is a number.")
    if len(np.unique(few.answers)) == 1:
        return Stability(missing="All answers are one class, so none can flip between classes.")
    again = few.ask(lambda rows: subject.preprocess(few.pixels(rows)), "asking once more")
    if (again != few.answers).mean() > _AT_RANDOM:
        return Stability(
            missing="The model answers at random: asked twice about the same sample it answers "
            "otherwise. Save it without what is random when it predicts."
        )
    sides = subject.input.pixels[:2]
    kinds = [SHIFT, MIRROR, *CORRUPTIONS]
    if subject.input.channels not in _COLOURS:
        kinds.remove("JPEG")
    curves: list[Curve] = []
    answered: dict[str, Ints] = {}  # by kind, to its first strength
    for kind in kinds:
        if few.late:
            break
        strengths = list_strengths(kind, (sides[0], sides[1]))
        found = [_ask(few, kind, strength, factor, seed) for strength in strengths]
        answered[kind] = found[0]
        flips = tuple(int((answers != few.answers).sum()) for answers in found)
        right = None
        if few.targets is not None:
            right = tuple(int((answers == few.targets).sum()) for answers in found)
        judged = kind in MILD and (kind != SHIFT or min(sides) >= _LEAST_SIDE)
        curves.append(Curve(kind, strengths, flips, right, judged))
    flipped, pictures = _show_flipped(few, answered, factor, seed)
    return Stability(
        len(few.rows),
        None if few.targets is None else int(few.right.sum()),
        tuple(curves),
        flipped,
        pictures,
        left=len(kinds) - len(curves),
    )


def _ask(asking: Asking, kind: str, strength: float, factor: float, seed: int) -> Ints:
    change = make_change(kind, strength, factor, seed)

    def make(rows: Ints) -> Any:
        return asking.subject.preprocess(change(asking.pixels(rows), asking.rows[rows]))

    return asking.ask(make, f"{kind} {strength:g}")


def _show_flipped(
    asking: Asking, answered: Mapping[str, Ints], factor: float, seed: int
) -> tuple[tuple[Flipped, ...], NDArray[np.uint8] | None]:
    """Some samples that flip, the kinds taking turns; and their pictures before and after."""
    subject, classes = asking.subject, asking.subject.labels.classes
    sides = subject.input.pixels[0], subject.input.pixels[1]
    waiting = {
        kind: np.flatnonzero((answers != asking.answers) & (answers >= 0)).tolist()
        for kind, answers in answered.items()
        if kind in MILD
    }
    chosen: list[tuple[str, int]] = []
    while len(chosen) < _SHOWN and any(waiting.values()):
        for kind, places in waiting.items():
            known = {place for _, place in chosen}
            fresh = [place for place in places if place not in known]
            chosen += [(kind, place) for place in fresh[:1]]
            places[:] = fresh[1:]
    flipped, pictures = [], []
    for kind, place in chosen[:_SHOWN]:
        strength = list_strengths(kind, sides)[0]
        rows = asking.rows[[place]]
        pixels = asking.pixels(np.array([place]))
        changed = make_change(kind, strength, factor, seed)(pixels, rows)
        pictures += [subject.draw(values) for values in (pixels, changed)]
        before, after = (
            _name(classes, int(answers[place])) for answers in (asking.answers, answered[kind])
        )
        name = subject.samples.names[int(rows[0])]
        flipped.append(Flipped(name, kind, strength, before, after))
    return tuple(flipped), np.concatenate(pictures) if pictures else None


def _name(classes: Sequence[str], which: int) -> str:
    if which < 0:
        return "not a number"
    return classes[which] if which < len(classes) else str(which)


def list_strengths(kind: str, sides: tuple[int, int]) -> tuple[float, ...]:
    """The strengths that a kind of change is tried with, the mildest first."""
    if kind == SHIFT:
        most = min(sides) // _SMALLEST_PART
        return tuple(float(by) for by in SHIFTS if by <= most) or (1.0,)
    if kind == MIRROR:
        return (1.0,)
    steps = strengths_of(kind, sides)
    # The steps for large pictures begin beyond what is mild.
    mild = (MILD[kind],) if kind in MILD and MILD[kind] != steps[0] else ()
    return (*mild, *steps)


def make_change(
    kind: str, strength: float, factor: float, seed: int
) -> Callable[[NDArray[Any], Ints], NDArray[np.float32]]:
    """A function of samples ``(b, h, w, c)`` before scaling and their numbers.

    What it draws follows from the seed, the change and the number of the sample, so it does not
    depend on the batches.
    """

    def change(pixels: NDArray[Any], rows: Ints) -> NDArray[np.float32]:
        if pixels.shape[-1] == _WITH_ALPHA and kind not in (SHIFT, MIRROR):
            coloured = change(pixels[..., :3], rows)  # how much shows is no colour
            return np.concatenate([coloured, pixels[..., 3:].astype(np.float32)], axis=-1)
        rngs = [np.random.default_rng([seed, int(1000 * strength), row]) for row in rows.tolist()]
        if kind == MIRROR:
            return pixels[:, :, ::-1].astype(np.float32)
        each = zip(pixels, rngs, strict=True)
        if kind == SHIFT:
            moved = [shift(one[None], int(strength), rng)[0] for one, rng in each]
            return np.stack(moved).astype(np.float32)
        corrupt = CORRUPTIONS[kind]
        to_one = np.float32(factor / 255)
        made = [
            corrupt(one[None].astype(np.float32) * to_one, strength, rng)[0] for one, rng in each
        ]
        return as_grey_values(np.stack(made)).astype(np.float32) / np.float32(factor)

    return change
