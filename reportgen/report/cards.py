"""What was audited, where, and what it cost: the facts around the findings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from reportgen.report.record import Record


class Skipped(Record):
    """One cause in the ledger of samples left out, with how many and a few of their names."""

    cause: str
    count: int
    examples: tuple[str, ...]


class OtherWay(Record):
    """What came out of another way of running the model than the audit's own.

    name: as in "by model.predict". samples: compared. apart: the largest difference, as a part of
        the largest answer or of one; None where it could not be compared.
    changed: samples whose answer (the largest output, or the side of a single one) is another.
    why: what to know where it differs, or why it was not compared.
    """

    ALIKE: ClassVar[float] = 1e-4

    name: str
    samples: int = 0
    apart: float | None = None
    changed: int = 0
    why: str = ""

    @property
    def differs(self) -> bool:
        """Whether it answers otherwise."""
        return self.apart is not None and not self.apart <= self.ALIKE


class SubjectCard(Record):
    """What was audited, in words and numbers that fit on a front page.

    name: as given, else the file's.
    resizing: what was done to images of other sizes, and to how many.
    task: ``softmax``, ``logits``, ``binary`` (one sigmoid), ``binary_logit``,
        ``independent`` (N sigmoids), ``regression`` or ``other``.
    assumed: what nobody stated and the audit took for granted, in sentences.
    other_ways: the same samples through other ways of running the model.
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
    assumed: tuple[str, ...] = ()
    other_ways: tuple[OtherWay, ...] = ()
    unsafe: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    resizing: str = ""


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
