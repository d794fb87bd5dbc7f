"""``manifest.json``: what tells an output folder from any other, and what each file of it was."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from reportgen.report.record import Record

MANIFEST = "manifest.json"
KIND: Literal["reportgen report"] = "reportgen report"

# A file of the folder itself, or one of a folder in it: nothing that leads out.
FileName = Annotated[
    str, Field(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,80}/)?[A-Za-z0-9_][A-Za-z0-9_.-]{0,80}$")
]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(Record):
    """What an output folder holds and what it was made from.

    kind: says that reportgen wrote the folder; one without it is never replaced.
    inputs: SHA-256 of what was audited. outputs: SHA-256 of each file of the folder.
    seconds, peak_memory_bytes: by stage.
    """

    kind: Literal["reportgen report"]
    schema_version: Literal["1.0"]
    created: str
    inputs: dict[str, str | None]
    outputs: dict[FileName, Sha256]
    seed: int
    preset: str
    options: dict[str, dict[str, Any]]
    config: dict[str, Any]
    versions: dict[str, str]
    reportgen: str
    git_revision: str | None
    seconds: dict[str, float]
    peak_memory_bytes: dict[str, int]
    host: dict[str, str]
