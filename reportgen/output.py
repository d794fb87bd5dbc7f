"""The output folder: written beside its place, synced, then moved there as a whole."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from reportgen.config import AuditConfig
from reportgen.errors import FormatUnavailableError, InputError, OutputError
from reportgen.formats import REPORT_JSON, Format, Writing, formats_of
from reportgen.report.cards import Timing
from reportgen.report.report import Report
from reportgen.report.sections import Arrays

MANIFEST = "manifest.json"


@contextlib.contextmanager
def claim(out: Path) -> Iterator[None]:
    """Hold ``out`` for one run.

    Raises:
        OutputError: another run holds it, it cannot be written, or it is not ours to replace.
    """
    target = out.resolve()
    _check_replaceable(target)
    lock = target.parent / f".{target.name}.lock"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle = _lock(lock, out)
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror}.") from None
    with handle:
        _check_replaceable(target)  # another run may have ended in between
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)  # while it is still held; see _lock


def _lock(lock: Path, out: Path) -> IO[str]:
    """Hold the file ``lock`` until the handle is closed.

    Whoever ends removes the file. Whoever opened it before and got the lock after that holds a
    file without a name, and a third run would make and hold a new one. So the lock counts only
    where the file that is held still stands at its path; otherwise it is tried again.
    """
    import fcntl

    while True:
        handle = lock.open("w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = os.fstat(handle.fileno())
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(held, lock.stat()):
                    return handle
        except BlockingIOError:
            handle.close()
            raise OutputError(
                f"{out} is being written by another run. Wait for it, or give another --out."
            ) from None
        except BaseException:
            handle.close()
            raise
        handle.close()


def _check_replaceable(target: Path) -> None:
    if target.is_dir():
        if any(target.iterdir()) and not (target / MANIFEST).is_file():
            raise OutputError(
                f"{target} holds files that are not a report, and would be replaced. "
                "Give an empty or new folder with --out."
            )
    elif target.exists() or target.is_symlink():
        raise OutputError(f"{target} is a file. Give a folder with --out.")


@dataclass(frozen=True)
class Written:
    """What was written into the output folder.

    Attributes:
        files: names of the formats' files that are there now.
        remarks: why a format that was asked for is not among them, in sentences.
    """

    files: tuple[str, ...]
    remarks: tuple[str, ...]

    def tell(self, say: Callable[[str], object], out: Path) -> None:
        """Say the remarks, then where each file is."""
        for remark in self.remarks:
            say(f"Note: {remark}")
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
    with _replacing(config.out) as folder:
        _write_arrays(folder / "data", report.arrays)
        written = _write_formats(report, folder, chosen, int(config.max_size * 1e6))
        manifest = _describe(report, config, timing, folder)
        _write(folder / MANIFEST, _as_json(manifest))
    return written


def rewrite_pages(out: Path, chosen: Sequence[Format], max_bytes: int) -> Written:
    """Write an existing report into ``chosen`` formats, from ``report.json`` and ``data/``.

    What else the folder holds by its manifest stays as it is.

    Raises:
        InputError: ``out`` holds no report. OutputError: it cannot be written.
    """
    report, manifest, inside = Report.load(out), read_manifest(out), out.resolve()
    redrawn = {one.file for one in chosen}
    with _replacing(out) as folder:
        (folder / "data").mkdir()
        for name in manifest["outputs"]:
            kept = out / PurePosixPath(name)
            if name not in redrawn and kept.is_file() and kept.resolve().is_relative_to(inside):
                _write(folder / PurePosixPath(name), kept.read_bytes())
        written = _write_formats(report, folder, chosen, max_bytes)
        manifest["outputs"] = _hash_outputs(folder)
        _write(folder / MANIFEST, _as_json(manifest))
    return written


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


@contextlib.contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A temporary sibling of ``out`` that takes its place if all goes well."""
    target = out.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            folder.chmod(0o755)
            yield folder
            _sync(folder)
            _swap(folder, target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise OutputError(
            f"{out} cannot be written: {error.strerror or error}. Nothing was changed there."
        ) from None


def _swap(folder: Path, target: Path) -> None:
    previous = folder.with_name(folder.name + ".previous")
    if target.exists():
        os.rename(target, previous)
    try:
        os.rename(folder, target)
    except BaseException:
        if previous.exists():
            os.rename(previous, target)
        raise
    shutil.rmtree(previous, ignore_errors=True)


def _sync(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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


def _as_json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode()


def _describe(report: Report, config: AuditConfig, timing: Timing, folder: Path) -> dict[str, Any]:
    """sha256 of every input and output, seed, versions, git revision, options, times."""
    return {
        "created": report.environment.created,
        "inputs": {
            "model": report.subject.sha256,
            "samples": report.subject.samples_sha256,
            **_hash_inputs(config),
        },
        "outputs": _hash_outputs(folder),
        "seed": config.seed,
        "preset": config.preset,
        "options": report.environment.options,
        "config": config.model_dump(mode="json", exclude={"out", "quiet"}),
        "versions": report.environment.versions,
        "reportgen": report.environment.reportgen,
        "git_revision": _git_revision(),
        "seconds": timing.seconds,
        "peak_memory_bytes": timing.peak_memory_bytes,
        "host": dict(zip(("system", "node", "release"), os.uname()[:3], strict=True)),
    }


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
        if path.is_file() and path.name != MANIFEST
    }


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _git_revision() -> str | None:
    """The revision of the folder where the audit was started, if it is a git checkout."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def read_manifest(out: Path) -> dict[str, Any]:
    """``manifest.json`` of an output folder.

    Raises:
        InputError: there is none that reads.
    """
    try:
        manifest = json.loads((out / MANIFEST).read_bytes())
        if not isinstance(manifest.get("outputs"), dict):
            raise ValueError("it lists no outputs")
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            f"{out / MANIFEST} cannot be read ({error}). Give the output folder of an audit."
        ) from None
    return dict(manifest)


def find_differences(out: Path) -> list[str]:
    """What is not as the manifest says: changed, missing and unlisted files, one line each."""
    listed: dict[str, str] = read_manifest(out)["outputs"]
    there = _hash_outputs(out)
    lines = [f"missing: {name}" for name in listed if name not in there]
    lines += [
        f"changed: {name}" for name in listed if name in there and there[name] != listed[name]
    ]
    return lines + [f"not listed: {name}" for name in there if name not in listed]
