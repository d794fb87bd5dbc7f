"""reportgen audits a trained Keras model and writes one report about it.

    report = reportgen.audit(model, x_test, y_test, preprocessing="unit")
    report                             # a notebook shows it
    report.to_file("report.html")      # or .pdf, .json

What there is:

    audit                audit a model file, or a live model with its samples
    render               read an output folder back, without TensorFlow
    Report               what both give: verdict, findings, metrics, sections, pages
    Finding, Metric      one check with its verdict; one number with its interval
    WeightRecorder       a Keras callback that records the weights while you train
    landscape            the loss around the weights: landscape.survey(model, x, y)
    optvis               what a unit wants to see: optvis.visualize(model, optvis.channel(...))

What is raised, all of it below `ReportgenError`:

    UsageError           the call is wrong
    ConfigurationError   a setting holds something that cannot be used (a UsageError)
    UnsafeInputError     opening the file would run or read what it must not
    InputError           the model or the samples cannot be read
    OutputError          the report cannot be written
    PdfUnavailableError  a library for the PDF is missing (an OutputError)
    LimitError           time or memory ran out before there was anything to report

`audit`, `landscape.survey` and `optvis.visualize` take samples as you have them, before scaling,
and ``preprocessing=``, a name or a function, that makes of them what the model takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reportgen.version import __version__

__all__ = [
    "ConfigurationError",
    "Finding",
    "InputError",
    "LimitError",
    "Metric",
    "OutputError",
    "PdfUnavailableError",
    "Report",
    "ReportgenError",
    "UnsafeInputError",
    "UsageError",
    "WeightRecorder",
    "__version__",
    "audit",
    "landscape",
    "optvis",
    "render",
]

if TYPE_CHECKING:
    from reportgen import landscape, optvis
    from reportgen.api import audit, render
    from reportgen.errors import (
        ConfigurationError,
        InputError,
        LimitError,
        OutputError,
        PdfUnavailableError,
        ReportgenError,
        UnsafeInputError,
        UsageError,
    )
    from reportgen.report.findings import Finding, Metric
    from reportgen.report.report import Report
    from reportgen.subject.recorder import WeightRecorder

_HOMES = {
    "audit": "reportgen.api",
    "render": "reportgen.api",
    "Finding": "reportgen.report.findings",
    "Metric": "reportgen.report.findings",
    "Report": "reportgen.api",  # which also imports what writes a report
    "WeightRecorder": "reportgen.subject.recorder",
}


def __getattr__(name: str) -> Any:
    # Lazy: `import reportgen` and `reportgen --help` must not wait for anything heavy.
    if name not in __all__:
        raise AttributeError(f"module 'reportgen' has no attribute {name!r}")
    from importlib import import_module

    if name in ("landscape", "optvis"):
        return import_module(f"reportgen.{name}")
    return getattr(import_module(_HOMES.get(name, "reportgen.errors")), name)


def __dir__() -> list[str]:
    """What there is; not what this module needed to say so."""
    return list(__all__)
