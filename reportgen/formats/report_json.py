"""``report.json``: everything that a program reads. The other formats are made from it."""

from __future__ import annotations

from reportgen.formats.contract import Format, Writing


def write(writing: Writing) -> bytes:
    """The report as JSON text in ASCII."""
    return writing.report.to_json().encode()


REPORT_JSON = Format("json", "report.json", write)
