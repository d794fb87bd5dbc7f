"""Shortcuts, by changing pictures: does a mark make other pictures this class?

A candidate is a shortcut only if it is *pasted* into pictures of other classes and these become
that class, more often than by the same place of pictures of other classes. People who look at
attributions do not find such defects, and attributions accuse sound models (Adebayo et al. 2022,
arXiv 2212.04629): so pictures are changed and the model is asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.attributions import covering
from reportgen.analyses.attributions.scan import Candidate, Source, make_frame, scan
from reportgen.progress import track

if TYPE_CHECKING:
    from reportgen.attributions.network import Network
    from reportgen.subject.subject import Subject

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Pictures = NDArray[np.uint8]
FEWEST = 40  # samples; half of them propose, half are asked
_MOST, _MOST_BYTES = 2000, 2**29  # samples that are looked at, and what they take as floats
_RECIPIENTS = (40, 200)  # pictures that each candidate is pasted into
_CANDIDATES = (4, 24)
_DONORS, _OTHERS = 3, 10  # samples of the asking half, at least
_COVERED = 120  # samples that are covered cell by cell
_LEVEL = 0.001  # for all candidates together
_DRAWN, _SHOWN = 6, 3  # pictures of a shortcut, and shortcuts


@dataclass(frozen=True)
class Shortcut:
    """One candidate that was asked about.

    name: the class. place: where, in words. by: what proposed it. share, others: see `Candidate`.
    anyway: of all other samples, how many have what makes the class there: those with the colour,
    else as often as theirs does what that of the class does. asked: pictures of other classes that
    it was pasted into. became, control: of these, how many then are this class, with the place of
    a picture of it and of another class. donors: pictures of the class whose place made some
    picture the class that the place of another did not. p: that it is no more, exact, corrected
    for all candidates.
    """

    name: str
    place: str
    by: Source
    share: float | None
    others: float | None
    anyway: float
    asked: int
    became: int
    control: int
    donors: int
    p: float

    @property
    def gain(self) -> float:
        """Share of the pictures that become the class, beyond those by the same place of others."""
        return max(self.became - self.control, 0) / self.asked

    @property
    def excess(self) -> float:
        """The gain less the share of others that have it there anyway; 0 if it may be chance.

        What many pictures of other classes have is no mark but a part of a shape, such as the empty
        middle of a zero. One odd picture of the class is no mark either.
        """
        told = self.p < _LEVEL and self.donors >= _DONORS
        return max(self.gain - self.anyway, 0.0) if told else 0.0

    def is_one(self, bar: float) -> bool:
        """Whether it is beyond chance, and for more than ``bar`` of the pictures."""
        return self.excess > bar


@dataclass(frozen=True)
class Shortcuts:
    """asked: the clearest first. pictures: of the first shortcuts, in pairs before and after, ``(2
    n, h, w, 3)``; drawn: how many pairs of each shortcut. untried: candidates that were found, and
    not asked about. covered: samples that were covered cell by cell for it. missing: why nothing
    was looked for."""

    asked: tuple[Shortcut, ...] = ()
    pictures: Pictures | None = None
    drawn: tuple[int, ...] = ()
    untried: int = 0
    covered: int = 0
    missing: str = ""


@dataclass(frozen=True)
class Effort:
    """How many samples are covered, candidates tried, and pictures each is pasted into."""

    covered: int
    candidates: int
    recipients: int


def share_out(passes: float) -> Effort | None:
    """What an eighth of so many passes of the model allows, a third of it for covering.

    The least takes up to half of them; None where that is not enough.
    """
    fewest = 2 * _CANDIDATES[0] * _RECIPIENTS[0]
    if passes / 2 < fewest:
        return None
    passes = max(passes / 8, fewest)
    covered = min(_COVERED, int(passes / 3) // covering.WINDOWS)
    pasted = max(passes * 2 / 3, fewest)
    recipients = int(np.clip(pasted / 2 / 8, *_RECIPIENTS))
    return Effort(covered, int(np.clip(pasted / 2 / recipients, *_CANDIDATES)), recipients)


def find_shortcuts(
    subject: Subject,
    network: Network,
    bar: float,
    passes: float,
    until: float,
    rng: np.random.Generator,
) -> Shortcuts:
    """Propose by one half of the samples, ask with the other.

    passes: how often the model may be asked about a picture, for this and for the maps. until: when
    no more candidates are asked about, by the monotonic clock.
    """
    reading = subject.reading
    if reading.task in ("regression", "other", "independent"):
        return Shortcuts(missing="The model does not answer with one class a sample.")
    effort = share_out(passes)
    if effort is None:
        return Shortcuts(
            missing="The model is too large to try it. Raise attributions.work, or take the preset "
            "full."
        )
    usable = np.flatnonzero(
        np.isfinite(subject.raw_outputs.reshape(len(subject.samples), -1)).all(axis=1)
    )
    most = min(_MOST, _MOST_BYTES // (4 * int(np.prod(subject.input.pixels))))
    usable = np.sort(rng.permutation(usable)[:most])
    if len(usable) < FEWEST:
        return Shortcuts(missing=f"{len(usable)} samples are too few: {FEWEST} or more.")
    answers = subject.probabilities.argmax(axis=1)
    classes = _read_classes(subject, answers)
    half = rng.permutation(len(usable)) % 2 == 0
    first, second = usable[half], usable[~half]
    right = answers == classes
    by_colour = scan(_normalise(subject, first), classes[first], reading.classes, rng)
    covered = covering.draw(first[right[first]], classes, effort.covered, rng)
    ask = partial(_ask, subject, network)
    pixels = np.asarray(subject.samples.pixels)
    by_covering = covering.propose(ask, pixels, covered, classes, rng)
    proposed = (by_colour, by_covering, _list_frames(subject, classes[first]))
    chosen = _take_turns(proposed, effort.candidates)
    asked: list[_Asked] = []
    late = 0
    for candidate in track(chosen, "transplanting"):
        if time.monotonic() > until:
            late += 1
            continue
        found = _transplant(
            subject, ask, candidate, second, classes, answers, len(chosen), effort.recipients, rng
        )
        if found is not None:
            asked.append(found)
    if late == len(chosen) > 0:
        return Shortcuts(missing="No time was left. Raise attributions.seconds.")
    if chosen and not asked:
        return Shortcuts(
            missing=f"Too few samples can be used: {2 * _DONORS} or more of a class that are "
            f"answered with it, and {2 * _OTHERS} of others that are not."
        )
    # Pictures in the order of what they show: their labels are read from it.
    asked.sort(key=lambda one: (-one.shortcut.excess, -one.shortcut.gain))
    asked = _drop_doubles(asked, bar)
    shown = [one.pictures for one in asked[:_SHOWN] if one.shortcut.is_one(bar)]
    drawn = [made for made in shown if made is not None]
    return Shortcuts(
        tuple(one.shortcut for one in asked),
        np.concatenate(drawn) if drawn else None,
        tuple(len(made) // 2 for made in drawn),
        sum(map(len, proposed)) - len(chosen) + late,
        len(covered),
    )


@dataclass(frozen=True)
class _Asked:
    """pictures: in pairs before and after, ``(2 n, h, w, 3)``; None where none became the class."""

    candidate: Candidate
    shortcut: Shortcut
    pictures: Pictures | None


def _drop_doubles(asked: Sequence[_Asked], bar: float) -> list[_Asked]:
    """Without shortcuts that share pixels with a clearer one of their class: the same mark."""
    kept: list[_Asked] = []
    for one in asked:
        doubled = one.shortcut.is_one(bar) and any(
            one.candidate.which == other.candidate.which
            and covering.overlap(one.candidate.region, other.candidate.region)
            for other in kept
        )
        if not doubled:
            kept.append(one)
    return kept


def _list_frames(subject: Subject, classes: Ints) -> list[Candidate]:
    """The frame of each class, classes with the most samples first."""
    frame = make_frame(*subject.samples.pixels.shape[1:3])
    if frame is None:
        return []
    found, counts = np.unique(classes, return_counts=True)
    return [Candidate(which, frame, "frame") for which in found[np.argsort(-counts)].tolist()]


def _take_turns(lists: Sequence[list[Candidate]], most: int) -> list[Candidate]:
    """Up to ``most``, the lists in turn, each in its order."""
    turns = chain.from_iterable(zip_longest(*lists))
    return [one for one in turns if one is not None][:most]


def _read_classes(subject: Subject, answers: Ints) -> Ints:
    """By the labels; where there are none, by the answers."""
    values = subject.labels.values
    if values is None or values.ndim != 1 or values.dtype.kind != "i" or subject.labels.unscored:
        return np.asarray(answers, np.int64)
    return np.asarray(values, np.int64)


def _normalise(subject: Subject, rows: Ints) -> NDArray[np.float32]:
    """Samples from 0 to 1, as people see them."""
    pixels = np.asarray(subject.samples.pixels[rows], np.float32)
    low, high = (0.0, 255.0) if subject.samples.pixels.dtype == np.uint8 else subject.display_range
    return np.asarray((pixels - low) / (high - low), np.float32)


def _transplant(
    subject: Subject,
    ask: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    candidate: Candidate,
    rows: Ints,
    classes: Ints,
    answers: Ints,
    tried: int,
    most: int,
    rng: np.random.Generator,
) -> _Asked | None:
    """Paste from pictures of the class that have the colour, or are answered rightly; from other
    ones for comparison."""
    from scipy.stats import binomtest

    which = candidate.which
    donors = rows[classes[rows] == which]
    if candidate.colour is None:
        donors = donors[answers[donors] == which]
    elif len(donors):
        donors = donors[candidate.colour(_normalise(subject, donors))]
    others = rows[classes[rows] != which]
    recipients = others[answers[others] != which]
    if len(donors) < _DONORS or len(recipients) < _OTHERS:
        return None
    recipients = rng.permutation(recipients)[:most]
    pixels = np.asarray(subject.samples.pixels)
    given = rng.choice(donors, len(recipients))
    # From a third class: what the place of any other picture does.
    control = rng.choice(others, len(recipients))
    same = classes[control] == classes[recipients]
    for _ in range(20):
        control[same] = rng.choice(others, int(same.sum()))
        same = classes[control] == classes[recipients]
        if not same.any():
            break
    made = [_paste(pixels, recipients, source, candidate) for source in (given, control)]
    became, by_control = (_is(which, ask(one)) for one in made)
    gained, lost = int((became & ~by_control).sum()), int((by_control & ~became).sum())
    told = gained + lost
    p = float(binomtest(gained, told, 0.5, "greater").pvalue) if told else 1.0
    names = subject.labels.classes
    shortcut = Shortcut(
        names[which] if which < len(names) else f"class {which}",
        candidate.region.words,
        candidate.by,
        candidate.share,
        candidate.others,
        (candidate.others or 0.0)
        if candidate.by == "colour"
        else min(1.0, int(by_control.sum()) / max(int(became.sum()), 1)),
        len(recipients),
        int(became.sum()),
        int(by_control.sum()),
        len(np.unique(given[became & ~by_control])),
        min(1.0, p * tried),
    )
    shown = np.flatnonzero(became & ~by_control)[:_DRAWN]
    if not len(shown):
        return _Asked(candidate, shortcut, None)
    changed = made[0][shown]
    whole = np.rint(changed) if pixels.dtype.kind in "iu" else changed
    before = subject.draw(pixels[recipients[shown]])
    after = subject.draw(whole.astype(pixels.dtype))
    pairs = np.stack([before, after], axis=1).reshape(-1, *before.shape[1:])
    return _Asked(candidate, shortcut, pairs)


def _is(which: int, scores: NDArray[np.float32]) -> Bools:
    """Which rows name that class; what is no number names none."""
    return np.asarray((scores.argmax(axis=1) == which) & np.isfinite(scores).all(axis=1))


def _paste(
    pixels: NDArray[np.generic], recipients: Ints, donors: Ints, candidate: Candidate
) -> NDArray[np.float32]:
    """The region of the donors in the recipients; of the whole, their mean colour."""
    into = np.asarray(pixels[recipients], np.float32)
    source = np.asarray(pixels[donors], np.float32)
    if candidate.region.whole:
        moved = into + source.mean(axis=(1, 2), keepdims=True) - into.mean((1, 2), keepdims=True)
        low, high = min(into.min(), source.min()), max(into.max(), source.max())
        made = np.clip(moved, low, high)
        return np.asarray(made, np.float32)
    return np.asarray(np.where(candidate.region.pixels[None, :, :, None], source, into))


def _ask(subject: Subject, network: Network, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores of the classes before the softmax or sigmoid, ``(n, classes)``."""
    logits = network.logits(subject.input.disarrange(subject.scale(pixels)), "transplanting")
    if subject.reading.task in ("binary", "binary_logit"):
        return np.concatenate([np.zeros_like(logits), logits], axis=1)
    return logits
