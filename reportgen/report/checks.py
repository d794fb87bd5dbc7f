"""What a check is, as data: everything that help, documents and pages say about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reportgen.report.findings import Finding
from reportgen.report.levels import Level
from reportgen.report.registry import Better


@dataclass(frozen=True)
class Check:
    """A question that every report answers, and what is known of it before it is asked.

    Attributes:
        id: ``section.noun``. Public: users gate their CI on it.
        title: its name in a report.
        meaning: what it looks at and when it speaks, in one or two sentences.
        levels: the levels at which it can fire, the gravest last.
        unit: of the value, where it is always the same; what a finding says otherwise.
        better: which way the value is better; None where neither is.
        bar: the option that is its threshold, by the name within its analysis; None without one.
        advice: what to do when it fires.
        follows: ids of checks that explain an alarm of this one when they fire, see
            `causes.link_causes`.
    """

    id: str
    title: str
    meaning: str
    levels: tuple[Level, ...]
    unit: str
    better: Better | None
    advice: str
    bar: str | None = None
    follows: tuple[str, ...] = ()

    def finding(
        self,
        level: Level,
        message: str,
        *,
        value: float | None = None,
        threshold: float | None = None,
        unit: str | None = None,
        evidence: str | None = None,
        cause: str | None = None,
    ) -> Finding:
        """The verdict of this check.

        Args:
            unit: of this value, where it differs from the check's.
            evidence: id of the block that shows what ``message`` claims.
            cause: id of the check that explains this finding if it fires; without that, it stands
                alone.
        """
        return Finding(
            id=self.id,
            level=level,
            title=self.title,
            message=message,
            value=value,
            unit=(unit or self.unit) if value is not None else None,
            threshold=threshold,
            evidence=evidence,
            cause=cause,
        )

    def not_checked(
        self, message: str, level: Literal["not_applicable", "error"] = "not_applicable"
    ) -> Finding:
        """No verdict: ``message`` says what is missing, or what broke."""
        return self.finding(level, message)
