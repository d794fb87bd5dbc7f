"""Checks with their verdicts, and the answer they make together."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, FiniteFloat

from reportgen.report.blocks import Record
from reportgen.report.levels import Level

VerdictLevel = Literal["pass", "note", "warn", "fail", "error"]


class Finding(Record):
    """A check with a verdict. ``id`` is public (``section.noun``): users gate CI on it.

    ``evidence`` is the id of the block that shows what the message claims.
    """

    id: str = Field(pattern=r"^[a-z_]+\.[a-z_]+$")
    level: Level
    title: str
    message: str
    value: FiniteFloat | None = None
    unit: str | None = None
    threshold: FiniteFloat | None = None
    evidence: str | None = None


class Verdict(Record):
    """The answer in one line. ``level`` is the worst level of all findings."""

    level: VerdictLevel
    sentence: str
    counts: dict[Level, int]
