"""The report as the templates need it: sentences, anchors, pictures. No decisions are left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from reportgen import text
from reportgen.figures.drawers import DRAWERS
from reportgen.rendering.facts import (
    describe_card,
    describe_run,
    headline_figure,
    key_facts,
    list_options,
)
from reportgen.rendering.grids import GridView, lay_out
from reportgen.rendering.pictures import Gallery, Picture
from reportgen.rendering.tables import TableView, tabulate
from reportgen.report.blocks import (
    Attachment,
    Block,
    ImageGrid,
    KeyValues,
    PictureBlock,
    Table,
    Text,
)
from reportgen.report.cards import SubjectCard
from reportgen.report.findings import Finding
from reportgen.report.levels import FIRING, WORDS, Level
from reportgen.report.report import Report
from reportgen.report.sections import Section

# What is made of the blocks that no drawer knows, for the template of their kind.
LAYOUTS: Mapping[type[Any], Callable[[Any, Gallery], GridView | TableView | None]] = {
    Text: lambda block, gallery: None,
    KeyValues: lambda block, gallery: None,
    Table: lambda block, gallery: tabulate(block),
    Attachment: lambda block, gallery: None,
    ImageGrid: lay_out,
}


@dataclass(frozen=True)
class FindingView:
    """A finding as a line. ``measure`` sets the value against its threshold.

    cause, cause_title: anchor and title of the finding that this one follows from; empty without.
    consequences: the findings that follow from this one.
    """

    anchor: str
    id: str
    level: Level
    word: str
    title: str
    message: str
    measure: str
    evidence: str
    evidence_title: str
    section: str
    thumbnail: Picture | None
    cause: str = ""
    cause_title: str = ""
    consequences: tuple[FindingView, ...] = ()


@dataclass(frozen=True)
class BlockView:
    """A block, the template that prints it, and what was made of it for this template.

    omitted: its picture is left out. scrolls: see `reportgen.figures.drawers.Drawer`.
    """

    block: Block
    template: str
    content: Picture | GridView | TableView | None
    omitted: bool = False
    scrolls: bool = False


@dataclass(frozen=True)
class SectionView:
    """A chapter. ``note`` says what it cost to compute."""

    anchor: str
    section: Section
    findings: tuple[FindingView, ...]
    blocks: tuple[BlockView, ...]
    worst: Level | None
    note: str

    @property
    def reason(self) -> str:
        """Why it was not made, in sentences; empty where it was, or broke."""
        if self.section.status != "not_applicable":
            return ""
        said = next(iter(self.section.method), "").removeprefix("Not checked: ")
        return said[:1].upper() + said[1:]


@dataclass(frozen=True)
class Glance:
    """A small picture on the front page that leads to the large one."""

    anchor: str
    title: str
    picture: Picture


@dataclass(frozen=True)
class PageView:
    """All that the page prints."""

    subject: SubjectCard
    short_hash: str
    facts: tuple[tuple[str, str], ...]
    glances: tuple[Glance, ...]
    problems: tuple[FindingView, ...]
    notes: tuple[FindingView, ...]
    passed: tuple[FindingView, ...]
    unchecked: tuple[FindingView, ...]
    unchecked_sections: tuple[SectionView, ...]
    sections: tuple[SectionView, ...]
    card: tuple[tuple[str, str], ...]
    provenance: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]


def build(report: Report, gallery: Gallery) -> PageView:
    """Prepare ``report`` for the medium of ``gallery``."""
    sections = _sections(report, gallery)
    findings = [finding for section in sections for finding in section.findings]
    done = [f for section in sections if section.section.status == "done" for f in section.findings]
    first = [f for f in findings if not f.cause]  # what follows from another stands under it
    grave = [f for level in FIRING for f in first if f.level == level]
    return PageView(
        subject=report.subject,
        short_hash=(report.subject.sha256 or "")[:12],
        facts=(*headline_figure(report), *key_facts(report.subject)),
        glances=_glances(report, gallery),
        problems=tuple(f for f in grave if f.level != "note"),
        notes=tuple(f for f in grave if f.level == "note"),
        passed=tuple(f for f in findings if f.level == "pass"),
        # Of a section that was not made the reason stands once, with the section.
        unchecked=tuple(f for f in done if f.level == "not_applicable"),
        unchecked_sections=tuple(s for s in sections if s.section.status != "done"),
        sections=sections,
        card=describe_card(report.subject),
        provenance=describe_run(report.environment),
        options=list_options(report.environment),
    )


def _glances(report: Report, gallery: Gallery) -> tuple[Glance, ...]:
    """The first picture of each section that no finding on the front page shows already."""
    shown = {finding.evidence for finding in report.findings if finding.level in FIRING}
    found = []
    for section in report.sections:
        for block in section.blocks:
            if block.id in shown:
                continue
            picture = gallery.thumbnail(block)
            if picture is not None and picture.source:
                title = f"{section.title}: {block.title}" if block.title else section.title
                found.append(Glance(block.id, title, picture))
                break
    return tuple(found)


def _sections(report: Report, gallery: Gallery) -> tuple[SectionView, ...]:
    blocks = {block.id: block for section in report.sections for block in section.blocks}
    seen: Counter[str] = Counter()
    listed = [
        tuple(_finding(finding, section, blocks, gallery, seen) for finding in section.findings)
        for section in report.sections
    ]
    linked = _link([finding for findings in listed for finding in findings], report)
    views = []
    for section, found in zip(report.sections, listed, strict=True):
        findings = tuple(linked[finding.anchor] for finding in found)
        levels: list[Level] = [f.level for f in findings]
        worst = next((level for level in (*FIRING, "pass") if level in levels), None)
        views.append(
            SectionView(
                # A dot: no block id can look like this, so anchors never meet.
                anchor=f"section.{text.printable(section.id, 60)}",
                section=section,
                findings=findings,
                blocks=tuple(_block(block, gallery) for block in section.blocks),
                worst=worst,
                note=_cost(section),
            )
        )
    return tuple(views)


def _link(findings: list[FindingView], report: Report) -> dict[str, FindingView]:
    """The findings by anchor, each with its cause and what follows from it."""
    named: dict[str, FindingView] = {}
    for finding in findings:
        named.setdefault(finding.id, finding)
    alone = {f.id for f in report.findings if f.cause is None}  # a circle would hide all of it
    causes = {f.id: f.cause for f in report.findings if f.cause in alone}
    linked = {}
    for finding in findings:
        cause = named.get(causes.get(finding.id) or "")
        if cause is not None:
            finding = replace(finding, cause=cause.anchor, cause_title=cause.title)
        linked[finding.anchor] = finding
    for finding in named.values():
        below = tuple(f for f in linked.values() if f.cause == finding.anchor)
        linked[finding.anchor] = replace(linked[finding.anchor], consequences=below)
    return linked


def _finding(
    finding: Finding,
    section: Section,
    blocks: dict[str, Block],
    gallery: Gallery,
    seen: Counter[str],
) -> FindingView:
    seen[finding.id] += 1
    again = seen[finding.id]
    evidence = blocks.get(finding.evidence) if finding.evidence else None
    pictured = evidence is not None and finding.level in FIRING
    return FindingView(
        anchor=f"finding.{finding.id}" + (f".{again}" if again > 1 else ""),
        id=finding.id,
        level=finding.level,
        word=WORDS[finding.level],
        title=finding.title,
        message=finding.message,
        measure=_measure(finding),
        evidence=evidence.id if evidence else "",
        evidence_title=(evidence.title or "its evidence") if evidence else "",
        section=section.title,
        thumbnail=gallery.thumbnail(evidence) if evidence and pictured else None,
    )


def _measure(finding: Finding) -> str:
    if finding.value is None or (finding.level == "pass" and not finding.value):
        return ""  # "0 of these, threshold 0" says less than the word pass
    value = text.quantity(finding.value, finding.unit)
    if finding.threshold is None:
        return value
    unit = "share" if finding.unit == "share" else None
    return f"{value} (threshold {text.quantity(finding.threshold, unit)})"


def _block(block: Block, gallery: Gallery) -> BlockView:
    if isinstance(block, PictureBlock) and (drawer := DRAWERS.get(type(block))):
        picture = gallery.block(block)
        omitted = block.id in gallery.omit
        return BlockView(block, "picture", picture, omitted=omitted, scrolls=drawer.scrolls)
    return BlockView(block, block.kind, LAYOUTS[type(block)](block, gallery))


def _cost(section: Section) -> str:
    parts = []
    if section.seconds is not None:
        parts.append(f"took {text.duration(section.seconds)}")
    if section.peak_memory_bytes is not None:
        parts.append(f"at most {text.file_size(section.peak_memory_bytes)} of memory")
    return ", ".join(parts)
