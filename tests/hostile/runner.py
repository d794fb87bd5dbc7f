"""Runs commands and measures them: how long, how much memory, what they said, what they left.

A small process of its own: on Linux a child starts with the peak memory of whoever forked it,
so that the process of the tests, which holds TensorFlow, could not measure.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

import psutil

MAIN = "from reportgen.cli import main; main()"
PAUSE_SECONDS = 0.03
LIMIT_SECONDS = 120
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def run(job: dict[str, Any]) -> dict[str, Any]:
    """One command: ``argv``, ``cwd``, and the ``canary`` that must not be there afterwards."""
    canary = Path(job["canary"])
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as shown:
        began = time.perf_counter()
        code, peak = _watch(_spawn(job, shown, said), began)
        seconds = time.perf_counter() - began
        result = {
            "key": job["key"],
            "code": code,
            "said": _read(said),
            "shown": _read(shown),
            "seconds": seconds,
            "peak_bytes": peak,
            "canary": canary.exists(),
        }
    canary.unlink(missing_ok=True)
    return result


def _spawn(job: dict[str, Any], shown: IO[bytes], said: IO[bytes]) -> int:
    command = [sys.executable, "-c", MAIN, *job["argv"]]
    process = subprocess.Popen(
        command,
        cwd=job["cwd"],
        stdin=subprocess.DEVNULL,
        stdout=shown,
        stderr=said,
        start_new_session=True,
    )
    process.returncode = 0  # it is waited for by hand
    return process.pid


def _watch(pid: int, began: float) -> tuple[int | None, int]:
    """Exit code (None: out of time) and peak memory of the process and all that it started.

    The peak is the larger of two: what the system recorded of the largest single process, and
    the largest sum that was seen.
    """
    largest = 0
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code, max(largest, usage.ru_maxrss * _RSS_UNIT)
        largest = max(largest, _resident(pid))
        if time.perf_counter() - began > LIMIT_SECONDS:
            _end(pid)
            return None, largest
        time.sleep(PAUSE_SECONDS)


def _family(pid: int) -> list[psutil.Process]:
    try:
        head = psutil.Process(pid)
        return [head, *head.children(recursive=True)]
    except psutil.Error:
        return []


def _resident(pid: int) -> int:
    total = 0
    for process in _family(pid):
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total


def _end(pid: int) -> None:
    for each in reversed(_family(pid)):
        with contextlib.suppress(psutil.Error):
            each.send_signal(signal.SIGKILL)
    os.waitpid(pid, 0)


def _read(stream: Any) -> str:
    stream.seek(0)
    text: str = stream.read(100_000).decode("utf-8", "backslashreplace")
    return text


def main() -> None:
    """Read jobs from the first file, write their results into the second."""
    jobs = json.loads(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(json.dumps([run(job) for job in jobs]))


if __name__ == "__main__":
    main()
