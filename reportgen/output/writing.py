"""What stands in an output folder: the files of each format, the arrays, the manifest."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from reportgen.config import AuditConfig
from reportgen.errors import FormatUnavailableError, OutputError
from reportgen.formats import REPORT_JSON, Format, Writing, formats_of
from reportgen.output.drawing import draw
from reportgen.output.replacing import UNFINISHED, link_own, replacing
from reportgen.report.blocks import Attachment
from reportgen.report.cards import Timing
from reportgen.report.folder import MAX_MANIFEST_BYTES, read_manifest
from reportgen.report.manifest import KIND, MANIFEST, Manifest
from reportgen.report.report import Report
from reportgen.report.sections import Arrays

DRAWING_SECONDS = 300.0
_NAMED = 5  # of the files that stayed


@dataclass(frozen=True)
class Written:
    """What was written into the output folder.

    Attributes:
        files: names of the formats' files that are there now.
        remarks: why a format that was asked for is not among them, in sentences.
        kept: names of what was in the folder and is no part of a report.
    """

    files: tuple[str, ...]
    remarks: tuple[str, ...]
    kept: tuple[str, ...] = ()

    def tell(self, say: Callable[[str], object], out: Path) -> None:
        """Say the remarks, then where each file is."""
        for remark in self.remarks:
            say(f"Note: {remark}")
        if self.kept:
            more = ", ..." if len(self.kept) > _NAMED else ""
            say(
                f"Note: {', '.join(self.kept[:_NAMED])}{more} in {out} "
                f"{'is' if len(self.kept) == 1 else 'are'} no part of the report, and stayed."
            )
        for name in self.files:
            say(f"{out / name}")


def write_report(report: Report, config: AuditConfig, timing: Timing) -> Written:
    """Write all files of ``report`` and put them in place of what was there.

    ``report.json`` is always among them: everything else can be made from it again.

    Raises:
        OutputError: a file cannot be written; what was there before is untouched.
    """
    named = formats_of(config)
    chosen = named if REPORT_JSON in named else (*named, REPORT_JSON)
    kept: list[str] = []
    with replacing(config.out, kept) as folder:
        _write_arrays(folder / "data", report.arrays)
        _write_attachments(folder / "data", report)
        written = _write_formats(report, folder, chosen, int(config.max_size * 1e6))
        manifest = _describe(report, config, timing, folder)
        _write(folder / MANIFEST, _as_json(manifest))
    return replace(written, kept=tuple(kept))


def rewrite_pages(
    out: Path, chosen: Sequence[Format], max_bytes: int, seconds: float = DRAWING_SECONDS
) -> Written:
    """Write an existing report into ``chosen`` formats, from ``report.json`` and ``data/``.

    What else the folder holds stays as it is.

    Args:
        max_bytes: of a page. seconds: for reading and drawing the report.

    Raises:
        InputError: ``out`` holds no report, or one that cannot be drawn.
        OutputError: it cannot be written.
    """
    manifest = read_manifest(out)
    pages, remarks = draw(out, chosen, max_bytes, seconds)
    redrawn, kept = {one.file for one in chosen}, list[str]()
    with replacing(out, kept) as folder:
        (folder / "data").mkdir()
        for name in sorted(set(manifest.outputs) - redrawn):
            with contextlib.suppress(FileNotFoundError):
                link_own(out / PurePosixPath(name), folder / PurePosixPath(name))
        for name, content in pages.items():
            _write(folder / name, content)
        manifest = manifest.model_copy(update={"outputs": _hash_outputs(folder)})
        _write(folder / MANIFEST, _as_json(manifest))
    return Written(tuple(pages), tuple(remarks), tuple(kept))


def _write_formats(
    report: Report, folder: Path, chosen: Sequence[Format], max_bytes: int
) -> Written:
    writing, files, remarks = Writing(report, max_bytes), [], []
    for one in chosen:
        try:
            _write(folder / one.file, one.write(writing))
        except FormatUnavailableError as error:
            remarks.append(str(error))
        else:
            files.append(one.file)
    return Written(tuple(files), tuple(remarks))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _write_arrays(folder: Path, arrays: Arrays) -> None:
    folder.mkdir()
    groups: dict[str, dict[str, Any]] = {}
    for key, value in arrays.items():
        section, name = key.split("/", 1)
        groups.setdefault(section, {})[name] = value
    for section, values in groups.items():
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **values)
        _write(folder / f"{section}.npz", buffer.getvalue())


def _write_attachments(folder: Path, report: Report) -> None:
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, Attachment):
                _write(folder / block.name, block.text.encode())


def _as_json(manifest: Manifest) -> bytes:
    values = manifest.model_dump(mode="json")
    for indent in (1, None):  # a manifest of somebody else's may be nested so that spaces are most
        text = json.dumps(values, indent=indent, sort_keys=True, ensure_ascii=True)
        if len(text) < MAX_MANIFEST_BYTES:
            return f"{text}\n".encode()
    raise OutputError(f"The manifest takes {len(text)} bytes, more than are ever read.")


def _describe(report: Report, config: AuditConfig, timing: Timing, folder: Path) -> Manifest:
    """sha256 of every input and output, seed, versions, git revision, options, times."""
    return Manifest(
        kind=KIND,
        schema_version="1.0",
        created=report.environment.created,
        inputs={
            "model": report.subject.sha256,
            "samples": report.subject.samples_sha256,
            **_hash_inputs(config),
        },
        outputs=_hash_outputs(folder),
        seed=config.seed,
        preset=config.preset,
        options=report.environment.options,
        config=config.model_dump(mode="json", exclude={"out", "quiet"}),
        versions=report.environment.versions,
        reportgen=report.environment.reportgen,
        git_revision=_git_revision(),
        seconds=timing.seconds,
        peak_memory_bytes=timing.peak_memory_bytes,
        host=dict(zip(("system", "node", "release"), os.uname()[:3], strict=True)),
    )


def _hash_inputs(config: AuditConfig) -> dict[str, str]:
    files = {"data": config.data, "labels": config.labels, "classes": config.classes}
    return {
        name: _hash(path)
        for name, path in files.items()
        if isinstance(path, Path) and path.is_file()
    }


def _hash_outputs(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): _hash(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (MANIFEST, UNFINISHED)
    }


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _git_revision() -> str | None:
    """The revision of the folder where the audit was started, if it is a git checkout.

    Whose folder that is, is not known: git is told to run nothing that its settings name.
    """
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]
    try:
        done = subprocess.run(
            [*command, "rev-parse", "--verify", "HEAD"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    said = done.stdout.strip().decode("ascii", "replace")
    return said if re.fullmatch(r"[0-9a-f]{40,64}", said) else None
