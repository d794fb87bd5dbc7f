"""The answer of an audit in one line."""

from __future__ import annotations

from reportgen.report.findings import Verdict, VerdictLevel
from reportgen.report.levels import SEVERITY, Level, gravest
from reportgen.report.sections import Section


def judge(sections: tuple[Section, ...]) -> Verdict:
    """The verdict: the worst level of all findings, in one sentence."""
    counts: dict[Level, int] = dict.fromkeys(SEVERITY, 0)
    for section in sections:
        for finding in section.findings:
            counts[finding.level] += 1
    broken = sum(section.status == "error" for section in sections)
    worst = gravest([level for level in SEVERITY if counts[level]])
    said: VerdictLevel = "pass" if worst == "not_applicable" else worst
    return Verdict(
        level="error" if broken else said,
        sentence=_sentence(counts, broken, _name_worst(sections)),
        counts=counts,
    )


def _name_worst(sections: tuple[Section, ...], most: int = 3) -> str:
    """Titles of the findings that fail or warn, failures first."""
    found = [finding for section in sections for finding in section.findings]
    titles = [f.title for level in ("fail", "warn") for f in found if f.level == level]
    more = f" and {len(titles) - most} more" if len(titles) > most else ""
    return "; ".join(titles[:most]) + more


def _sentence(counts: dict[Level, int], broken: int, named: str) -> str:
    def some(count: int, one: str, many: str) -> str:
        return f"{count} {one if count == 1 else many}"

    if counts["fail"] or counts["warn"]:
        said = [some(counts["fail"], "check failed", "checks failed")] * bool(counts["fail"])
        said += [some(counts["warn"], "check warns", "checks warn")] * bool(counts["warn"])
        sentence = f"{' and '.join(said)}: {named}"
    elif counts["pass"] or counts["note"]:
        sentence = f"No problem found by {some(counts['pass'] + counts['note'], 'check', 'checks')}"
    else:
        sentence = "Nothing could be checked"
    if broken:
        missing = some(broken, "section is", "sections are")
        return f"{missing} missing because of an error. Elsewhere: {sentence}."
    return f"{sentence}."
