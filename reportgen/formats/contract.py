"""What a format is: a name, a file, and a function from a report to bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reportgen.report.report import Report

if TYPE_CHECKING:
    from reportgen.figures.drawing import Drawing


@dataclass
class Writing:
    """One report on its way into all its formats.

    Attributes:
        max_bytes: of a page, where a format has pages; None: its own default.
        drawings: vector pictures by block, which several formats show: the first draws them.
    """

    report: Report
    max_bytes: int | None = None
    drawings: dict[str, Drawing] = field(default_factory=dict)


@dataclass(frozen=True)
class Format:
    """One way to write a report.

    Attributes:
        name: what ``--format`` takes.
        file: its name in the output folder. Its suffix is what `Report.to_file` goes by.
        write: the bytes of the file. May raise `FormatUnavailableError` where a library that it
            needs is not there: the others are written all the same.
        default: whether an audit writes it without being asked.
    """

    name: str
    file: str
    write: Callable[[Writing], bytes]
    default: bool = True
