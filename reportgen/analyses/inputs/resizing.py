"""Is there another rule of shrinking and enlarging by which more samples are answered rightly?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.inputs.asking import Asking
from reportgen.analyses.inputs.paired import Paired, compare
from reportgen.config import Interpolation, Resize
from reportgen.subject.rereading import read_again

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

_MOST_BYTES = 384 * 2**20  # of the pictures of all rules together
_FEWEST = 30
# The rules that trainings use; the rest of Pillow's and TensorFlow's are between these.
_RULES: tuple[Interpolation, ...] = (
    "bilinear",
    "nearest",
    "bicubic",
    "area",
    "pillow-nearest",
    "pillow-bilinear",
    "pillow-bicubic",
    "pillow-lanczos",
)


@dataclass(frozen=True)
class Rule:
    """How pictures are brought to the size of the input."""

    resize: Resize
    interpolation: Interpolation

    @property
    def words(self) -> str:
        """As on the command line."""
        return f"--resize {self.resize} --interpolation {self.interpolation}"


@dataclass(frozen=True)
class Resized:
    """One rule that was tried, and how it compares with the declared one."""

    rule: Rule
    paired: Paired


@dataclass(frozen=True)
class Resizings:
    """declared: the rule in force. changed: of the samples that were asked, those that it brought
    to another size. missing: why nothing was tried. left: rules that no time was left for."""

    declared: Rule
    tried: tuple[Resized, ...] = ()
    changed: int = 0
    missing: str = ""
    left: int = 0

    @property
    def better(self) -> tuple[Resized, ...]:
        """Those that are better beyond chance, most right answers first; ties as listed."""
        found = [one for one in self.tried if one.paired.is_better(len(self.tried))]
        return tuple(sorted(found, key=lambda one: -one.paired.after))


def try_resizings(asking: Asking) -> Resizings:
    """Read the same files by other rules, and ask."""
    subject = asking.subject
    declared = read_declared(subject)
    if not subject.samples.paths:
        return Resizings(declared, missing="The samples are arrays, which have their size already.")
    other = (subject.samples.sizes[asking.rows] != subject.input.pixels[:2]).any(axis=1)
    if not other.any():
        return Resizings(declared, missing="All images have the size of the input already.")
    if asking.targets is None:
        return Resizings(declared, missing=asking.unlabelled)
    rules = list_rules(declared)
    if asking.late:
        return Resizings(declared, (), int(other.sum()), left=len(rules))
    a_sample = int(np.prod(subject.input.pixels)) * len(rules)
    few = asking.first(max(_FEWEST, _MOST_BYTES // a_sample))
    made = read_again(few.subject, few.rows, [(r.resize, r.interpolation) for r in rules])
    tried = []
    for rule, pixels in zip(rules, made, strict=True):
        if few.late:
            break

        def make(rows: NDArray[np.int64], pixels: NDArray[np.uint8] = pixels) -> Any:
            return subject.preprocess(pixels[rows].astype(np.float32))

        answers = few.ask(make, f"trying {rule.words}")
        tried.append(Resized(rule, compare(few.right, answers == few.targets)))
    return Resizings(declared, tuple(tried), int(other.sum()), left=len(rules) - len(tried))


def read_declared(subject: Subject) -> Rule:
    """The rule in force."""
    return Rule(subject.config.resize, subject.config.interpolation)


def list_rules(declared: Rule) -> list[Rule]:
    """The other ways to fit, by the declared interpolation; the declared way by the others."""
    ways = [Rule(way, declared.interpolation) for way in get_args(Resize)]
    rules = [Rule(declared.resize, rule) for rule in _RULES]
    return [rule for rule in (*ways, *rules) if rule != declared]
