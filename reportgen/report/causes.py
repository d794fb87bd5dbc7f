"""One fact, one finding: what follows from another finding names it, and is no alarm of its own."""

from __future__ import annotations

from collections.abc import Mapping

from reportgen.report.findings import Finding
from reportgen.report.levels import FIRING, PROBLEMS, SEVERITY
from reportgen.report.sections import Section


def link_causes(
    sections: tuple[Section, ...], follows: Mapping[str, tuple[str, ...]]
) -> tuple[Section, ...]:
    """Give findings their cause, and lower them to notes: the cause carries the level.

    A cause that a finding names itself goes before the others, and is dropped if it does not fire.
    A finding that is graver than what it may follow from stands alone: it says more.

    Args:
        follows: by id of a check, the checks that explain its alarm when they fire, the likeliest
            first.
    """
    firing = {
        finding.id: finding
        for section in sections
        for finding in section.findings
        if finding.level in FIRING and finding.level != "error"
    }
    causes = {
        id_: cause
        for id_, finding in firing.items()
        if (cause := _find_cause(finding, firing, follows.get(id_, ()))) is not None
    }

    def link(finding: Finding) -> Finding:
        if finding.id not in causes or finding.level not in FIRING:
            return finding.model_copy(update={"cause": None})
        root = causes[finding.id]
        while root in causes:
            root = causes[root]
        return finding.model_copy(update={"cause": root, "level": "note"})

    return tuple(
        section.model_copy(update={"findings": tuple(map(link, section.findings))})
        for section in sections
    )


def _find_cause(
    finding: Finding, firing: Mapping[str, Finding], candidates: tuple[str, ...]
) -> str | None:
    grave = SEVERITY.index(finding.level)
    if finding.level not in PROBLEMS:  # a note is no alarm that needs another note for a cause
        candidates = tuple(c for c in candidates if c in firing and firing[c].level in PROBLEMS)
    if finding.cause is not None:
        candidates = (finding.cause, *candidates)
    return next(
        (id_ for id_ in candidates if id_ in firing and SEVERITY.index(firing[id_].level) >= grave),
        None,
    )
