"""Which stored array is which weight, by what the file calls them.

The order in which a file lists its arrays depends on what was frozen when it was written. So the
names decide wherever they can, and where they cannot, shapes do; never the order of equal ones.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from reportgen.errors import InputError

# The last word of a weight's name. Two known words that differ are two different weights.
WORDS = frozenset(
    """
    kernel bias gamma beta moving_mean moving_variance pointwise_kernel
    recurrent_kernel embeddings alpha mean variance count
    """.split()
)
_COUNTED = re.compile(r"(.*?)(?:_(\d+))?")
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Named:
    """A weight or a stored array: its name, as in ``backbone/conv/kernel:0``, and its shape."""

    name: str
    shape: Shape

    @property
    def word(self) -> str:
        """What it is in its layer: ``kernel``."""
        return word_of(self.name)


def word_of(name: str) -> str:
    """The last word of a name, without the numbers that TensorFlow adds."""
    return re.sub(r"(_\d+)?(:\d+)?$", "", name.rpartition("/")[2])


def pair_names(wanted: Mapping[str, Hashable], stored: Mapping[str, Hashable]) -> dict[str, str]:
    """Wanted name -> stored name. What a name stands for (its shapes) must be alike.

    Equal names belong together, unless they are counted and the counts were begun elsewhere
    (``conv2d_1, conv2d_2`` for ``conv2d, conv2d_1``, of another session): these go by the order of
    the numbers. What is left goes by its shapes, where only one fits.

    Raises:
        InputError: two fit, so that nothing decides; or none does.
    """
    found = _by_name(wanted, stored)
    rest, offered = _left(wanted, found), _left(stored, found.values())
    for name, kind in rest.items():
        fitting = [other for other, its in offered.items() if its == kind]
        rivals = [other for other, its in rest.items() if its == kind]
        if not fitting:
            raise InputError(
                f"has no weights for {name[:80]}. It may be cut off, or belong to another network."
            )
        if len(fitting) > 1 or len(rivals) > 1:
            raise InputError(_undecided(rivals, fitting))
        found[name] = fitting[0]
    return found


def stranger(name: str) -> InputError:
    """Weights that no layer looks for: another network wrote the file."""
    return InputError(
        f"holds weights of {name[:80]}, which the network does not have. Give the network that "
        "wrote them with --architecture."
    )


def _left(names: Mapping[str, Hashable], taken: object) -> dict[str, Hashable]:
    done = set(taken)  # type: ignore[call-overload]
    return {name: kind for name, kind in names.items() if name not in done}


def _undecided(rivals: Sequence[str], fitting: Sequence[str]) -> str:
    shown = " and ".join((rivals if len(rivals) > 1 else fitting)[:2])
    return (
        f"does not say which weights are which: {shown[:160]} have the same shapes, and its names "
        f"({', '.join(fitting[:2])[:160]}) are not those of the network. Give with --architecture "
        "the network whose layers are named as in the file."
    )


def _by_name(wanted: Mapping[str, Hashable], stored: Mapping[str, Hashable]) -> dict[str, str]:
    """Equal names; and those that differ in their number alone, where both sides have as many."""
    found: dict[str, str] = {}
    groups = _group_by_base(stored)
    for base, names in _group_by_base(wanted).items():
        others = groups.get(base, [])
        if set(names) <= set(others):
            found |= {name: name for name in names}
            continue
        alike = [wanted[one] == stored[two] for one, two in zip(names, others, strict=False)]
        if len(names) == len(others) and all(alike):
            found |= dict(zip(names, others, strict=True))
    return found


def _group_by_base(names: Mapping[str, Hashable]) -> dict[tuple[str, ...], list[str]]:
    groups: dict[tuple[str, ...], list[tuple[list[int], str]]] = {}
    for name in names:
        parts = [_COUNTED.fullmatch(part) for part in name.split("/")]
        base = tuple(part[1] for part in parts if part)
        groups.setdefault(base, []).append(([int(p[2] or 0) for p in parts if p], name))
    return {base: [name for _, name in sorted(group)] for base, group in groups.items()}


def assign(wanted: Sequence[Named], stored: Sequence[Named]) -> list[int]:
    """For each weight of a layer the position of its array in ``stored``.

    Both are grouped by the sub-layer that owns them; sub-layers are paired by `pair_names`, and
    what is in one of them by its word.

    Raises:
        InputError: as `pair_names`; or they are not as many, or of other shapes.
    """
    ours, theirs = _by_owner(wanted), _by_owner(stored)
    if len(ours) == len(theirs) == 1:
        pairs = dict(zip(ours, theirs, strict=True))
    else:
        pairs = pair_names(_kinds(ours, wanted), _kinds(theirs, stored))
    places = [-1] * len(wanted)
    for owner, rows in ours.items():
        columns = theirs[pairs[owner]]
        for row, column in zip(rows, _by_word(rows, columns, wanted, stored), strict=True):
            places[row] = column
    return places


def _kinds(owners: dict[str, list[int]], named: Sequence[Named]) -> dict[str, Hashable]:
    return {
        owner: tuple(sorted(named[row].shape for row in rows)) for owner, rows in owners.items()
    }


def _by_owner(named: Sequence[Named]) -> dict[str, list[int]]:
    """Positions by the last part of their owner's name that tells the owners apart."""
    full = [tuple(one.name.split("/")[:-1]) for one in named]
    plain = [tuple(part for part in owner if not _is_cell(part)) for owner in full]
    if len(set(plain)) < len(set(full)):  # several cells in one layer
        plain = full
    short = [owner[-1:] for owner in plain]
    names = short if len(set(short)) == len(set(plain)) else plain
    found: dict[str, list[int]] = {}
    for position, owner in enumerate(names):
        found.setdefault("/".join(owner), []).append(position)
    return found


def _is_cell(part: str) -> bool:
    """Keras 2 and 3 put the cell of a recurrent layer into the name, earlier ones did not."""
    return re.fullmatch(r"(lstm|gru|simple_rnn|conv_lstm\dd?)_cell(_\d+)?", part) is not None


def _by_word(
    rows: list[int], columns: list[int], wanted: Sequence[Named], stored: Sequence[Named]
) -> list[int]:
    words = {stored[column].word: column for column in columns}
    needed = [wanted[row].word for row in rows]
    if set(needed) == set(words) and len(words) == len(columns) == len(rows):
        return [words[word] for word in needed]
    twice = len(set(needed)) < len(needed) or len(words) < len(columns)
    shapes = [stored[column].shape for column in columns]
    if twice and len(set(shapes)) < len(shapes):
        names = [stored[column].name for column in columns]
        raise InputError(_undecided([wanted[row].name for row in rows], names))
    return columns  # one layer's own weights have an order of their own, whatever was frozen


def contradicts(weight: Named, array: Named) -> bool:
    """Whether the file says that the array is another weight than this."""
    words = {weight.word, array.word}
    return len(words) == 2 and words <= WORDS
