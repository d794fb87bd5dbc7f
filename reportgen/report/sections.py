"""A chapter of the report: its findings, its blocks, and the arrays that they show.

Numbers that a person or a program reads are in the objects and in ``report.json``. Arrays are
not: a block names them as ``"section/key"`` (a `blocks.ArrayKey`), and they live in
`Report.arrays` in memory and in ``data/section.npz`` on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray
from pydantic import FiniteFloat

from reportgen.report.blocks import Block
from reportgen.report.findings import Finding
from reportgen.report.record import Record
from reportgen.text import printable

SectionStatus = Literal["done", "not_applicable", "error"]
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class SectionBody:
    """What an analysis presents: findings, blocks, how it was made, and the arrays shown.

    arrays: by the part of the `ArrayKey` after the slash.
    """

    findings: tuple[Finding, ...]
    blocks: tuple[Block, ...]
    method: tuple[str, ...]
    arrays: Arrays = field(default_factory=dict)


class Section(Record):
    """One chapter of the report. Time and memory are None under ``SOURCE_DATE_EPOCH``."""

    id: str
    title: str
    why: str
    status: SectionStatus
    findings: tuple[Finding, ...] = ()
    blocks: tuple[Block, ...] = ()
    method: tuple[str, ...] = ()
    seconds: FiniteFloat | None = None
    peak_memory_bytes: int | None = None

    def __str__(self) -> str:
        said = ", ".join(f"{finding.id} {finding.level}" for finding in self.findings)
        return printable(f"{self.title}: {self.status.replace('_', ' ')}; {said or 'no findings'}")

    def __repr__(self) -> str:
        counts = f"{len(self.findings)} findings, {len(self.blocks)} blocks"
        return f"<Section {self.id!r}: {self.status}, {counts}>"
