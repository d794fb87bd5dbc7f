"""What travels from the analyses to the pages: findings, sections, the card, the verdict.

Everything here is frozen, validated and free of TensorFlow. Numbers that a person or a
program reads are in the objects and in ``report.json``. Arrays are not: a block names them
as ``"section/key"`` (a `blocks.ArrayKey`), and they live in `Report.arrays` in memory and in
``data/section.npz`` on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray
from pydantic import Field, FiniteFloat

from reportgen.blocks import Block, Record

SCHEMA_VERSION: Literal["1.0"] = "1.0"

Level = Literal["pass", "note", "warn", "fail", "not_applicable", "error"]
VerdictLevel = Literal["pass", "note", "warn", "fail", "error"]
SectionStatus = Literal["done", "not_applicable", "error"]
Arrays = Mapping[str, NDArray[Any]]


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


class Skipped(Record):
    """One cause in the ledger of samples left out, with how many and a few of their names."""

    cause: str
    count: int
    examples: tuple[str, ...]


class SubjectCard(Record):
    """What was audited, in words and numbers that fit on a front page.

    name: as given, else the file's.
    task: ``softmax``, ``logits``, ``binary`` (one sigmoid), ``binary_logit``,
        ``independent`` (N sigmoids), ``regression`` or ``other``.
    unsafe: why opening the file was not safe, where ``--allow-unsafe`` let it pass.
    repairs: what the file needed to open.
    """

    name: str
    file_format: str
    sha256: str | None
    size_bytes: int | None
    keras_version: str | None
    task: str
    task_reason: str
    input_shape: tuple[int | None, ...]
    input_kind: Literal["image", "vector", "other"]
    outputs: tuple[str, ...]
    parameters: int
    layers: int
    conv_layers: int
    classes: tuple[str, ...] = ()
    class_order: str = ""
    samples: int
    samples_found: int
    labelled: bool
    split: str
    preprocessing: str
    resize: str
    notes: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    history_steps: int = 0
    samples_sha256: str = ""
    file_name: str = ""
    unsafe: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()


class Verdict(Record):
    """The answer in one line. ``level`` is the worst level of all findings."""

    level: VerdictLevel
    sentence: str
    counts: dict[Level, int]


class Environment(Record):
    """Where the audit ran. ``host`` facts are None under ``SOURCE_DATE_EPOCH``."""

    created: str
    reportgen: str
    versions: dict[str, str]
    device: str | None
    host: str | None
    seed: int
    preset: str
    options: dict[str, dict[str, Any]]
    command: tuple[str, ...] = ()
    isolation: tuple[str, ...] = ()
