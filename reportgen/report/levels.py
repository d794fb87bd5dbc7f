"""How grave a verdict is: one order for the page, the answer, the gate and the exit code."""

from __future__ import annotations

from typing import Literal, get_args

Level = Literal["not_applicable", "pass", "note", "warn", "fail", "error"]

# From the least to the gravest. A check that broke is graver than one that failed: what it
# would have said is not known, and nobody should read the rest as the whole answer.
SEVERITY: tuple[Level, ...] = get_args(Level)
# What asks for a reader's eye, the gravest first. `pass` and `not_applicable` do not.
FIRING: tuple[Level, ...] = ("error", "fail", "warn", "note")
PROBLEMS: tuple[Level, ...] = ("error", "fail", "warn")

WORDS: dict[Level, str] = {
    "fail": "Fail",
    "error": "Error",
    "warn": "Warning",
    "note": "Note",
    "pass": "Pass",
    "not_applicable": "Not checked",
}

Gate = Literal["never", "fail", "warn"]


def gravest(levels: list[Level] | tuple[Level, ...]) -> Level:
    """The gravest of ``levels``; ``not_applicable`` where there is none."""
    return max(levels, key=SEVERITY.index, default="not_applicable")


def reaches(level: Level, gate: Gate) -> bool:
    """Whether a finding of ``level`` meets ``--fail-on gate``.

    A check that broke is no verdict, so it does not meet a gate: the exit code for a report
    that is not whole says it (`ExitCode.PARTIAL`).
    """
    if gate == "never" or level == "error":
        return False
    return SEVERITY.index(level) >= SEVERITY.index(gate)
