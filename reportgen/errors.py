"""What can go wrong, and the exit code each cause has.

    ReportgenError                  70  a bug of ours, unless a subclass says otherwise
    ├── UsageError                   2  the command line or the Python call is wrong
    │   ├── ConfigurationError       2  audit.toml or an option holds something we cannot use
    │   └── NothingToCheckError      2  this model has nothing that an analysis could look at
    ├── UnsafeInputError             3  opening the input would run or read what it must not
    ├── InputError                   4  the model or the samples cannot be read
    ├── OutputError                  6  the report cannot be written
    │   └── FormatUnavailableError   5  one format cannot: a library for it is missing
    │       └── PdfUnavailableError  5  the PDF cannot
    ├── LimitError                   7  time or memory ran out before there was anything to report
    ├── WeightsChangedError         70  an analysis did not leave the weights as it found them
    └── WorkerError                  5  the analysis raised; costs its section
        ├── WorkerDiedError          5  the worker process died, or was ended at the time limit
        └── TimeLimitError           5  an analysis in this process was stopped at the time limit

All of them stand here, and are made of one text: the worker process sends its errors by name, and
a class that stood elsewhere would lose its type on the way. Every message names the cause, the
value that was received, and the next step.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from reportgen.text import printable

_LONGEST = 4000  # characters of a message


class ExitCode(IntEnum):
    """What the command returns to the shell. Public: CI jobs branch on it."""

    DONE = 0
    GATE = 1
    USAGE = 2
    UNSAFE = 3
    INPUT = 4
    PARTIAL = 5
    OUTPUT = 6
    LIMIT = 7
    BUG = 70
    INTERRUPTED = 130
    TERMINATED = 143


class ReportgenError(Exception):
    """Base of all errors that reportgen raises on purpose.

    Its message is one inert line: it may name files and layers, and what they are called was
    somebody else's choice.

    Attributes:
        exit_code: what the command returns to the shell for it.
    """

    exit_code = ExitCode.BUG

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(str(message), _LONGEST))


def find_error(names: Iterable[str]) -> type[ReportgenError] | None:
    """The first class of this module among ``names``; None if none of them is one of ours.

    Args:
        names: of a class and its bases, nearest first, as another process tells them.
    """
    for name in names:
        found = globals().get(name)
        if isinstance(found, type) and issubclass(found, ReportgenError):
            return found
    return None


class UsageError(ReportgenError):
    """The call itself is wrong: a missing argument, an unknown name, a contradiction."""

    exit_code = ExitCode.USAGE


class NothingToCheckError(UsageError):
    """An analysis finds nothing in this model that it could look at; no fault of anybody."""


class ConfigurationError(UsageError):
    """A setting has an unknown key, a wrong type or a value out of range."""


class UnsafeInputError(ReportgenError):
    """Opening the input would run code or read places that the audit must not touch."""

    exit_code = ExitCode.UNSAFE


class InputError(ReportgenError):
    """The model or the samples cannot be read."""

    exit_code = ExitCode.INPUT


class OutputError(ReportgenError):
    """The report cannot be written where it was asked for."""

    exit_code = ExitCode.OUTPUT


class FormatUnavailableError(OutputError):
    """One format cannot be written here: a library for it is missing. The others are made."""

    exit_code = ExitCode.PARTIAL


class PdfUnavailableError(FormatUnavailableError):
    """WeasyPrint, or the Pango library beneath it, is not installed."""


class LimitError(ReportgenError):
    """Time or memory ran out before there was anything to report."""

    exit_code = ExitCode.LIMIT


class WeightsChangedError(ReportgenError):
    """An analysis did not leave the weights as it found them: a bug of ours, or of a plug-in's."""


class WorkerError(ReportgenError):
    """The analysis raised something that is none of ours. Costs a section, never the report."""

    exit_code = ExitCode.PARTIAL


class WorkerDiedError(WorkerError):
    """The worker process is gone: killed, crashed, or ended at the time limit."""


class TimeLimitError(WorkerError):
    """An analysis of a live model was stopped at the time limit, between two of its steps."""
