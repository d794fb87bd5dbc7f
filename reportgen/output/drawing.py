"""Drawing a report that somebody else may have made: in a process that is shut in, and in time.

A report of a few kilobytes may ask for a picture of a million rows. So it is read and drawn where
memory and time have limits, and where nothing but bytes comes back from.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

from reportgen.errors import FormatUnavailableError, InputError, WorkerError
from reportgen.formats import Format, Writing, choose_formats
from reportgen.memory import default_memory_limit
from reportgen.report.report import Report
from reportgen.worker.opening import wait
from reportgen.worker.process import LocalWorker

_MEMORY_BYTES = 4 * 2**30
_PAGE, _MISSING = "page/", "missing/"


def draw(
    folder: Path, chosen: Sequence[Format], max_bytes: int, seconds: float
) -> tuple[dict[str, bytes], list[str]]:
    """The files of the formats by name of file, and why some are missing, in sentences.

    Args:
        max_bytes: of a page. seconds: for reading and drawing.

    Raises:
        InputError: the report cannot be read, or not be drawn within the limits.
    """
    memory = min(_MEMORY_BYTES, default_memory_limit())
    with LocalWorker(device="cpu", memory_limit=memory) as worker:
        names = tuple(one.name for one in chosen)
        future = worker.submit(draw_job, folder.absolute(), names, max_bytes)
        try:
            packed = wait(
                worker, seconds, future, "Raise --time-limit, if it is a report of yours."
            )
        except WorkerError as error:
            raise InputError(f"{folder} cannot be drawn from its data. {error}") from None
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    pages = {one.file: found[_PAGE + one.name] for one in chosen if _PAGE + one.name in found}
    return pages, [text.decode() for name, text in found.items() if name.startswith(_MISSING)]


def draw_job(folder: Path, names: Sequence[str], max_bytes: int) -> bytes:
    """What `draw` asks the worker for, packed as an archive of bytes."""
    writing, packed = Writing(Report.load(folder), max_bytes), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for one in choose_formats(names):
            try:
                archive.writestr(_PAGE + one.name, one.write(writing))
            except FormatUnavailableError as error:
                archive.writestr(_MISSING + one.name, str(error))
    return packed.getvalue()
