"""What all benchmarks share: interleaved timing, the table, the machine."""

from __future__ import annotations

import ast
import importlib.util
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

_NOT_BENCHMARKS = frozenset({"__init__", "__main__", "runner"})
_PACKAGES = ("tensorflow", "keras", "numpy", "pillow", "matplotlib")
_PEERS = ("cleanlab", "tf-keras-vis")


@dataclass(frozen=True)
class Outcome:
    """Rows under a header, and the ratios that are the answer (how many times faster)."""

    header: tuple[str, ...]
    rows: list[tuple[str | float, ...]]
    ratios: dict[str, float] = field(default_factory=dict)
    goals: Mapping[str, float] = field(default_factory=dict)


def list_benchmarks() -> dict[str, str]:
    """Names, and the first line of each one's docstring; imports none."""
    folder = Path(__file__).parent
    files = sorted(f for f in folder.glob("*.py") if f.stem not in _NOT_BENCHMARKS)
    docs = {f.stem: ast.get_docstring(ast.parse(f.read_text("utf-8"))) or "" for f in files}
    return {name: doc.splitlines()[0] if doc else "" for name, doc in docs.items()}


def measure(contestants: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each, taking turns so that a busy machine is unfair to all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, work in contestants.items():
            seconds[name].append(time_once(work))
    return {name: statistics.median(times) for name, times in seconds.items()}


def time_once(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def describe_machine() -> str:
    """Processor, cores, load and versions, in one line."""
    versions = [f"{name} {metadata.version(name)}" for name in _PACKAGES + _installed(_PEERS)]
    load = os.getloadavg()[0]
    flags = ", ".join(bfloat16_flags()) or "no bfloat16"
    return (
        f"{_processor()} ({flags}), {os.cpu_count()} cores, load {load:.1f}; "
        f"Python {platform.python_version()}, {', '.join(versions)}"
    )


def bfloat16_flags() -> tuple[str, ...]:
    """Which instructions for bfloat16 the processor has."""
    known = _read_cpuinfo("flags").split()
    return tuple(flag for flag in ("amx_bf16", "avx512_bf16") if flag in known)


def _processor() -> str:
    return _read_cpuinfo("model name") or platform.processor() or platform.machine()


def _read_cpuinfo(name: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "")


def _installed(packages: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in packages if importlib.util.find_spec(name.replace("-", "_")))


def print_outcome(outcome: Outcome) -> None:
    table = [outcome.header, *(tuple(map(_show, row)) for row in outcome.rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(outcome.header))]
    for row in table:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(cells))
    for name, ratio in outcome.ratios.items():
        goal = outcome.goals.get(name)
        aim = f" (goal: {goal:g})" if goal else ""
        print(f"{name}: {ratio:.3g} times{aim}")


def _show(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:,.2f}"
