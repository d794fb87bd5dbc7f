"""The one place that writes to a terminal or a log.

Names in a report were chosen by whoever made the model or the folder. A line that they stand in is
made harmless here, so that it neither steers the terminal nor commands a CI runner.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from reportgen.text import printable

_LONGEST = 4000  # characters of a line


def say(line: object) -> None:
    """Print one line to standard output."""
    click.echo(printable(str(line), _LONGEST))


def log(line: object) -> None:
    """Print one line to standard error."""
    click.echo(printable(str(line), _LONGEST), err=True)
    sys.stderr.flush()


def say_json(value: Any) -> None:
    """Print a value as JSON: ASCII, and without what a CI runner takes for a command."""
    click.echo(json.dumps(value, indent=2).replace("##", r"#\u0023"))


def say_table(
    rows: Iterable[Sequence[str]], headers: tuple[str, ...] = (), *, narrow: int = 1
) -> None:
    """Print rows in columns, each as wide as it must be.

    Args:
        narrow: so many columns, from the left, are never wrapped.
    """
    from rich.console import Console
    from rich.table import Table

    safe = [[printable(cell, _LONGEST) for cell in row] for row in rows]
    table = Table(
        *(headers or [""] * max(map(len, safe), default=0)),
        show_header=bool(headers),
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for column in table.columns[:narrow]:
        column.no_wrap = True
    for row in safe:
        table.add_row(*row)
    Console(highlight=False, markup=False).print(table)
