"""reportgen audits a trained Keras model and writes one report about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "ConfigurationError",
    "InputError",
    "OutputError",
    "Report",
    "ReportgenError",
    "UnsafeInputError",
    "UsageError",
    "WeightRecorder",
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
        OutputError,
        ReportgenError,
        UnsafeInputError,
        UsageError,
    )
    from reportgen.report.report import Report
    from reportgen.subject.recorder import WeightRecorder

_HOMES = {
    "audit": "reportgen.api",
    "render": "reportgen.api",
    "Report": "reportgen.report.report",
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
