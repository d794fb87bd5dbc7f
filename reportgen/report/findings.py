"""Checks with their verdicts, and the answer they make together."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, FiniteFloat

from reportgen.report import registry
from reportgen.report.levels import Level
from reportgen.report.record import Record
from reportgen.report.registry import Better

VerdictLevel = Literal["pass", "note", "warn", "fail", "error"]


class Finding(Record):
    """A check with its verdict.

    Attributes:
        id: ``section.noun``, a public contract: users gate CI on it.
        value, unit, threshold: what was measured, in which unit, and the bar that it was held to;
            None where there is no number, unit or bar.
        evidence: id of the block that shows what the message claims.
        cause: id of the finding that this one follows from. That one carries the level; this one
            is a note.
    """

    id: str = Field(pattern=r"^[a-z_]+\.[a-z_]+$")
    level: Level
    title: str
    message: str
    value: FiniteFloat | None = None
    unit: str | None = None
    threshold: FiniteFloat | None = None
    evidence: str | None = None
    cause: str | None = Field(default=None, pattern=r"^[a-z_]+\.[a-z_]+$")


class Verdict(Record):
    """The answer in one line. ``level`` is the worst level of all findings."""

    level: VerdictLevel
    sentence: str
    counts: dict[Level, int]


class Metric(Record):
    """One number of the report, as gates and comparisons read it.

    Attributes:
        name: the id of the finding that holds it, such as ``predictions.accuracy``.
        value: in ``unit``.
        low, high: its 95 % interval; None where none is known.
        better: which way is an improvement; None where neither way is.
    """

    name: str
    value: FiniteFloat
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    unit: str | None = None
    better: Better | None = None


def read_metric(finding: Finding) -> Metric | None:
    """The number of a finding; None if it has none."""
    if finding.value is None:
        return None
    return Metric(
        name=finding.id,
        value=finding.value,
        unit=finding.unit,
        better=registry.DIRECTIONS.get(finding.id),
    )
