"""What was audited, where, and what it cost: the facts around the findings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from reportgen.report.record import Record


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


@dataclass
class Timing:
    """Seconds and peak memory in bytes by stage; for the manifest."""

    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory_bytes: dict[str, int] = field(default_factory=dict)
