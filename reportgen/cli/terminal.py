"""How far the audit is, on a terminal or in a log. Prints to standard error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from reportgen.cli.printer import log
from reportgen.progress import Display, Silence
from reportgen.text import printable


class Bars:
    """A line for each stage: a bar, a count, the time gone and an estimate of the rest."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[label]}"),
            console=console,
        )
        self._task: int | None = None

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._finish()
        self._progress.stop()

    def stage(self, name: str) -> None:
        """Close the line before and open one."""
        self._finish()
        self._task = self._progress.add_task(escape(name), total=None, label="")

    def advance(self, done: int, total: int, label: str) -> None:
        """Move the bar of the open line."""
        if self._task is not None:
            self._progress.update(
                self._task,  # type: ignore[arg-type]
                completed=done,
                total=total,
                label=escape(printable(label)),
            )

    def _finish(self) -> None:
        if self._task is None:
            return
        total = self._progress.tasks[self._task].total or 1
        self._progress.update(self._task, completed=total, total=total, label="")  # type: ignore[arg-type]


class PlainLines:
    """A line when a stage begins and ends, and every few seconds between: for logs."""

    interval_seconds = 10.0

    def __init__(self) -> None:
        self._name = self._label = ""
        self._started = self._said = self._began = time.monotonic()
        self._first = 0

    def stage(self, name: str) -> None:
        """Say that the stage before is done and this one begins."""
        self.close()
        self._name, self._label, self._started = name, "", time.monotonic()
        self._said = self._started
        log(f"{name} ...")

    def advance(self, done: int, total: int, label: str) -> None:
        """Say how far it is, if it has been silent for a while."""
        now = time.monotonic()
        if label != self._label or done < self._first:
            self._label, self._began, self._first = label, now, done
        if now - self._said < self.interval_seconds:
            return
        self._said = now
        gone = done - self._first
        rest = (now - self._began) * (total - done) / gone if gone else None
        guess = f", about {rest:.0f} s left" if rest is not None else ""
        log(f"{self._name}: {label} {done}/{total}{guess}")

    def close(self) -> None:
        """Say that the open stage is done."""
        if self._name:
            took = time.monotonic() - self._started
            log(f"{self._name}: {took:.1f} s")
        self._name = ""


@contextmanager
def choose_display(*, quiet: bool) -> Iterator[Display]:
    """Bars on a terminal, plain lines elsewhere, nothing if ``quiet``."""
    console = Console(stderr=True)
    if quiet:
        yield Silence()
    elif console.is_terminal:
        with Bars(console) as bars:
            yield bars
    else:
        lines = PlainLines()
        yield lines
        lines.close()
