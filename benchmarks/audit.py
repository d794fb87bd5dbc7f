"""A whole audit of samples/digits as users run it: seconds and peak memory by stage.

One cold process of ``reportgen audit`` a repeat, as the shell starts it, with the default
preset. The stages are what ``manifest.json`` records; the first row is the whole process from
outside, with the largest process of its tree (the worker that holds TensorFlow). There is no
peer: the numbers are for comparison with themselves.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.runner import Outcome, time_once

_REPEATS = 3
_SUBJECT = Path(__file__).resolve().parent.parent / "samples" / "digits"


def run() -> Outcome:
    runs = [_audit_once() for _ in range(_REPEATS)]
    whole = statistics.median(seconds for seconds, _ in runs)
    manifests = [manifest for _, manifest in runs]
    rows: list[tuple[str | float, ...]] = [("whole process", whole, _children_peak_mib())]
    for stage in manifests[0]["seconds"]:
        seconds = statistics.median(m["seconds"][stage] for m in manifests)
        peaks = [m["peak_memory_bytes"].get(stage, 0) for m in manifests]
        rows.append((stage, seconds, statistics.median(peaks) / 2**20))
    staged = sum(float(row[1]) for row in rows[1:])
    rows.append(("start, drawing, writing", whole - staged, 0.0))
    return Outcome(("stage", "seconds", "peak MiB"), rows)


def _audit_once() -> tuple[float, dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report"
        command = [
            sys.executable,
            "-I",  # as the installed command: nothing of the working directory is imported
            "-c",
            "from reportgen.cli import main; main()",
            "audit",
            str(_SUBJECT),
            "--out",
            str(out),
            "--quiet",
        ]
        seconds = time_once(lambda: subprocess.run(command, check=True))
        return seconds, json.loads((out / "manifest.json").read_text("utf-8"))


def _children_peak_mib() -> float:
    """The largest resident set of any process that ended below this one."""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
