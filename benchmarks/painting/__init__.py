"""The parts of the benchmark ``optvis``."""

from __future__ import annotations

from dataclasses import dataclass, field

HEADER = (
    "contest",
    "contestant",
    "seconds",
    "images x steps / s",
    "steps",
    "activation",
    "blurred",
)
Row = tuple[str | float, ...]


def row(contest: str, contestant: str, *numbers: float) -> Row:
    """The numbers that there are, in the order of `HEADER`; NaN for one that there is not."""
    cells = ["" if number != number else number for number in numbers]
    return (contest, contestant, *cells, *[""] * (len(HEADER) - 2 - len(cells)))


@dataclass(frozen=True)
class Part:
    """Rows under `HEADER`, ratios, and the goals of some of them."""

    rows: list[Row]
    ratios: dict[str, float] = field(default_factory=dict)
    goals: dict[str, float] = field(default_factory=dict)
