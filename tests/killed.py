"""Runs in a process of its own and ends at the n-th thing that it does to the file system.

    python killed.py COUNTER N HOW OUT WHAT

HOW: ``count`` writes how many there are into COUNTER; ``kill`` and ``term`` send the signal before
the n-th; ``full`` lets the n-th and all that follow fail as a full disk does, but for removals;
``short`` lets no file grow beyond n bytes, so that it fails in the middle of one.
WHAT: a report to be written again, or a folder to be audited.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

COUNTER, N, HOW, OUT, WHAT = sys.argv[1], int(sys.argv[2]), *sys.argv[3:6]
HOME = str(Path(OUT).resolve().parent)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
seen = 0


def watch(event: str, args: tuple[Any, ...]) -> None:
    """Called by Python before each of these; see the table of audit events."""
    global seen
    grows = event in ("os.mkdir", "os.rename", "os.link", "tempfile.mkdtemp")
    shrinks = event in ("os.remove", "os.rmdir", "shutil.rmtree", "os.chmod")
    if event == "open":
        grows = isinstance(args[2], int) and bool(args[2] & _WRITING)
    exchange = event == "ctypes.dlsym" and args[1] == "renameat2"
    if not exchange and not ((grows or shrinks) and _is_inside(args)):
        return
    seen += 1
    if HOW == "count":
        Path(COUNTER).write_text(str(seen))
    elif seen == N and HOW in ("kill", "term"):
        os.kill(os.getpid(), signal.SIGKILL if HOW == "kill" else signal.SIGTERM)
    elif seen >= N and HOW == "full" and (grows or exchange):
        raise OSError(errno.ENOSPC, "No space left on device")


def _is_inside(args: tuple[Any, ...]) -> bool:
    paths = [os.fsdecode(a) for a in args if isinstance(a, str | bytes | os.PathLike)]
    return any(path.startswith(HOME) and COUNTER not in path for path in paths)


def write_again() -> None:
    """The last part of an audit: the folder is claimed, filled and put in its place."""
    from reportgen.config import build_config
    from reportgen.output import claim, write_report
    from reportgen.report.cards import Timing
    from reportgen.report.report import Report

    report = Report.load(WHAT)
    config = build_config({"out": OUT, "formats": ("json",)})
    sys.addaudithook(watch)
    with claim(config.out):
        write_report(report, config, Timing())


def audit() -> None:
    """A whole audit through the command."""
    from reportgen.cli import main

    sys.addaudithook(watch)
    sys.argv = ["reportgen", "audit", WHAT, "--out", OUT, "--only", "overview", "--quiet"]
    main()


if HOW == "short":
    resource.setrlimit(resource.RLIMIT_FSIZE, (N, N))
if (Path(WHAT) / "audit.toml").exists():
    audit()
else:
    from reportgen.cli.main import Terminated, _on_terminate

    signal.signal(signal.SIGTERM, _on_terminate)
    try:
        write_again()
    except Terminated:
        sys.exit(143)
