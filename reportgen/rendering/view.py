"""The report as the templates need it: sentences, anchors, pictures. No decisions are left."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from reportgen.rendering import text
from reportgen.rendering.grids import GridView, lay_out
from reportgen.rendering.pictures import Gallery, Picture
from reportgen.rendering.tables import TableView, tabulate
from reportgen.report import Report
from reportgen.results import (
    Block,
    Environment,
    Finding,
    ImageGrid,
    KeyValues,
    Level,
    Section,
    SubjectCard,
    Table,
    Text,
)

WORDS: dict[Level, str] = {
    "fail": "Fail",
    "error": "Error",
    "warn": "Warning",
    "note": "Note",
    "pass": "Pass",
    "not_applicable": "Not checked",
}
_GRAVITY: tuple[Level, ...] = ("fail", "error", "warn", "note")

_TASKS = {
    "softmax": "Classification",
    "logits": "Classification (logits)",
    "binary": "Yes or no (one sigmoid)",
    "binary_logit": "Yes or no (one logit)",
    "independent": "Independent labels",
    "regression": "Regression",
    "other": "Unknown",
}


@dataclass(frozen=True)
class FindingView:
    """A finding as a line. ``measure`` sets the value against its threshold."""

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


@dataclass(frozen=True)
class BlockView:
    """A block and what was made of it; which of the last three is set depends on ``kind``."""

    block: Block
    kind: str
    picture: Picture | None
    grid: GridView | None
    table: TableView | None
    omitted: bool


@dataclass(frozen=True)
class SectionView:
    """A chapter. ``note`` says what it cost to compute."""

    anchor: str
    section: Section
    findings: tuple[FindingView, ...]
    blocks: tuple[BlockView, ...]
    worst: Level | None
    note: str


@dataclass(frozen=True)
class PageView:
    """All that the page prints."""

    subject: SubjectCard
    short_hash: str
    facts: tuple[tuple[str, str], ...]
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
    grave = [f for level in _GRAVITY for f in findings if f.level == level]
    return PageView(
        subject=report.subject,
        short_hash=(report.subject.sha256 or "")[:12],
        facts=key_facts(report.subject),
        problems=tuple(f for f in grave if f.level != "note"),
        notes=tuple(f for f in grave if f.level == "note"),
        passed=tuple(f for f in findings if f.level == "pass"),
        unchecked=tuple(f for f in findings if f.level == "not_applicable"),
        unchecked_sections=tuple(s for s in sections if s.section.status != "done"),
        sections=sections,
        card=_card(report.subject),
        provenance=_provenance(report.environment),
        options=_options(report.environment),
    )


def _sections(report: Report, gallery: Gallery) -> tuple[SectionView, ...]:
    blocks = {block.id: block for section in report.sections for block in section.blocks}
    seen: Counter[str] = Counter()
    views = []
    for section in report.sections:
        findings = tuple(
            _finding(finding, section, blocks, gallery, seen) for finding in section.findings
        )
        levels: list[Level] = [f.level for f in findings]
        worst = next((level for level in (*_GRAVITY, "pass") if level in levels), None)
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
    pictured = evidence is not None and finding.level in _GRAVITY
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
    if finding.value is None:
        return ""
    value = text.quantity(finding.value, finding.unit)
    if finding.threshold is None:
        return value
    unit = "share" if finding.unit == "share" else None
    return f"{value} (threshold {text.quantity(finding.threshold, unit)})"


def _block(block: Block, gallery: Gallery) -> BlockView:
    picture = grid = table = None
    if isinstance(block, ImageGrid):
        grid = lay_out(block, gallery)
    elif isinstance(block, Table):
        table = tabulate(block)
    elif not isinstance(block, Text | KeyValues):
        picture = gallery.block(block)
    return BlockView(block, block.kind, picture, grid, table, block.id in gallery.omit)


def _cost(section: Section) -> str:
    parts = []
    if section.seconds is not None:
        parts.append(f"took {text.duration(section.seconds)}")
    if section.peak_memory_bytes is not None:
        parts.append(f"at most {text.file_size(section.peak_memory_bytes)} of memory")
    return ", ".join(parts)


def key_facts(card: SubjectCard) -> tuple[tuple[str, str], ...]:
    """The four to six facts of the front page."""
    samples = text.grouped(card.samples)
    if card.samples_found > card.samples:
        samples += f" of {text.grouped(card.samples_found)}"
    facts = [("Task", _TASKS.get(card.task, card.task)), ("Samples", samples)]
    if card.classes:
        facts.append(("Classes", text.grouped(len(card.classes))))
    facts.append(("Parameters", text.grouped(card.parameters)))
    facts.append(("Input", text.shape(card.input_shape)))
    facts.append(("Scaling", card.preprocessing))
    return tuple((key, value) for key, value in facts if value)


def _card(card: SubjectCard) -> tuple[tuple[str, str], ...]:
    rows = (
        ("Model file", card.name),
        ("Format", card.file_format),
        ("Size", text.file_size(card.size_bytes) if card.size_bytes is not None else ""),
        ("SHA-256 of the file", card.sha256 or ""),
        ("Saved by Keras", card.keras_version or ""),
        ("Task", f"{_TASKS.get(card.task, card.task)}: {card.task_reason}"),
        ("Input", f"{text.shape(card.input_shape)} ({card.input_kind})"),
        ("Outputs", ", ".join(text.name(output) for output in card.outputs)),
        ("Layers", f"{card.layers}, of them {card.conv_layers} convolutional"),
        ("Parameters", text.grouped(card.parameters)),
        ("Classes", _class_list(card)),
        ("Class order", card.class_order),
        ("Samples", f"{text.grouped(card.samples)} of {text.grouped(card.samples_found)} found"),
        ("Labels", "yes" if card.labelled else "none"),
        ("Split", card.split),
        ("Input scaling", card.preprocessing),
        ("Resize", card.resize),
        ("SHA-256 of the samples", card.samples_sha256),
        ("Training history", f"{card.history_steps} steps" if card.history_steps else "none"),
        *(("Note", note) for note in card.notes),
    )
    return tuple((key, value) for key, value in rows if value)


def _class_list(card: SubjectCard, most: int = 40) -> str:
    shown = ", ".join(text.name(name, 40) for name in card.classes[:most])
    more = len(card.classes) - most
    return f"{shown} and {more} more" if more > 0 else shown


def _provenance(made: Environment) -> tuple[tuple[str, str], ...]:
    rows = (
        ("Created", made.created),
        ("reportgen", made.reportgen),
        ("Versions", ", ".join(f"{name} {version}" for name, version in made.versions.items())),
        ("Device", made.device or ""),
        ("Host", made.host or ""),
        ("Seed", str(made.seed)),
        ("Preset", made.preset),
        ("Command", " ".join(made.command)),
    )
    return tuple((key, value) for key, value in rows if value)


def _options(made: Environment) -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"{section}.{option}", _option(value))
        for section, options in made.options.items()
        for option, value in options.items()
    )


def _option(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
