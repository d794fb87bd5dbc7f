"""What can go wrong, and the exit code each cause has.

    ReportgenError                  70  a bug of ours, unless a subclass says otherwise
    ├── UsageError                   2  the command line or the Python call is wrong
    │   └── ConfigurationError       2  audit.toml or an option holds something we cannot use
    ├── UnsafeInputError             3  opening the input would run or read what it must not
    ├── InputError                   4  the model or the samples cannot be read
    ├── OutputError                  6  the report cannot be written
    │   └── FormatUnavailableError   5  one format cannot: a library for it is missing
    ├── LimitError                   7  time or memory ran out before there was anything to report
    └── WorkerError                  5  the worker process raised while it analysed
        └── WorkerDiedError          5  the worker process died, or was ended at the time limit

Every message names the cause, the value that was received, and the next step.
"""

from __future__ import annotations

from enum import IntEnum


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
    """Base of all errors that reportgen raises on purpose."""

    exit_code = ExitCode.BUG


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
    """One format cannot be written here: a library for it is missing. The others are."""

    exit_code = ExitCode.PARTIAL


class LimitError(ReportgenError):
    """Time or memory ran out before there was anything to report."""

    exit_code = ExitCode.LIMIT


class WorkerError(ReportgenError):
    """The worker process raised. Costs a section, never the report."""

    exit_code = ExitCode.PARTIAL


class WorkerDiedError(WorkerError):
    """The worker process is gone: killed, crashed, or ended at the time limit."""
