"""Starts coverage in every Python process of a run of scripts/coverage, by a line in site-packages.

REPORTGEN_COVERAGE is the folder of the data, and passes the cleaning of the worker's environment.
Workers do not live to write what they have counted: they are ended by SIGKILL, and those of
pytest-xdist leave by ``os._exit``. So they are asked first, by SIGUSR2, and are waited for.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

_PATIENCE_SECONDS = 3.0


def _measure(folder: Path) -> None:
    import coverage

    measured = coverage.Coverage(config_file=str(Path(__file__).with_name("coveragerc")))
    measured.start()
    own, leave, kill = os.getpid(), os._exit, os.killpg

    def save(*_: Any) -> None:
        if os.getpid() == own:  # not in what was forked from here
            with contextlib.suppress(Exception):
                measured.save()
            (folder / f"saved-{own}").touch()

    def leave_saved(code: int) -> None:
        save()
        leave(code)

    def kill_saved(group: int, number: int) -> None:
        if number == signal.SIGKILL:
            mark = folder / f"saved-{group}"
            mark.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                os.kill(group, signal.SIGUSR2)
                end = time.monotonic() + _PATIENCE_SECONDS
                while not mark.exists() and time.monotonic() < end and _lives(group):
                    time.sleep(0.02)
        kill(group, number)

    atexit.register(save)
    signal.signal(signal.SIGUSR2, save)
    os._exit, os.killpg = leave_saved, kill_saved  # type: ignore[assignment]
    # Until a process has come so far, SIGUSR2 would end it: no loss, it has counted nothing.


def _lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except OSError:
        return False


if "REPORTGEN_COVERAGE" in os.environ:
    _measure(Path(os.environ["REPORTGEN_COVERAGE"]))
